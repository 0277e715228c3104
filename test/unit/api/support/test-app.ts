import type { z } from 'zod';
import { expect, vi } from 'vitest';
import { createMetrics } from '../../../../adapters/metrics.ts';
import type { Notifier } from '../../../../adapters/webhooks/create-notifier.ts';
import { createSealer } from '../../../../adapters/webhooks/sealer.ts';
import { createApp } from '../../../../api/create-app.ts';
import type { AppDeps } from '../../../../api/create-app.ts';
import { createProtection } from '../../../../api/protection.ts';
import { createApiKey } from '../../../../api/security/api-key-format.ts';
import { createKeyDirectory } from '../../../../api/security/key-directory.ts';
import type { Permission } from '../../../../domain/records.ts';
import { createFakeControl, createFakeRegistry, createFakeServing, createWorld } from './fake-ports.ts';
import { NOW_MS } from './samples.ts';

type App = ReturnType<typeof createApp>;

export interface CallOptions {
  /** Permission of the key that is sent, or a key itself; null: none. Default `admin`. */
  readonly key?: string | null;
  readonly body?: unknown;
  /** Sent as it is; `body` is not. */
  readonly raw?: string | Uint8Array;
  readonly headers?: Readonly<Record<string, string>>;
}

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  readonly text: string;
  /** Typed by the test that reads it. */
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly json: any;
  /** The fields of a problem, in the order named. */
  readonly fields: readonly string[];
}

function fieldsOf(json: unknown): readonly string[] {
  const { problems = [] } = (json ?? {}) as { problems?: readonly { field: string }[] };
  return problems.map((p) => p.field);
}

/** The schema that the route documents for this status; undefined when it documents none. */
function documentedSchema(app: App, method: string, path: string, status: number): z.ZodType | undefined {
  const segments = path.split('?')[0]!.split('/');
  const candidates = app.openAPIRegistry.definitions.flatMap((d) => (d.type === 'route' ? [d.route] : []));
  const fits = candidates.filter(({ method: m, path: pattern }) => {
    const parts = pattern.split('/');
    if (m.toUpperCase() !== method || parts.length !== segments.length) return false;
    return parts.every((part, i) => (part.startsWith('{') ? segments[i] !== '' : part === segments[i]));
  });
  // Of `/health/detailed` and `/{a}/{b}` the one with fewer parameters is meant.
  const [route] = fits.sort((a, b) => a.path.split('{').length - b.path.split('{').length);
  if (route === undefined) return undefined;
  const response = route.responses[String(status)];
  expect(response, `${method} ${route.path} documents status ${String(status)}`).toBeDefined();
  const content = (response as { content?: Record<string, { schema?: z.ZodType }> }).content ?? {};
  return Object.values(content)[0]?.schema;
}

/** An app over fakes. Every answer is checked against what its route documents. */
export async function createTestApp(change: Partial<AppDeps> = {}) {
  const world = createWorld();
  const keyOf = {} as Record<Permission, string>;
  for (const permission of ['predict', 'monitor', 'admin'] as const) {
    const { key, row } = createApiKey(`${permission}-key`, [permission]);
    keyOf[permission] = key;
    world.keys.push({ ...row, createdAt: new Date(NOW_MS), revokedAt: null });
  }
  const registry = createFakeRegistry(world);
  const control = createFakeControl(world);
  const webhooks = {
    sealer: createSealer(() => Promise.resolve(Buffer.alloc(32, 7))),
    notifier: { deliver: vi.fn<Notifier['deliver']>(() => Promise.resolve()) },
    allowPrivate: false,
  };
  const serving = createFakeServing();
  const log = { info: vi.fn(), warn: vi.fn(), error: vi.fn() };
  const keys = createKeyDirectory({ keys: registry.keys, now: () => NOW_MS, onStateChange: () => undefined });
  await keys.refresh();
  const metrics = createMetrics({ defaults: false });
  const protection = createProtection({ metrics, now: () => NOW_MS });
  const app = createApp({
    registry,
    serving,
    control,
    keys,
    metrics,
    protection,
    log,
    webhooks,
    checks: { postgres: () => Promise.resolve(), temporal: control.check },
    isDraining: () => false,
    now: () => NOW_MS,
    version: '1.2.3',
    ...change,
  });

  const call = async (method: string, path: string, options: CallOptions = {}): Promise<Answer> => {
    const key = options.key === undefined ? 'admin' : options.key;
    const sent = key === null ? null : ((keyOf as Partial<Record<string, string>>)[key] ?? key);
    const headers = new Headers(options.headers);
    if (sent !== null) headers.set('x-api-key', sent);
    const body = options.raw ?? (options.body === undefined ? undefined : JSON.stringify(options.body));
    if (body !== undefined && !headers.has('content-type')) headers.set('content-type', 'application/json');
    const response = await app.request(path, {
      method,
      headers,
      ...(body === undefined ? {} : { body: body as never }),
    });
    const text = await response.text();
    const isJson = /json/.test(response.headers.get('content-type') ?? '');
    const json: unknown = isJson ? JSON.parse(text) : undefined;
    const schema = documentedSchema(app, method, path, response.status);
    if (schema !== undefined && isJson) schema.parse(json);
    return { status: response.status, headers: response.headers, text, json, fields: fieldsOf(json) };
  };
  return { app, call, world, registry, control, webhooks, serving, keys, keyOf, metrics, protection, log };
}
