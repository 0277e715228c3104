import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { Connection } from '@temporalio/client';
import { freePort } from '../processes/free-port.ts';
import type { ProcessWatcher } from '../processes/keeper-client.ts';
import { logTail } from '../processes/log-file.ts';
import { stopLeftOver } from '../processes/pid-file.ts';
import { spawnService, type ServiceProcess } from '../processes/spawn-service.ts';
import type { StopOptions } from '../processes/stop.ts';
import { SEARCH_ATTRIBUTE_TYPES } from './search-attributes.ts';
import { temporalProgram } from './temporal-program.ts';

const TEMPORAL_PORT = 7233;
const TEMPORAL_UI_PORT = 8233;
/** The dev server takes 1 to 3 s, more when it opens a large store. */
const START_TIMEOUT_MS = 90_000;
const POLL_MS = 100;
const LOG_LINES = 15;

const STOP: StopOptions = { signals: [{ signal: 'SIGTERM', graceMs: 10_000 }] };

export interface EmbeddedTemporalOptions {
  readonly home: string;
  readonly cacheDir: string;
  readonly namespace?: string;
  /** Preferred ports; with `portsFixed` the only ones that will do. Default 7233 and 8233, else free ones. */
  readonly port?: number;
  readonly uiPort?: number;
  readonly portsFixed?: boolean;
  readonly keeper: ProcessWatcher | null;
  readonly say?: (line: string) => void;
  readonly timeoutMs?: number;
  readonly signal?: AbortSignal;
  /** The folders of PATH to look for the program in; default this process's. */
  readonly searchPath?: string;
}

export interface EmbeddedTemporal {
  readonly process: ServiceProcess;
  /** host:port of the gRPC service. */
  readonly address: string;
  readonly port: number;
  readonly uiPort: number;
  readonly uiUrl: string;
}

/**
 * Starts the Temporal dev server of this home, with its UI and its store on disk, and waits until the namespace answers.
 * @throws Error with the end of its log, or naming what to install
 */
export async function startTemporal(options: EmbeddedTemporalOptions): Promise<EmbeddedTemporal> {
  const { home, keeper } = options;
  const say = options.say ?? (() => undefined);
  const namespace = options.namespace ?? 'default';
  const runDir = join(home, 'run');
  const left = await stopLeftOver(runDir, 'temporal', STOP);
  if (left !== null) say(`stopped Temporal ${String(left)}, left over from an earlier start`);
  const program = await temporalProgram({
    cacheDir: options.cacheDir,
    say,
    ...(options.signal === undefined ? {} : { signal: options.signal }),
    ...(options.searchPath === undefined ? {} : { searchPath: options.searchPath }),
  });
  await mkdir(join(home, 'temporal'), { recursive: true, mode: 0o700 });
  const { port, uiPort } = await chooseTemporalPorts(options, say);
  const started = await spawnService({
    name: 'temporal',
    command: program.path,
    args: serverArguments(join(home, 'temporal', 'temporal.db'), namespace, port, uiPort),
    // Its own settings come from the arguments alone, not from a profile of whoever starts us.
    env: { PATH: process.env['PATH'], HOME: join(home, 'temporal'), TZ: 'UTC' },
    cwd: join(home, 'temporal'),
    logFile: join(home, 'logs', 'temporal.log'),
    runDir,
    stop: STOP,
    stopOrder: 2,
    keeper,
  });
  const address = `127.0.0.1:${String(port)}`;
  try {
    await waitUntilReady(started, address, namespace, options.timeoutMs ?? START_TIMEOUT_MS);
  } catch (error) {
    await started.stop();
    throw error;
  }
  return { process: started, address, port, uiPort, uiUrl: `http://127.0.0.1:${String(uiPort)}` };
}

/** The preferred ports (default 7233 and 8233) where they are free, else others. */
export async function chooseTemporalPorts(
  options: Pick<EmbeddedTemporalOptions, 'port' | 'uiPort' | 'portsFixed'>,
  say: (line: string) => void,
): Promise<{ port: number; uiPort: number }> {
  const wanted = options.port ?? TEMPORAL_PORT;
  const wantedUi = options.uiPort ?? TEMPORAL_UI_PORT;
  if (options.portsFixed === true) return { port: wanted, uiPort: wantedUi };
  const port = await freePort(wanted);
  const uiPort = await freePort(wantedUi, '127.0.0.1', [port]);
  if (port !== wanted) say(`port ${String(wanted)} is busy; Temporal takes ${String(port)}`);
  if (uiPort !== wantedUi) say(`port ${String(wantedUi)} is busy; Temporal's UI takes ${String(uiPort)}`);
  return { port, uiPort };
}

function serverArguments(dbFile: string, namespace: string, port: number, uiPort: number): string[] {
  const attributes = Object.entries(SEARCH_ATTRIBUTE_TYPES).flatMap(([name, type]) => [
    '--search-attribute',
    `${name}=${type}`,
  ]);
  return [
    ...['server', 'start-dev', '--db-filename', dbFile, '--namespace', namespace, '--ip', '127.0.0.1'],
    ...['--port', String(port), '--ui-port', String(uiPort), '--log-level', 'warn', '--log-format', 'json'],
    ...attributes,
  ];
}

/** The namespace appears a moment after the port opens. */
async function waitUntilReady(
  started: ServiceProcess,
  address: string,
  namespace: string,
  timeoutMs: number,
): Promise<void> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      const connection = await Connection.connect({ address, connectTimeout: '2s' });
      try {
        await connection.withDeadline(Date.now() + 2_000, () =>
          connection.workflowService.describeNamespace({ namespace }),
        );
        return;
      } finally {
        await connection.close();
      }
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error);
      if (started.hasExited()) throw failure('Temporal ended while starting', started);
      if (Date.now() > deadline)
        throw failure(`Temporal did not answer within ${String(timeoutMs / 1000)} s (${why})`, started);
    }
    await sleep(POLL_MS);
  }
}

function failure(what: string, started: ServiceProcess): Error {
  return new Error(`${what}. The end of ${started.logFile}:\n${logTail(started.logFile, LOG_LINES, started.logStart)}`);
}
