import { DomainError, type Problem } from '../../domain/errors.ts';
import { formatLsn, segmentStart, type Lsn } from '../postgres/lsn.ts';
import { parseHistory, type Ancestor } from '../postgres/timelines.ts';
import type { RestorePoint, WalPiece } from '../postgres/wal-store.ts';

/** A set, as far as a plan needs it. */
export interface PlannedSet {
  readonly setId: string;
  readonly timeline: number;
  readonly startLsn: Lsn;
  readonly stopLsn: Lsn;
  /** Epoch ms: from then on the set can be restored. */
  readonly finishedAtMs: number;
  /** Rows of one moment, on which no log can be replayed. Default false. */
  readonly logical?: boolean;
}

/** What the sets and the log in a target allow. */
export interface RestoreSources {
  readonly sets: readonly PlannedSet[];
  readonly pieces: readonly WalPiece[];
  /** Text by timeline. */
  readonly histories: ReadonlyMap<number, string>;
  readonly points: readonly RestorePoint[];
  readonly segmentBytes: number;
}

export type RestoreWish =
  | { readonly kind: 'latest' }
  | { readonly kind: 'moment'; readonly atMs: number }
  | { readonly kind: 'point'; readonly name: string }
  | { readonly kind: 'lsn'; readonly lsn: Lsn };

/** A stretch of time that can be restored to the millisecond. Epoch ms, both ends included. */
export interface RestoreWindow {
  readonly setId: string;
  readonly timeline: number;
  readonly fromMs: number;
  readonly toMs: number;
  /** End of the log that is there without a gap. */
  readonly endLsn: Lsn;
}

export interface RestorePlan {
  readonly setId: string;
  readonly wish: RestoreWish;
  /** Recovery follows the log to this timeline. */
  readonly timeline: number;
  /** Pieces to fetch, in order. */
  readonly pieces: readonly WalPiece[];
  /** End of the log that recovery can read. */
  readonly endLsn: Lsn;
  readonly window: RestoreWindow;
}

/** A set with the log that follows it on the way to one timeline. */
interface Reach {
  readonly set: PlannedSet;
  readonly window: RestoreWindow;
  readonly pieces: readonly WalPiece[];
}

/**
 * Every window that can be restored, by timeline, the newest set first. A set without log of its own is a window of
 * one moment. Windows of one timeline may overlap: each set opens its own.
 */
export function restorableWindows(sources: RestoreSources): readonly RestoreWindow[] {
  return reaches(sources).map((reach) => reach.window);
}

/**
 * Chooses set, timeline and log for a wish.
 * @throws DomainError `refused` with the windows that can be restored, `notFound` without any set or for an unknown point
 */
export function planRestore(sources: RestoreSources, wish: RestoreWish): RestorePlan {
  const all = reaches(sources);
  if (all.length === 0) {
    throw new DomainError('notFound', 'This target holds no backup set', [
      { field: 'target', message: 'nothing to restore', allowed: ['a target that `sluice backup list` shows sets in'] },
    ]);
  }
  const chosen = choose(all, sources, wish);
  const { set, window, pieces } = chosen;
  return { setId: set.setId, wish, timeline: window.timeline, pieces, endLsn: window.endLsn, window };
}

function choose(all: readonly Reach[], sources: RestoreSources, wish: RestoreWish): Reach {
  switch (wish.kind) {
    case 'latest':
      return requireUnbroken(newest(all), sources);
    case 'moment': {
      const found = all.find(({ window }) => window.fromMs <= wish.atMs && wish.atMs <= window.toMs);
      if (found !== undefined) return found;
      throw outside(`${new Date(wish.atMs).toISOString()} cannot be restored`, all);
    }
    case 'lsn': {
      const found = all.find(({ set, window }) => set.stopLsn <= wish.lsn && wish.lsn <= window.endLsn);
      if (found !== undefined) return found;
      throw outside(`log position ${formatLsn(wish.lsn)} cannot be restored`, all);
    }
    case 'point':
      return choosePoint(all, sources, wish.name);
  }
}

/** What goes furthest on the newest timeline. */
function newest(all: readonly Reach[]): Reach {
  return all.reduce((best, reach) => {
    const [a, b] = [reach.window, best.window];
    if (a.timeline !== b.timeline) return a.timeline > b.timeline ? reach : best;
    return a.endLsn > b.endLsn ? reach : best;
  });
}

/** Log behind a hole is lost to a restore: whoever asks for the newest state must hear it, not get an older one. */
function requireUnbroken(reach: Reach, { pieces }: RestoreSources): Reach {
  const { timeline, endLsn, toMs } = reach.window;
  const behind = pieces.filter((piece) => piece.timeline === timeline && piece.end > endLsn);
  const first = behind[0];
  if (first === undefined) return reach;
  const allowed = [new Date(toMs).toISOString()];
  throw new DomainError('refused', 'The newest state cannot be restored: log is missing from the target', [
    { field: 'wal', message: `missing from ${formatLsn(endLsn)} to ${formatLsn(first.start)}` },
    { field: 'to', message: 'the newest state before the hole can be restored', allowed },
  ]);
}

