/** Which backup sets stay, and why. Pure: deletes nothing. */

export interface RetentionPolicy {
  /** Every set younger than this stays. */
  readonly keepAllDays: number;
  /** The newest set of each of so many days, ISO weeks and months (UTC) stays. */
  readonly daily: number;
  readonly weekly: number;
  readonly monthly: number;
}

/** 30 days: one set a day for a month, then one a week and one a month for longer looks back. */
export const DEFAULT_RETENTION: RetentionPolicy = { keepAllDays: 2, daily: 30, weekly: 8, monthly: 12 };

export interface RetainedSet {
  readonly setId: string;
  /** Epoch ms at which it was begun. */
  readonly startedAtMs: number;
  readonly verified: boolean;
  /** A person's reason to keep it until it is lifted; `null`: none. */
  readonly hold: string | null;
  /** A lock of the store that ends then; `null`: none. */
  readonly lockedUntilMs: number | null;
  /** Sets without which it cannot be restored. */
  readonly needs: readonly string[];
}

export type KeepReason =
  'hold' | 'locked' | 'recent' | 'daily' | 'weekly' | 'monthly' | 'lastVerified' | 'newest' | 'needed';

export interface RetentionPlan {
  readonly keep: readonly { readonly setId: string; readonly reasons: readonly KeepReason[] }[];
  /** Oldest first. */
  readonly remove: readonly string[];
}

const DAY_MS = 86_400_000;

/**
 * Decides for all sets of one target at once. In each day, week and month the newest *verified* set stands for it
 * (the newest at all while none is verified), so that an unverified set never pushes out a proven one.
 */
export function planRetention(sets: readonly RetainedSet[], policy: RetentionPolicy, nowMs: number): RetentionPlan {
  const newestFirst = [...sets].sort((a, b) => b.startedAtMs - a.startedAtMs || (a.setId < b.setId ? 1 : -1));
  const reasons = new Map<string, Set<KeepReason>>(newestFirst.map((set) => [set.setId, new Set()]));
  const keep = (set: RetainedSet | undefined, reason: KeepReason): void => {
    if (set !== undefined) reasons.get(set.setId)?.add(reason);
  };
  for (const set of newestFirst) {
    if (set.hold !== null) keep(set, 'hold');
    if (set.lockedUntilMs !== null && set.lockedUntilMs > nowMs) keep(set, 'locked');
    if (nowMs - set.startedAtMs < policy.keepAllDays * DAY_MS) keep(set, 'recent');
  }
  for (const set of standing(newestFirst, dayOf, policy.daily)) keep(set, 'daily');
  for (const set of standing(newestFirst, weekOf, policy.weekly)) keep(set, 'weekly');
  for (const set of standing(newestFirst, monthOf, policy.monthly)) keep(set, 'monthly');
  keep(newestFirst[0], 'newest');
  keep(
    newestFirst.find((set) => set.verified),
    'lastVerified',
  );
  keepNeeded(newestFirst, reasons);
  return {
    keep: newestFirst
      .map((set) => ({ setId: set.setId, reasons: [...(reasons.get(set.setId) ?? [])] }))
      .filter((kept) => kept.reasons.length > 0),
    remove: newestFirst
      .filter((set) => reasons.get(set.setId)?.size === 0)
      .map((set) => set.setId)
      .reverse(),
  };
}

/** One set for each of the newest `count` periods that have any. */
function standing(
  newestFirst: readonly RetainedSet[],
  periodOf: (atMs: number) => number,
  count: number,
): readonly RetainedSet[] {
  const chosen = new Map<number, RetainedSet>();
  for (const set of newestFirst) {
    const period = periodOf(set.startedAtMs);
    const standsFor = chosen.get(period);
    if (standsFor === undefined && chosen.size < count) chosen.set(period, set);
    else if (standsFor !== undefined && !standsFor.verified && set.verified) chosen.set(period, set);
  }
  return [...chosen.values()];
}

/** Follows `needs` from every kept set, however long the chain. */
function keepNeeded(sets: readonly RetainedSet[], reasons: ReadonlyMap<string, Set<KeepReason>>): void {
  const byId = new Map(sets.map((set) => [set.setId, set]));
  const open = sets.filter((set) => (reasons.get(set.setId)?.size ?? 0) > 0).flatMap((set) => set.needs);
  for (let needed = open.pop(); needed !== undefined; needed = open.pop()) {
    const found = reasons.get(needed);
    if (found === undefined || found.has('needed')) continue;
    found.add('needed');
    open.push(...(byId.get(needed)?.needs ?? []));
  }
}

function dayOf(atMs: number): number {
  return Math.floor(atMs / DAY_MS);
}

/** Weeks begin on Monday; 1 January 1970 was a Thursday. */
function weekOf(atMs: number): number {
  return Math.floor((dayOf(atMs) + 3) / 7);
}

function monthOf(atMs: number): number {
  const at = new Date(atMs);
  return at.getUTCFullYear() * 12 + at.getUTCMonth();
}
