import type { RecoveryStore } from '../../db/recovery-store.ts';
import { DomainError } from '../../domain/errors.ts';

const DAY_MS = 86_400_000;
/** Newest ones that are looked at: one that runs, and some that were killed. */
const LOOKED_AT = 20;

/**
 * What changes production may ask first whether production could be brought back: the newest drill that ended has passed,
 * within so many days.
 * @throws DomainError `refused` saying what was found and how to go on
 */
export async function requireDrill(
  record: Pick<RecoveryStore, 'drills'>,
  { maxDays, nowMs }: { readonly maxDays: number; readonly nowMs: number },
): Promise<void> {
  const ended = (await record.drills(LOOKED_AT)).find(({ outcome }) => outcome === 'passed' || outcome === 'failed');
  const problem = problemOf(ended, maxDays, nowMs);
  if (problem === null) return;
  throw new DomainError('refused', `No rollout begins now: ${problem}`, [
    {
      field: 'SLUICE_ROLLOUT_DRILL_DAYS',
      message: `asks for a recovery drill that passed within ${maxDays} days`,
      allowed: ['sluice backup drill, then the rollout again'],
    },
  ]);
}

function problemOf(
  ended: Awaited<ReturnType<RecoveryStore['drills']>>[number] | undefined,
  maxDays: number,
  nowMs: number,
): string | null {
  if (ended?.finishedAt == null) return 'no recovery drill has been made yet';
  if (ended.outcome === 'failed') return `the recovery drill of ${ended.finishedAt.toISOString()} failed`;
  const days = (nowMs - ended.finishedAt.getTime()) / DAY_MS;
  return days <= maxDays ? null : `the last recovery drill that passed is ${days.toFixed(1)} days old`;
}
