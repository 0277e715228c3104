/** Regions, a target and their databases in simulated time: requests are slow, lost or late, processes die, clocks drift. */
import { DomainError } from '../../../domain/errors.ts';
import type { RegionClaim, RegionLease, RegionRelease } from '../../../domain/recovery/region.ts';
import type { LeaseTable } from '../../../recovery/region/lease.ts';
import type { RegionObjects } from '../../../recovery/region/region-objects.ts';

/** What happens to one request to the target. */
export interface Fate {
  readonly beforeMs: number;
  readonly afterMs: number;
  readonly fails: string;
}

interface Span {
  readonly atMs: number;
  readonly forMs: number;
}

export interface RegionPlan {
  readonly drift: number;
  readonly databaseDrift: number;
  readonly automatic: boolean;
  readonly fates: readonly Fate[];
  readonly orders: readonly number[];
  readonly crashes: readonly Span[];
  readonly cutOff: readonly Span[];
}

export interface Grant {
  readonly region: string;
  readonly epoch: number;
  readonly fromMs: number;
}

export interface SimulatedRegion {
  readonly region: string;
  readonly holder: string;
  readonly automatic: boolean;
  /** Once for each order of a person. */
  toldToTakeOver(): boolean;
  objects(life: number): RegionObjects;
  table(life: number): LeaseTable;
  clocks(life: number): {
    monotonicMs: () => number;
    nowMs: () => number;
    sleep: (ms: number) => Promise<void>;
  };
}

export type RegionWorld = ReturnType<typeof createRegionWorld>;

