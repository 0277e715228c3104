/** The compatibility protocols: what existing clients speak, over the same serving path as the native routes. */
import type { Metrics } from '../../adapters/metrics.ts';
import type { ChargeRows } from '../limits/charge-rows.ts';
import type { Operation } from '../operation.ts';
import type { Serving } from '../serving/contract.ts';
import { createAnswerRows } from './answer-rows.ts';
import { kserveOperations } from './kserve-v1/kserve-operations.ts';
import { scoringOperations } from './mlflow/scoring-operations.ts';
import { modelOperations } from './open-inference/model-operations.ts';
import { repositoryOperations } from './open-inference/repository-operations.ts';
import { serverOperations } from './open-inference/server-operations.ts';
import type { ReadinessDeps } from './readiness.ts';

export interface ProtocolDeps extends ReadinessDeps {
  readonly serving: Serving;
  readonly metrics: Pick<Metrics, 'answered' | 'explained'>;
  /** Absent: keys have no limits. */
  readonly charge?: ChargeRows;
  /** Of the platform. */
  readonly version: string;
}

export function protocolOperations(deps: ProtocolDeps): readonly Operation[] {
  const withRows = { ...deps, answerRows: createAnswerRows(deps) };
  return [
    ...serverOperations(deps),
    ...modelOperations(withRows),
    ...repositoryOperations(deps),
    ...kserveOperations(withRows),
    ...scoringOperations(withRows),
  ];
}
