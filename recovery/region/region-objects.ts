import { createPublicKey, verify } from 'node:crypto';
import { z } from 'zod';
import type { ObjectStore } from '../../adapters/object-stores/object-store.ts';
import { DomainError } from '../../domain/errors.ts';
import type { RegionClaim, RegionLease, RegionRelease } from '../../domain/recovery/region.ts';
import { collect, once } from '../vault/file-content.ts';
import type { VaultKeys } from '../vault/vault-keys.ts';

/** What regions tell each other through the target that they share. All methods throw `DomainError`. */
export interface RegionObjects {
  /** The highest claim; `null`: no region has ever claimed. */
  newestClaim(): Promise<RegionClaim | null>;
  /** Whether the epoch is this holder's now; also when an earlier try had won it and its answer was lost. */
  claim(claim: RegionClaim): Promise<boolean>;
  renew(lease: RegionLease): Promise<void>;
  /** Of the highest epoch below `below` that has any, the newest. */
  newestLease(below: number): Promise<RegionLease | null>;
  release(release: RegionRelease): Promise<void>;
  released(epoch: number): Promise<RegionRelease | null>;
}

const CLAIMS = 'region/epochs/';
const LEASES = 'region/leases/';
const RELEASES = 'region/released/';
const OBJECT_BYTES_MAX = 64 * 1024;
/** Renewals kept behind the newest, for whoever lists while they are removed. */
const LEASES_KEPT = 3;

const claimSchema = z.object({
  epoch: z.number().int().positive(),
  region: z.string().min(1).max(40),
  holder: z.string().min(1).max(100),
  atMs: z.number(),
  reason: z.string().max(2_000),
});
const leaseSchema = z.object({
  epoch: z.number().int().positive(),
  seq: z.number().int().positive(),
  holder: z.string(),
  region: z.string(),
  ttlMs: z.number().positive(),
  lsn: z.string().nullable(),
  atMs: z.number(),
});
const releaseSchema = z.object({ epoch: z.number().int(), region: z.string(), lsn: z.string().nullable() });
const envelope = z.object({ content: z.string(), signature: z.string(), signer: z.string() });

const padded = (n: number): string => String(n).padStart(12, '0');
const claimKey = (epoch: number): string => `${CLAIMS}${padded(epoch)}.json`;
const leaseKey = (epoch: number, seq: number): string => `${LEASES}${padded(epoch)}/${padded(seq)}.json`;
const releaseKey = (epoch: number): string => `${RELEASES}${padded(epoch)}.json`;
const LEASE_KEY = /^region\/leases\/(\d{12})\/(\d{12})\.json$/;

/**
 * Claims, leases and releases as signed objects of a target that keeps conditional writes and answers with what was
 * written last (folders, S3, Google Cloud Storage, Azure Blob all do).
 */
export function createRegionObjects(store: ObjectStore, keys: Pick<VaultKeys, 'signer' | 'trusted'>): RegionObjects {
  const put = async (key: string, content: object): Promise<void> => {
    const bytes = Buffer.from(JSON.stringify(content));
    const signed = {
      content: bytes.toString('base64'),
      signature: keys.signer.sign(bytes).toString('base64'),
      signer: keys.signer.publicKey,
    };
    await store.put(key, once(Buffer.from(JSON.stringify(signed))), { ifNoneMatch: '*' });
  };
  const read = async <T>(key: string, schema: z.ZodType<T>): Promise<T | null> => {
    const found = await store.get(key).catch((error: unknown) => {
      if (error instanceof DomainError && error.code === 'notFound') return null;
      throw error;
    });
    if (found === null) return null;
    return openSigned(await collect(found.content, OBJECT_BYTES_MAX, key), `${key} in ${store.address}`, schema, keys);
  };
  return {
    async newestClaim() {
      let newest = '';
      for await (const { key } of store.list(CLAIMS)) newest = key > newest ? key : newest;
      return newest === '' ? null : read(newest, claimSchema);
    },
    async claim(claim) {
      if (!store.features.conditionalPut)
        throw new DomainError('refused', `${store.address} keeps no conditional writes: regions cannot share it`);
      try {
        await put(claimKey(claim.epoch), claim);
        return true;
      } catch (error) {
        if (!isTaken(error)) throw error;
        return (await read(claimKey(claim.epoch), claimSchema))?.holder === claim.holder;
      }
    },
    async renew(lease) {
      await put(leaseKey(lease.epoch, lease.seq), lease);
      const old = lease.seq - LEASES_KEPT;
      // Housekeeping: what stays is passed over by the next listing.
      if (old > 0) await store.delete(leaseKey(lease.epoch, old)).catch(() => undefined);
    },
    async newestLease(below) {
      let newest = '';
      for await (const { key } of store.list(LEASES)) {
        const match = LEASE_KEY.exec(key);
        if (match !== null && Number(match[1]) < below && key > newest) newest = key;
      }
      if (newest === '') return null;
      const lease = await read(newest, leaseSchema);
      // Removed since: its owner lives and renews. "None" would say the contrary.
      if (lease === null) throw new DomainError('unavailable', `${newest} in ${store.address} was replaced meanwhile`);
      return lease;
    },
    async release(release) {
      await put(releaseKey(release.epoch), release).catch((error: unknown) => {
        if (!isTaken(error)) throw error;
      });
    },
    released: (epoch) => read(releaseKey(epoch), releaseSchema),
  };
}

const isTaken = (error: unknown): boolean => error instanceof DomainError && error.code === 'conflict';

function openSigned<T>(bytes: Buffer, where: string, schema: z.ZodType<T>, { trusted }: Pick<VaultKeys, 'trusted'>): T {
  const damaged = new DomainError('artefactCorrupt', `${where} is damaged`);
  try {
    const { content, signature, signer } = envelope.parse(JSON.parse(bytes.toString('utf8')));
    const x = Buffer.from(signer, 'base64').toString('base64url');
    const key = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' });
    const plain = Buffer.from(content, 'base64');
    if (!verify(null, plain, key, Buffer.from(signature, 'base64'))) throw damaged;
    if (trusted !== 'any' && !trusted.includes(signer))
      throw new DomainError('forbidden', `${where} was signed by ${signer}, whom this platform does not trust`, [
        { field: 'SLUICE_BACKUP_TRUSTED_SIGNERS', message: `does not name ${signer}`, allowed: [...trusted] },
      ]);
    return schema.parse(JSON.parse(plain.toString('utf8')));
  } catch (error) {
    throw error instanceof DomainError ? error : damaged;
  }
}
