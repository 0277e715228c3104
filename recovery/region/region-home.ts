import { randomUUID } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { mkdirSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { z } from 'zod';
import { DomainError } from '../../domain/errors.ts';
import type { RegionRole } from '../../domain/recovery/region.ts';

const stateSchema = z.object({
  holder: z.string().min(1),
  role: z.enum(['active', 'standby']),
  /** Epoch ms since when. */
  sinceMs: z.number(),
});

/** What a home remembers of its part in a group of regions. */
export type RegionHome = z.infer<typeof stateSchema>;

const fileOf = (home: string): string => join(home, 'region', 'state.json');

/** `null`: the home never was in a group. @throws DomainError `artefactCorrupt` rather than guess who may write */
export function readRegionHome(home: string): RegionHome | null {
  const file = fileOf(home);
  if (!existsSync(file)) return null;
  try {
    return stateSchema.parse(JSON.parse(readFileSync(file, 'utf8')));
  } catch {
    throw new DomainError('artefactCorrupt', `${file} cannot be read: remove it and say what this home is`, [
      { field: file, message: 'is damaged', allowed: ['SLUICE_REGION_ROLE=active', 'SLUICE_REGION_ROLE=standby'] },
    ]);
  }
}

/** A new home begins as it was configured; one that has lived in the group stays what it is. */
export function openRegionHome(home: string, role: RegionRole): RegionHome {
  return readRegionHome(home) ?? writeRegionHome(home, { holder: randomUUID(), role });
}

/** Whole or as it was. */
export function writeRegionHome(home: string, state: Pick<RegionHome, 'holder' | 'role'>): RegionHome {
  const whole = { ...state, sinceMs: Date.now() };
  const file = fileOf(home);
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  writeFileSync(`${file}.draft`, JSON.stringify(whole), { mode: 0o600, flush: true });
  renameSync(`${file}.draft`, file);
  return whole;
}
