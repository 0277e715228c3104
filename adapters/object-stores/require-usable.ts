import { randomUUID } from 'node:crypto';
import { DomainError } from '../../domain/errors.ts';
import type { ObjectStore } from './object-store.ts';

/**
 * Writes, reads, lists and removes one small object, so that a wrong bucket or a missing right is found before a
 * backup begins. A lock on new objects is not asked for here.
 * @throws DomainError as the port says, in words of the step that failed
 */
export async function requireUsable(store: ObjectStore, signal: AbortSignal): Promise<void> {
  const key = `probes/${randomUUID()}`;
  const content = Buffer.from(key);
  await step(store, 'write', () => store.put(key, once(content), { ifNoneMatch: '*', signal }));
  await step(store, 'read', async () => {
    const found: Uint8Array[] = [];
    for await (const chunk of (await store.get(key, { signal })).content) found.push(chunk);
    if (!Buffer.concat(found).equals(content))
      throw new DomainError('artefactCorrupt', `${store.address} hands back other bytes`);
  });
  await step(store, 'list', async () => {
    for await (const info of store.list('probes/', { signal })) if (info.key === key) return;
    throw new DomainError('unavailable', `${store.address} does not list what was just written`);
  });
  await step(store, 'delete', () => store.delete(key, { signal }));
}

async function step(store: ObjectStore, what: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'forbidden') throw error;
    throw new DomainError(
      'forbidden',
      `The backup target ${store.address} cannot be used: no right to ${what}. ${error.message}`,
      [
        {
          field: 'target',
          message: `the credentials have no right to ${what}`,
          allowed: ['read, write, list and delete'],
        },
      ],
    );
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield await Promise.resolve(bytes);
}
