import { cleanRequestsFor, usersPerArm } from '../domain/statistics/power.ts';
import type { Bench, Figure } from './bench.ts';
import { againstBaseline, againstLimit, againstLimitInBursts, windowRule, type Ends } from './rollout/fixed-looks.ts';
import { runLive, type LiveRuns } from './rollout/live-traffic.ts';
import { runOutcomes } from './rollout/outcome-looks.ts';

const RUNS = 2_000;
const LIVE_RUNS = 1_000;
/** Days at half the limit: each is more than 400 looks. */
const DAY_RUNS = 100;
const SEED = 20_261;
/** As often as a canary should be looked at: counters arrive every second, windows are 2 s long. */
const LOOK_EVERY_MS = 4_000;
const MINUTE_MS = 60_000;
const HOUR_MS = 60 * MINUTE_MS;

type Log = (line: string) => void;

function figure(name: string, value: number, unit: string, bar: number | null, better: Figure['better']): Figure {
  return { name, value, unit, bar, better };
}
const atMost = (name: string, value: number, unit: string, bar: number | null) =>
  figure(name, value, unit, bar, 'lower');
const atLeast = (name: string, value: number, unit: string, bar: number | null) =>
  figure(name, value, unit, bar, 'higher');
const percent = (share: number): number => share * 100;

/** The verdicts of rollouts by simulation: what they get wrong, and how fast they get it right. */
export const rollout: Bench = {
  description: 'verdicts: the table of the method, bursts of errors, time to detect, beside a rule on windows',
  run: (log) => {
    log(`seed ${SEED}; ${RUNS} runs per row, ${LIVE_RUNS} per figure of the judge as it ships`);
    return Promise.resolve([
      ...table(log),
      ...otherFormulas(log),
      ...detection(log),
      ...falseRollbacks(log),
      ...business(log),
    ]);
  },
};

/** Rows of the table: rate in %, and the bars. */
const ROWS: readonly {
  readonly rate: number;
  readonly rollbackMax?: number;
  readonly rollbackMin?: number;
  readonly rollbackMedianMax?: number;
  readonly healthyMin?: number;
  readonly healthyMax?: number;
  readonly healthyMedianMax?: number;
}[] = [
  { rate: 0.02, rollbackMax: 0.1, healthyMin: 99.5, healthyMedianMax: 9_000 },
  { rate: 0.05, rollbackMax: 0.1, healthyMin: 45 },
  { rate: 0.1, rollbackMax: 1, healthyMax: 1 },
  { rate: 0.2, rollbackMin: 84, rollbackMedianMax: 14_500 },
  { rate: 0.5, rollbackMin: 99.9, rollbackMedianMax: 2_000 },
  { rate: 1, rollbackMin: 99.9, rollbackMedianMax: 500 },
];

function table(log: Log): Figure[] {
  log('independent requests, limit 0.1 %, alpha 1 %, a look every 500 of at most 30,000 requests:');
  log('  true rate | rollback (median n) | healthy (median n) | inconclusive || window rule | 3 windows in a row');
  return ROWS.flatMap((row) => {
    const rate = row.rate / 100;
    const ends = againstLimit(rate, 0.001, RUNS, SEED);
    const naive = windowRule(rate, 0.001, 1, RUNS, SEED).rollback;
    const three = windowRule(rate, 0.001, 3, RUNS, SEED).rollback;
    const name = `${row.rate} % errors`;
    log(`  ${name} | ${cells(ends)} || ${percent(naive).toFixed(1)} % | ${percent(three).toFixed(1)} %`);
    const rollback = percent(ends.rollback);
    const healthy = percent(ends.healthy);
    return [
      row.rollbackMin === undefined
        ? atMost(`${name}: rollback`, rollback, '%', row.rollbackMax ?? null)
        : atLeast(`${name}: rollback`, rollback, '%', row.rollbackMin),
      ...(row.rollbackMedianMax === undefined
        ? []
        : [atMost(`${name}: rollback at, median`, ends.rollbackMedian, 'requests', row.rollbackMedianMax)]),
      ...(row.healthyMin === undefined ? [] : [atLeast(`${name}: healthy`, healthy, '%', row.healthyMin)]),
      ...(row.healthyMax === undefined ? [] : [atMost(`${name}: healthy`, healthy, '%', row.healthyMax)]),
      ...(row.healthyMedianMax === undefined
        ? []
        : [atMost(`${name}: healthy at, median`, ends.healthyMedian, 'requests', row.healthyMedianMax)]),
      atMost(`${name}: rollback by a window of 500`, percent(naive), '%', null),
      atMost(`${name}: rollback by 3 windows in a row`, percent(three), '%', null),
    ];
  });
}

