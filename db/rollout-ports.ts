/** What the rollout engine asks of the registry beside `ports.ts`. All methods may reject with `DomainError('unavailable')`. */
import type { VariantCounts } from '../domain/records.ts';
import type { Route } from '../domain/routing.ts';
import type { Verdict } from '../domain/verdict.ts';

/** A generation of a model's routing and the time it was in force: from `validFrom` on, before `validTo`. */
export interface LedgerEntry {
  readonly model: string;
  readonly generation: number;
  readonly salt: string;
  readonly rolloutId: string | null;
  readonly routes: readonly Route[];
  readonly changedBy: string;
  readonly reason: string;
  readonly evidence: Verdict | null;
  readonly validFrom: Date;
  /** `null`: in force. */
  readonly validTo: Date | null;
}

export interface LedgerStore {
  /** `null` before the model's first routing. */
  at(model: string, at: Date): Promise<LedgerEntry | null>;
  /** Every generation that was in force at some moment from `from` on and before `to`; oldest first. */
  between(model: string, from: Date, to: Date, limit: number): Promise<readonly LedgerEntry[]>;
  /** The generations that a rollout wrote, and the one that followed its last; oldest first. */
  ofRollout(model: string, rolloutId: string): Promise<readonly LedgerEntry[]>;
}

/** By arm: `candidate`, `baseline`, `champion`. */
export type LookCounts = Readonly<Record<string, VariantCounts>>;

export interface LookRow {
  readonly rolloutId: string;
  readonly lookAtMs: number;
  /** Index into the plan's steps. */
  readonly step: number;
  readonly phase: string;
  readonly weights: readonly Route[];
  /** Summed since the rollout began. */
  readonly counts: LookCounts;
  readonly verdict: Verdict;
}

export interface LookStore {
  /** Idempotent by rollout and time. Looks that say nothing new are kept the more sparsely the older the rollout is. */
  record(look: LookRow): Promise<void>;
  /** Oldest first. */
  list(rolloutId: string, limit: number): Promise<readonly LookRow[]>;
}

export interface InstanceRow {
  readonly instance: string;
  readonly model: string;
  readonly generation: number;
  readonly warmVersions: readonly number[];
  readonly seenAtMs: number;
}

export interface InstanceStore {
  /** What one process serves now, every model of it. Models it no longer names are taken off. */
  report(instance: string, rows: readonly Omit<InstanceRow, 'instance'>[]): Promise<void>;
  /** Processes heard of at or after `sinceMs`. */
  serving(model: string, sinceMs: number): Promise<readonly InstanceRow[]>;
  /** At a process's end: nobody waits for it any more. */
  leave(instance: string): Promise<void>;
}

export interface OutcomeRow {
  readonly model: string;
  readonly event: string;
  readonly value: number;
  readonly requestId: string | null;
  readonly entityId: string | null;
  readonly occurredAtMs: number;
}

export interface OutcomeStore {
  /** A later report of the same event replaces the earlier one. Returns how many belong to a known prediction. */
  save(rows: readonly OutcomeRow[]): Promise<{ readonly matched: number }>;
}

export interface Traffic {
  readonly counts: VariantCounts;
  /** Of the first and the last counter; `null` without any. Epoch ms. */
  readonly firstMs: number | null;
  readonly lastMs: number | null;
  /** Different entities; at most as many as were looked at. */
  readonly users: number;
  /** Users with the event, by event. */
  readonly outcomes: Readonly<Record<string, number>>;
}

/** Sums of one API process over pairs of answers, the shadow's minus the champion's. */
export interface ShadowCountsRow {
  readonly instance: string;
  readonly sequence: number;
  readonly model: string;
  readonly rolloutId: string | null;
  readonly version: number;
  readonly windowStartMs: number;
  readonly pairs: number;
  readonly disagreements: number;
  readonly shadowErrors: number;
  readonly dropped: number;
  readonly scoreDiffSum: number;
  readonly scoreDiffSumOfSquares: number;
  readonly latencyDiffSumMs: number;
  readonly latencyDiffSumOfSquaresMs: number;
}

export interface ControlState {
  readonly active: boolean;
  readonly by: string;
  readonly reason: string;
  /** `null`: never touched. */
  readonly at: Date | null;
}

export const TRIGGER_KINDS = ['security', 'webhook', 'alert'] as const;
export type TriggerKind = (typeof TRIGGER_KINDS)[number];

export interface TriggerRow {
  readonly id: string;
  /** `null`: every model. */
  readonly model: string | null;
  readonly kind: TriggerKind;
  readonly reason: string;
  readonly by: string;
  readonly atMs: number;
}

export interface ControlStore {
  /** While it is active no rollout of any model moves by itself towards its candidate. */
  stopTheLine(): Promise<ControlState>;
  /** Audited. */
  setStopTheLine(active: boolean, by: string, reason: string): Promise<ControlState>;
  /** Audited; idempotent by id. */
  raise(trigger: Omit<TriggerRow, 'atMs'>): Promise<void>;
  /** Of this model or of all, raised at or after `sinceMs`; oldest first. */
  triggers(model: string, sinceMs: number): Promise<readonly TriggerRow[]>;
}

export const WEBHOOK_FORMATS = ['standard', 'slack'] as const;
export type WebhookFormat = (typeof WEBHOOK_FORMATS)[number];

export interface WebhookRow {
  readonly id: string;
  readonly target: string;
  readonly format: WebhookFormat;
  readonly sealed: string;
  readonly events: readonly string[];
  readonly createdBy: string;
  readonly createdAt: Date;
  readonly lastAttemptAt: Date | null;
  readonly lastOutcome: string | null;
}

export interface WebhookStore {
  /** Audited by its id and target. */
  create(row: Pick<WebhookRow, 'id' | 'target' | 'format' | 'sealed' | 'events' | 'createdBy'>): Promise<WebhookRow>;
  list(): Promise<readonly WebhookRow[]>;
  find(id: string): Promise<WebhookRow | null>;
  /** Audited. False: there is none. */
  remove(id: string, by: string): Promise<boolean>;
  /** How the last delivery ended. */
  note(id: string, outcome: string): Promise<void>;
}
