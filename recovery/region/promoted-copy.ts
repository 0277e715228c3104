import { existsSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { DomainError } from '../../domain/errors.ts';
import { clearStaged, markRestored, stagedDataDir } from '../../infra/embedded/restored-data.ts';

const schema = z.object({ reachedLsn: z.string(), fetchedLsn: z.string(), cutOffBytes: z.number() });

/** How far a copy had replayed the log when it was promoted. */
export type PromotedAt = z.infer<typeof schema>;

/** In the copy itself, so that it is not taken for that of another. */
const fileIn = (dataDir: string): string => join(dataDir, 'sluice-promoted.json');

/** Whole or as it was. */
export function rememberPromotion(dataDir: string, at: PromotedAt): void {
  writeFileSync(`${fileIn(dataDir)}.draft`, JSON.stringify(at), { flush: true });
  renameSync(`${fileIn(dataDir)}.draft`, fileIn(dataDir));
}

/** @throws DomainError `artefactCorrupt` when the copy was not promoted by this platform */
export function readPromotedAt(dataDir: string): PromotedAt {
  try {
    return schema.parse(JSON.parse(readFileSync(fileIn(dataDir), 'utf8')));
  } catch {
    throw new DomainError('artefactCorrupt', `${fileIn(dataDir)} cannot be read: the copy was not promoted here`);
  }
}

/**
 * Puts the promoted copy where the platform of the home takes it from. A kill at any point of it is made good by the next
 * call, whatever a process that stands by has fetched in between.
 * @throws DomainError `artefactCorrupt` when there is no promoted copy
 */
export function handOverCopy(base: string, dataDir: string): void {
  const staged = stagedDataDir(base);
  if (existsSync(fileIn(dataDir))) {
    clearStaged(base);
    renameSync(dataDir, staged);
  }
  if (!existsSync(staged))
    throw new DomainError('artefactCorrupt', `The database that was promoted is not in ${base} any more`);
  // What a process that began again has fetched since is a copy of the region before, not what was promoted.
  for (const copy of [dataDir, `${dataDir}.draft`]) rmSync(copy, { recursive: true, force: true });
  // A backup of the database must not hold it: what is restored from it was not promoted.
  rmSync(fileIn(staged), { force: true });
  markRestored(base);
}
