import { isAbsolute } from 'node:path';
import { z } from 'zod';
import { DomainError, type Problem } from '../domain/errors.ts';
import type { FailoverMode, RegionRole } from '../domain/recovery/region.ts';
import type { BackupTarget } from './object-stores/parse-target.ts';

/** What moves the traffic: an address that is called, or a program with its arguments, started without a shell. */
export type FailoverHook =
  | { readonly kind: 'webhook'; readonly url: string; readonly secret: string | null }
  | { readonly kind: 'command'; readonly command: readonly [string, ...string[]] };

export interface RegionConfig {
  readonly region: string;
  /** Name of the backup target that the regions share. */
  readonly target: string;
  /** As what a new home begins; later it remembers what it is. */
  readonly role: RegionRole;
  readonly failover: FailoverMode;
  /** Control writes go on for so long when the shared target cannot be reached. */
  readonly leaseMs: number;
  /** Of the other region; while it answers, nothing fails over by itself. */
  readonly healthUrl: string | null;
  readonly hook: FailoverHook | null;
  /** Of the metrics that the region's own process serves, on loopback; `null`: it serves none. */
  readonly metricsPort: number | null;
}

const empty = (v: unknown): unknown => (v === '' ? undefined : v);
const text = z.preprocess(empty, z.string().min(1).optional());
const NAME = /^[a-z0-9][a-z0-9-]{0,39}$/;
const ARGUMENTS_MAX = 40;

const environment = z.object({
  SLUICE_REGION: z.preprocess(empty, z.string().regex(NAME, 'expected a-z, 0-9 and -, at most 40').optional()),
  SLUICE_REGION_TARGET: text,
  SLUICE_REGION_ROLE: z.preprocess(empty, z.enum(['active', 'standby']).optional()),
  SLUICE_REGION_LEASE_SECONDS: z.preprocess(empty, z.coerce.number().int().min(3).max(600).optional()),
  SLUICE_REGION_HEALTH_URL: z.preprocess(empty, z.url({ protocol: /^https?$/ }).optional()),
  SLUICE_REGION_METRICS_PORT: z.preprocess(empty, z.coerce.number().int().min(0).max(65_535).optional()),
  SLUICE_FAILOVER: z.preprocess(empty, z.enum(['auto', 'manual']).optional()),
  SLUICE_FAILOVER_HOOK: text,
  SLUICE_FAILOVER_HOOK_SECRET: z.preprocess(
    empty,
    z.string().startsWith('whsec_', 'expected a secret that begins with whsec_').optional(),
  ),
});

/**
 * The part of this platform in a group of regions; `null`: it stands alone.
 * @throws DomainError `invalidInput` with every problem; no message repeats a secret
 */
export function readRegionConfig(
  env: Readonly<Record<string, string | undefined>>,
  targets: readonly BackupTarget[],
): RegionConfig | null {
  const parsed = environment.safeParse(env);
  if (!parsed.success) {
    const problems = parsed.error.issues.map((i) => ({ field: i.path.join('.'), message: i.message }));
    throw new DomainError('invalidInput', 'The settings of the region cannot be used', problems);
  }
  const e = parsed.data;
  if (e.SLUICE_REGION === undefined) return null;
  const problems: Problem[] = [];
  const names = targets.map((target) => target.name);
  const target = e.SLUICE_REGION_TARGET ?? names.at(-1);
  if (target === undefined || !names.includes(target))
    problems.push({ field: 'SLUICE_REGION_TARGET', message: 'is none of SLUICE_BACKUP_TARGETS', allowed: names });
  const role = e.SLUICE_REGION_ROLE ?? 'active';
  const hook = readHook(e.SLUICE_FAILOVER_HOOK, e.SLUICE_FAILOVER_HOOK_SECRET ?? null, problems);
  if (problems.length > 0) throw new DomainError('invalidInput', 'The settings of the region cannot be used', problems);
  return {
    region: e.SLUICE_REGION,
    target: target ?? '',
    role,
    failover: e.SLUICE_FAILOVER ?? 'manual',
    leaseMs: (e.SLUICE_REGION_LEASE_SECONDS ?? 15) * 1_000,
    healthUrl: e.SLUICE_REGION_HEALTH_URL ?? null,
    hook,
    metricsPort: e.SLUICE_REGION_METRICS_PORT ?? null,
  };
}

function readHook(written: string | undefined, secret: string | null, problems: Problem[]): FailoverHook | null {
  if (written === undefined) return null;
  if (/^https?:\/\//.test(written) && URL.canParse(written)) return { kind: 'webhook', url: written, secret };
  const command = readCommand(written);
  if (command !== null) return { kind: 'command', command };
  const allowed = ['https://host/path', '["/usr/local/bin/move-traffic","--to","{region}"]'];
  problems.push({ field: 'SLUICE_FAILOVER_HOOK', message: 'is neither an address nor a JSON list of texts', allowed });
  return null;
}

function readCommand(written: string): readonly [string, ...string[]] | null {
  try {
    const list = z.array(z.string()).min(1).max(ARGUMENTS_MAX).parse(JSON.parse(written));
    const [program = '', ...rest] = list;
    return isAbsolute(program) ? [program, ...rest] : null;
  } catch {
    return null;
  }
}
