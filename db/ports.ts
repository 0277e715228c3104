/** What the rooms ask of the registry; implemented on Postgres by the files beside this one. All methods may reject with `DomainError('unavailable')`. */
import type { ModelDefinition } from '../domain/definition.ts';
import type { Evaluation, GateResult, Lineage, Performance } from '../domain/evaluation.ts';
import type { FeedbackRecord, Permission, PredictionRecord, VariantCounts } from '../domain/records.ts';
import type { ApproverRole } from '../domain/approver-role.ts';
import type { RateTier } from '../domain/rate-tier.ts';
import type { RolloutPlan } from '../domain/rollout/plan.ts';
import type { RolloutSnapshot } from '../domain/rollout/state.ts';
import type { Route, RoutingTable, Variant } from '../domain/routing.ts';
import type { RoutedModel } from '../domain/serving-policy.ts';
import type { Signature } from '../domain/signature.ts';
import type { ArmWindow, Observation, Verdict } from '../domain/verdict.ts';
import type {
  ControlStore,
  InstanceStore,
  LedgerStore,
  LookStore,
  OutcomeStore,
  ShadowCountsRow,
  Traffic,
  WebhookStore,
} from './rollout-ports.ts';
import type { Alias, VersionStatus } from './schema.ts';

export interface ModelRow {
  readonly name: string;
  readonly definition: ModelDefinition;
  readonly definitionDigest: string;
  readonly updatedAt: Date;
}

export interface VersionRow {
  readonly model: string;
  readonly version: number;
  readonly status: VersionStatus;
  readonly algorithm: string;
  readonly artefactDigest: string;
  readonly manifestDigest: string;
  readonly signature: Signature;
  readonly evaluation: Evaluation;
  readonly lineage: Lineage;
  readonly createdAt: Date;
}

export interface ModelStore {
  /** Creates or replaces the definition; audited. */
  apply(definition: ModelDefinition, digest: string, by: string): Promise<ModelRow>;
  find(name: string): Promise<ModelRow | null>;
  list(): Promise<readonly ModelRow[]>;
}

export interface VersionStore {
  /** Takes the next version number. The same `registeredByRun` again returns the row of the first call. */
  register(
    row: Omit<VersionRow, 'version' | 'status' | 'createdAt'> & { registeredByRun: string },
  ): Promise<VersionRow>;
  /** Audited. `because`: who decided and why; absent for what follows from the gates. */
  settle(
    model: string,
    version: number,
    status: VersionStatus,
    because?: { readonly by: string; readonly reason: string },
  ): Promise<void>;
  find(model: string, version: number): Promise<VersionRow | null>;
  /** Newest first. */
  list(model: string, limit: number): Promise<readonly VersionRow[]>;
  aliases(model: string): Promise<Readonly<Partial<Record<Alias, number>>>>;
  /** `null` removes the alias. Audited; idempotent by `changeId`. */
  setAliases(
    model: string,
    aliases: Readonly<Partial<Record<Alias, number | null>>>,
    by: string,
    changeId: string,
  ): Promise<void>;
  recordGates(report: {
    model: string;
    version: number;
    passed: boolean;
    results: readonly GateResult[];
    performance: Performance;
    runId: string;
  }): Promise<void>;
  latestGates(
    model: string,
    version: number,
  ): Promise<{ passed: boolean; results: readonly GateResult[]; performance: Performance; createdAt: Date } | null>;
}

export interface RoutingChange {
  readonly model: string;
  /** Generation the writer read; 0 when the model has no routing yet. */
  readonly expectedGeneration: number;
  /** The same change again is a success. */
  readonly changeId: string;
  readonly salt: string;
  readonly rolloutId: string | null;
  readonly routes: readonly Route[];
  readonly slowMs: number;
  readonly by: string;
  readonly reason: string;
  /** What the one who decided saw; kept in the ledger. */
  readonly evidence?: Verdict | null;
}

export interface RoutingStore {
  find(model: string): Promise<RoutingTable | null>;
  /** With the policies of their models' definitions. */
  all(): Promise<readonly RoutedModel[]>;
  /** Compare-and-set; audited; notifies the API processes. Throws `DomainError('conflict')` on another generation. */
  apply(change: RoutingChange): Promise<RoutingTable>;
  /** Calls back on every change until the returned function is called. Reconnects by itself; the caller polls as well. */
  listen(onChange: () => void): Promise<() => Promise<void>>;
}

export interface RolloutRow {
  readonly id: string;
  readonly model: string;
  readonly candidate: number;
  readonly champion: number | null;
  readonly plan: RolloutPlan;
  readonly phase: string;
  readonly snapshot: RolloutSnapshot | null;
  readonly reason: string | null;
  readonly workflowId: string;
  readonly runId: string;
  readonly startedBy: string;
  readonly startedAt: Date;
  readonly finishedAt: Date | null;
}