function cells({ rollback, rollbackMedian, healthy, healthyMedian }: Ends): string {
  const cell = (share: number, n: number) => `${percent(share).toFixed(1)} % (${Number.isFinite(n) ? n : '-'})`;
  const open = percent(1 - rollback - healthy).toFixed(1);
  return `${cell(rollback, rollbackMedian)} | ${cell(healthy, healthyMedian)} | ${open} %`;
}

function otherFormulas(log: Log): Figure[] {
  log('slow requests against 5 %; beside production at a tenth of the traffic and a base rate of 0.05 %');
  const slow = (rate: number) => againstLimit(rate, 0.05, RUNS / 2, SEED);
  const beside = (ratio: number) => againstBaseline(ratio, 0.0005, RUNS, SEED);
  return [
    atMost('3 % slow: healthy at, median', slow(0.03).healthyMedian, 'requests', 1_500),
    atMost('5 % slow: rollback', percent(slow(0.05).rollback), '%', 1),
    atMost('7 % slow: rollback at, median', slow(0.07).rollbackMedian, 'requests', 2_000),
    atMost('10 % slow: rollback at, median', slow(0.1).rollbackMedian, 'requests', 500),
    atMost('as good as the baseline: rollback', percent(beside(1).rollback), '%', 1),
    atMost('4x the baseline: rollback at, median', beside(4).rollbackMedian, 'requests', 5_000),
    atMost('10x the baseline: rollback at, median', beside(10).rollbackMedian, 'requests', 1_500),
    atMost('no errors, below 0.1 % at 95 %', cleanRequestsFor(0.001, 0.05), 'requests', 2_995),
    atMost('no errors, below 0.1 % at 99 %', cleanRequestsFor(0.001, 0.01), 'requests', 4_603),
    atMost('5 % off a conversion of 10 %', usersPerArm(0.1, 0.05), 'users/arm', 43_522),
  ];
}

const GOOD = { errorRate: 0.0002 };

