/** Tables of the rollout engine beside those of the registry (`schema.ts`). */
import { sql } from 'drizzle-orm';
import {
  bigint,
  bigserial,
  boolean,
  doublePrecision,
  index,
  integer,
  jsonb,
  pgTable,
  primaryKey,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import type { Route } from '../domain/routing.ts';
import type { Verdict } from '../domain/verdict.ts';
import { at } from './columns.ts';
import type { LookCounts, TriggerKind, WebhookFormat } from './rollout-ports.ts';
import { models } from './schema.ts';

/**
 * The ledger: which generation of the routing was in force from when to when. Written with the routing itself; the
 * intervals of a model neither overlap nor leave a gap, in steps of a millisecond.
 */
export const routingHistory = pgTable(
  'routing_history',
  {
    model: text()
      .notNull()
      .references(() => models.name),
    generation: integer().notNull(),
    salt: text().notNull(),
    rolloutId: uuid('rollout_id'),
    routes: jsonb().$type<readonly Route[]>().notNull(),
    changedBy: text('changed_by').notNull(),
    reason: text().notNull(),
    /** What the one who decided saw; `null` where nothing was measured. */
    evidence: jsonb().$type<Verdict>(),
    validFrom: at('valid_from').notNull(),
    /** `null`: in force. */
    validTo: at('valid_to'),
  },
  (t) => [
    primaryKey({ columns: [t.model, t.generation] }),
    uniqueIndex('routing_history_one_in_force')
      .on(t.model)
      .where(sql`${t.validTo} is null`),
    index('routing_history_by_time').on(t.model, t.validFrom),
    index('routing_history_by_rollout').on(t.rolloutId),
  ],
);

/** What a rollout saw and concluded, look by look; older looks are kept ever more sparsely (see `look-store.ts`). */
export const rolloutLooks = pgTable(
  'rollout_looks',
  {
    rolloutId: uuid('rollout_id').notNull(),
    lookAt: at('look_at').notNull(),
    step: integer().notNull(),
    phase: text().notNull(),
    weights: jsonb().$type<readonly Route[]>().notNull(),
    counts: jsonb().$type<LookCounts>().notNull(),
    verdict: jsonb().$type<Verdict>().notNull(),
  },
  (t) => [primaryKey({ columns: [t.rolloutId, t.lookAt] })],
);

/** What each API process serves: a rollout waits for all of them, and the last sign tells which are gone. */
export const servingInstances = pgTable(
  'serving_instances',
  {
    instance: uuid().notNull(),
    model: text().notNull(),
    /** Generation that its answers follow. */
    generation: integer().notNull(),
    /** Loaded, and proven by the golden rows. */
    warmVersions: jsonb('warm_versions').$type<readonly number[]>().notNull(),
    seenAt: at('seen_at').notNull(),
  },
  (t) => [primaryKey({ columns: [t.instance, t.model] }), index('serving_instances_by_model').on(t.model, t.seenAt)],
);

/** Business events reported about predictions: the value of the event for its user. */
export const outcomes = pgTable(
  'outcomes',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    model: text().notNull(),
    event: text().notNull(),
    value: doublePrecision().notNull(),
    requestId: uuid('request_id'),
    entityId: text('entity_id'),
    occurredAt: at('occurred_at').notNull(),
    receivedAt: at('received_at').notNull().defaultNow(),
  },
  (t) => [
    // One value per prediction and event, and per entity, event and moment: a report sent twice counts once.
    uniqueIndex('outcomes_by_request')
      .on(t.requestId, t.event)
      .where(sql`${t.requestId} is not null`),
    uniqueIndex('outcomes_by_entity')
      .on(t.model, t.entityId, t.event, t.occurredAt)
      .where(sql`${t.requestId} is null`),
    index('outcomes_by_time').on(t.model, t.event, t.occurredAt),
  ],
);

/** Append-only sums over requests that went to the champion and, unseen, to a shadow; like `variant_counts`. */
export const shadowCounts = pgTable(
  'shadow_counts',
  {
    instance: uuid().notNull(),
    sequence: bigint({ mode: 'number' }).notNull(),
    model: text().notNull(),
    rolloutId: uuid('rollout_id'),
    version: integer().notNull(),
    windowStart: at('window_start').notNull(),
    pairs: integer().notNull(),
    disagreements: integer().notNull(),
    shadowErrors: integer('shadow_errors').notNull(),
    /** Copies that were not run because the queue was full. */
    dropped: integer().notNull(),
    scoreDiffSum: doublePrecision('score_diff_sum').notNull(),
    scoreDiffSumOfSquares: doublePrecision('score_diff_sum_of_squares').notNull(),
    latencyDiffSumMs: doublePrecision('latency_diff_sum_ms').notNull(),
    latencyDiffSumOfSquaresMs: doublePrecision('latency_diff_sum_of_squares_ms').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.instance, t.sequence] }),
    index('shadow_counts_by_rollout').on(t.rolloutId, t.windowStart),
  ],
);

/** Switches over everything; a row per switch, its past in the audit log. */
export const platformControls = pgTable('platform_controls', {
  name: text().$type<'stopTheLine'>().primaryKey(),
  active: boolean().notNull(),
  setBy: text('set_by').notNull(),
  reason: text().notNull(),
  setAt: at('set_at').notNull().defaultNow(),
});

/** Calls from outside that a candidate must go: a rollout that did not take the order at once finds it at its next look. */
export const rolloutTriggers = pgTable(
  'rollout_triggers',
  {
    id: uuid().primaryKey(),
    /** `null`: every model. */
    model: text(),
    kind: text().$type<TriggerKind>().notNull(),
    reason: text().notNull(),
    raisedBy: text('raised_by').notNull(),
    raisedAt: at('raised_at').notNull().defaultNow(),
  },
  (t) => [index('rollout_triggers_by_time').on(t.raisedAt)],
);

export const webhooks = pgTable('webhooks', {
  id: uuid().primaryKey(),
  /** For people: scheme, host and the beginning of the path, as paths carry secrets too. */
  target: text().notNull(),
  format: text().$type<WebhookFormat>().notNull(),
  /** Address and signing secret, sealed: neither is readable without the installation's key. */
  sealed: text().notNull(),
  events: jsonb().$type<readonly string[]>().notNull(),
  createdBy: text('created_by').notNull(),
  createdAt: at('created_at').notNull().defaultNow(),
  lastAttemptAt: at('last_attempt_at'),
  /** `delivered`, or why not. */
  lastOutcome: text('last_outcome'),
});
