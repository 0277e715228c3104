import { mkdir, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';
import { z } from 'zod';
import { VARIANTS } from '../../domain/routing.ts';
import type { Fallback, RoutedModel, ServingPolicy } from '../../domain/serving-policy.ts';
import type { ServingLog } from './ports.ts';
import type { VersionAddress } from './version-cache.ts';

/** The routing in force with the addresses of its versions: enough to serve without the database. */
export interface SavedRouting {
  readonly tables: readonly RoutedModel[];
  readonly addresses: readonly VersionAddress[];
}

const route = z.object({ variant: z.enum(VARIANTS), version: z.number().int(), weightPercent: z.number() });
const fallback = z.discriminatedUnion('kind', [
  z.object({ kind: z.literal('none') }),
  z.object({ kind: z.literal('previous') }),
  z.object({ kind: z.literal('constant'), probability: z.number() }),
]) satisfies z.ZodType<Fallback>;
const policy = z.object({
  fallback,
  cache: z.object({ ttlMs: z.number(), maxEntries: z.number() }).nullable(),
  previous: z.number().int().nullable(),
}) satisfies z.ZodType<ServingPolicy>;
const table = z.object({
  model: z.string(),
  generation: z.number().int(),
  salt: z.string(),
  rolloutId: z.string().nullable(),
  routes: z.array(route).min(1),
  slowMs: z.number(),
  policy: policy.exactOptional(),
}) satisfies z.ZodType<RoutedModel>;
const address = z.object({ model: z.string(), version: z.number().int(), manifestDigest: z.string() });
const savedRouting = z.object({ formatVersion: z.literal(1), tables: z.array(table), addresses: z.array(address) });

export interface RoutingFile {
  /** Replaces the file behind the caller's back; of several calls during one write only the last is written. */
  save(routing: SavedRouting): void;
  /** `null` when there is none, or none that can be used. */
  read(): Promise<SavedRouting | null>;
  /** Resolves when nothing is being written. */
  settled(): Promise<void>;
}

/** `<home>/routing.json`, whole or absent: written to the side, flushed and renamed. */
export function createRoutingFile(path: string, log: ServingLog): RoutingFile {
  // Several processes may serve from one home.
  const temporary = `${path}.${process.pid}.tmp`;
  let next: SavedRouting | null = null;
  let writing: Promise<void> | null = null;

  function save(routing: SavedRouting): void {
    next = routing;
    writing ??= writeAll().finally(() => {
      writing = null;
    });
  }

  async function writeAll(): Promise<void> {
    while (next !== null) {
      const routing = next;
      next = null;
      try {
        await replace(JSON.stringify({ formatVersion: 1, ...routing }, null, 2));
      } catch (error) {
        // Serving goes on: the file is for the next start.
        log.warn({ err: error, path }, 'the routing could not be saved');
      }
    }
  }

  async function replace(text: string): Promise<void> {
    await mkdir(dirname(path), { recursive: true });
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, path);
  }

  async function read(): Promise<SavedRouting | null> {
    try {
      return savedRouting.parse(JSON.parse(await readFile(path, 'utf8')));
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
        log.warn({ err: error, path }, 'the saved routing is unusable');
      return null;
    }
  }

  return { save, read, settled: async () => writing ?? undefined };
}
