import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { openLoop } from '../test/support/open-loop.ts';
import type { OpenLoopOptions, Sample } from '../test/support/open-loop.ts';
import type { Bench, Figure } from './bench.ts';

/** An API process with the real hot path, admission and limits, whose every prediction takes a fixed time. */
const SERVER = fileURLToPath(new URL('../test/integration/limits/costly-server.ts', import.meta.url));
/** 200 predictions a second: few enough that ten times of them are no work for the one who sends them. */
const COST_MS = 5;
const NOMINAL_PER_SECOND = 1000 / COST_MS;
const SECONDS = 10;
const WARM_UP_SECONDS = 4;
/** A little more than it can do, so that it never idles: what it answers then is its capacity. */
const SATURATED = 1.1;
const OVERLOAD = 10;
/** Of the capacity, for the quiet time to compare the answered with. */
const QUIET = 0.5;
const GOODPUT_MIN = 0.9;
const REFUSAL_P99_MS_MAX = 50;
const ACCEPTED_P99_RATIO_MAX = 3;

interface Phase {
  readonly answeredPerSecond: number;
  readonly answeredP99Ms: number;
  readonly refused: number;
  readonly refusedP99Ms: number;
  readonly lost: number;
}

function p99(samples: readonly Sample[]): number {
  const sorted = samples.map(({ ms }) => ms).sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? 0;
}

async function phase(
  load: Omit<OpenLoopOptions, 'perSecond' | 'seconds'>,
  times: number,
  log: (line: string) => void,
): Promise<Phase> {
  const startedMs = performance.now();
  const samples = await openLoop({ ...load, perSecond: NOMINAL_PER_SECOND * times, seconds: SECONDS });
  const seconds = (performance.now() - startedMs) / 1000;
  const answered = samples.filter(({ status }) => status === 200);
  const refused = samples.filter(({ status }) => status === 503);
  const result = {
    answeredPerSecond: answered.length / seconds,
    answeredP99Ms: p99(answered),
    refused: refused.length,
    refusedP99Ms: p99(refused),
    lost: samples.length - answered.length - refused.length,
  };
  log(
    `${times} times the capacity: ${result.answeredPerSecond.toFixed(0)} answered/s (p99 ${result.answeredP99Ms.toFixed(1)} ms), ` +
      `${refused.length} refused (p99 ${result.refusedP99Ms.toFixed(1)} ms), ${result.lost} neither`,
  );
  return result;
}

function figures(quiet: Phase, full: Phase, over: Phase): readonly Figure[] {
  return [
    {
      name: 'goodput at 10x / at capacity',
      value: over.answeredPerSecond / full.answeredPerSecond,
      unit: 'x',
      bar: GOODPUT_MIN,
      better: 'higher',
    },
    { name: 'refusals, p99', value: over.refusedP99Ms, unit: 'ms', bar: REFUSAL_P99_MS_MAX, better: 'lower' },
    {
      name: 'p99 of the answered at 10x / at capacity',
      value: over.answeredP99Ms / full.answeredP99Ms,
      unit: 'x',
      bar: ACCEPTED_P99_RATIO_MAX,
      better: 'lower',
    },
    { name: 'p99 of the answered, half load', value: quiet.answeredP99Ms, unit: 'ms', bar: null, better: 'lower' },
    { name: 'p99 of the answered at 10x', value: over.answeredP99Ms, unit: 'ms', bar: null, better: 'lower' },
    {
      name: 'neither answered nor refused',
      value: quiet.lost + full.lost + over.lost,
      unit: 'requests',
      bar: 0,
      better: 'lower',
    },
  ];
}

/** Ten times more requests than can be answered, by the clock: what is still answered, and how fast the rest is told. */
export const overload: Bench = {
  description: 'ten times more requests than one process can answer: goodput, and how fast the rest is refused',
  async run(log) {
    const child = fork(SERVER, [String(COST_MS)], { execArgv: ['--import', 'tsx'] });
    try {
      const [{ port, key }] = (await once(child, 'message')) as [{ port: number; key: string }];
      const headers = { 'x-api-key': key, 'content-type': 'application/json' };
      const load = { port, path: '/predict', body: JSON.stringify({ features: { x: 1 } }), headers };
      await openLoop({ ...load, perSecond: NOMINAL_PER_SECOND, seconds: WARM_UP_SECONDS });
      const quiet = await phase(load, QUIET, log);
      const full = await phase(load, SATURATED, log);
      const over = await phase(load, OVERLOAD, log);
      return figures(quiet, full, over);
    } finally {
      const ended = once(child, 'exit');
      child.kill();
      await ended;
    }
  },
};
