/** The lease of a region as it works on one object store; its clocks are turned by hand, so that nobody waits. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ObjectStore } from '../../adapters/object-stores/object-store.ts';
import type { RegionClaim } from '../../domain/recovery/region.ts';
import { claimEpoch, outwaitEarlier, renewLease, watchLease, type LeaseTable } from '../../recovery/region/lease.ts';
import { createRegionObjects, type RegionObjects } from '../../recovery/region/region-objects.ts';
import { loadSigner, type Signer } from '../../recovery/vault/sign-manifest.ts';

const TTL_MS = 3_000;
/** A term, its margin of a second, and more. */
const SILENCE_MS = 4_500;

const numbers = (count: number): readonly number[] => Array.from({ length: count }, (_, i) => i + 1);

/** The database of a region, as far as the lease goes. */
function createTable(nowMs: () => number): LeaseTable & { readonly untilMs: () => number } {
  let untilMs = 0;
  return {
    now: () => Promise.resolve({ atMs: nowMs(), lsn: '0/16B3748' }),
    grant: (_, until) => {
      untilMs = until;
      return Promise.resolve();
    },
    revoke: () => {
      untilMs = 0;
      return Promise.resolve('0/16B3800');
    },
    untilMs: () => untilMs,
  };
}

/** Registers the stories; they are told in this order, each on what the one before left in the target. */
export function describeLease(open: () => ObjectStore): void {
  describe('the lease of a region in it', () => {
    let folder: string;
    let signer: Signer;
    let objects: RegionObjects;
    let atMs = 1_000_000;
    const nowMs = (): number => atMs;
    const party = (region: string) => ({
      ...{ region, holder: `home-of-${region}`, ttlMs: TTL_MS, objects, monotonicMs: nowMs, nowMs },
      sleep: (ms: number) => Promise.resolve(void (atMs += ms)),
    });
    let east: RegionClaim;
    const table = createTable(nowMs);

    beforeAll(async () => {
      folder = await mkdtemp(join(tmpdir(), 'lease-stories-'));
      signer = await loadSigner(join(folder, 'signing.pem'));
      objects = createRegionObjects(open(), { signer, trusted: 'any' });
    });
    afterAll(() => rm(folder, { recursive: true, force: true }));

    it('is won by one of many who claim an epoch at once, and stays with that one', async () => {
      for (const epoch of numbers(3)) {
        const claims = numbers(6).map((n) => {
          return { epoch, region: `r${n}`, holder: `home-${n}`, atMs: nowMs(), reason: 'a race' };
        });
        const won = await Promise.all(claims.map((claim) => objects.claim(claim)));
        const winners = claims.filter((_, i) => won[i]);
        expect(winners).toHaveLength(1);
        expect(await objects.newestClaim()).toEqual(winners[0]);
        // Asked again, as after an answer that was lost.
        expect(await Promise.all(claims.map((claim) => objects.claim(claim)))).toEqual(won);
      }
    });

    it('is renewed by its owner, each renewal a new object, and old ones are cleared', async () => {
      east = await claimEpoch(party('east'), 'the first of them');
      expect(east.epoch).toBe(4);
      const watch = watchLease(party('west'));
      for (const seq of numbers(6)) {
        expect(await renewLease(party('east'), east, seq, table)).toEqual({ kind: 'held', untilMs: atMs + TTL_MS });
        expect(await objects.newestLease(east.epoch + 1)).toMatchObject({ epoch: 4, seq, region: 'east' });
        expect((await watch.look()).silent).toBe(false);
        atMs += 1_000;
      }
      const kept: string[] = [];
      for await (const { key } of open().list('region/leases/')) kept.push(key);
      expect(kept).toHaveLength(3);
      // Sent a second time, as by a process that does not know it died.
      await expect(renewLease(party('east'), east, 6, table)).rejects.toMatchObject({ code: 'conflict' });
    });

    it('is taken over after silence alone, and whoever was silent loses it at the next renewal', async () => {
      const west = party('west');
      const watch = watchLease(west);
      expect((await watch.look()).silent).toBe(false);
      const claim = await claimEpoch(west, 'east is silent');
      expect(claim.epoch).toBe(5);
      const beganMs = atMs;
      expect(await outwaitEarlier(west, claim, watch)).toEqual({ claim, release: null });
      expect(atMs - beganMs).toBeGreaterThan(TTL_MS + 1_000 - 1);
      expect(atMs - beganMs).toBeLessThan(SILENCE_MS);
      expect(table.untilMs()).toBeLessThan(atMs);
      expect(await renewLease(party('east'), east, 7, table)).toEqual({ kind: 'lost', to: claim });
      expect(table.untilMs()).toBe(0);
      expect(await objects.released(4)).toEqual({ epoch: 4, region: 'east', lsn: '0/16B3800' });
      expect(await renewLease(west, claim, 1, createTable(nowMs))).toMatchObject({ kind: 'held' });
    });

    it('passes at once from an owner that says it stopped', async () => {
      const back = party('east');
      const claim = await claimEpoch(back, 'the way back');
      await objects.release({ epoch: 5, region: 'west', lsn: '0/2000000' });
      const beganMs = atMs;
      const taken = await outwaitEarlier(back, claim, watchLease(back));
      expect(taken.release).toEqual({ epoch: 5, region: 'west', lsn: '0/2000000' });
      expect(atMs).toBe(beganMs);
    });
  });
}
