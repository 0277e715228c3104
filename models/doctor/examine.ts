import { runChild } from '../child-process/run-child.ts';
import type { ChildEnd } from '../child-process/run-child.ts';
import { DomainError } from '../../domain/errors.ts';
import { MEMORY_MARK } from './child-protocol.ts';
import type { DoctorMessage, DoctorRequest } from './child-protocol.ts';
import type { Examination, ExamineRequest, Stage } from './examination.ts';
import { error } from './finding.ts';
import type { Finding } from './finding.ts';
import { EXAMINE_MEMORY_MB, EXAMINE_TIMEOUT_MS } from './limits.ts';

const CHILD = new URL('./child', import.meta.url);

export interface ExamineControl {
  /** Ends the examination: its caller has given up. */
  readonly signal: AbortSignal;
  /** Of all memory of the child, MB. */
  readonly memoryMb?: number;
  readonly timeoutMs?: number;
}

/** Examines a model file; a port, so that tests of its users need no files. */
export type Examine = (request: ExamineRequest, control: ExamineControl) => Promise<Examination>;

/**
 * Opens a model file of unknown make in a process of its own, with limits of memory and time: says what is wrong with
 * it and how to mend it, or everything a version is made of. A file that kills that process is a finding like others.
 * @throws the signal's reason when it fired; DomainError `unavailable` when the process cannot be started
 */
export const examine: Examine = async (request, control) => {
  const { signal, memoryMb = EXAMINE_MEMORY_MB, timeoutMs = EXAMINE_TIMEOUT_MS } = control;
  signal.throwIfAborted();
  const heard: { stage: Stage; examination: Examination | null } = { stage: 'reading', examination: null };
  const timeout = AbortSignal.timeout(timeoutMs);
  const end = await runChild({
    entry: CHILD,
    request: { request, memoryMb } satisfies DoctorRequest,
    onMessage: (message) => {
      const said = message as DoctorMessage;
      if (said.type === 'stage') heard.stage = said.stage;
      else heard.examination = said.examination;
    },
    signal: AbortSignal.any([signal, timeout]),
    memoryMb,
  });
  signal.throwIfAborted();
  const { examination, stage } = heard;
  if (examination !== null) return examination;
  const died = timeout.aborted ? tooSlow(stage, timeoutMs) : explainDeath(stage, end, memoryMb);
  return { ok: false, findings: [died] };
};

function tooSlow(stage: Stage, timeoutMs: number): Finding {
  const message = `The examination did not end within ${timeoutMs / 1000} s; it was ${stage} the model`;
  return error(
    'time',
    message,
    'a model that answers in milliseconds is examined in seconds: look for loops and sizes',
  );
}

function explainDeath(stage: Stage, { code, signal, stderr }: ChildEnd, memoryMb: number): Finding {
  if (stderr.includes(MEMORY_MARK) || /heap out of memory/.test(stderr)) {
    const message = `The model needs more than ${memoryMb} MB of memory; the doctor was ${stage} it`;
    return error('memory', message, 'use fewer or shallower trees; look for a shape that is computed or far too large');
  }
  // Killed by somebody else, as the system does when memory is short: not the file's fault, as far as one can tell.
  if (signal === 'SIGKILL' || signal === 'SIGTERM') {
    throw new DomainError('unavailable', `The examining process was killed (${signal}) while ${stage}; try again`);
  }
  const how = signal === null ? `ended with code ${code ?? 'unknown'}` : `crashed (${signal})`;
  const last = stderr.trim().split('\n').at(-1) ?? '';
  return error(
    'crash',
    `The examining process ${how} while ${stage} the model${last === '' ? '' : `: ${last.slice(0, 300)}`}`,
    "onnx.checker.check_model(onnx.load('model.onnx'), full_check=True) tells more",
  );
}
