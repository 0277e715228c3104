/** What the worker knows of backups, in a small file of the home: the API's metrics and the command line read it. */
import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { LOG_STATES } from '../domain/recovery/log-state.ts';

const schema = z.object({
  /** Epoch ms when it was written. */
  atMs: z.number(),
  targets: z.array(
    z.object({
      name: z.string(),
      /** When the newest verified set was begun, epoch ms; `null`: there is none. */
      newestVerifiedMs: z.number().nullable(),
      /** When the oldest and the newest verified set were complete, epoch ms. A file that an older worker wrote does not say. */
      verified: z.object({ fromMs: z.number(), toMs: z.number() }).nullable().default(null),
      /** `null`: the log is not shipped to it. */
      walLagSeconds: z.number().nullable(),
      problem: z.string().nullable(),
    }),
  ),
  /** What became of the log; `null`: not known yet. A file that an older worker wrote does not say. */
  log: z.enum(LOG_STATES).nullable().default(null),
  /** The newest drill that ended; `null`: none yet. */
  drill: z
    .object({
      finishedAtMs: z.number(),
      passed: z.boolean(),
      restoreMs: z.number().nullable(),
      lossMs: z.number().nullable(),
      setId: z.string().nullable(),
    })
    .nullable(),
});

export type RecoveryStatus = z.infer<typeof schema>;

/** It is written every 10 s. */
const FRESH_SECONDS = 15;

const fileOf = (home: string): string => join(home, 'backup', 'status.json');

/** Whole or as it was. */
export async function writeRecoveryStatus(home: string, status: RecoveryStatus): Promise<void> {
  const file = fileOf(home);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(`${file}.draft`, JSON.stringify(status), { mode: 0o600 });
  await rename(`${file}.draft`, file);
}

/** `null`: no worker of this home has written one. */
export function readRecoveryStatus(home: string): RecoveryStatus | null {
  try {
    const parsed = schema.safeParse(JSON.parse(readFileSync(fileOf(home), 'utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}

/** Seconds that the log is late now: a worker that is gone ships nothing. `null`: it is not shipped. */
export function walLagSeconds(status: RecoveryStatus, lagSeconds: number | null, nowMs: number): number | null {
  return lagSeconds === null ? null : lagSeconds + Math.max(0, (nowMs - status.atMs) / 1000 - FRESH_SECONDS);
}
