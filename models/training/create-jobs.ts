import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { DomainError } from '../../domain/errors.ts';
import type { ChildMessage, ChildRequest } from './child-protocol.ts';
import type { JobControl, Jobs } from './job.ts';

/** From SIGTERM to SIGKILL. A child holds nothing that needs an orderly end: its files are written whole. */
const KILL_GRACE_MS = 2_000;
/** The end of what a child wrote to stderr: enough for a stack or the message of a native library. */
const STDERR_CHARS_MAX = 4_000;
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
  control.signal.throwIfAborted();
  const child = startChild(control.memoryMb);
  const stderr = keepEnd(child);
  let answer: Answer | null = null;
  child.on('message', (message) => {
    const said = message as ChildMessage;
    if (said.type === 'progress') control.onProgress(said.progress);
    else answer = said;
  });
  const stopKilling = killOnAbort(child, control.signal);
  try {
    const ended = whenEnded(child);
    child.send(request, () => {
      // A child that is gone already is reported by its exit.
    });
    const { code, signal } = await ended;
    control.signal.throwIfAborted();
    return resultOf(answer, () => crash(request.kind, code, signal, stderr(), control.memoryMb));
  } finally {
    stopKilling();
  }
}

function resultOf(answer: Answer | null, crashed: () => DomainError): unknown {
  if (answer === null) throw crashed();
  if (answer.type === 'failure') throw new DomainError(answer.code, answer.message, answer.problems);
  return answer.result;
}

function startChild(memoryMb: number): ChildProcess {
  const extension = extname(import.meta.url);
  const entry = fileURLToPath(new URL(`./child${extension}`, import.meta.url));
  return fork(entry, [], {
    execArgv: [...(extension === '.ts' ? typescriptLoader() : []), `--max-old-space-size=${memoryMb}`],
    // Doubles that JSON does not know (NaN) arrive as they were.
    serialization: 'advanced',
    // LightGBM prints to stdout what it also reports as errors.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

/** By its file, so that it is found whatever the working directory and however this process was started. */
function typescriptLoader(): string[] {
  const tsx = createRequire(import.meta.url).resolve('tsx');
  return ['--import', pathToFileURL(tsx).href];
}

function whenEnded(child: ChildProcess): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      reject(new DomainError('unavailable', `The training process cannot be started: ${error.message}`));
    });
    // `close`, not `exit`: by then everything it said has arrived.
    child.once('close', (code, signal) => resolve({ code, signal }));
  });
}

function killOnAbort(child: ChildProcess, signal: AbortSignal): () => void {
  let timer: NodeJS.Timeout | undefined;
  const kill = (): void => {
    child.kill('SIGTERM');
    timer = setTimeout(() => child.kill('SIGKILL'), KILL_GRACE_MS);
  };
  signal.addEventListener('abort', kill, { once: true });
  return () => {
    signal.removeEventListener('abort', kill);
    clearTimeout(timer);
    if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
  };
}

function keepEnd(child: ChildProcess): () => string {
  let text = '';
  child.stderr?.setEncoding('utf8').on('data', (part: string) => {
    text = (text + part).slice(-STDERR_CHARS_MAX);
  });
  return () => text;
}

function crash(
  kind: ChildRequest['kind'],
  code: number | null,
  signal: NodeJS.Signals | null,
  stderr: string,
  memoryMb: number,
): DomainError {
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
