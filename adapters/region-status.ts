/** What the process of a region knows, in a small file of the home: the command line reads it. */
import { readFileSync } from 'node:fs';
import { mkdir, rename, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { z } from 'zod';

const schema = z.object({
  /** Epoch ms when it was written. */
  atMs: z.number(),
  region: z.string(),
  role: z.enum(['active', 'standby']),
  /** `held`: control writes are taken here; `fenced`: another region owns the epoch. */
  lease: z.enum(['held', 'not held', 'fenced', 'standby']),
  owner: z.string().nullable(),
  epoch: z.number(),
  /** Epoch ms when the lease runs out unless it is renewed; `null`: it does not run. */
  leaseEndsMs: z.number().nullable(),
  /** Seconds for which the owner has said nothing. */
  ownerQuietSeconds: z.number().nullable(),
  standby: z
    .object({
      phase: z.string(),
      setId: z.string().nullable(),
      replayedLsn: z.string().nullable(),
      fetchedLsn: z.string().nullable(),
      lagSeconds: z.number().nullable(),
      artefactsMissing: z.number().nullable(),
    })
    .nullable(),
  /** The newest failover to this region, as Temporal keeps it; `null`: none. */
  failover: z.object({ finishedAtMs: z.number(), tookMs: z.number(), completed: z.boolean() }).nullable(),
  problem: z.string().nullable(),
});

export type RegionStatus = z.infer<typeof schema>;

const fileOf = (home: string): string => join(home, 'region', 'status.json');

/** Whole or as it was. */
export async function writeRegionStatus(home: string, status: RegionStatus): Promise<void> {
  const file = fileOf(home);
  await mkdir(dirname(file), { recursive: true, mode: 0o700 });
  await writeFile(`${file}.draft`, JSON.stringify(status), { mode: 0o600 });
  await rename(`${file}.draft`, file);
}

/** `null`: no process of this home has written one. */
export function readRegionStatus(home: string): RegionStatus | null {
  try {
    const parsed = schema.safeParse(JSON.parse(readFileSync(fileOf(home), 'utf8')));
    return parsed.success ? parsed.data : null;
  } catch {
    return null;
  }
}
