/**
 * Rollouts of every strategy under real requests, while every part of the platform is killed with -9 at every step: the
 * end, and every single answer, must be as if nothing had happened.
 */
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { readConfig } from '../adapters/config.ts';
import type { Bench, BenchTarget, Figure } from './bench.ts';
import { PARTS, startKillWorld, type KillWorld, type Part } from './rollout-kills/kill-world.ts';
import { AT_START, endsAs, fellOn, killPoints, pointName, ROWS, type Row } from './rollout-kills/rows.ts';
import { runBatch, type End, type Outcome } from './rollout-kills/run-batch.ts';
import { judgeCell, sumUp, table, type Cell } from './rollout-kills/tell-cells.ts';

/** A batch in which a rollout was not where it should be when the kill fell is done again so often, for that rollout. */
const TRIES = 3;

const SHORT_MS = 800;
/** The step that is killed lasts until every rollout of the batch has come to it. */
const LONG_MS = 5_000;

type Log = (line: string) => void;
type Rows = Readonly<Record<string, Row>>;
type History = Parameters<typeof Worker.runReplayHistories>[1] extends Iterable<infer H> | AsyncIterable<infer H>
  ? H
  : never;

interface Run {
  readonly log: Log;
  readonly rows: Rows;
  readonly cells: Cell[];
  readonly histories: History[];
  readonly ends: Map<string, End>;
}

/** What is named, or everything. @throws when there is nothing of that name */
function chosen<T extends string>(what: string, names: readonly T[], wanted: string | undefined): readonly T[] {
  const found = names.filter((name) => wanted === undefined || name === wanted);
  if (found.length === 0) throw new Error(`--${what} is one of: ${names.join(', ')}`);
  return found;
}

/** Those of the rows that can be killed at the point. */
const thoseWith = (rows: Rows, point: number): Rows =>
  Object.fromEntries(Object.entries(rows).filter(([, row]) => killPoints(row).includes(point)));

async function keepHistories({ histories }: Run, world: KillWorld, outcomes: readonly Outcome[]): Promise<void> {
  for (const { model } of outcomes) histories.push({ workflowId: model, history: await world.history(model) });
}

/** The same rollouts with nothing killed. @throws when one does not end as it is made to */
async function undisturbed(run: Run, world: KillWorld): Promise<void> {
  const outcomes = await runBatch({ world, tag: 'quiet', rows: run.rows, kills: [], bakeTimeMs: () => SHORT_MS });
  await keepHistories(run, world, Object.values(outcomes));
  for (const [name, row] of Object.entries(run.rows)) {
    const outcome = outcomes[name];
    if (outcome?.end.phase !== endsAs(row)) throw new Error(`${name}, undisturbed: ${JSON.stringify(outcome?.end)}`);
    run.ends.set(name, outcome.end);
    run.cells.push(judgeCell({ name, point: 'nothing killed', part: null, outcome, expected: outcome.end }));
  }
}

async function killAt(run: Run, world: KillWorld, part: Part, point: number): Promise<void> {
  let rows = thoseWith(run.rows, point);
  for (let attempt = 1; attempt <= TRIES && Object.keys(rows).length > 0; attempt++) {
    const tag = `${part.toLowerCase().replace(' ', '-')}-${point + 1}-${attempt}`;
    const outcomes = await runBatch({
      world,
      tag,
      rows,
      kills: [{ part, point }],
      bakeTimeMs: (step) => (step === point ? LONG_MS : SHORT_MS),
    });
    await keepHistories(run, world, Object.values(outcomes));
    const late: [string, Row][] = [];
    for (const [name, row] of Object.entries(rows)) {
      const outcome = outcomes[name];
      const expected = run.ends.get(name);
      if (outcome === undefined || expected === undefined) continue;
      const there = fellOn(point, outcome.killedAtSteps[0] ?? AT_START);
      const cell = judgeCell({ name, point: pointName(row, point), part, outcome, expected });
      run.cells.push(there ? cell : { ...cell, point: 'elsewhere' });
      if (!there) late.push([name, row]);
      run.log(
        `${part} killed, ${name} at ${pointName(row, point)}: ${cell.problems.join('; ') || 'well'}${there ? '' : ' (not at that step)'}`,
      );
    }
    rows = Object.fromEntries(late);
  }
}

async function replay({ histories, log }: Run): Promise<number> {
  const logger = new DefaultLogger('ERROR');
  Runtime.install({ logger, telemetryOptions: { logging: { filter: 'ERROR' } } });
  const workflowsPath = fileURLToPath(new URL('../workflows/index.ts', import.meta.url));
  const workflowBundle = await bundleWorkflowCode({ workflowsPath, logger });
  let failed = 0;
  for await (const { workflowId, error } of Worker.runReplayHistories({ workflowBundle }, histories)) {
    if (error === undefined) continue;
    failed += 1;
    log(`the history of ${workflowId} cannot be replayed: ${error.message}`);
  }
  return failed;
}

async function runAll(log: Log, { strategy, part }: BenchTarget): Promise<readonly Figure[]> {
  const beganMs = performance.now();
  const names = chosen('strategy', Object.keys(ROWS), strategy);
  const rows = Object.fromEntries(Object.entries(ROWS).filter(([name]) => names.includes(name)));
  const run: Run = { log, rows, cells: [], histories: [], ends: new Map() };
  const { cacheDir } = readConfig();
  for (const killed of chosen('part', PARTS, part)) {
    log(`a platform of its own for the kills of: ${killed}`);
    const world = await startKillWorld(cacheDir);
    try {
      if (run.ends.size === 0) await undisturbed(run, world);
      const points = [...new Set(Object.values(rows).flatMap(killPoints))].sort((a, b) => a - b);
      for (const point of points) await killAt(run, world, killed, point);
    } finally {
      await world.stop();
    }
  }
  const unreplayable = await replay(run);
  for (const line of table(run.cells, rows)) log(line);
  return [
    ...sumUp(run.cells, rows),
    {
      name: `histories that cannot be replayed, of ${run.histories.length}`,
      value: unreplayable,
      unit: '',
      bar: 0,
      better: 'lower',
    },
    { name: 'time of it all', value: (performance.now() - beganMs) / 60_000, unit: 'min', bar: null, better: 'lower' },
  ];
}

export const rolloutKills: Bench = {
  description:
    'every strategy under real requests, every part killed at every step [--strategy NAME] [--part NAME]: 10 minutes and more',
  run: runAll,
};
