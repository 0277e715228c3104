import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { DomainError } from '../../../domain/errors.ts';
import { claimEpoch, outwaitEarlier, renewLease, watchLease } from '../../../recovery/region/lease.ts';
import { createRegionWorld, type Fate, type SimulatedRegion } from './region-world.ts';

const TTL_MS = 15_000;
const STORY_MS = 300_000;

/** Lives as a region does: owns and renews, or watches and takes over when told to or when the owner is silent. */
async function live(region: SimulatedRegion, life: number): Promise<void> {
  const party = { ...region, objects: region.objects(life), ttlMs: TTL_MS, ...region.clocks(life) };
  let seq = 0;
  for (;;) {
    try {
      const watch = watchLease(party);
      for (;;) {
        const sight = await watch.look();
        if (sight.claim?.holder === region.holder) break;
        if (region.toldToTakeOver() || (sight.claim !== null && sight.silent && region.automatic)) {
          await outwaitEarlier(party, await claimEpoch(party, 'taken over'), watch);
          break;
        }
        await party.sleep(1_000);
      }
      const claim = await party.objects.newestClaim();
      seq = Math.max(seq, (await party.objects.newestLease(Number.MAX_SAFE_INTEGER))?.seq ?? 0);
      // A home that begins again may have died while it waited for the owner before: it waits again.
      if (claim?.holder === region.holder) await outwaitEarlier(party, claim, watchLease(party));
      for (let held = claim?.holder === region.holder; held && claim !== null;) {
        held = await renewLease(party, claim, ++seq, region.table(life)).then(
          ({ kind }) => kind === 'held',
          (error: unknown) => {
            if (error instanceof DomainError) return true;
            throw error;
          },
        );
        if (held) await party.sleep(TTL_MS / 3);
      }
    } catch (error) {
      if (!(error instanceof DomainError)) throw error;
      await party.sleep(1_000);
    }
  }
}

const delayMs = fc.oneof(
  { weight: 30, arbitrary: fc.integer({ min: 0, max: 300 }) },
  { weight: 1, arbitrary: fc.integer({ min: 0, max: 40_000 }) },
);
const fate: fc.Arbitrary<Fate> = fc.record({
  beforeMs: delayMs,
  afterMs: delayMs,
  fails: fc.oneof(
    { weight: 20, arbitrary: fc.constant('no') },
    { weight: 1, arbitrary: fc.constantFrom('before', 'after') },
  ),
});
const drift = fc.integer({ min: -20, max: 20 }).map((perMille) => perMille / 1000);
const regionPlan = fc.record({
  /** Both of its clocks run so much faster than the world, and differently. */
  drift,
  databaseDrift: drift,
  automatic: fc.boolean(),
  fates: fc.array(fate, { minLength: 20, maxLength: 60 }),
  orders: fc.array(fc.integer({ min: 1, max: STORY_MS }), { maxLength: 3 }),
  crashes: fc.array(
    fc.record({ atMs: fc.integer({ min: 1, max: STORY_MS }), forMs: fc.integer({ min: 1, max: 30_000 }) }),
    {
      maxLength: 3,
    },
  ),
  cutOff: fc.array(
    fc.record({ atMs: fc.integer({ min: 1, max: STORY_MS }), forMs: fc.integer({ min: 1, max: 60_000 }) }),
    {
      maxLength: 2,
    },
  ),
});

describe('the lease of a region', () => {
  it('never lets two regions take control writes at once, nor one epoch have two owners, whatever fails', async () => {
    let handovers = 0;
    await fc.assert(
      fc.asyncProperty(fc.array(regionPlan, { minLength: 2, maxLength: 3 }), async (plans) => {
        const world = createRegionWorld(plans, STORY_MS);
        await world.run((region, life) => live(region, life));
        expect(world.violations()).toEqual([]);
        handovers += Math.max(0, new Set(world.grants().map((grant) => grant.epoch)).size - 1);
      }),
      // A story that fails is long, and each part of it matters: shrinking finds nothing shorter for a minute.
      { numRuns: 600, endOnFailure: true },
    );
    // The stories do hold takeovers: else the property would be empty.
    expect(handovers).toBeGreaterThan(300);
  }, 60_000);

  it('gives an owner whose answers came too late nothing, although they say that it owns the epoch', async () => {
    const quick: Fate = { beforeMs: 5, afterMs: 5, fails: 'no' };
    const steady = { drift: 0, databaseDrift: 0, automatic: true, orders: [], crashes: [], cutOff: [] };
    // After six requests at the start each renewal makes three; the second asks for claims. Of the sixth renewal, the
    // answer is right when it is given, and arrives a minute later.
    const fates = Array.from({ length: 2_000 }, (_, i) => (i === 22 ? { ...quick, afterMs: 60_000 } : quick));
    const world = createRegionWorld(
      [
        { ...steady, fates },
        { ...steady, fates: [quick] },
      ],
      STORY_MS,
    );
    await world.run((region, life) => live(region, life));
    expect(world.violations()).toEqual([]);
    expect(world.grants().at(-1)).toMatchObject({ region: 'r1', epoch: 2 });
  });
});
