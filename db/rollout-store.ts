import { and, desc, eq, isNull, sql } from 'drizzle-orm';
import { DomainError } from '../domain/errors.ts';
import type { RolloutSnapshot } from '../domain/rollout/state.ts';
import { writeAudit } from './audit-store.ts';
import type { Database, Drizzle } from './connect.ts';
import type { RolloutRow, RolloutStore } from './ports.ts';
import { rollouts } from './schema.ts';
import { isUuid } from './uuid.ts';
import { requireVersions } from './version-store.ts';

/** Rows one list may return, whatever the caller asks. */
const LIST_MAX = 1_000;
/** Tries of an insert whose rival closes between the refusal and the look at it; more than two are not plausible. */
const OPEN_TRIES_MAX = 3;

type NewRollout = Parameters<RolloutStore['open']>[0];

export function createRolloutStore(database: Database): RolloutStore {
  return {
    open: (row) => database.transact((tx) => open(tx, row)),
    progress: (id, snapshot) =>
      database.run(async (db) => {
        // A late retry must not reopen the picture of a rollout that has ended.
        const changed = await db
          .update(rollouts)
          .set({ phase: snapshot.phase, snapshot })
          .where(and(eq(rollouts.id, id), isNull(rollouts.finishedAt)))
          .returning({ id: rollouts.id });
        if (changed.length > 0) return;
        const [row] = await db.select({ id: rollouts.id }).from(rollouts).where(eq(rollouts.id, id));
        if (row === undefined) throw noRollout(id);
      }),
    close: (id, snapshot, reason) => database.transact((tx) => close(tx, id, snapshot, reason)),
    find: (id) =>
      database.run(async (db) => {
        if (!isUuid(id)) return null;
        const [row] = await db.select().from(rollouts).where(eq(rollouts.id, id));
        return row ?? null;
      }),
    findOpen: (model) =>
      database.run(async (db) => {
        const [row] = await db.select().from(rollouts).where(isOpen(model));
        return row ?? null;
      }),
    list: ({ model, limit }) =>
      database.run((db) =>
        db
          .select()
          .from(rollouts)
          .where(model === undefined ? undefined : eq(rollouts.model, model))
          .orderBy(desc(rollouts.startedAt), desc(rollouts.id))
          .limit(Math.min(limit, LIST_MAX)),
      ),
  };
}

const isOpen = (model: string) => and(eq(rollouts.model, model), isNull(rollouts.finishedAt));
const noRollout = (id: string) => new DomainError('notFound', `There is no rollout ${id}`);

async function open(tx: Drizzle, row: NewRollout): Promise<RolloutRow> {
  await requireVersions(tx, row.model, row.champion === null ? [row.candidate] : [row.candidate, row.champion]);
  for (let attempt = 1; attempt <= OPEN_TRIES_MAX; attempt++) {
    // The partial unique index decides between rivals: `do nothing` waits for the other transaction to end.
    const [opened] = await tx
      .insert(rollouts)
      .values({ ...row, phase: 'starting' })
      .onConflictDoNothing()
      .returning();
    if (opened !== undefined) {
      const { candidate, champion, plan, workflowId, runId } = row;
      const details = { rolloutId: row.id, candidate, champion, strategy: plan.strategy, workflowId, runId };
      const entry = { actor: row.startedBy, action: 'rollout.open', subject: row.model, details };
      await writeAudit(tx, row.reason === null ? entry : { ...entry, reason: row.reason });
      return opened;
    }
    const [same] = await tx.select().from(rollouts).where(eq(rollouts.id, row.id));
    if (same !== undefined) return same;
    const [rival] = await tx.select().from(rollouts).where(isOpen(row.model));
    if (rival !== undefined) throw alreadyOpen(rival);
  }
  throw new DomainError('unavailable', `The rollouts of ${row.model} change too fast to open one: try again`);
}

function alreadyOpen(rival: RolloutRow): DomainError {
  const { id, model, candidate, startedBy, startedAt } = rival;
  return new DomainError(
    'conflict',
    `Rollout ${id} of ${model} version ${candidate} is open: started by ${startedBy} at ${startedAt.toISOString()}`,
    [{ field: 'model', message: `rollout ${id} must end before another one starts` }],
  );
}

async function close(tx: Drizzle, id: string, snapshot: RolloutSnapshot, reason: string): Promise<void> {
  const [closed] = await tx
    .update(rollouts)
    .set({ phase: snapshot.phase, snapshot, reason, finishedAt: sql`now()` })
    .where(and(eq(rollouts.id, id), isNull(rollouts.finishedAt)))
    .returning({ model: rollouts.model });
  if (closed === undefined) {
    const [row] = await tx.select({ id: rollouts.id }).from(rollouts).where(eq(rollouts.id, id));
    if (row === undefined) throw noRollout(id);
    return; // Closed before: the first end stands.
  }
  const details = { rolloutId: id, outcome: snapshot.phase, candidate: snapshot.candidate };
  await writeAudit(tx, { actor: 'platform', action: 'rollout.close', subject: closed.model, reason, details });
}
