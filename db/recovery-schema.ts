/** Tables of backup and recovery beside those of the registry (`schema.ts`). */
import { bigint, index, integer, jsonb, pgTable, smallint, text, uuid } from 'drizzle-orm/pg-core';
import { at } from './columns.ts';

export const EPOCH_STATES = ['active', 'fenced'] as const;
export type EpochState = (typeof EPOCH_STATES)[number];

/**
 * One row: which life of the platform this database is in. Grows by one with every restore and every failover; while
 * the state is `fenced`, the database itself refuses every control write (see the migration's trigger).
 */
export const platformEpoch = pgTable('platform_epoch', {
  /** Always 1. */
  id: smallint().primaryKey(),
  epoch: integer().notNull(),
  state: text().$type<EpochState>().notNull(),
  reason: text().notNull(),
  changedBy: text('changed_by').notNull(),
  since: at('since').notNull().defaultNow(),
  /**
   * The group's region that this database serves in; `null`: no region shares it. While set, a control write also needs
   * the row of `region_lease` (made by the migration, without a log: a copy of the database begins without a lease).
   */
  region: text(),
});

export const DRILL_OUTCOMES = ['running', 'passed', 'failed', 'killed'] as const;
export type DrillOutcome = (typeof DRILL_OUTCOMES)[number];

/** Every drill: what was restored, how long it took, and what it would have lost. */
export const recoveryDrills = pgTable(
  'recovery_drills',
  {
    id: uuid().primaryKey(),
    target: text().notNull(),
    /** `null`: none could be chosen. */
    setId: text('set_id'),
    outcome: text().$type<DrillOutcome>().notNull(),
    startedAt: at('started_at').notNull().defaultNow(),
    finishedAt: at('finished_at'),
    /** From the order until everything was restored and checked. */
    restoreMs: bigint('restore_ms', { mode: 'number' }),
    /** Age of the newest change that came back, when the drill began. */
    lossMs: bigint('loss_ms', { mode: 'number' }),
    /** What was checked, and what was found; why it failed. */
    details: jsonb().$type<Readonly<Record<string, unknown>>>().notNull(),
  },
  (t) => [index('recovery_drills_by_time').on(t.startedAt)],
);
