/** The registry. Times are timestamptz; JSON columns hold the domain types named by `$type`. */
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
  real,
  text,
  uniqueIndex,
  uuid,
} from 'drizzle-orm/pg-core';
import type { ModelDefinition } from '../domain/definition.ts';
import type { Evaluation, GateResult, Lineage, Performance } from '../domain/evaluation.ts';
import type { ApproverRole } from '../domain/approver-role.ts';
import type { RateTier } from '../domain/rate-tier.ts';
import type { Permission } from '../domain/records.ts';
import type { RolloutSnapshot } from '../domain/rollout/state.ts';
import type { RolloutPlan } from '../domain/rollout/plan.ts';
import type { Route } from '../domain/routing.ts';
import type { FeatureValue, Signature } from '../domain/signature.ts';
import { at } from './columns.ts';

export const models = pgTable('models', {
  name: text().primaryKey(),
  definition: jsonb().$type<ModelDefinition>().notNull(),
  definitionDigest: text('definition_digest').notNull(),
  createdAt: at('created_at').notNull().defaultNow(),
  updatedAt: at('updated_at').notNull().defaultNow(),
});

export const VERSION_STATUSES = ['validating', 'accepted', 'rejected', 'quarantined'] as const;
export type VersionStatus = (typeof VERSION_STATUSES)[number];

export const modelVersions = pgTable(
  'model_versions',
  {
    model: text()
      .notNull()
      .references(() => models.name),
    version: integer().notNull(),
    status: text().$type<VersionStatus>().notNull(),
    algorithm: text().notNull(),
    artefactDigest: text('artefact_digest').notNull(),
    manifestDigest: text('manifest_digest').notNull(),
    signature: jsonb().$type<Signature>().notNull(),
    evaluation: jsonb().$type<Evaluation>().notNull(),
    lineage: jsonb().$type<Lineage>().notNull(),
    /** Workflow run that registered it: a retried registration finds its row again. */
    registeredByRun: text('registered_by_run').notNull().unique(),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.model, t.version] }), index('model_versions_created').on(t.model, t.createdAt)],
);

export const ALIASES = ['champion', 'candidate', 'previous'] as const;
export type Alias = (typeof ALIASES)[number];

export const modelAliases = pgTable(
  'model_aliases',
  {
    model: text()
      .notNull()
      .references(() => models.name),
    alias: text().$type<Alias>().notNull(),
    version: integer().notNull(),
    updatedAt: at('updated_at').notNull().defaultNow(),
    updatedBy: text('updated_by').notNull(),
  },
  (t) => [primaryKey({ columns: [t.model, t.alias] })],
);

export const routing = pgTable('routing', {
  model: text()
    .primaryKey()
    .references(() => models.name),
  generation: integer().notNull(),
  salt: text().notNull(),
  rolloutId: uuid('rollout_id'),
  routes: jsonb().$type<readonly Route[]>().notNull(),
  slowMs: real('slow_ms').notNull(),
  /** Id of the change that wrote this generation: a retry of the same change is a success, not a conflict. */
  changeId: text('change_id').notNull(),
  updatedAt: at('updated_at').notNull().defaultNow(),
});

export const ROLLOUT_ENDINGS = ['promoted', 'rolledBack', 'aborted'] as const;

export const rollouts = pgTable(
  'rollouts',
  {
    id: uuid().primaryKey(),
    model: text()
      .notNull()
      .references(() => models.name),
    candidate: integer().notNull(),
    champion: integer(),
    plan: jsonb().$type<RolloutPlan>().notNull(),
    phase: text().notNull(),
    snapshot: jsonb().$type<RolloutSnapshot>(),
    reason: text(),
    workflowId: text('workflow_id').notNull(),
    runId: text('run_id').notNull(),
    startedBy: text('started_by').notNull(),
    startedAt: at('started_at').notNull().defaultNow(),
    finishedAt: at('finished_at'),
  },
  (t) => [
    // One rollout per model at a time, whoever starts it and by whatever workflow id.
    uniqueIndex('rollouts_one_open_per_model')
      .on(t.model)
      .where(sql`${t.finishedAt} is null`),
    index('rollouts_by_model').on(t.model, t.startedAt),
  ],
);

/** Range-partitioned by day on `created_at` (see the first migration): drizzle knows it as a plain table. */
export const predictions = pgTable(
  'predictions',
  {
    requestId: uuid('request_id').notNull(),
    createdAt: at('created_at').notNull(),
    model: text().notNull(),
    version: integer().notNull(),
    variant: text().notNull(),
    rolloutId: uuid('rollout_id'),
    entityId: text('entity_id'),
    features: jsonb().$type<Record<string, FeatureValue | undefined>>().notNull(),
    probability: doublePrecision().notNull(),
    label: text().notNull(),
    risk: text().notNull(),
    latencyMs: real('latency_ms').notNull(),
  },
  (t) => [
    primaryKey({ columns: [t.requestId, t.createdAt] }),
    index('predictions_by_entity').on(t.model, t.entityId, t.createdAt),
    index('predictions_by_time').on(t.model, t.createdAt),
  ],
);

