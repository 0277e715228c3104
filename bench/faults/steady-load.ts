/** Clients that ask on and on over their own kept connections, and tell of every answer and every failure. */
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

/** A client that tries again does so on a new connection, this often, with this wait. */
const TRIES = 4;
const RETRY_AFTER_MS = 50;
/** No answer within this is a failure: far above every deadline of the API. */
const REQUEST_TIMEOUT_MS = 10_000;

export interface LoadTarget {
  readonly port: number;
  readonly path: string;
  readonly key: string;
  /** JSON of the request. */
  readonly body: string;
}

export interface LoadOptions {
  readonly connections: number;
  /** Wait of a client between an answer and its next request. */
  readonly pauseMs: number;
}

export interface Answer {
  readonly requestId: string;
  readonly version: number;
  readonly atMs: number;
  /** From the first try on. */
  readonly ms: number;
}

export interface Failure {
  readonly client: number;
  readonly atMs: number;
  /** 0: no answer at all. */
  readonly status: number;
  readonly what: string;
}

export interface SteadyLoad {
  readonly answers: readonly Answer[];
  /** Single tries that failed; the client tried again. */
  readonly broken: readonly Failure[];
  /** Requests that failed at every try. */
  readonly failures: readonly Failure[];
  /** Resolves when so many more are answered; rejects when the time is over. */
  more(answers: number, timeoutMs?: number): Promise<void>;
  /** Ends when what is on its way is answered. */
  stop(): Promise<void>;
}

interface Reply {
  readonly status: number;
  readonly text: string;
}

function send({ port, path, key, body }: LoadTarget, agent: Agent): Promise<Reply> {
  return new Promise((resolve) => {
    const fail = (error: Error): void => resolve({ status: 0, text: error.message });
    const headers = {
      'x-api-key': key,
      'content-type': 'application/json',
      'content-length': Buffer.byteLength(body),
    };
    const where = { host: '127.0.0.1', port, path, method: 'POST', agent, headers, timeout: REQUEST_TIMEOUT_MS };
    const outgoing = request(where, (incoming) => {
      let text = '';
      incoming.setEncoding('utf8').on('data', (part: string) => (text += part));
      incoming.on('end', () => resolve({ status: incoming.statusCode ?? 0, text }));
      incoming.on('error', fail);
    });
    outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
    outgoing.on('error', fail);
    outgoing.end(body);
  });
}

export function startLoad(target: LoadTarget, { connections, pauseMs }: LoadOptions): SteadyLoad {
  const answers: Answer[] = [];
  const broken: Failure[] = [];
  const failures: Failure[] = [];
  const agents = Array.from({ length: connections }, () => new Agent({ keepAlive: true, maxSockets: 1 }));
  let stopping = false;

  async function ask(client: number, agent: Agent): Promise<void> {
    const startedMs = performance.now();
    for (let attempt = 1; ; attempt += 1) {
      const { status, text } = await send(target, agent);
      const atMs = performance.now();
      if (status === 200) {
        const { request_id, model_version } = JSON.parse(text) as { request_id: string; model_version: number };
        answers.push({ requestId: request_id, version: model_version, atMs, ms: atMs - startedMs });
        return;
      }
      const failure = { client, atMs, status, what: text.slice(0, 300) };
      broken.push(failure);
      if (attempt === TRIES) {
        failures.push(failure);
        return;
      }
      await pause(RETRY_AFTER_MS);
    }
  }

  async function run(client: number, agent: Agent): Promise<void> {
    // Not all in the same turn.
    await pause((client * pauseMs) / connections);
    while (!stopping) {
      await ask(client, agent);
      if (pauseMs > 0) await pause(pauseMs);
    }
  }

  const clients = agents.map((agent, client) => run(client, agent));
  return {
    answers,
    broken,
    failures,
    more: async (count, timeoutMs = 30_000) => {
      const enough = answers.length + count;
      const untilMs = performance.now() + timeoutMs;
      while (answers.length < enough) {
        if (performance.now() > untilMs) {
          throw new Error(`${enough - answers.length} of ${count} answers are missing after ${timeoutMs} ms`);
        }
        await pause(5);
      }
    },
    stop: async () => {
      stopping = true;
      await Promise.all(clients);
      for (const agent of agents) agent.destroy();
    },
  };
}
