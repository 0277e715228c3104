import type { ObjectStore } from '../../adapters/object-stores/object-store.ts';
import { setPrefix } from '../../domain/recovery/layout.ts';
import { once } from './file-content.ts';

/** Says beside the set that it was found whole; a mark of its own each time, as nothing in a target changes. */
export async function markVerified(store: ObjectStore, setId: string, atMs: number, details: object): Promise<void> {
  const stamp = new Date(atMs).toISOString().replaceAll(/[-:.]/g, '');
  const bytes = Buffer.from(JSON.stringify(details));
  await store.put(`${setPrefix(setId)}verified/${stamp}.json`, once(bytes), {});
}

/** Keeps a set until the hold is lifted, whatever the retention says. `null` lifts it. */
export async function holdSet(store: ObjectStore, setId: string, reason: string | null): Promise<void> {
  const key = `${setPrefix(setId)}hold.json`;
  if (reason === null) await store.delete(key);
  else await store.put(key, once(Buffer.from(JSON.stringify({ reason }))), {});
}
