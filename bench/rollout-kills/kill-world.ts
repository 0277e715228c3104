/** A whole platform of which any part can be killed with -9: worker, API, Temporal, Postgres. Nothing else uses it. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as pause } from 'node:timers/promises';
import { Client, Connection } from '@temporalio/client';
import postgres from 'postgres';
import { startTemporal, type EmbeddedTemporal } from '../../infra/embedded/temporal.ts';
import { startKeeper } from '../../infra/processes/keeper-client.ts';
import { rolloutWorkflowId } from '../../workflows/messages.ts';
import { startFaultDatabase } from '../faults/database.ts';
import { until } from '../faults/tell.ts';
import { startLivePlatform, type LivePlatform } from '../rollout/live-platform.ts';
import type { StoredAnswer } from './check-answers.ts';

export const PARTS = ['worker', 'API process', 'API', 'Temporal', 'Postgres'] as const;
export type Part = (typeof PARTS)[number];

export const PROCESSES = 2;
/** How long what was killed is away at least, where nobody starts it again at once. */
const AWAY_MS = 1_000;
const WELL_WITHIN_MS = 60_000;
type History = Awaited<ReturnType<ReturnType<Client['workflow']['getHandle']>['fetchHistory']>>;

export interface KillWorld {
  readonly platform: LivePlatform;
  /** With -9, and started again; resolves with the moment of the kill, epoch ms, when the part is there again. */
  kill(part: Part): Promise<number>;
  /** Every part works, with as many serving processes as there were. */
  untilWell(): Promise<void>;
  /** Every prediction of a model that is recorded. */
  stored(model: string): Promise<readonly StoredAnswer[]>;
  /** Of the model's rollout. */
  history(model: string): Promise<History>;
  stop(): Promise<void>;
}

type Cleanup = () => Promise<unknown>;

async function build(cacheDir: string, cleanups: Cleanup[]): Promise<KillWorld> {
  const home = await mkdtemp(join(tmpdir(), 'sluice-kills-'));
  cleanups.push(() => rm(home, { recursive: true, force: true }));
  const keeper = startKeeper(join(home, 'logs', 'keeper.log'));
  cleanups.push(() => keeper.release());
  const database = await startFaultDatabase();
  cleanups.push(() => database.remove());
  let temporal: EmbeddedTemporal = await startTemporal({ home, keeper, cacheDir, port: 0, uiPort: 0 });
  cleanups.push(() => temporal.process.stop());
  const { address: temporalAddress, port, uiPort } = temporal;
  const { url: databaseUrl } = database;
  const platform = await startLivePlatform({ databaseUrl, temporalAddress, cacheDir, processes: PROCESSES });
  cleanups.push(() => platform.stop());
  const sql = postgres(databaseUrl, { max: 1, onnotice: () => undefined });
  cleanups.push(() => sql.end({ timeout: 2 }));
  const kills: Readonly<Record<Part, () => Promise<void>>> = {
    worker: () => platform.kill('worker'),
    'API process': () => platform.kill('serving'),
    API: () => platform.kill('api'),
    Temporal: async () => {
      process.kill(temporal.process.pid, 'SIGKILL');
      await temporal.process.exited;
      await pause(AWAY_MS);
      temporal = await startTemporal({ home, keeper, cacheDir, port, uiPort, portsFixed: true });
    },
    Postgres: async () => {
      await database.kill();
      await pause(AWAY_MS);
      await database.start();
    },
  };
  return {
    platform,
    kill: async (part) => {
      const atMs = Date.now();
      await kills[part]();
      return atMs;
    },
    untilWell: async () => {
      await until('every part to work', WELL_WITHIN_MS, async () => (await reasonsOf(platform)).length === 0);
    },
    stored: (model) => storedOf(sql, model),
    history: (model) => historyOf(temporalAddress, model),
    stop: () => undo(cleanups),
  };
}

/** What keeps the API from working as before. */
async function reasonsOf(platform: LivePlatform): Promise<readonly string[]> {
  const { processes } = await platform.call<{ processes: { reasons: string[] }[] }>('GET', '/health/detailed');
  return processes.length === PROCESSES ? processes.flatMap((p) => p.reasons) : [`${processes.length} processes`];
}

async function storedOf(sql: postgres.Sql, model: string): Promise<readonly StoredAnswer[]> {
  const rows = await sql`
    select request_id, version, variant, probability, entity_id from predictions where model = ${model}`;
  return rows.map((r) => ({
    requestId: String(r['request_id']),
    version: Number(r['version']),
    variant: String(r['variant']),
    probability: Number(r['probability']),
    entityId: String(r['entity_id']),
  }));
}

async function historyOf(address: string, model: string): Promise<History> {
  const connection = await Connection.connect({ address });
  try {
    return await new Client({ connection }).workflow.getHandle(rolloutWorkflowId(model)).fetchHistory();
  } finally {
    await connection.close();
  }
}

async function undo(cleanups: Cleanup[]): Promise<void> {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
}

/** @param cacheDir of the programs that are fetched */
export async function startKillWorld(cacheDir: string): Promise<KillWorld> {
  const cleanups: Cleanup[] = [];
  try {
    return await build(cacheDir, cleanups);
  } catch (error) {
    await undo(cleanups);
    throw error;
  }
}
