/** Load that does not wait: requests leave by the clock, whatever became of those before. Loopback only, and bounded. */
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

/** However fast and long a test wants it. */
const REQUESTS_MAX = 200_000;
const CONNECTIONS_MAX = 1_000;

export interface OpenLoopOptions {
  readonly port: number;
  readonly path: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly perSecond: number;
  /** At most. */
  readonly seconds: number;
  /** No more requests leave. */
  readonly signal?: AbortSignal;
}

export interface Sample {
  /** When it was due, `performance.now()`. */
  readonly dueMs: number;
  /** 0: no answer at all. */
  readonly status: number;
  /** From when it was due, ms: a generator that falls behind does not hide it. */
  readonly ms: number;
  readonly retryAfter: string | undefined;
}

export async function openLoop(options: OpenLoopOptions): Promise<readonly Sample[]> {
  const { perSecond, seconds } = options;
  const total = Math.min(REQUESTS_MAX, Math.round(perSecond * seconds));
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX });
  const samples: Promise<Sample>[] = [];
  const startedMs = performance.now();
  while (samples.length < total && options.signal?.aborted !== true) {
    const due = Math.min(total, Math.ceil(((performance.now() - startedMs) / 1000) * perSecond));
    while (samples.length < due) samples.push(send(options, agent, startedMs + (samples.length * 1000) / perSecond));
    await pause(1);
  }
  const all = await Promise.all(samples);
  agent.destroy();
  return all;
}

function send({ port, path, body, headers }: OpenLoopOptions, agent: Agent, dueMs: number): Promise<Sample> {
  return new Promise((resolve) => {
    const done = (status: number, retryAfter?: string): void =>
      resolve({ dueMs, status, ms: performance.now() - dueMs, retryAfter });
    const outgoing = request(
      {
        host: '127.0.0.1',
        port,
        path,
        method: 'POST',
        agent,
        headers: { ...headers, 'content-length': Buffer.byteLength(body) },
      },
      (incoming) => {
        incoming.resume();
        incoming.on('end', () => done(incoming.statusCode ?? 0, incoming.headers['retry-after']));
        incoming.on('error', () => done(0));
      },
    );
    outgoing.on('error', () => done(0));
    outgoing.end(body);
  });
}
