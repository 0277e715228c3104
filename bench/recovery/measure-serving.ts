/** The started example platform: how long its drill takes, and what a backup of 1 GB costs those who ask for predictions. */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import { readRecoveryStatus } from '../../adapters/recovery-status.ts';
import { newIdentity } from '../../recovery/vault/keys.ts';
import {
  readPlatformState,
  removeHome,
  startPlatform,
  temporaryHome,
  waitFor,
  type Platform,
} from '../../test/support/platform.ts';
import { openLoop, type Sample } from '../../test/support/open-loop.ts';
import { query } from '../../test/support/query.ts';
import {
  BACKUP_WORKFLOW_ID,
  WORKFLOWS,
  type BackupPlatformInput,
  type BackupPlatformResult,
} from '../../workflows/messages.ts';
import { RESTORE_WORKFLOWS, type RecoveryDrillResult } from '../../workflows/restore-messages.ts';
import type { Figure } from '../bench.ts';
import { fillOneGb } from './bench-home.ts';
import { asClientElsewhere } from './client-priority.ts';

const PER_SECOND = 100;
const WARM_UP_MS = 5_000;
const QUIET_MS = 20_000;
/** A p99 of one backup's answers rests on forty of them, and moves by a fifth from run to run. */
const BACKUPS = 3;
const LOAD_SECONDS_MAX = 600;
const RSS_EVERY_MS = 200;
const WORKER_TIMEOUT_MS = 60_000;
const TASK_QUEUE = 'sluice';
const LAG_TIMEOUT_MS = 300_000;
const MB = 1024 * 1024;

type Log = (line: string) => void;

