import type { Log } from '../log.ts';
import type { PrimaryCalls, ProcessCalls } from './calls.ts';
import type { Channel, Link } from './link.ts';

export type ProcessLink = Link<ProcessCalls, PrimaryCalls>;

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A serving process as the primary has it. */
export interface ServingProcess {
  readonly pid: number;
  /** What the link runs over; others may as well. */
  readonly channel: Channel;
  readonly link: ProcessLink;
  readonly exited: Promise<Exit>;
  kill(signal: NodeJS.Signals): void;
}

export interface FleetDeps {
  readonly processes: number;
  /** 0: the first process takes a free port, and the others the same. */
  readonly port: number;
  readonly fork: () => ServingProcess;
  readonly log: Log;
  /** Called for every process, before it is asked anything. */
  readonly onStarted: (process: ServingProcess) => void;
  readonly onExited: (process: ServingProcess) => void;
}

export interface Fleet {
  /** Resolves when every process is ready. Rejects when one ends before: the platform does not start half. */
  start(): Promise<{ readonly port: number }>;
  /** Processes that answer now. */
  serving(): readonly ServingProcess[];
  /** Processes that ended by themselves since the start. */
  crashes(): number;
  /** Closes the port, lets every process answer what it has, and waits for their ends. */
  stop(): Promise<void>;
}

/** Wait before a process is replaced: doubles from the first to the last while replacements die young. */
const FIRST_BACKOFF_MS = 100;
const LAST_BACKOFF_MS = 30_000;
/** Who served for this long is taken for well again. */
const STABLE_AFTER_MS = 60_000;
/** A process that cannot close its port within this is busy; it learns of the drain all the same. */
const CLOSE_PORT_LIMIT_MS = 1_000;
/** The supervisor of all waits 15 s; a process bounds its own end by 14 s. */
const STOP_LIMIT_MS = 14_500;

/** Keeps the serving processes running: a crashed one is replaced while the others serve on. */
export function createFleet(deps: FleetDeps): Fleet {
  const { log } = deps;
  const running = new Set<ServingProcess>();
  const ready = new Set<ServingProcess>();
  const pauses = new Set<NodeJS.Timeout>();
  const askedPorts = new WeakMap<ServingProcess, number>();
  let port = deps.port;
  let stopping = false;
  let started = false;
  let crashes = 0;

  /**
   * The system shares a port among those who ask for it by the same number: with 0 in the configuration that is 0 as
   * long as one of the first is there, and the number that was given then when all have gone.
   */
  function portToAsk(): number {
    const [other] = ready;
    return (other === undefined ? undefined : askedPorts.get(other)) ?? port;
  }

  /** Starts one; resolves when it is ready, rejects when it ends before. */
  function launch(): { readonly process: ServingProcess; readonly whenReady: Promise<void> } {
    const process = deps.fork();
    running.add(process);
    deps.onStarted(process);
    const { link } = process;
    link.answer('assignment', () => {
      const asked = portToAsk();
      askedPorts.set(process, asked);
      return { port: asked, listenWhenReady: started };
    });
    link.answer('mayStop', () => {
      // While all stop, its turn comes by itself.
      if (!stopping) void drain(process);
      return null;
    });
    const whenReady = new Promise<void>((resolve, reject) => {
      link.answer('ready', (body) => {
        if (started && body.port !== port) {
          // The last one on the port went while this one came, and the system gave it another.
          process.kill('SIGKILL');
          return null;
        }
        port = body.port;
        if (running.has(process)) ready.add(process);
        resolve();
        return null;
      });
      void process.exited.then((exit) => {
        running.delete(process);
        ready.delete(process);
        deps.onExited(process);
        reject(new Error(`a serving process ended while starting (${describeExit(exit)})`));
      });
    });
    return { process, whenReady };
  }

  /** Runs one place of the fleet for good. */
  async function keepAlive(first: ServingProcess): Promise<void> {
    let current = first;
    let backoffMs = FIRST_BACKOFF_MS;
    for (;;) {
      const sinceMs = performance.now();
      const exit = await current.exited;
      if (stopping) return;
      crashes += 1;
      if (performance.now() - sinceMs > STABLE_AFTER_MS) backoffMs = FIRST_BACKOFF_MS;
      const left = ready.size;
      log.error({ pid: current.pid, ...exit, left, backoffMs }, 'a serving process ended; it is replaced');
      await pause(backoffMs);
      backoffMs = Math.min(LAST_BACKOFF_MS, backoffMs * 2);
      if (isStopping()) return;
      const next = launch();
      current = next.process;
      next.whenReady.then(
        () => log.info({ pid: next.process.pid }, 'the replacement serves'),
        // Its end is seen above.
        () => undefined,
      );
    }
  }

  /** The type checker takes an earlier look for the last word. */
  const isStopping = (): boolean => stopping;

  async function start(): Promise<{ readonly port: number }> {
    const first = Array.from({ length: deps.processes }, launch);
    await Promise.all(first.map(({ whenReady }) => whenReady));
    started = true;
    for (const { process } of first) void keepAlive(process);
    return { port };
  }

  function pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        pauses.delete(timer);
        resolve();
      }, ms);
      pauses.add(timer);
    });
  }

  async function drain(process: ServingProcess): Promise<void> {
    ready.delete(process);
    try {
      await process.link.ask('drain', null, CLOSE_PORT_LIMIT_MS);
    } catch (error) {
      // It may be gone already; if it hangs, the limit of the stop ends it.
      log.warn({ err: error, pid: process.pid }, 'a serving process did not confirm that its port is closed');
    }
  }

  async function stop(): Promise<void> {
    stopping = true;
    for (const timer of pauses) clearTimeout(timer);
    const limit = setTimeout(() => {
      for (const process of running) {
        log.error({ pid: process.pid, limitMs: STOP_LIMIT_MS }, 'a serving process did not stop in time');
        process.kill('SIGKILL');
      }
    }, STOP_LIMIT_MS);
    // One after the other: a connection that meets a closed port is handed to a process whose port is open, so that
    // only the last one to close can turn anybody away.
    for (const process of [...running]) await drain(process);
    await Promise.all([...running].map((process) => process.exited));
    clearTimeout(limit);
  }

  return { start, stop, serving: () => [...ready], crashes: () => crashes };
}

function describeExit({ code, signal }: Exit): string {
  return signal === null ? `exit code ${String(code)}` : signal;
}