function detection(log: Log): Figure[] {
  log('the judge as it ships, 5 % of 200 requests a second:');
  const live = (name: string, setting: Partial<LiveRuns> & Pick<LiveRuns, 'candidate'>) => {
    const whole = {
      champion: GOOD,
      durationMs: 10 * MINUTE_MS,
      runs: LIVE_RUNS,
      seed: SEED,
      lookEveryMs: LOOK_EVERY_MS,
    };
    const ends = runLive({ ...whole, ...setting });
    const seconds = (ms: number) => (ms / 1_000).toFixed(0);
    log(
      `  ${name}: rollback ${percent(ends.rollback)} %, median ${seconds(ends.medianMs)} s, p90 ${seconds(ends.p90Ms)} s`,
    );
    return ends;
  };
  const one = live('1 % errors', { candidate: { errorRate: 0.01 } });
  const seldom = live('1 % errors, a look every 30 s', { candidate: { errorRate: 0.01 }, lookEveryMs: 30_000 });
  const ten = live('10 % errors', { candidate: { errorRate: 0.1 } });
  const breaks = { sinceMs: 2 * HOUR_MS, durationMs: 2 * HOUR_MS + 10 * MINUTE_MS, runs: 50, onlyAfterHits: true };
  const late = live('10 % errors after 2 good hours', {
    ...breaks,
    candidate: { errorRate: 0.1, fromMs: 2 * HOUR_MS },
  });
  const mild = live('1 % errors after 2 good hours', {
    ...breaks,
    candidate: { errorRate: 0.01, fromMs: 2 * HOUR_MS },
  });
  const slow = live('15 % slow', { candidate: { errorRate: 0, slowRate: 0.15 }, runs: 200 });
  const good = live('0.02 % errors', { candidate: GOOD, durationMs: HOUR_MS, lookEveryMs: 30_000, runs: 50 });
  return [
    atMost('1 % errors: rolled back after, median', one.medianMs / 1_000, 's', 60),
    atLeast('1 % errors: rolled back', percent(one.rollback), '%', 99),
    atMost('1 % errors, a look every 30 s: after, median', seldom.medianMs / 1_000, 's', null),
    atMost('10 % errors: rolled back after, median', ten.medianMs / 1_000, 's', 30),
    atMost('10 % errors after 2 good hours: after, median', late.medianMs / 1_000, 's', 60),
    atMost('1 % errors after 2 good hours: after, median', mild.medianMs / 1_000, 's', 300),
    atMost('15 % slow: rolled back after, median', slow.medianMs / 1_000, 's', 120),
    atMost('0.02 % errors: shown healthy after, median', good.healthyMedianMs / MINUTE_MS, 'min', 30),
    atMost('a look at 60 min of traffic, mean', good.judgeMs / good.looks, 'ms', 5),
  ];
}

function falseRollbacks(log: Log): Figure[] {
  log('false rollbacks of the judge as it ships, a look after every error; bursts: geometric sizes, every arm alike');
  const run = (
    name: string,
    behaviour: LiveRuns['candidate'],
    durationMs: number,
    runs: number,
    bar: number | null,
  ) => {
    const setting = { candidate: behaviour, champion: behaviour, durationMs, runs };
    const { rollback, looks } = runLive({ ...setting, seed: SEED + 1, lookEveryMs: 2_000, onlyAfterHits: true });
    log(`  ${name}: ${percent(rollback).toFixed(2)} % of ${runs} (${looks} looks)`);
    return atMost(`${name}: false rollback`, percent(rollback), '%', bar);
  };
  const thirtyThousand = 50 * MINUTE_MS;
  const bursts = [3, 5, 10, 20].flatMap((burstMean) =>
    [300, 1_000].map((burstMs) =>
      run(
        `at the limit, bursts of ${burstMean} within ${burstMs / 1_000} s`,
        { errorRate: 0.001, burstMean, burstMs },
        thirtyThousand,
        LIVE_RUNS / 2,
        2,
      ),
    ),
  );
  return [
    run('0.05 % for a day', { errorRate: 0.0005 }, 24 * HOUR_MS, DAY_RUNS, 1),
    run('at the limit, single errors', { errorRate: 0.001 }, thirtyThousand, LIVE_RUNS, 1),
    ...bursts,
    atMost(
      'at the limit, bursts of 10: false rollback by the likelihood ratio alone',
      percent(againstLimitInBursts(0.001, 0.001, 10, RUNS, SEED).rollback),
      '%',
      null,
    ),
  ];
}

function business(log: Log): Figure[] {
  log('a conversion of 10 %, a look every 500 of at most 60,000 users per arm');
  const [none, allowed, large] = [0, 0.02, 0.15].map((loss) => runOutcomes(loss, LIVE_RUNS, SEED));
  return [
    atMost('no loss: rollback', percent(none?.rollback ?? NaN), '%', 1),
    atMost('a loss of 2 %: rollback', percent(allowed?.rollback ?? NaN), '%', null),
    atLeast('a loss of 15 %: rollback', percent(large?.rollback ?? NaN), '%', 99),
    atMost('a loss of 15 %: healthy', percent(large?.healthy ?? NaN), '%', 1),
  ];
}
