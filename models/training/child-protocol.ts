import type { ErrorCode, Problem } from '../../domain/errors.ts';
import type { DataReport, Evaluation, Performance } from '../../domain/evaluation.ts';
import type { DataJob, EvaluationJob, JobProgress, MeasureJob, TrainingJob, TrainingOutcome } from './job.ts';

/** What each kind of child takes and gives. */
export interface ChildWork {
  readonly checkData: { readonly job: DataJob; readonly result: DataReport };
  readonly train: { readonly job: TrainingJob; readonly result: TrainingOutcome };
  readonly evaluate: { readonly job: EvaluationJob; readonly result: Evaluation };
  readonly measure: { readonly job: MeasureJob; readonly result: Performance };
}
export type WorkKind = keyof ChildWork;

/** Parent to child: one per process. */
export type ChildRequest = {
  readonly [K in WorkKind]: { readonly kind: K; readonly job: ChildWork[K]['job'] };
}[WorkKind];

/** Child to parent: any number of `progress`, then one of the others. */
export type ChildMessage =
  | { readonly type: 'progress'; readonly progress: JobProgress }
  | { readonly type: 'result'; readonly result: ChildWork[WorkKind]['result'] }
  | {
      readonly type: 'failure';
      readonly code: ErrorCode;
      readonly message: string;
      readonly problems: readonly Problem[];
    };
