/** Two regions around a failover, as a test can see both: who took which control write, and what the other world was told. */
import { fork, type ChildProcess } from 'node:child_process';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { Client } from 'pg';
import { waitFor } from '../../support/platform.ts';
import { tinyModel } from '../../support/tiny-model.ts';
import type { FailoverWorkerOrder } from './failover-worker.ts';

export interface TakenWrite {
  readonly epoch: number;
  /** `alone`: the database belonged to no region yet. */
  readonly region: string;
  readonly sentMs: number;
  readonly answeredMs: number;
}

export interface Writer {
  readonly taken: readonly TakenWrite[];
  /** What the last refusal said; empty: none yet. */
  refusal(): string;
  stop(): Promise<void>;
}

const PROBE_EVERY_MS = 250;
/** The write, and by whose lease it was let through, in one transaction. */
const CONTROL_WRITE = `with written as (update model_aliases set updated_by = 'writer' returning 1)
  select region, epoch from region_lease where exists (select from written)`;

/** Goes on trying control writes in a region's database, whenever it runs. */
export function writeOn(databaseUrl: () => string | null): Writer {
  const taken: TakenWrite[] = [];
  let refusal = '';
  let stopped = false;
  let client: Client | null = null;
  const connect = async (): Promise<Client | null> => {
    const url = databaseUrl();
    if (client !== null || url === null) return client;
    const made = new Client({ connectionString: url });
    made.on('error', () => (client = null));
    await made.connect();
    return (client = made);
  };
  const write = async (): Promise<void> => {
    const open = await connect();
    if (open === null) return;
    const sentMs = performance.now();
    const { rows } = await open.query<{ region: string; epoch: number }>(CONTROL_WRITE);
    const { region, epoch } = rows[0] ?? { region: 'alone', epoch: 0 };
    taken.push({ region, epoch: epoch, sentMs, answeredMs: performance.now() });
  };
  const run = async (): Promise<void> => {
    while (!stopped) {
      await write().catch((error: unknown) => {
        refusal = error instanceof Error ? error.message : String(error);
        if (error instanceof Error && 'code' in error && error.code === 'SLFEN') return;
        void client?.end().catch(() => undefined);
        client = null;
      });
      await sleep(PROBE_EVERY_MS);
    }
    await client?.end().catch(() => undefined);
  };
  const running = run();
  return {
    taken,
    refusal: () => refusal,
    stop: async () => {
      stopped = true;
      await running;
    },
  };
}

export interface HookCall {
  readonly body: string;
  readonly headers: IncomingMessage['headers'];
}

export interface World {
  readonly origin: string;
  /** Calls of each case's hook, oldest first. */
  readonly calls: Map<string, HookCall[]>;
  close(): Promise<void>;
}

export interface WorldOptions {
  /** Whether the API of a case answers that it is ready. */
  readonly isReady: (name: string) => boolean;
  /** Version that serves in the database of a case. */
  readonly served: (name: string) => Promise<number>;
  /** Status that a hook answers its nth call with, from 1; `null`: none, ever. */
  readonly hookStatus: (name: string, nth: number) => number | null;
}

/** One HTTP server that is the API of every case, `/<case>/…`, and the receiver of its hook, `/<case>/hook`. */
export async function startWorld(options: WorldOptions): Promise<World> {
  const { expected } = tinyModel();
  const calls = new Map<string, HookCall[]>();
  const answer = async (request: IncomingMessage): Promise<{ status: number; body?: object } | null> => {
    const [, name = '', what] = (request.url ?? '').split('/');
    const body = await readBody(request);
    if (what === 'ready') return { status: options.isReady(name) ? 200 : 503 };
    if (what === 'hook') {
      const known = [...(calls.get(name) ?? []), { body, headers: request.headers }];
      calls.set(name, known);
      const status = options.hookStatus(name, known.length);
      return status === null ? null : { status };
    }
    const { features } = JSON.parse(body) as { features: Parameters<typeof expected>[0] };
    return { status: 200, body: { probability: expected(features), model_version: await options.served(name) } };
  };
  const server = createServer((request, response) => {
    answer(request).then(
      (said) => {
        if (said !== null) response.writeHead(said.status).end(JSON.stringify(said.body ?? {}));
      },
      () => response.writeHead(500).end(),
    );
  });
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return {
    origin: `http://127.0.0.1:${String((server.address() as AddressInfo).port)}`,
    calls,
    close: () => {
      server.closeAllConnections();
      return new Promise((done) => server.close(() => done()));
    },
  };
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks).toString('utf8');
}

export interface WorkerProcess {
  begin(order: FailoverWorkerOrder): Promise<void>;
  end(how: (child: ChildProcess) => void): Promise<void>;
}

/** Waits to begin: its start costs seconds that others can use. Adds to `points` where its failovers stop. */
export function prepareWorker(points: Set<string>): WorkerProcess {
  const child = fork(fileURLToPath(new URL('failover-worker.ts', import.meta.url)), [], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  let ready = false;
  child.on('message', (said: { at?: string; ready?: boolean }) => {
    ready ||= said.ready === true;
    if (said.at !== undefined) points.add(said.at);
  });
  return {
    begin: async (order) => {
      child.send(order);
      await waitFor(() => ready, 60_000, 'the worker');
    },
    end: async (how) => {
      if (child.exitCode !== null || child.signalCode !== null) return;
      const gone = new Promise((resolve) => child.once('exit', resolve));
      how(child);
      await gone;
    },
  };
}
