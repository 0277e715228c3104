import type { Fleet, ServingProcess } from './fleet.ts';

/** Above its fair share by less than this a process keeps what it has: a few connections are no load. */
const EXCESS_MIN = 2;
/** And by less than this part of the share: connections come and go. */
const EXCESS_SHARE = 0.25;
/** Until those who were sent away have come back. */
const PAUSE_MS = 6_000;
const SHED_LIMIT_MS = 1_000;

export interface ConnectionBalanceDeps {
  readonly fleet: Pick<Fleet, 'serving'>;
}

export interface ConnectionBalance {
  /** What a process says of itself. */
  note(process: ServingProcess, connections: number): void;
}

/**
 * New connections are dealt out evenly, and stay where they are: after a process was replaced, clients that keep theirs
 * would leave its successor idle for good. A process with far more than its share closes some behind their next answers.
 */
export function createConnectionBalance({ fleet }: ConnectionBalanceDeps): ConnectionBalance {
  const known = new WeakMap<ServingProcess, number>();
  let notBeforeMs = 0;

  return {
    note: (process, connections) => {
      known.set(process, connections);
      const count = excess(
        connections,
        fleet.serving().map((other) => known.get(other)),
      );
      if (count === 0 || performance.now() < notBeforeMs) return;
      notBeforeMs = performance.now() + PAUSE_MS;
      process.link.ask('shed', count, SHED_LIMIT_MS).catch(() => undefined);
    },
  };
}

/**
 * How many of `connections` are to go, of those that all processes have.
 * @param all with that one; `undefined` where a process has not told yet
 */
export function excess(connections: number, all: readonly (number | undefined)[]): number {
  if (all.length < 2 || all.includes(undefined)) return 0;
  const share = all.reduce<number>((sum, count = 0) => sum + count, 0) / all.length;
  const above = connections - share;
  if (above < EXCESS_MIN || above < share * EXCESS_SHARE) return 0;
  // Each process gets its part of those who come back, this one too.
  return Math.min(connections, Math.floor((above * all.length) / (all.length - 1)));
}
