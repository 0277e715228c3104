import type { Examination, ExamineRequest, Stage } from './examination.ts';

/** Parent to child: one per process. */
export interface DoctorRequest {
  readonly request: ExamineRequest;
  readonly memoryMb: number;
}

/** Child to parent: the stages as they begin, then the result. */
export type DoctorMessage =
  { readonly type: 'stage'; readonly stage: Stage } | { readonly type: 'examined'; readonly examination: Examination };

/** The last line on stderr of a child that held too much memory. */
export const MEMORY_MARK = 'memory limit reached';
