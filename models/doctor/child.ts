import { constants, setPriority } from 'node:os';
import { Worker } from 'node:worker_threads';
import type { DoctorMessage, DoctorRequest } from './child-protocol.ts';
import { MEMORY_MARK } from './child-protocol.ts';

/**
 * Entry of the child process of `examine.ts`: takes one request over IPC, answers, ends. Whatever a file does to it,
 * the parent hears of it by how it ends.
 */
// It may have gone while this file was loading: that is said once, before anybody listens.
if ((process.connected as boolean | undefined) === false) process.exit(1);
process.on('disconnect', () => process.exit(1));
process.once('message', (request) => void answer(request as DoctorRequest));

async function answer({ request, memoryMb }: DoctorRequest): Promise<void> {
  guardMemory(memoryMb);
  lowerPriority();
  // Loaded only now: from here on the guard watches.
  const { examineFile } = await import('./examine-file.ts');
  const examination = await examineFile(request, (stage) => void send({ type: 'stage', stage }));
  await send({ type: 'examined', examination });
  // The guard's thread would keep the process.
  process.exit(0);
}

/** Ends this process when it holds too much: a thread of its own sees that also while onnxruntime allocates. */
const GUARD = `
  const { workerData } = require('node:worker_threads');
  const { writeSync } = require('node:fs');
  setInterval(() => {
    if (process.memoryUsage.rss() <= workerData.limitBytes) return;
    writeSync(2, workerData.mark);
    process.kill(process.pid, 'SIGKILL');
  }, workerData.everyMs);
`;
/** A process fills about 100 MB in this time. */
const GUARD_EVERY_MS = 20;

/** The limit of the heap does not hold for native libraries. */
function guardMemory(memoryMb: number): void {
  const limitBytes = memoryMb * 1024 * 1024;
  const workerData = { limitBytes, everyMs: GUARD_EVERY_MS, mark: `${MEMORY_MARK}\n` };
  new Worker(GUARD, { eval: true, execArgv: [], workerData });
}

/** Resolves when the message is handed over, or the parent is gone: then there is nobody to tell. */
function send(message: DoctorMessage): Promise<void> {
  return new Promise((resolve) => {
    if (process.send === undefined) resolve();
    else process.send(message, undefined, undefined, () => resolve());
  });
}

/** Serving goes first. */
function lowerPriority(): void {
  try {
    setPriority(constants.priority.PRIORITY_BELOW_NORMAL);
  } catch {
    // Some sandboxes forbid it; the work is the same.
  }
}