export function createRegionWorld(plans: readonly RegionPlan[], storyMs: number) {
  const time = createTime(storyMs);
  const claims = new Map<number, RegionClaim>();
  const leases = new Map<string, RegionLease>();
  const releases = new Map<number, RegionRelease>();
  const grants: Grant[] = [];
  const violations: string[] = [];
  const databases = plans.map((plan) => ({ untilMs: 0, epoch: 0, clock: () => time.now() * (1 + plan.databaseDrift) }));
  const accepts = (i: number): boolean => {
    const database = databases[i];
    return database !== undefined && database.untilMs > database.clock();
  };
  const check = (what: string): void => {
    const open = plans.map((_, i) => i).filter(accepts);
    if (open.length > 1) violations.push(`${String(time.now())}: ${open.join(' and ')} both accept after ${what}`);
  };
  const regions = plans.map((plan, i): SimulatedRegion & { life: number } => {
    const name = `r${String(i)}`;
    let fates = 0;
    let orders = 0;
    const self = { life: 0 };
    const alive = (life: number): boolean => life === self.life;
    const isCutOff = (): boolean => plan.cutOff.some((s) => time.now() >= s.atMs && time.now() < s.atMs + s.forMs);
    /** What a dead process waits for never comes; what it had sent may still arrive. */
    const request = async <T>(life: number, work: () => T): Promise<T> => {
      const fate = plan.fates[fates++ % plan.fates.length] ?? { beforeMs: 1, afterMs: 1, fails: 'no' };
      await time.sleep(fate.beforeMs);
      const lost = new DomainError('unavailable', 'the target does not answer');
      if (fate.fails === 'before' || isCutOff()) {
        await time.sleep(fate.afterMs, () => alive(life));
        throw lost;
      }
      const result = work();
      await time.sleep(fate.afterMs, () => alive(life));
      if (fate.fails === 'after') throw lost;
      return result;
    };
    const highest = <T>(found: readonly T[], of: (one: T) => number): T | null =>
      found.reduce<T | null>((best, one) => (best === null || of(one) > of(best) ? one : best), null);
    return Object.assign(self, {
      region: name,
      holder: `holder-${name}`,
      automatic: plan.automatic,
      toldToTakeOver: () => {
        const due = plan.orders.filter((at) => at <= time.now()).length;
        if (due <= orders) return false;
        orders = due;
        return true;
      },
      objects: (life: number): RegionObjects => ({
        newestClaim: () => request(life, () => highest([...claims.values()], (c) => c.epoch)),
        claim: (claim) =>
          request(life, () => {
            const there = claims.get(claim.epoch);
            if (there === undefined) claims.set(claim.epoch, claim);
            return (there ?? claim).holder === claim.holder;
          }),
        renew: (lease) =>
          request(life, () => {
            const key = `${String(lease.epoch)}/${String(lease.seq)}`;
            if (leases.has(key)) throw new DomainError('conflict', 'taken');
            leases.set(key, lease);
          }),
        newestLease: (below) =>
          request(life, () =>
            highest(
              [...leases.values()].filter((l) => l.epoch < below),
              (l) => l.epoch * 1e6 + l.seq,
            ),
          ),
        release: async (release) => {
          await request(life, () => releases.set(release.epoch, release));
        },
        released: (epoch) => request(life, () => releases.get(epoch) ?? null),
      }),
      table: (life: number): LeaseTable => ({
        now: async () => {
          await time.sleep(1, () => alive(life));
          return { atMs: databases[i]?.clock() ?? 0, lsn: null };
        },
        // A statement that was sent runs, however late, although its process has died.
        grant: async (claim, untilMs) => {
          await time.sleep(plan.fates[fates++ % plan.fates.length]?.beforeMs ?? 1);
          const database = databases[i];
          if (database !== undefined && claim.epoch >= database.epoch)
            Object.assign(database, { untilMs, epoch: claim.epoch });
          if (accepts(i)) grants.push({ region: name, epoch: claim.epoch, fromMs: time.now() });
          check(`a grant to ${name} in epoch ${String(claim.epoch)}`);
          await time.sleep(1, () => alive(life));
        },
        revoke: async ({ epoch }) => {
          await time.sleep(1, () => alive(life));
          const database = databases[i];
          if (database !== undefined && epoch >= database.epoch) Object.assign(database, { untilMs: 0, epoch });
          return null;
        },
      }),
      clocks: (life: number) => ({
        monotonicMs: () => time.now() * (1 + plan.drift),
        nowMs: () => time.now(),
        sleep: (ms: number) => time.sleep(ms / (1 + plan.drift), () => alive(life)),
      }),
    });
  });
  // The first region is the first owner.
  claims.set(1, { epoch: 1, region: 'r0', holder: 'holder-r0', atMs: 0, reason: 'made' });
  return {
    grants: () => grants,
    violations: () => {
      const owners = new Map<number, string>();
      for (const { epoch, region } of grants) {
        if ((owners.get(epoch) ?? region) !== region) violations.push(`epoch ${String(epoch)} has two owners`);
        owners.set(epoch, region);
      }
      return violations;
    },
    async run(live: (region: SimulatedRegion, life: number) => Promise<void>): Promise<void> {
      const failures: unknown[] = [];
      const begin = (region: SimulatedRegion & { life: number }): void => {
        live(region, region.life).catch((error: unknown) => failures.push(error));
      };
      regions.forEach((region, i) => {
        begin(region);
        for (const { atMs, forMs } of plans[i]?.crashes ?? []) {
          time.at(atMs, () => {
            const life = (region.life += 1);
            // One process at a time: whoever falls before it has begun again begins after the last fall.
            time.at(atMs + forMs, () => {
              if (region.life === life) begin(region);
            });
          });
        }
      });
      await time.run();
      if (failures.length > 0) throw failures[0];
    },
  };
}

/** Events in order; between two of them everything that can go on has gone on. */
function createTime(endMs: number) {
  let now = 0;
  let order = 0;
  const events: { readonly atMs: number; readonly order: number; readonly happen: () => void }[] = [];
  const at = (atMs: number, happen: () => void): void => void events.push({ atMs, order: order++, happen });
  return {
    now: () => now,
    at,
    sleep: (ms: number, alive: () => boolean = () => true): Promise<void> =>
      new Promise((resolve) => {
        at(now + ms, () => {
          if (alive()) resolve();
        });
      }),
    async run(): Promise<void> {
      for (;;) {
        await new Promise((resolve) => setImmediate(resolve));
        events.sort((a, b) => a.atMs - b.atMs || a.order - b.order);
        const next = events.shift();
        if (next === undefined || next.atMs > endMs) return;
        now = next.atMs;
        next.happen();
      }
    },
  };
}
