/** The command line's own reader of the environment; the platform's processes have adapters/config.ts. */
import { resolve } from 'node:path';
import { z } from 'zod';
import { UsageError } from './errors.ts';

/** An empty variable counts as not set. */
const optional = <T extends z.ZodType>(schema: T) => z.preprocess((v) => (v === '' ? undefined : v), schema.optional());

const environment = z.object({
  SLUICE_API_URL: optional(z.url({ protocol: /^https?$/, error: 'expected http://host:port or https://host' })),
  SLUICE_API_KEY: optional(z.string()),
  SLUICE_HOME: optional(z.string()),
  SLUICE_HOST: optional(z.string()),
  /** 0: a free one, which `sluice up` writes down. */
  SLUICE_PORT: optional(z.coerce.number().int().min(0).max(65_535)),
  LC_ALL: optional(z.string()),
  LC_CTYPE: optional(z.string()),
  LANG: optional(z.string()),
});

export interface Settings {
  readonly apiUrl: string | null;
  readonly apiKey: string | null;
  /** Where a platform on this machine keeps its state. */
  readonly home: string;
  /** Where a platform on this machine listens when nothing else says it. */
  readonly defaultUrl: string;
  readonly colour: boolean;
  /** The terminal can show more than ASCII. */
  readonly unicode: boolean;
}

export type Environment = Readonly<Record<string, string | undefined>>;

/** https://no-color.org: any value that is not empty switches colours off. */
export function wantsColour(env: Environment): boolean {
  return (env['NO_COLOR'] ?? '') === '' && env['TERM'] !== 'dumb';
}

/**
 * Reads the environment once.
 * @throws UsageError with every setting that cannot be used
 */
export function readSettings(env: Environment): Settings {
  const parsed = environment.safeParse(env);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((i) => ({ field: i.path.join('.'), message: i.message }));
    throw new UsageError('The environment holds settings that cannot be used', problems);
  }
  const e = parsed.data;
  const locale = e.LC_ALL ?? e.LC_CTYPE ?? e.LANG;
  return {
    apiUrl: e.SLUICE_API_URL ?? null,
    apiKey: e.SLUICE_API_KEY ?? null,
    home: resolve(e.SLUICE_HOME ?? '.sluice'),
    defaultUrl: `http://${reachable(e.SLUICE_HOST ?? '127.0.0.1')}:${String(e.SLUICE_PORT ?? 8080)}`,
    colour: wantsColour(env),
    // No locale at all says nothing about the terminal; nearly all of them are UTF-8 today.
    unicode: locale === undefined || /utf-?8/i.test(locale),
  };
}

/** A server that listens everywhere is reached on loopback. */
function reachable(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1';
  return host.includes(':') ? `[${host}]` : host;
}