export interface RolloutStore {
  /** Throws `DomainError('conflict')` naming the rollout that is open; the same id again is a success. */
  open(
    row: Pick<
      RolloutRow,
      'id' | 'model' | 'candidate' | 'champion' | 'plan' | 'workflowId' | 'runId' | 'startedBy' | 'reason'
    >,
  ): Promise<RolloutRow>;
  progress(id: string, snapshot: RolloutSnapshot): Promise<void>;
  close(id: string, snapshot: RolloutSnapshot, reason: string): Promise<void>;
  find(id: string): Promise<RolloutRow | null>;
  findOpen(model: string): Promise<RolloutRow | null>;
  list(filter: { model?: string; limit: number }): Promise<readonly RolloutRow[]>;
}

export interface CountsRow extends VariantCounts {
  readonly instance: string;
  readonly sequence: number;
  readonly model: string;
  readonly rolloutId: string | null;
  readonly variant: Variant;
  readonly version: number;
  readonly windowStartMs: number;
  /** Answers by score, 20 bins of 0.05; absent where they are not counted. */
  readonly scoreBins?: readonly number[];
}

export interface RecordStore {
  /** Idempotent by request id and time. */
  savePredictions(records: readonly PredictionRecord[]): Promise<void>;
  /** Idempotent by instance and sequence. */
  saveCounts(rows: readonly CountsRow[]): Promise<void>;
  /** Idempotent by instance and sequence. */
  saveShadowCounts(rows: readonly ShadowCountsRow[]): Promise<void>;
  /**
   * What the judge is given: counters by window and arm since the rollout began (the window it began in counts whole),
   * outcomes and truths by user, pairs of a shadow, scores.
   */
  observe(rolloutId: string, sinceMs: number): Promise<Observation>;
  /** Every window of a rollout, each `windowMs` long or shorter where the weights changed; in order of time. */
  recordedWindows(rolloutId: string, sinceMs: number, windowMs: number): Promise<readonly ArmWindow[]>;
  /** What a model has answered from `sinceMs` on and before `untilMs`, whatever version did. */
  traffic(model: string, sinceMs: number, untilMs: number): Promise<Traffic>;
  findPrediction(requestId: string): Promise<PredictionRecord | null>;
  /** One truth per request id: a later report replaces the earlier. Returns how many predictions it speaks of. */
  saveFeedback(record: FeedbackRecord): Promise<{ matched: number }>;
  /**
   * Merges counters that are older than two hours into minutes, of all processes together: a rollout of a month would
   * leave millions of them. Resolves with how many rows went.
   */
  compactCounts(): Promise<number>;
  /** Creates the daily partitions from yesterday to `daysAhead` from now. Idempotent. */
  ensurePartitions(daysAhead: number): Promise<void>;
}

/** A part of a segment that is stored with the same transaction. */
export interface JournalMove {
  readonly instance: string;
  readonly segment: number;
  readonly sinceBytes: number;
  readonly untilBytes: number;
}

/** Takes over what the API processes' journals hold. */
export interface JournalStore {
  /** How far the segments of these instances are stored; none for a segment that is not begun. */
  positions(
    instances: readonly string[],
  ): Promise<readonly { readonly instance: string; readonly segment: number; readonly bytes: number }[]>;
  /**
   * Stores records, one JSON text with the columns' names each (`created_at_ms` for the time), and moves the
   * positions, in one transaction. Records that are stored already are left as they are. `overtaken`: a position was
   * not at `sinceBytes`, and nothing was done. One record that cannot be stored fails them all.
   */
  ship(lines: readonly string[], moves: readonly JournalMove[]): Promise<'shipped' | 'overtaken'>;
  /** Of segments whose files are gone. */
  forget(segments: readonly { readonly instance: string; readonly segment: number }[]): Promise<void>;
}

export interface KeyRow {
  readonly id: string;
  readonly name: string;
  readonly prefix: string;
  readonly hash: string;
  readonly permissions: readonly Permission[];
  readonly tier: RateTier;
  /** In which the key's owner may approve steps of rollouts. */
  readonly roles: readonly ApproverRole[];
  readonly createdAt: Date;
  readonly expiresAt: Date | null;
  readonly revokedAt: Date | null;
}

export interface KeyStore {
  create(
    row: Omit<KeyRow, 'createdAt' | 'revokedAt' | 'roles'> & Partial<Pick<KeyRow, 'roles'>>,
    by: string,
  ): Promise<KeyRow>;
  list(): Promise<readonly KeyRow[]>;
  revoke(id: string, by: string): Promise<boolean>;
}

export interface AuditEntry {
  readonly actor: string;
  readonly action: string;
  readonly subject: string;
  readonly reason?: string;
  readonly details: Readonly<Record<string, unknown>>;
  readonly changeId?: string;
}

export interface AuditStore {
  write(entry: AuditEntry): Promise<void>;
  list(filter: { subject?: string; limit: number }): Promise<readonly (AuditEntry & { at: Date })[]>;
}

export interface Registry {
  readonly models: ModelStore;
  readonly versions: VersionStore;
  readonly routing: RoutingStore;
  readonly rollouts: RolloutStore;
  readonly records: RecordStore;
  readonly journal: JournalStore;
  readonly keys: KeyStore;
  readonly audit: AuditStore;
  readonly ledger: LedgerStore;
  readonly looks: LookStore;
  readonly instances: InstanceStore;
  readonly outcomes: OutcomeStore;
  readonly controls: ControlStore;
  readonly webhooks: WebhookStore;
}
