/** What a load has met, told in numbers. */
import { setTimeout as pause } from 'node:timers/promises';
import type { FaultApi } from './fault-api.ts';
import type { SteadyLoad } from './steady-load.ts';

const POLL_MS = 50;

/** Waits for a condition; ms until it held. */
export async function until(what: string, limitMs: number, holds: () => boolean | Promise<boolean>): Promise<number> {
  const startedMs = performance.now();
  for (;;) {
    // What cannot be asked just now does not hold.
    if (await Promise.resolve(holds()).catch(() => false)) return performance.now() - startedMs;
    if (performance.now() - startedMs > limitMs) throw new Error(`waited ${limitMs} ms for ${what}`);
    await pause(POLL_MS);
  }
}

export interface Accounts {
  readonly answered: number;
  /** Answered, and not in the database. */
  readonly missing: number;
  /** Stored more than once. */
  readonly twice: number;
  /** Stored, and the client never got its answer: its connection was cut on the way. */
  readonly unheard: number;
}

/** Waits until every answered prediction is in the database, and compares the two. */
export async function settleAccounts(api: FaultApi, loads: readonly SteadyLoad[], limitMs: number): Promise<Accounts> {
  const answered = loads.flatMap((load) => load.answers.map((a) => a.requestId));
  let stored: readonly string[] = [];
  let known = new Set<string>();
  const missing = (): number => answered.filter((id) => !known.has(id)).length;
  await until('the records', limitMs, async () => {
    stored = await api.stored();
    known = new Set(stored);
    return missing() === 0;
  }).catch(() => undefined);
  return {
    answered: answered.length,
    missing: missing(),
    twice: stored.length - known.size,
    unheard: known.size - answered.length + missing(),
  };
}

/** Milliseconds of the slowest answer but a share of them. */
export function quantileMs(load: SteadyLoad, share: number, sinceMs = 0, untilMs = Infinity): number {
  const times = load.answers.filter((a) => a.atMs >= sinceMs && a.atMs < untilMs).map((a) => a.ms);
  times.sort((a, b) => a - b);
  return times[Math.min(times.length - 1, Math.floor(times.length * share))] ?? Number.NaN;
}
