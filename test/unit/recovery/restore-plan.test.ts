import { describe, expect, it } from 'vitest';
import { SEGMENT_BYTES, formatLsn, parseLsn, segmentName } from '../../../recovery/postgres/lsn.ts';
import { parseWish } from '../../../recovery/restore/parse-wish.ts';
import {
  describeWindows,
  planRestore,
  restorableWindows,
  type RestoreSources,
} from '../../../recovery/restore/plan-restore.ts';

const S = BigInt(SEGMENT_BYTES);
const set = (setId: string, timeline: number, segment: number, finishedAtMs: number) => ({
  setId,
  timeline,
  startLsn: S * BigInt(segment) + 40n,
  stopLsn: S * BigInt(segment) + 400n,
  finishedAtMs,
});
const piece = (timeline: number, start: bigint, end: bigint, atMs: number) => ({ timeline, start, end, atMs });
const whole = (timeline: number, segment: number, atMs: number) =>
  piece(timeline, S * BigInt(segment), S * BigInt(segment + 1), atMs);
const sources = (part: Partial<RestoreSources>): RestoreSources => ({
  sets: [],
  pieces: [],
  histories: new Map(),
  points: [],
  segmentBytes: SEGMENT_BYTES,
  ...part,
});

describe('the plan of a restore', () => {
  it('reaches from the end of a set to the end of the log, whole segments before their pieces', () => {
    const half = S * 3n + S / 2n;
    const pieces = [whole(1, 2, 2_000), piece(1, S * 2n, S * 2n + 9n, 1_500), piece(1, S * 3n, half, 3_000)];
    const plan = planRestore(sources({ sets: [set('a', 1, 2, 1_000)], pieces }), { kind: 'latest' });
    expect(plan).toMatchObject({ setId: 'a', endLsn: half, window: { fromMs: 1_000, toMs: 3_000 } });
    expect(plan.pieces).toEqual([pieces[0], pieces[2]]);
  });

  it('ends the window at a hole, and refuses the newest state behind it with the moment that would do', () => {
    const gap = sources({ sets: [set('a', 1, 2, 1_000)], pieces: [whole(1, 2, 2_000), whole(1, 4, 4_000)] });
    expect(restorableWindows(gap)).toMatchObject([{ toMs: 2_000, endLsn: S * 3n }]);
    expect(() => planRestore(gap, { kind: 'latest' })).toThrow(/log is missing/);
    expect(() => planRestore(gap, { kind: 'moment', atMs: 3_000 })).toThrow(/outside of the restorable window/);
    expect(planRestore(gap, { kind: 'moment', atMs: 1_500 }).setId).toBe('a');
  });

  it('goes on over a hole from a set that was taken after it', () => {
    const sets = [set('a', 1, 2, 1_000), set('b', 1, 4, 4_000)];
    const plan = planRestore(sources({ sets, pieces: [whole(1, 2, 2_000), whole(1, 4, 5_000)] }), { kind: 'latest' });
    expect(plan).toMatchObject({ setId: 'b', endLsn: S * 5n });
  });

  it('follows a new timeline, and finds what only the old one lived through on the old one', () => {
    const fork = S * 3n + 100n;
    const all = sources({
      sets: [set('a', 1, 2, 1_000)],
      pieces: [whole(1, 2, 2_000), whole(1, 3, 3_000), whole(2, 3, 6_000)],
      histories: new Map([[2, `1\t${formatLsn(fork)}\tno recovery target specified\n`]]),
    });
    expect(planRestore(all, { kind: 'latest' })).toMatchObject({ timeline: 2, endLsn: S * 4n });
    expect(planRestore(all, { kind: 'moment', atMs: 5_000 }).timeline).toBe(2);
    expect(planRestore(all, { kind: 'moment', atMs: 2_500 }).timeline).toBe(1);
  });

  it('brings a logical set back to its own moment alone, and prefers whatever is newer', () => {
    const logical = { ...set('rows', 1, 5, 5_000), logical: true };
    const physical = set('files', 1, 2, 1_000);
    const pieces = [whole(1, 2, 2_000)];
    const all = sources({ sets: [physical, logical], pieces });
    expect(planRestore(all, { kind: 'latest' })).toMatchObject({ setId: 'rows', pieces: [], window: { toMs: 5_000 } });
    expect(planRestore(all, { kind: 'moment', atMs: 5_000 }).setId).toBe('rows');
    expect(planRestore(all, { kind: 'moment', atMs: 1_500 }).setId).toBe('files');
    for (const atMs of [4_999, 5_001]) expect(() => planRestore(all, { kind: 'moment', atMs })).toThrow(/outside/);
    expect(describeWindows(restorableWindows(all))[0]).toBe('1970-01-01T00:00:05.000Z (this moment only)');
    // Log that goes on after it does not make it reach further.
    const later = sources({ sets: [logical], pieces: [whole(1, 5, 9_000)] });
    expect(() => planRestore(later, { kind: 'moment', atMs: 9_000 })).toThrow(/outside/);
  });

  it('names the restore points that are there', () => {
    const pieces = [whole(1, 2, 2_000)];
    const points = [{ name: 'before-release', timeline: 1, lsn: S * 2n + 500n, atMs: 1_500 }];
    const all = sources({ sets: [set('a', 1, 2, 1_000)], pieces, points });
    expect(planRestore(all, { kind: 'point', name: 'before-release' }).setId).toBe('a');
    expect(() => planRestore(all, { kind: 'point', name: 'other' })).toThrow(/no restore point "other"/);
    expect(() => planRestore(sources({}), { kind: 'latest' })).toThrow(/holds no backup set/);
  });
});

describe('what a person wants back', () => {
  it('is the newest state, a moment with its zone, or a point', () => {
    expect(parseWish('latest')).toEqual({ kind: 'latest' });
    expect(parseWish('2030-01-31T12:00+01:00')).toEqual({ kind: 'moment', atMs: Date.UTC(2030, 0, 31, 11) });
    expect(parseWish('point:x y')).toEqual({ kind: 'point', name: 'x y' });
    for (const wrong of ['', 'yesterday', '2030-01-31', '2030-01-31T12:00:00'])
      expect(() => parseWish(wrong)).toThrow();
  });
});

describe('positions of the log', () => {
  it('are read and written as the server does', () => {
    expect(formatLsn(parseLsn('16/B374D848'))).toBe('16/B374D848');
    expect(segmentName(3, parseLsn('1/FF000028'))).toBe('0000000300000001000000FF');
    expect(() => parseLsn('16-B3')).toThrow(RangeError);
  });
});
