import { setTimeMs } from '../domain/recovery/manifest.ts';
import { verifiedOf, type FoundSet, type VaultTarget } from '../recovery/vault/vault-target.ts';

/** What a target holds. Times are epoch ms. */
export interface VerifiedSets {
  /** When the newest verified set was begun; `null`: there is none. */
  readonly newestMs: number | null;
  /** When the oldest and the newest verified set were complete: what they bring back. */
  readonly complete: { readonly fromMs: number; readonly toMs: number } | null;
  /** Why the target cannot be read; `null`: it can. */
  readonly problem: string | null;
}

type Targets = () => Promise<ReadonlyMap<string, { readonly vault: Pick<VaultTarget, 'find'> }>>;

export async function readVerifiedSets(targets: Targets): Promise<ReadonlyMap<string, VerifiedSets>> {
  const found = new Map<string, VerifiedSets>();
  for (const [name, { vault }] of await targets()) {
    const sets = await vault.find().then(summarize, (error: unknown) => {
      const problem = error instanceof Error ? error.message : String(error);
      return { newestMs: null, complete: null, problem };
    });
    found.set(name, sets);
  }
  return found;
}

function summarize(sets: readonly FoundSet[]): VerifiedSets {
  const verified = verifiedOf(sets);
  const [oldest, newest] = [verified[0], verified.at(-1)];
  if (oldest === undefined || newest === undefined) return { newestMs: null, complete: null, problem: null };
  const complete = { fromMs: Date.parse(oldest.finishedAt), toMs: Date.parse(newest.finishedAt) };
  return { newestMs: setTimeMs(newest.setId), complete, problem: null };
}