function choosePoint(all: readonly Reach[], { points }: RestoreSources, name: string): Reach {
  const named = points.filter((p) => p.name === name).sort((a, b) => b.atMs - a.atMs);
  if (named.length === 0) {
    const allowed = [...new Set(points.map((p) => p.name))].slice(0, 20);
    throw new DomainError('notFound', `There is no restore point "${name}"`, [
      { field: 'to', message: `no restore point of this name`, ...(allowed.length === 0 ? {} : { allowed }) },
    ]);
  }
  for (const point of named) {
    const found = all.find(
      ({ set, window, pieces }) =>
        set.stopLsn <= point.lsn &&
        point.lsn <= window.endLsn &&
        pieces.some((p) => p.timeline === point.timeline && p.start < point.lsn && point.lsn <= p.end),
    );
    if (found !== undefined) return found;
  }
  throw outside(`the log up to restore point "${name}" is not in the target`, all);
}

function outside(what: string, all: readonly Reach[]): DomainError {
  const allowed = describeWindows(all.map((r) => r.window));
  const problem: Problem = { field: 'to', message: 'outside of what can be restored', allowed: [...allowed, 'latest'] };
  return new DomainError('refused', `${what}: it is outside of the restorable window`, [problem]);
}

/** Windows as texts for a person, overlapping ones joined, newest first. */
export function describeWindows(windows: readonly RestoreWindow[]): readonly string[] {
  const spans: { fromMs: number; toMs: number }[] = [];
  for (const { fromMs, toMs } of [...windows].sort((a, b) => a.fromMs - b.fromMs)) {
    const last = spans.at(-1);
    if (last !== undefined && fromMs <= last.toMs) last.toMs = Math.max(last.toMs, toMs);
    else spans.push({ fromMs, toMs });
  }
  return spans.reverse().map(({ fromMs, toMs }) => {
    const [from, to] = [fromMs, toMs].map((ms) => new Date(ms).toISOString());
    return from === to ? `${String(from)} (this moment only)` : `${String(from)} to ${String(to)}`;
  });
}

/**
 * Oldest timeline first, on it the newest set first. Timelines live one after the other: a moment that the oldest
 * one's own log reaches was lived on it, and a later one that grew out of it before did not see it.
 */
function reaches(sources: RestoreSources): readonly Reach[] {
  const chains = timelineChains(sources);
  const found: Reach[] = [];
  for (const chain of chains) {
    for (const set of sources.sets) {
      const reach = follow(set, chain, sources);
      if (reach !== null) found.push(reach);
    }
  }
  return found.sort((a, b) => a.window.timeline - b.window.timeline || b.set.finishedAtMs - a.set.finishedAtMs);
}

interface Chain {
  readonly timeline: number;
  readonly ancestors: readonly Ancestor[];
}

function timelineChains({ sets, pieces, histories }: RestoreSources): readonly Chain[] {
  const known = new Set([...sets.map((s) => s.timeline), ...pieces.map((p) => p.timeline), ...histories.keys()]);
  return [...known].map((timeline) => ({ timeline, ancestors: parseHistory(histories.get(timeline) ?? '') }));
}

/** The log without a gap from the set on, along the chain; `null` when the set is not on it or the way breaks before. */
function follow(set: PlannedSet, chain: Chain, { pieces, segmentBytes }: RestoreSources): Reach | null {
  const steps = [...chain.ancestors, { timeline: chain.timeline, switchLsn: null }];
  const first = steps.findIndex((step) => step.timeline === set.timeline);
  if (first === -1) return null;
  if (set.logical === true) return chain.timeline === set.timeline ? momentOf(set) : null;
  let at = segmentStart(set.stopLsn, segmentBytes);
  let toMs = set.finishedAtMs;
  const used: WalPiece[] = [];
  for (const step of steps.slice(first)) {
    const until = step.switchLsn;
    if (until !== null && set.timeline === step.timeline && set.stopLsn > until) return null;
    // A new timeline begins with a copy of the segment in which it left the old one.
    if (step.timeline !== set.timeline) at = segmentStart(at, segmentBytes);
    const covered = cover(
      pieces.filter((p) => p.timeline === step.timeline),
      at,
      until,
    );
    used.push(...covered.pieces);
    if (covered.atMs !== null) toMs = Math.max(toMs, covered.atMs);
    if (until !== null && covered.end < until) return null;
    at = until ?? covered.end;
  }
  const endLsn = at > set.stopLsn ? at : set.stopLsn;
  const window = { setId: set.setId, timeline: chain.timeline, fromMs: set.finishedAtMs, toMs, endLsn };
  return { set, window, pieces: used };
}

/** What a logical set brings back: its own moment, whatever log there is. */
function momentOf(set: PlannedSet): Reach {
  const { setId, timeline, finishedAtMs, stopLsn } = set;
  return { set, pieces: [], window: { setId, timeline, fromMs: finishedAtMs, toMs: finishedAtMs, endLsn: stopLsn } };
}

/** The fewest pieces that hold the log from a position on, up to `until` or the first gap. */
function cover(pieces: readonly WalPiece[], from: Lsn, until: Lsn | null) {
  const used: WalPiece[] = [];
  let end = from;
  for (let i = 0; until === null || end < until;) {
    let best: WalPiece | null = null;
    for (let piece = pieces[i]; piece !== undefined && piece.start <= end; piece = pieces[++i]) {
      if (piece.end > (best?.end ?? end)) best = piece;
    }
    if (best === null) break;
    used.push(best);
    end = best.end;
  }
  return { pieces: used, end, atMs: used.at(-1)?.atMs ?? null };
}