export async function measureServing(log: Log): Promise<readonly Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-serving-'));
  mkdirSync(join(folder, 'target'));
  const { identity, recipient } = await newIdentity();
  writeFileSync(join(folder, 'key.txt'), `${identity}\n`, { mode: 0o600 });
  const home = temporaryHome();
  const env = {
    SLUICE_BACKUP_TARGETS: join(folder, 'target'),
    SLUICE_BACKUP_RECIPIENTS: recipient,
    SLUICE_BACKUP_IDENTITY_FILE: join(folder, 'key.txt'),
  };
  let platform = await startPlatform(home, undefined, { env });
  try {
    const drill = await drillExample(platform, log);
    const gb = await grow(platform, log);
    // What training and a gigabyte of log left in the worker's memory is not the backup's.
    await platform.stop();
    platform = await startPlatform(home, undefined, { env });
    const started = platform;
    const serving = await asClientElsewhere(log, () => backUpWhileServing(started, gb, log));
    return [...serving, drill];
  } finally {
    await platform.stop();
    removeHome(home);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function drillExample(platform: Platform, log: Log): Promise<Figure> {
  const report = await withTemporal(platform, async (client) => {
    await backUp(client);
    return client.workflow.execute<() => Promise<RecoveryDrillResult>>(RESTORE_WORKFLOWS.drill, {
      taskQueue: TASK_QUEUE,
      workflowId: 'bench-drill',
    });
  });
  log(`drill of the example platform: ${String(report.restoreMs)} ms, would have lost ${String(report.lossMs)} ms`);
  return {
    name: 'drill of the example platform',
    value: report.restoreMs / 1000,
    unit: 's',
    bar: 30,
    better: 'lower',
  };
}

async function withTemporal<T>(platform: Platform, work: (client: Client) => Promise<T>): Promise<T> {
  const connection = await Connection.connect({ address: readPlatformState(platform.home).temporal.address });
  try {
    return await work(new Client({ connection }));
  } finally {
    await connection.close();
  }
}

/** As the schedule does it: a command of its own would take the processor from those who are measured. */
async function backUp(client: Client): Promise<void> {
  await client.workflow.execute<(input: BackupPlatformInput) => Promise<BackupPlatformResult>>(WORKFLOWS.backup, {
    taskQueue: TASK_QUEUE,
    workflowId: BACKUP_WORKFLOW_ID,
    args: [{ requestedBy: 'bench' }],
  });
}

async function backUpWhileServing(platform: Platform, gb: number, log: Log): Promise<readonly Figure[]> {
  const memory = await watchMemory(platform);
  const stop = new AbortController();
  const loading = load(platform, stop.signal);
  const times = await backUpsBetweenQuiet(platform).finally(() => stop.abort());
  const { restingMb, mostMb } = memory.stop();
  const samples = await loading;
  const within = (periods: readonly Period[]): readonly number[] =>
    periods.flatMap(({ fromMs, toMs }) =>
      samples.filter(({ dueMs }) => dueMs >= fromMs && dueMs < toMs).map(({ ms }) => ms),
    );
  const quiet = within(times.quiet);
  const during = within(times.backups);
  const tookS = times.backups.reduce((sum, { fromMs, toMs }) => sum + toMs - fromMs, 0) / 1000 / BACKUPS;
  log(`backup of ${gb.toFixed(2)} GB, verified, at ${String(PER_SECOND)} predictions a second: ${tookS.toFixed(1)} s`);
  log(`quiet ${tell(quiet)}; during the backup ${tell(during)}; worker at rest ${restingMb.toFixed(0)} MB`);
  const rise = (quantile(during, 0.99) / quantile(quiet, 0.99) - 1) * 100;
  return [
    { name: 'backup while serving, verified, per GB', value: tookS / gb, unit: 's', bar: null, better: 'lower' },
    { name: 'rise of predict p99 meanwhile', value: rise, unit: '%', bar: 20, better: 'lower' },
    { name: 'memory of the worker', value: mostMb, unit: 'MB', bar: 300, better: 'lower' },
  ];
}

interface Period {
  readonly fromMs: number;
  readonly toMs: number;
}

/** The periods in turn: what a machine does by itself meanwhile falls on both kinds. */
async function backUpsBetweenQuiet(platform: Platform): Promise<Readonly<Record<'quiet' | 'backups', Period[]>>> {
  const timed = async (work: () => Promise<unknown>): Promise<Period> => {
    const fromMs = performance.now();
    await work();
    return { fromMs, toMs: performance.now() };
  };
  return withTemporal(platform, async (client) => {
    await sleep(WARM_UP_MS);
    const quiet = [await timed(() => sleep(QUIET_MS))];
    const backups: Period[] = [];
    while (backups.length < BACKUPS) {
      backups.push(await timed(() => backUp(client)));
      quiet.push(await timed(() => sleep(QUIET_MS)));
    }
    return { quiet, backups };
  });
}

/** Of the worker that runs now. */
async function watchMemory(platform: Platform): Promise<{ stop: () => { restingMb: number; mostMb: number } }> {
  const pid = await waitFor(() => processesOf(platform.home)['worker'], WORKER_TIMEOUT_MS, 'the worker');
  const restingMb = await waitFor(() => rssMb(pid), WORKER_TIMEOUT_MS, 'the memory of the worker');
  let mostMb = restingMb;
  const sampler = setInterval(() => (mostMb = Math.max(mostMb, rssMb(pid))), RSS_EVERY_MS);
  return {
    stop: () => {
      clearInterval(sampler);
      return { restingMb, mostMb };
    },
  };
}

/** Fills the platform's database and waits until its log is in the target. */
async function grow(platform: Platform, log: Log): Promise<number> {
  const password = readFileSync(join(platform.home, 'postgres-password'), 'utf8').trim();
  const state = JSON.parse(readFileSync(join(platform.home, 'run/platform.json'), 'utf8')) as {
    postgres: { port: number };
  };
  const databaseUrl = `postgres://sluice:${password}@127.0.0.1:${String(state.postgres.port)}/sluice`;
  await fillOneGb((text) => query(databaseUrl, text));
  // Else the server does so by itself in the middle of the backup, and ships as much log again.
  await query(databaseUrl, 'vacuum (freeze, analyze) bench_rows');
  const deadline = Date.now() + LAG_TIMEOUT_MS;
  const lag = (): number => readRecoveryStatus(platform.home)?.targets[0]?.walLagSeconds ?? Number.POSITIVE_INFINITY;
  await sleep(11_000);
  while (lag() > 2) {
    if (Date.now() > deadline) throw new Error('the log does not reach the target');
    await sleep(500);
  }
  const [size] = await query<{ bytes: string }>(databaseUrl, 'select pg_database_size(current_database()) as bytes');
  const gb = Number(size?.bytes) / 1024 / MB;
  log(`${gb.toFixed(2)} GB, and all of its log in the target`);
  return gb;
}

function processesOf(home: string): Readonly<Record<string, number>> {
  const text = readFileSync(join(home, 'run/platform.json'), 'utf8');
  return (JSON.parse(text) as { processes: Record<string, number> }).processes;
}

/** Resident, as the system has it; 0: there is no such process. */
function rssMb(pid: number): number {
  try {
    return Number(/VmRSS:\s+(\d+) kB/.exec(readFileSync(`/proc/${String(pid)}/status`, 'utf8'))?.[1] ?? 0) / 1024;
  } catch {
    return 0;
  }
}

async function load(platform: Platform, signal: AbortSignal): Promise<readonly Sample[]> {
  const samples = await openLoop({
    port: Number(new URL(platform.url).port),
    path: '/models/churn/predict',
    body: questionOf(platform),
    headers: { 'x-api-key': platform.key, 'content-type': 'application/json' },
    perSecond: PER_SECOND,
    seconds: LOAD_SECONDS_MAX,
    signal,
  });
  const failed = samples.filter(({ status }) => status !== 200);
  if (failed.length > 0) throw new Error(`${String(failed.length)} of ${String(samples.length)} predictions failed`);
  return samples;
}

/** What the final screen shows to ask about. */
function questionOf(platform: Platform): string {
  const body = /-d '(\{[\s\S]*?\})'/.exec(platform.output())?.[1];
  if (body === undefined) throw new Error(`the final screen shows no question:\n${platform.output()}`);
  return body;
}

function tell(ms: readonly number[]): string {
  const at = (share: number): string => quantile(ms, share).toFixed(1);
  return `${String(ms.length)} answers, ms at p50 ${at(0.5)}, p95 ${at(0.95)}, p99 ${at(0.99)}, at most ${at(1)}`;
}

function quantile(ms: readonly number[], share: number): number {
  const sorted = [...ms].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}
