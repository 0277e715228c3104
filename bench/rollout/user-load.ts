/** Users that ask one model, by the clock: who they are, what became of each request, and which version answered it. */
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';

const CONNECTIONS_MAX = 64;
/** A connection that is not used for longer is closed: the API does so after 5 s, and a request on its way then is lost. */
const IDLE_MS = 2_000;
/** No answer within this is a failure: far above every deadline of the API. */
const REQUEST_TIMEOUT_MS = 20_000;

export interface UserLoadOptions {
  readonly port: number;
  readonly key: string;
  readonly model: string;
  readonly perSecond: number;
  /** Of the n-th user, counted from 0. */
  readonly features: (user: number) => object;
}

export interface UserAnswer {
  readonly user: number;
  /** 0: no answer at all. */
  readonly status: number;
  /** Of a failure: what the answer or the connection said. */
  readonly what: string;
  readonly version: number;
  readonly variant: string;
  /** Empty without an answer. */
  readonly requestId: string;
  readonly probability: number;
  /** `performance.now()` when the request was due, and when its answer was there. */
  readonly dueMs: number;
  readonly atMs: number;
}

export interface UserLoad {
  readonly answers: readonly UserAnswer[];
  /** Called with each answer. */
  onAnswer: ((answer: UserAnswer) => void) | null;
  /** Ends when what is on its way is answered. */
  stop(): Promise<void>;
}

export const entityOf = (user: number): string => `user-${user}`;

interface Body {
  readonly request_id: string;
  readonly model_version: number;
  readonly variant: string;
  readonly probability: number;
}

function read(status: number, text: string): Omit<UserAnswer, 'user' | 'dueMs' | 'atMs'> {
  if (status !== 200) {
    return { status, what: text.slice(0, 300), version: 0, variant: '', requestId: '', probability: Number.NaN };
  }
  const { request_id: requestId, model_version: version, variant, probability } = JSON.parse(text) as Body;
  return { status, what: '', version, variant, requestId, probability };
}

export function startUsers(options: UserLoadOptions): UserLoad {
  const { port, key, model, perSecond, features } = options;
  const agent = new Agent({ keepAlive: true, maxSockets: CONNECTIONS_MAX, timeout: IDLE_MS });
  const answers: UserAnswer[] = [];
  const open = new Set<Promise<void>>();
  let stopping = false;
  const load: UserLoad = { answers, onAnswer: null, stop };

  function ask(user: number, dueMs: number): Promise<void> {
    return new Promise((resolve) => {
      const note = (status: number, text = ''): void => {
        const answer = { user, ...read(status, text), dueMs, atMs: performance.now() };
        answers.push(answer);
        load.onAnswer?.(answer);
        resolve();
      };
      const body = JSON.stringify({ entity_id: entityOf(user), features: features(user) });
      const headers = {
        'x-api-key': key,
        'content-type': 'application/json',
        'content-length': Buffer.byteLength(body),
      };
      const path = `/models/${model}/predict`;
      const where = { host: '127.0.0.1', port, path, method: 'POST', agent, headers, timeout: REQUEST_TIMEOUT_MS };
      const outgoing = request(where, (incoming) => {
        let text = '';
        incoming.setEncoding('utf8').on('data', (piece: string) => (text += piece));
        incoming.on('end', () => note(incoming.statusCode ?? 0, text));
        incoming.on('error', (error) => note(0, error.message));
      });
      outgoing.on('timeout', () => outgoing.destroy(new Error('no answer in time')));
      outgoing.on('error', (error) => note(0, error.message));
      outgoing.end(body);
    });
  }

  async function run(): Promise<void> {
    const startedMs = performance.now();
    for (let user = 0; !stopping;) {
      const due = Math.ceil(((performance.now() - startedMs) / 1_000) * perSecond);
      for (; user < due; user++) {
        const asked: Promise<void> = ask(user, startedMs + (user * 1_000) / perSecond).then(
          () => void open.delete(asked),
        );
        open.add(asked);
      }
      await pause(2);
    }
  }

  const running = run();
  async function stop(): Promise<void> {
    stopping = true;
    await running;
    await Promise.all(open);
    agent.destroy();
  }
  return load;
}