/** How far the journal of each API process is stored: moves in the transaction that stores the records. */
export const journalPositions = pgTable(
  'journal_positions',
  {
    instance: uuid().notNull(),
    segment: integer().notNull(),
    shippedBytes: bigint('shipped_bytes', { mode: 'number' }).notNull(),
    updatedAt: at('updated_at').notNull().defaultNow(),
  },
  (t) => [primaryKey({ columns: [t.instance, t.segment] })],
);

/** Append-only counters, one row per API process, variant and flush; summed when a rollout looks. */
export const variantCounts = pgTable(
  'variant_counts',
  {
    instance: uuid().notNull(),
    sequence: bigint({ mode: 'number' }).notNull(),
    model: text().notNull(),
    rolloutId: uuid('rollout_id'),
    variant: text().notNull(),
    version: integer().notNull(),
    windowStart: at('window_start').notNull(),
    requests: integer().notNull(),
    errors: integer().notNull(),
    slow: integer().notNull(),
    latencySumMs: doublePrecision('latency_sum_ms').notNull(),
    /** Answers by score, in 20 bins of 0.05; `null` from a process that did not count them. */
    scoreBins: integer('score_bins').array(),
  },
  (t) => [
    primaryKey({ columns: [t.instance, t.sequence] }),
    index('variant_counts_by_rollout').on(t.rolloutId, t.windowStart),
  ],
);

export const feedback = pgTable(
  'feedback',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    requestId: uuid('request_id'),
    entityId: text('entity_id'),
    model: text().notNull(),
    label: text().notNull(),
    occurredAt: at('occurred_at').notNull(),
    receivedAt: at('received_at').notNull().defaultNow(),
  },
  (t) => [
    // One truth per prediction: a later report replaces the earlier one.
    uniqueIndex('feedback_by_request')
      .on(t.requestId)
      .where(sql`${t.requestId} is not null`),
    index('feedback_by_entity').on(t.model, t.entityId),
  ],
);

export const gateReports = pgTable(
  'gate_reports',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    model: text().notNull(),
    version: integer().notNull(),
    passed: boolean().notNull(),
    results: jsonb().$type<readonly GateResult[]>().notNull(),
    performance: jsonb().$type<Performance>().notNull(),
    runId: text('run_id').notNull().unique(),
    createdAt: at('created_at').notNull().defaultNow(),
  },
  (t) => [index('gate_reports_by_version').on(t.model, t.version)],
);

export const auditLog = pgTable(
  'audit_log',
  {
    id: bigserial({ mode: 'number' }).primaryKey(),
    at: at('at').notNull().defaultNow(),
    actor: text().notNull(),
    action: text().notNull(),
    subject: text().notNull(),
    reason: text(),
    details: jsonb().$type<Record<string, unknown>>().notNull(),
    /** Makes a retried write idempotent. */
    changeId: text('change_id').unique(),
  },
  (t) => [index('audit_log_by_subject').on(t.subject, t.at)],
);

export const apiKeys = pgTable('api_keys', {
  id: uuid().primaryKey(),
  name: text().notNull(),
  /** First characters, to recognise a key by; never the key. */
  prefix: text().notNull(),
  /** SHA-256 of the key: right for a random 178-bit secret, where a slow hash adds nothing. */
  hash: text().notNull().unique(),
  permissions: jsonb().$type<readonly Permission[]>().notNull(),
  tier: text().$type<RateTier>().notNull().default('unlimited'),
  /** In which its owner may approve steps of rollouts. */
  roles: jsonb().$type<readonly ApproverRole[]>().notNull().default([]),
  createdAt: at('created_at').notNull().defaultNow(),
  expiresAt: at('expires_at'),
  revokedAt: at('revoked_at'),
});

/** First answers to writes that carry an `Idempotency-Key`; gone after a day. */
export const idempotencyKeys = pgTable(
  'idempotency_keys',
  {
    /** SHA-256 over caller, operation and key: what callers choose as a key is kept nowhere. */
    keyHash: text('key_hash').primaryKey(),
    /** SHA-256 of the request's body. */
    fingerprint: text().notNull(),
    /** Of the attempt that holds the key; only that one may settle it. */
    attempt: uuid().notNull(),
    startedAt: at('started_at').notNull().defaultNow(),
    /** `null` while the first request is in flight. */
    status: integer(),
    contentType: text('content_type'),
    /** `null` where an answer holds a secret: then `subject` says what was made. */
    body: text(),
    subject: text(),
  },
  (t) => [index('idempotency_keys_by_age').on(t.startedAt)],
);
