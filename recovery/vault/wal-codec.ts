import type { WalCodec } from '../postgres/object-wal-store.ts';
import { availableCompression } from './compress.ts';
import { collect, once, packed, unpacked } from './file-content.ts';
import { newWrappedKey, unwrapKey, type WrappedKey } from './keys.ts';
import type { VaultKeys } from './vault-keys.ts';

/** A segment and what packing may add to it. */
const WAL_BYTES_MAX = 80 * 1024 * 1024;
/** Unwrapping costs milliseconds, and one process writes many pieces under one key. */
const KNOWN_KEYS_MAX = 100;

/** Seals pieces of the log like files of a set. One key per process: each envelope brings it, wrapped. */
export function createWalCodec({ recipients, identities }: Pick<VaultKeys, 'recipients' | 'identities'>): WalCodec {
  let own: Promise<WrappedKey> | null = null;
  const known = new Map<string, Promise<Buffer>>();
  const keyOf = (wrapped: string): Promise<Buffer> => {
    const found = known.get(wrapped);
    if (found !== undefined) return found;
    if (known.size >= KNOWN_KEYS_MAX) known.clear();
    const key = unwrapKey(wrapped, identities, recipients);
    known.set(wrapped, key);
    key.catch(() => known.delete(wrapped));
    return key;
  };
  return {
    suffix: '.sealed',
    seal: async (name, bytes) => {
      const wrapped = recipients.length === 0 ? null : await (own ??= newWrappedKey(recipients));
      const options = {
        name,
        key: wrapped?.key ?? null,
        compression: availableCompression(),
        ...(wrapped === null ? {} : { wrappedKey: wrapped.wrapped }),
      };
      return collect(
        packed(once(bytes), options, () => undefined),
        WAL_BYTES_MAX,
        name,
      );
    },
    open: (name, bytes) =>
      collect(
        unpacked(once(bytes), name, (header) => keyOf(header.wrappedKey ?? '')),
        WAL_BYTES_MAX,
        name,
      ),
  };
}
