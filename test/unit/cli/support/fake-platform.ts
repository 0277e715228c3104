import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { z } from 'zod';
import { importBytesSchema } from '../../../../api/schemas/imports.ts';
import { createKeySchema } from '../../../../api/schemas/keys.ts';
import { applyModelSchema } from '../../../../api/schemas/models.ts';
import { feedbackSchema, predictBatchSchema, predictSchema } from '../../../../api/schemas/predictions.ts';
import { assessBodySchema, backtestBodySchema } from '../../../../api/schemas/rollout-assessment.ts';
import {
  outcomesBodySchema,
  releaseBodySchema,
  stopTheLineBodySchema,
  triggerBodySchema,
  webhookBodySchema,
} from '../../../../api/schemas/rollout-controls.ts';
import { approveBodySchema, commandBodySchema, startRolloutSchema } from '../../../../api/schemas/rollouts.ts';
import { trainBodySchema } from '../../../../api/schemas/training.ts';
import { parseDefinition } from '../../../../models/definition/load.ts';

export interface Call {
  readonly method: string;
  readonly path: string;
  readonly key: string | null;
  readonly body: unknown;
}

export interface Reply {
  readonly status: number;
  readonly body: unknown;
  /** Sent as it is, when the answer is not JSON. */
  readonly raw?: string;
}

/** A reply, or replies in turn (the last one stays). */
type Replies = Reply | readonly Reply[];

export interface FakePlatform {
  readonly url: string;
  readonly calls: Call[];
  close(): Promise<void>;
}

export const ok = (body: unknown, status = 200): Reply => ({ status, body });

export const problem = (status: number, error: string, detail: string, problems: unknown[] = []): Reply => ({
  status,
  body: { type: 'about:blank', title: error, status, detail, instance: '/x', request_id: 'r', error, problems },
});

/** The API's own schemas of what is sent to it. */
const BODIES: readonly (readonly [RegExp, z.ZodType])[] = [
  [/^\/models$/, applyModelSchema],
  [/^\/models\/[^/]+\/train$/, trainBodySchema],
  // A form, kept as it came.
  [/^\/models\/[^/]+\/versions$/, importBytesSchema],
  [/^\/predict\/batch$/, predictBatchSchema],
  [/predict$/, predictSchema],
  [/^\/rollouts$/, startRolloutSchema],
  [/^\/rollouts\/plan$/, assessBodySchema],
  [/^\/rollouts\/backtest$/, backtestBodySchema],
  [/^\/rollouts\/[^/]+\/approve$/, approveBodySchema],
  [/^\/rollouts\/[^/]+\/[a-z-]+$/, commandBodySchema],
  [/\/release$/, releaseBodySchema],
  [/^\/stop-the-line$/, stopTheLineBodySchema],
  [/^\/triggers$/, triggerBodySchema],
  [/^\/outcomes$/, outcomesBodySchema],
  [/^\/webhooks$/, webhookBodySchema],
  [/^\/feedback$/, feedbackSchema],
  [/^\/keys$/, createKeySchema],
];

/** What the real API would say against a body; `null` when it takes it. */
function refusalOf(method: string, path: string, body: unknown): Reply | null {
  if (method !== 'POST') return null;
  const schema = BODIES.find(([pattern]) => pattern.test(path))?.[1];
  if (schema === undefined) return problem(500, 'internal', `no schema for ${path}`);
  const parsed = schema.safeParse(body);
  if (!parsed.success) return problem(500, 'internal', `the API takes no such body: ${parsed.error.message}`);
  if (path === '/models') parseDefinition((body as { definition: unknown }).definition);
  return null;
}

/** A server on loopback that answers `METHOD /path` (without the query) as told, and notes every call. */
export async function startFakePlatform(routes: Readonly<Record<string, Replies>>): Promise<FakePlatform> {
  const calls: Call[] = [];
  const turns = new Map<string, number>();
  const server = createServer((request, response) => {
    void readBody(request).then((body) => {
      const method = request.method ?? '';
      const path = decodeURIComponent(request.url ?? '');
      calls.push({ method, path, key: (request.headers['x-api-key'] as string | undefined) ?? null, body });
      const [bare = ''] = path.split('?');
      const name = `${method} ${bare}`;
      const replies = routes[name] ?? problem(404, 'notFound', `nothing at ${name}`);
      const list = Array.isArray(replies) ? (replies as readonly Reply[]) : [replies as Reply];
      const turn = turns.get(name) ?? 0;
      turns.set(name, turn + 1);
      const reply = refusalOf(method, bare, body) ?? list[Math.min(turn, list.length - 1)]!;
      const type = reply.status >= 400 ? 'application/problem+json' : 'application/json';
      response.writeHead(reply.status, { 'content-type': type });
      response.end(reply.raw ?? (reply.status === 204 ? '' : JSON.stringify(reply.body)));
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    url: `http://127.0.0.1:${port}`,
    calls,
    close: () =>
      new Promise((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  let text = '';
  for await (const chunk of request) text += String(chunk);
  if (request.headers['content-type']?.startsWith('multipart/') === true) return text;
  return text === '' ? null : JSON.parse(text);
}
