import { unlessRefused } from '../../adapters/object-stores/unless-refused.ts';
import { DomainError } from '../../domain/errors.ts';
import { artefactKey, ARTEFACTS_PREFIX, manifestKey, setPrefix, SETS_PREFIX } from '../../domain/recovery/layout.ts';
import { isSetId, setTimeMs } from '../../domain/recovery/manifest.ts';
import {
  planRetention,
  type RetainedSet,
  type RetentionPlan,
  type RetentionPolicy,
} from '../../domain/recovery/retention.ts';
import { removeWal } from './prune-wal.ts';
import type { FoundSet, VaultTarget } from './vault-target.ts';

/** A set under way has no manifest yet, and may have begun so long ago. */
const UNFINISHED_AFTER_MS = 3 * 86_400_000;
/** An artefact is written before the manifest that names it: a young one may belong to a set under way. */
const ARTEFACT_AFTER_MS = UNFINISHED_AFTER_MS;

export interface PruneOptions {
  readonly policy: RetentionPolicy;
  readonly nowMs: number;
  /** Only says what would go. */
  readonly dryRun: boolean;
  readonly signal: AbortSignal;
}

export interface PruneReport {
  readonly plan: RetentionPlan;
  readonly removedSets: readonly string[];
  /** Begun and never completed, long ago. */
  readonly removedUnfinished: readonly string[];
  readonly removedArtefacts: number;
  readonly removedWal: number;
  /** Why something that could go did not. */
  readonly notes: readonly string[];
}

/**
 * Removes what the policy lets go. A set's manifest goes first, so that half a set never looks like one. Artefacts and
 * log go only when every manifest in the target could be read: what an unreadable one needs is not known.
 */
export async function pruneSets(target: VaultTarget, options: PruneOptions): Promise<PruneReport> {
  const { policy, nowMs, dryRun, signal } = options;
  const found = await target.find(signal);
  const plan = planRetention(await describeSets(target, found, signal), policy, nowMs);
  const notes: string[] = [];
  const removedSets: string[] = [];
  for (const setId of plan.remove) {
    if (await removeSet(target, setId, { dryRun, signal }, notes)) removedSets.push(setId);
  }
  const unfinished = await findUnfinished(target, found, nowMs, signal);
  for (const setId of unfinished) await removeSet(target, setId, { dryRun, signal }, notes);
  const kept = found.filter((set) => !removedSets.includes(set.setId));
  const unreadable = kept.filter((set) => set.manifest === null);
  if (unreadable.length > 0) {
    notes.push(
      `artefacts and log stay: the manifest of ${unreadable.map((set) => set.setId).join(', ')} cannot be read`,
    );
    return { plan, removedSets, removedUnfinished: unfinished, removedArtefacts: 0, removedWal: 0, notes };
  }
  const removedArtefacts = await removeArtefacts(target, kept, options, notes);
  const removedWal = await removeWal(target, kept, options, notes);
  return { plan, removedSets, removedUnfinished: unfinished, removedArtefacts, removedWal, notes };
}

/**
 * Locks are asked for, not tried: a store that keeps versions would hide a locked set behind a deletion and call that
 * a success. Sets need no other sets: each has a whole copy with the log inside it; artefacts are looked after below.
 */
async function describeSets(
  target: VaultTarget,
  found: readonly FoundSet[],
  signal: AbortSignal,
): Promise<readonly RetainedSet[]> {
  const described: RetainedSet[] = [];
  for (const { setId, verifiedAt, manifest, hold } of found) {
    described.push({
      setId,
      startedAtMs: setTimeMs(setId),
      verified: verifiedAt !== null && manifest !== null,
      hold,
      lockedUntilMs: await target.lockedUntilMs(setId, signal),
      needs: [],
    });
  }
  return described;
}

async function removeSet(
  { store }: VaultTarget,
  setId: string,
  { dryRun, signal }: { readonly dryRun: boolean; readonly signal: AbortSignal },
  notes: string[],
): Promise<boolean> {
  if (dryRun) return true;
  try {
    await store.delete(manifestKey(setId), { signal });
    const keys: string[] = [];
    for await (const { key } of store.list(setPrefix(setId), { signal })) keys.push(key);
    for (const key of keys) await store.delete(key, { signal });
    return true;
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'refused') throw error;
    notes.push(`${setId} stays: ${error.message}`);
    return false;
  }
}

async function findUnfinished(
  { store }: VaultTarget,
  found: readonly FoundSet[],
  nowMs: number,
  signal: AbortSignal,
): Promise<readonly string[]> {
  const complete = new Set(found.map((set) => set.setId));
  const others = new Set<string>();
  for await (const { key } of store.list(SETS_PREFIX, { signal })) {
    const setId = key.slice(SETS_PREFIX.length).split('/')[0] ?? '';
    if (isSetId(setId) && !complete.has(setId) && nowMs - setTimeMs(setId) > UNFINISHED_AFTER_MS) others.add(setId);
  }
  return [...others].sort();
}

async function removeArtefacts(
  { store }: VaultTarget,
  kept: readonly FoundSet[],
  { nowMs, dryRun, signal }: PruneOptions,
  notes: string[],
): Promise<number> {
  const needed = new Set(
    kept.flatMap(({ manifest }) =>
      manifest === null ? [] : manifest.artefacts.map(({ digest }) => artefactKey(manifest.artefactGroup, digest)),
    ),
  );
  const loose: string[] = [];
  for await (const { key, modifiedAtMs } of store.list(ARTEFACTS_PREFIX, { signal })) {
    if (!needed.has(key) && nowMs - modifiedAtMs > ARTEFACT_AFTER_MS) loose.push(key);
  }
  let locked = 0;
  for (const key of loose) {
    const until = store.features.objectLock ? ((await store.head(key, { signal }))?.lockedUntilMs ?? 0) : 0;
    const removed = until <= nowMs && (dryRun || (await unlessRefused(() => store.delete(key, { signal }))));
    if (!removed) locked += 1;
  }
  if (locked > 0) notes.push(`${locked} artefacts that no set needs stay: the store has them locked`);
  return loose.length - locked;
}
