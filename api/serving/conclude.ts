import type { Problem } from '../../domain/errors.ts';
import type { PredictionRecord, RiskCategory } from '../../domain/records.ts';
import type { Route, RoutingTable } from '../../domain/routing.ts';
import type { FeatureRow, Signature } from '../../domain/signature.ts';
import type { PredictOutcome, PredictRequest } from './contract.ts';

export type Answer = Extract<PredictOutcome, { ok: true }>;

/** Rounding may leave a sum of float32 shares this far outside 0..1. */
const ROUNDING = 1e-5;

/** The probability as it is answered, or `null` when the model gave no probability at all. */
export function asProbability(value: number): number | null {
  if (!(value >= -ROUNDING && value <= 1 + ROUNDING)) return null;
  return Math.min(1, Math.max(0, value));
}

export interface ScoredRow {
  readonly requestId: string;
  readonly table: RoutingTable;
  /** The route that answered. */
  readonly route: Route;
  readonly signature: Signature;
  readonly probability: number;
  readonly latencyMs: number;
  readonly warnings: readonly Problem[];
  readonly isDegraded: boolean;
}

/** What the caller gets: threshold to label, bounds to risk category. */
export function answerOf(row: ScoredRow): Answer {
  const { signature, probability } = row;
  const { positive, negative } = signature.target;
  return {
    ok: true,
    requestId: row.requestId,
    model: row.table.model,
    version: row.route.version,
    variant: row.route.variant,
    probability,
    label: probability >= signature.threshold ? positive : negative,
    risk: riskOf(probability, signature.risk),
    threshold: signature.threshold,
    latencyMs: row.latencyMs,
    warnings: row.warnings,
    ...(row.isDegraded ? { degraded: true } : {}),
  };
}

/** What is kept of an answer. The encoder has checked the features: names and types are the signature's. */
export function recordOf(answer: Answer, table: RoutingTable, request: PredictRequest): PredictionRecord {
  return {
    requestId: answer.requestId,
    model: answer.model,
    version: answer.version,
    variant: answer.variant,
    rolloutId: table.rolloutId,
    entityId: request.entityId,
    features: request.features as FeatureRow,
    probability: answer.probability,
    label: answer.label,
    risk: answer.risk,
    latencyMs: answer.latencyMs,
    createdAtMs: Date.now(),
  };
}

function riskOf(probability: number, risk: Signature['risk']): RiskCategory {
  if (probability >= risk.high) return 'high';
  return probability >= risk.medium ? 'medium' : 'low';
}
