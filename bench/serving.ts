import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import { buildDataSet } from '../models/data/build-dataset.ts';
import { loadDefinition } from '../models/definition/load.ts';
import { readTable } from '../models/data/read-table.ts';
import type { Bench, Figure } from './bench.ts';
import type { Load, LoadResult } from './serving-load.ts';
import { startBenchPlatform } from './serving-platform.ts';

const DEFINITION = fileURLToPath(new URL('../examples/churn/model.yaml', import.meta.url));
const LOAD = fileURLToPath(new URL('./serving-load.ts', import.meta.url));
/** Different rows, so that no answer can come from a cache. */
const ROWS = 500;
const CONNECTIONS = 32;
const WARM_UP_SECONDS = 3;
const SECONDS = 10;

/** Real rows of the example, each with an entity of its own. */
async function readBodies(): Promise<readonly string[]> {
  const definition = await loadDefinition(DEFINITION);
  const { dataSet } = buildDataSet(await readTable(definition.data.source, definition.data), definition);
  return Array.from({ length: Math.min(ROWS, dataSet.rows) }, (_, row) =>
    JSON.stringify({ model: definition.name, entity_id: `bench-${row}`, features: dataSet.rawRow(row) }),
  );
}

async function applyLoad(load: Load): Promise<LoadResult> {
  const child = fork(LOAD, { execArgv: ['--import', 'tsx'] });
  child.send(load);
  const ended = once(child, 'exit').then(([code]) => Promise.reject(new Error(`the load ended with ${String(code)}`)));
  ended.catch(() => undefined);
  const [result] = (await Promise.race([once(child, 'message'), ended])) as [LoadResult];
  return result;
}

async function measure(target: { url: string; key: string }, log: (line: string) => void): Promise<readonly Figure[]> {
  const bodies = await readBodies();
  const at = async (connections: number, seconds: number): Promise<LoadResult> => {
    const result = await applyLoad({ ...target, bodies, connections, seconds });
    const { requests, errors, p50Ms, p95Ms, p99Ms } = result;
    log(
      `${connections} connections: ${requests} answers in ${result.seconds} s, ${errors} errors, ms at p50 ${p50Ms.toFixed(2)}, p95 ${p95Ms.toFixed(2)}, p99 ${p99Ms.toFixed(2)}`,
    );
    return result;
  };
  await at(CONNECTIONS, WARM_UP_SECONDS);
  const many = await at(CONNECTIONS, SECONDS);
  const one = await at(1, SECONDS);
  return [
    {
      name: `requests/s at ${CONNECTIONS} connections`,
      value: many.requests / many.seconds,
      unit: '1/s',
      bar: 1_000,
      better: 'higher',
    },
    { name: `p95 at ${CONNECTIONS} connections`, value: many.p95Ms, unit: 'ms', bar: 50, better: 'lower' },
    { name: `p99 at ${CONNECTIONS} connections`, value: many.p99Ms, unit: 'ms', bar: 100, better: 'lower' },
    { name: 'p50 at 1 connection', value: one.p50Ms, unit: 'ms', bar: 10, better: 'lower' },
    { name: 'errors', value: many.errors + one.errors, unit: 'requests', bar: 0, better: 'lower' },
  ];
}

/** Single predictions over HTTP, with everything a caller pays for: key, checks, routing, records. */
export const serving: Bench = {
  description: 'requests/s and time to answer of POST /predict; --url and --key measure a running platform',
  async run(log, { url, key }) {
    if (url !== undefined && key !== undefined) return measure({ url, key }, log);
    const platform = await startBenchPlatform(log);
    try {
      return await measure(platform, log);
    } finally {
      await platform.stop();
    }
  },
};
