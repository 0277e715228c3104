import { Line } from './line.ts';
import type { InLine } from './line.ts';

/**
 * How long a request may take on average, from the moment its body is there to its answer, before fewer are let in.
 * A quarter of what is promised for the 99th percentile (100 ms): beyond it requests only wait for each other.
 */
const TARGET_MS = 25;
/** A large request has work of its own: each of these bytes more gives it the target once more. */
const BYTES_PER_TARGET = 32 * 1024;
/** Few callers who wait for each other are no overload: at 1 ms a request the last of them waits 32 ms. */
const IN_PROGRESS_MIN = 32;
/** Slow windows in a row before fewer are let in: one alone is a pause of the machine, and refusing would not end it. */
const SLOW_WINDOWS = 3;
/** At 100 us a request the last of them waits 100 ms. */
const IN_PROGRESS_MAX = 1_024;
/** Most that are ever seen, without a sign of trouble: 32 connections have 32. */
const IN_PROGRESS_FIRST = 512;
/** Request bodies in memory: 32 of the largest. */
const BODY_BYTES_MAX = 128 * 1024 * 1024;
/** How often the limit is looked at; also the precision of the deadline. */
const WINDOW_MS = 100;
/** What is not answered by then is not waited for: a disk or a model that hangs. Slow uploads are not in it. */
const DEADLINE_MS = 2_000;
const SHRINK = 0.8;
const GROW = 1.1;

/** A request that was let in. */
export interface Ticket {
  /** Its body is there, and work would begin. False: too many others are at work by now. */
  begin(): boolean;
  /** It is answered, whatever the answer; more than one call does nothing. */
  end(): void;
}

export interface Admission {
  /**
   * Asks for a request whose headers are in.
   * @param bodyBytes as declared, or the most it may have
   * @param onOverdue called once when the work has taken too long; the ticket is ended then
   * @returns `null`: refuse it now, without reading its body
   */
  arrive(bodyBytes: number, onOverdue: () => void): Ticket | null;
  status(): AdmissionStatus;
  /** Stops its timer. */
  close(): void;
}

export interface AdmissionStatus {
  /** Requests at work, and how many may be just now. */
  readonly inProgress: number;
  readonly limit: number;
  /** Since the start. */
  readonly refused: number;
  readonly overdue: number;
}

interface State {
  limit: number;
  inProgress: number;
  bodyBytes: number;
  refused: number;
  overdue: number;
  slowWindows: number;
  /** Of the window that is open. */
  peak: number;
  ended: number;
  /** Each in units of its own target. */
  targetsSpent: number;
  readonly working: Line<Admitted>;
}

class Admitted implements Ticket, InLine<Admitted> {
  before: Admitted | null = null;
  behind: Admitted | null = null;
  readonly #state: State;
  readonly #bodyBytes: number;
  readonly #onOverdue: () => void;
  #beganMs = 0;
  #phase: 'arriving' | 'working' | 'ended' = 'arriving';

  constructor(state: State, bodyBytes: number, onOverdue: () => void) {
    this.#state = state;
    this.#bodyBytes = bodyBytes;
    this.#onOverdue = onOverdue;
    state.bodyBytes += bodyBytes;
  }

  begin(): boolean {
    const state = this.#state;
    if (this.#phase !== 'arriving') return false;
    if (state.inProgress >= state.limit) {
      state.refused += 1;
      this.end();
      return false;
    }
    this.#phase = 'working';
    this.#beganMs = performance.now();
    state.inProgress += 1;
    if (state.inProgress > state.peak) state.peak = state.inProgress;
    state.working.enter(this);
    return true;
  }

  end(): void {
    if (this.#phase === 'ended') return;
    const state = this.#state;
    state.bodyBytes -= this.#bodyBytes;
    if (this.#phase === 'working') {
      state.inProgress -= 1;
      state.working.leave(this);
      state.ended += 1;
      const targetMs = TARGET_MS * (1 + this.#bodyBytes / BYTES_PER_TARGET);
      state.targetsSpent += (performance.now() - this.#beganMs) / targetMs;
    }
    this.#phase = 'ended';
  }

  /** False: it is not late. */
  expire(nowMs: number): boolean {
    if (nowMs - this.#beganMs < DEADLINE_MS) return false;
    this.#state.overdue += 1;
    this.end();
    this.#onOverdue();
    return true;
  }
}

/**
 * Lets in as many requests as can be answered in time, and no more: what is above that is refused before any work, so
 * that overload costs those who are too many and not everybody. The number follows what is measured: it shrinks by a
 * fifth in each window, from the third in a row on, whose
 * requests took longer than the target on average, and grows while it is used up and they do not
 * (additive increase would be too slow after a pause, so it grows by a tenth).
 */
export function createAdmission(): Admission {
  const state: State = {
    limit: IN_PROGRESS_FIRST,
    inProgress: 0,
    bodyBytes: 0,
    refused: 0,
    overdue: 0,
    slowWindows: 0,
    peak: 0,
    ended: 0,
    targetsSpent: 0,
    working: new Line(),
  };
  let windowBeganMs = performance.now();

  function closeWindow(): void {
    const nowMs = performance.now();
    while (state.working.first?.expire(nowMs) === true);
    // A timer that fires late tells how long every request had to wait to be seen at all.
    const lagMs = Math.max(0, nowMs - windowBeganMs - WINDOW_MS);
    adapt(state, lagMs / TARGET_MS);
    windowBeganMs = nowMs;
  }

  const timer = setInterval(closeWindow, WINDOW_MS).unref();
  return {
    arrive: (bodyBytes, onOverdue) => {
      if (state.inProgress >= state.limit || state.bodyBytes + bodyBytes > BODY_BYTES_MAX) {
        state.refused += 1;
        return null;
      }
      return new Admitted(state, bodyBytes, onOverdue);
    },
    status: () => {
      const { inProgress, limit, refused, overdue } = state;
      return { inProgress, limit, refused, overdue };
    },
    close: () => clearInterval(timer),
  };
}

/** Sets the limit by what the window showed, and opens the next one. */
function adapt(state: State, lagInTargets: number): void {
  const { peak, ended, targetsSpent } = state;
  const spent = ended === 0 ? 0 : targetsSpent / ended + lagInTargets;
  // Few at once that are slow all the same are not in each other's way.
  const isSlow = spent > 1 && peak > IN_PROGRESS_MIN;
  state.slowWindows = isSlow ? state.slowWindows + 1 : 0;
  if (state.slowWindows >= SLOW_WINDOWS) {
    state.limit = Math.max(IN_PROGRESS_MIN, Math.floor(Math.min(state.limit, peak) * SHRINK));
  } else if (spent <= 1 && peak >= state.limit) {
    state.limit = Math.min(IN_PROGRESS_MAX, Math.ceil(state.limit * GROW));
  }
  state.peak = state.inProgress;
  state.ended = 0;
  state.targetsSpent = 0;
}
