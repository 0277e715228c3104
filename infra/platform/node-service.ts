import { join } from 'node:path';
import { goBehindServing } from '../processes/go-behind-serving.ts';
import type { ProcessWatcher } from '../processes/keeper-client.ts';
import { logTail } from '../processes/log-file.ts';
import { nodeProgram } from '../processes/node-program.ts';
import { stopLeftOver } from '../processes/pid-file.ts';
import { spawnService, type ServiceProcess } from '../processes/spawn-service.ts';
import type { StopOptions } from '../processes/stop.ts';

/** The worker bundles its workflows and the API loads every routed model before they are ready. */
const READY_TIMEOUT_MS = 120_000;
const LOG_LINES = 8;

export interface NodeServiceOptions {
  readonly name: string;
  readonly module: URL;
  readonly env: NodeJS.ProcessEnv;
  readonly home: string;
  readonly watcher: ProcessWatcher | null;
  readonly stopGraceMs: number;
  readonly stopOrder: number;
  readonly readyTimeoutMs?: number;
  /** How far behind others it stands where cores are short; 0 to 19. Default: not at all. */
  readonly niceness?: number;
}

export interface NodeService {
  readonly process: ServiceProcess;
  /** What the process said with its `ready` message. */
  readonly ready: Readonly<Record<string, unknown>>;
}

/**
 * Starts one of the platform's own processes and waits for its `{type: 'ready'}` message.
 * @throws Error with the end of its log
 */
export async function startNodeService(options: NodeServiceOptions): Promise<NodeService> {
  const stop: StopOptions = { signals: [{ signal: 'SIGTERM', graceMs: options.stopGraceMs }], group: true };
  const runDir = join(options.home, 'run');
  await stopLeftOver(runDir, options.name, stop);
  const started = await spawnService({
    name: options.name,
    command: process.execPath,
    args: nodeProgram(options.module),
    env: options.env,
    logFile: join(options.home, 'logs', `${options.name}.log`),
    runDir,
    stop,
    stopOrder: options.stopOrder,
    keeper: options.watcher,
    ipc: true,
  });
  if (options.niceness !== undefined) goBehindServing(started, options.niceness);
  try {
    return { process: started, ready: await readyMessage(started, options.readyTimeoutMs ?? READY_TIMEOUT_MS) };
  } catch (error) {
    await started.stop();
    throw error;
  }
}

function readyMessage(started: ServiceProcess, timeoutMs: number): Promise<Readonly<Record<string, unknown>>> {
  return new Promise((resolve, reject) => {
    const fail = (what: string): void => {
      const tail = logTail(started.logFile, LOG_LINES, started.logStart);
      reject(new Error(`${started.name} ${what}. The end of ${started.logFile}:\n${tail}`));
    };
    const timer = setTimeout(() => fail(`was not ready within ${String(timeoutMs / 1000)} s`), timeoutMs);
    started.child.on('message', (message) => {
      if (typeof message !== 'object' || !('type' in message) || message.type !== 'ready') return;
      clearTimeout(timer);
      resolve({ ...message });
    });
    void started.exited.then(({ code, signal }) => {
      clearTimeout(timer);
      fail(`ended while starting (${signal ?? `exit code ${String(code)}`})`);
    });
  });
}
