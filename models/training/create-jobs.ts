import { runChild } from '../child-process/run-child.ts';
import type { ChildEnd } from '../child-process/run-child.ts';
import { DomainError } from '../../domain/errors.ts';
import type { ChildMessage, ChildRequest } from './child-protocol.ts';
import type { JobControl, Jobs } from './job.ts';

const CHILD = new URL('./child', import.meta.url);
const STDERR_LINES_MAX = 12;

/** Runs each job in a child process of its own, with its own heap limit and at low priority. */
export function createJobs(): Jobs {
  return {
    checkData: (job, control) => run({ kind: 'checkData', job }, control) as ReturnType<Jobs['checkData']>,
    train: (job, control) => run({ kind: 'train', job }, control) as ReturnType<Jobs['train']>,
    evaluate: (job, control) => run({ kind: 'evaluate', job }, control) as ReturnType<Jobs['evaluate']>,
    measure: (job, control) => run({ kind: 'measure', job }, control) as ReturnType<Jobs['measure']>,
  };
}

type Answer = Exclude<ChildMessage, { type: 'progress' }>;

/**
 * @throws what the child threw (DomainError); the signal's reason when it fired; DomainError `trainingFailed` when the
 *   child crashed or ran out of memory, `unavailable` when somebody killed it (another attempt may go on from its checkpoints)
 */
async function run(request: ChildRequest, control: JobControl): Promise<unknown> {
  const { signal, memoryMb } = control;
  signal.throwIfAborted();
  let answer: Answer | null = null;
  const onMessage = (message: unknown): void => {
    const said = message as ChildMessage;
    if (said.type === 'progress') control.onProgress(said.progress);
    else answer = said;
  };
  const end = await runChild({ entry: CHILD, request, onMessage, signal, memoryMb });
  signal.throwIfAborted();
  return resultOf(answer, () => crash(request.kind, end, memoryMb));
}

function resultOf(answer: Answer | null, crashed: () => DomainError): unknown {
  if (answer === null) throw crashed();
  if (answer.type === 'failure') throw new DomainError(answer.code, answer.message, answer.problems);
  return answer.result;
}

function crash(kind: ChildRequest['kind'], { code, signal, stderr }: ChildEnd, memoryMb: number): DomainError {
  const lines = stderr.trim().split('\n').slice(-STDERR_LINES_MAX);
  const problems = [{ field: 'stderr', message: lines.join('\n') }];
  if (/heap out of memory|ERR_WORKER_OUT_OF_MEMORY/.test(stderr)) {
    const message = `The process of ${kind} ran out of its ${memoryMb} MB of memory; raise SLUICE_TRAINING_MEMORY_MB or train on fewer rows`;
    return new DomainError('trainingFailed', message, problems);
  }
  if (signal === 'SIGKILL' || signal === 'SIGTERM' || signal === 'SIGINT') {
    return new DomainError('unavailable', `The process of ${kind} was killed (${signal})`, problems);
  }
  const how = signal === null ? `ended with code ${code ?? 'unknown'}` : `crashed (${signal})`;
  return new DomainError(
    'trainingFailed',
    `The process of ${kind} ${how}: ${lines.at(-1) ?? 'it said nothing'}`,
    problems,
  );
}
