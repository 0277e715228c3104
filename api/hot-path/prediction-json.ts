/** Predictions as JSON text, by hand: the shape is fixed, and `JSON.stringify` of an object costs three times as much. */
import type { ErrorCode, Problem } from '../../domain/errors.ts';
import type { PredictOutcome } from '../serving/contract.ts';

export type Answered = Extract<PredictOutcome, { ok: true }>;

/** Microseconds are the finest that means something. */
export const roundedMs = (ms: number): number => Math.round(ms * 1000) / 1000;

/** One answered row; request ids, variants and risks hold nothing that JSON escapes. */
export function predictionJson(o: Answered): string {
  return (
    `{"request_id":"${o.requestId}","model":${JSON.stringify(o.model)},"model_version":${o.version},` +
    `"variant":"${o.variant}","probability":${o.probability},"label":${JSON.stringify(o.label)},"risk":"${o.risk}",` +
    `"threshold":${o.threshold},"latency_ms":${roundedMs(o.latencyMs)},"warnings":${problemsJson(o.warnings)}${o.degraded === true ? ',"degraded":true' : ''}}`
  );
}

/** A row of a batch that was not answered. */
export function refusedRowJson(problems: readonly Problem[], code: ErrorCode = 'invalidInput'): string {
  return `{"error":"${code}","problems":${problemsJson(problems)}}`;
}

function problemsJson(problems: readonly Problem[]): string {
  return problems.length === 0 ? '[]' : JSON.stringify(problems);
}
