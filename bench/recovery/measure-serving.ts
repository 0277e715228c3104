/** The started example platform: how long its drill takes, and what a backup of 1 GB costs those who ask for predictions. */
import { execFile } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { Client, Connection } from '@temporalio/client';
import { readRecoveryStatus } from '../../adapters/recovery-status.ts';
import { newIdentity } from '../../recovery/vault/keys.ts';
import {
  readPlatformState,
  removeHome,
  startPlatform,
  temporaryHome,
  type Platform,
} from '../../test/support/platform.ts';
import { openLoop } from '../../test/support/open-loop.ts';
import { query } from '../../test/support/query.ts';
import { RESTORE_WORKFLOWS, type RecoveryDrillResult } from '../../workflows/restore-messages.ts';
import type { Figure } from '../bench.ts';
import { fillOneGb } from './bench-home.ts';

const PER_SECOND = 100;
const QUIET_SECONDS = 15;
/** A stretch of load; the backup ends in the middle of one. */
const STRETCH_SECONDS = 1;
const RSS_EVERY_MS = 200;
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
    const serving = await backUpWhileServing(platform, gb, log);
    return [...serving, drill];
  } finally {
    await platform.stop();
    removeHome(home);
    rmSync(folder, { recursive: true, force: true });
  }
}

async function drillExample(platform: Platform, log: Log): Promise<Figure> {
  await backUpNow(platform);
  const { address } = readPlatformState(platform.home).temporal;
  const connection = await Connection.connect({ address });
  try {
    const client = new Client({ connection });
    const report = await client.workflow.execute<() => Promise<RecoveryDrillResult>>(RESTORE_WORKFLOWS.drill, {
      taskQueue: 'sluice',
      workflowId: 'bench-drill',
    });
    log(`drill of the example platform: ${String(report.restoreMs)} ms, would have lost ${String(report.lossMs)} ms`);
    return {
      name: 'drill of the example platform',
      value: report.restoreMs / 1000,
      unit: 's',
      bar: 30,
      better: 'lower',
    };
  } finally {
    await connection.close();
  }
}

async function backUpNow(platform: Platform): Promise<void> {
  const { code, stdout, stderr } = await platform.cli('backup', 'now', '--json');
  if (code !== 0) throw new Error(`the backup failed: ${stdout}${stderr}`);
}

async function backUpWhileServing(platform: Platform, gb: number, log: Log): Promise<readonly Figure[]> {
  const pid = processesOf(platform.home)['worker'] ?? 0;
  await load(platform, 3);
  const before = await load(platform, QUIET_SECONDS);
  const restingMb = await rssMb(pid);
  let rssMax = restingMb;
  const sampler = setInterval(() => void rssMb(pid).then((mb) => (rssMax = Math.max(rssMax, mb))), RSS_EVERY_MS);
  const state = { over: false };
  const startedAt = performance.now();
  const backup = backUpNow(platform).finally(() => (state.over = true));
  backup.catch(() => undefined);
  const during: number[] = [];
  while (!state.over) during.push(...(await load(platform, STRETCH_SECONDS)));
  await backup;
  const tookS = (performance.now() - startedAt) / 1000;
  clearInterval(sampler);
  const after = await load(platform, QUIET_SECONDS);
  const quiet = (p99(before) + p99(after)) / 2;
  const rise = (p99(during) / quiet - 1) * 100;
  const ms = (of: readonly number[]): string => `${p99(of).toFixed(1)} ms`;
  log(`backup of ${gb.toFixed(2)} GB, verified, at ${String(PER_SECOND)} predictions a second: ${tookS.toFixed(1)} s`);
  log(`p99 before ${ms(before)}, during ${ms(during)} (${String(during.length)} answers), after ${ms(after)}`);
  log(`worker at rest ${restingMb.toFixed(0)} MB`);
  return [
    { name: 'backup while serving, verified, per GB', value: tookS / gb, unit: 's', bar: null, better: 'lower' },
    { name: 'rise of predict p99 meanwhile', value: rise, unit: '%', bar: 20, better: 'lower' },
    { name: 'memory of the worker, all of it', value: rssMax, unit: 'MB', bar: null, better: 'lower' },
    { name: 'memory that the backup adds to it', value: rssMax - restingMb, unit: 'MB', bar: 300, better: 'lower' },
  ];
}

/** Fills the platform's database and waits until its log is in the target. */
async function grow(platform: Platform, log: Log): Promise<number> {
  const password = readFileSync(join(platform.home, 'postgres-password'), 'utf8').trim();
  const state = JSON.parse(readFileSync(join(platform.home, 'run/platform.json'), 'utf8')) as {
    postgres: { port: number };
  };
  const databaseUrl = `postgres://sluice:${password}@127.0.0.1:${String(state.postgres.port)}/sluice`;
  await fillOneGb((text) => query(databaseUrl, text));
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

async function rssMb(pid: number): Promise<number> {
  const { stdout } = await promisify(execFile)('ps', ['-o', 'rss=', '-p', String(pid)]).catch(() => ({ stdout: '0' }));
  return Number(stdout) / 1024;
}

/** @returns ms of every answer, from when its question was due */
async function load(platform: Platform, seconds: number): Promise<readonly number[]> {
  const samples = await openLoop({
    port: Number(new URL(platform.url).port),
    path: '/models/churn/predict',
    body: questionOf(platform),
    headers: { 'x-api-key': platform.key, 'content-type': 'application/json' },
    perSecond: PER_SECOND,
    seconds,
  });
  const failed = samples.filter(({ status }) => status !== 200);
  if (failed.length > 0) throw new Error(`${String(failed.length)} of ${String(samples.length)} predictions failed`);
  return samples.map(({ ms }) => ms);
}

/** What the final screen shows to ask about. */
function questionOf(platform: Platform): string {
  const body = /-d '(\{[\s\S]*?\})'/.exec(platform.output())?.[1];
  if (body === undefined) throw new Error(`the final screen shows no question:\n${platform.output()}`);
  return body;
}

function p99(ms: readonly number[]): number {
  const sorted = [...ms].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * 0.99))] ?? Number.NaN;
}
