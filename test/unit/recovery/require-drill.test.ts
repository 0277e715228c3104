import { describe, expect, it } from 'vitest';
import type { DrillRow } from '../../../db/recovery-store.ts';
import { requireDrill } from '../../../recovery/drill/require-drill.ts';

const NOW_MS = Date.UTC(2030, 0, 31);
const DAY_MS = 86_400_000;

function row(outcome: DrillRow['outcome'], daysAgo: number | null): DrillRow {
  const finishedAt = daysAgo === null ? null : new Date(NOW_MS - daysAgo * DAY_MS);
  const nothing = { id: 'd', target: 'folder', setId: null, restoreMs: null, lossMs: null, details: {} };
  return { ...nothing, outcome, startedAt: new Date(0), finishedAt };
}
const asked = (...rows: DrillRow[]) =>
  requireDrill({ drills: () => Promise.resolve(rows) }, { maxDays: 8, nowMs: NOW_MS });

describe('a rollout that needs a recovery drill first', () => {
  it('begins after one that passed, whatever runs or was killed since', async () => {
    await expect(asked(row('running', null), row('killed', 1), row('passed', 7.9))).resolves.toBeUndefined();
  });

  it.each([
    ['no recovery drill has been made yet', [row('running', null), row('killed', 1)]],
    ['is 8.5 days old', [row('passed', 8.5)]],
    ['failed', [row('failed', 1), row('passed', 2)]],
  ])('is refused when %s', async (why, rows) => {
    const error: unknown = await asked(...rows).catch((e: unknown) => e);
    expect(error).toMatchObject({
      code: 'refused',
      problems: [{ allowed: [expect.stringContaining('backup drill')] }],
    });
    expect((error as Error).message).toContain(why);
  });
});
