import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { createRequire } from 'node:module';
import { extname } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { DomainError } from '../../domain/errors.ts';

/** From SIGTERM to SIGKILL. A child holds nothing that needs an orderly end: its files are written whole. */
const KILL_GRACE_MS = 2_000;
/** The end of what a child wrote to stderr: enough for a stack or the message of a native library. */
const STDERR_CHARS_MAX = 4_000;

export interface ChildOrder {
  /** Module of the child without its ending: `.ts` in development, `.js` in a build. */
  readonly entry: URL;
  /** Sent once as the child's first message. */
  readonly request: unknown;
  readonly onMessage: (message: unknown) => void;
  /** Kills the child when it fires. */
  readonly signal: AbortSignal;
  /** Heap limit, MB. Memory of native libraries is not in it. */
  readonly memoryMb: number;
}

export interface ChildEnd {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  /** Its last words. */
  readonly stderr: string;
}

/**
 * Runs a module in a process of its own until that ends, however it ends.
 * @throws DomainError `unavailable` when the process cannot be started
 */
export async function runChild({ entry, request, onMessage, signal, memoryMb }: ChildOrder): Promise<ChildEnd> {
  const child = startChild(entry, memoryMb);
  const stderr = keepEnd(child);
  child.on('message', onMessage);
  const stopKilling = killOnAbort(child, signal);
  try {
    const ended = whenEnded(child);
    child.send(request as object, () => {
      // A child that is gone already is reported by its exit.
    });
    return { ...(await ended), stderr: stderr() };
  } finally {
    stopKilling();
  }
}

function startChild(entry: URL, memoryMb: number): ChildProcess {
  const extension = extname(import.meta.url);
  return fork(`${fileURLToPath(entry)}${extension}`, [], {
    execArgv: [...(extension === '.ts' ? typescriptLoader() : []), `--max-old-space-size=${memoryMb}`],
    // Doubles that JSON does not know (NaN) arrive as they were.
    serialization: 'advanced',
    // Native libraries print to stdout what they also report as errors.
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
}

/** By its file, so that it is found whatever the working directory and however this process was started. */
function typescriptLoader(): string[] {
  const loader = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  // `--import` can register a loader from Node 20.6 on.
  const registers = major > 20 || (major === 20 && minor >= 6);
  return registers ? ['--import', loader] : ['--no-warnings', '--loader', loader];
}

function whenEnded(child: ChildProcess): Promise<Pick<ChildEnd, 'code' | 'signal'>> {
  return new Promise((resolve, reject) => {
    child.once('error', (error) => {
      reject(new DomainError('unavailable', `The child process cannot be started: ${error.message}`));
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
  if (signal.aborted) kill();
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
