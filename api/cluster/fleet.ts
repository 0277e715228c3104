import type { Log } from '../log.ts';
import type { PrimaryCalls, ProcessCalls } from './calls.ts';
import type { Channel, Link } from './link.ts';

export interface Exit {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
}

/** A serving process as the primary has it. */
export interface ServingProcess {
  readonly pid: number;
  /** What the link runs over; others may as well. */
  readonly channel: Channel;
  readonly link: Link<ProcessCalls, PrimaryCalls>;
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
  readonly onExited: (process: ServingProcess, exit: Exit) => void;
}

export interface Fleet {
  /** Resolves when every process is ready. Rejects when one ends before: the platform does not start half. */
  start(): Promise<{ readonly port: number }>;
  /** Processes that answer now. */
  serving(): readonly ServingProcess[];
  /** Processes that ended by themselves since the start. */
  crashes(): number;
  /**
   * Replaces a process by a fresh one, which answers before the old one closes its port and drains. False: it was not
   * replaced, and serves on as long as it lives.
   */
  recycle(process: ServingProcess): Promise<boolean>;
  /** Closes the port, lets every process answer what it has, and waits for their ends. */
  stop(): Promise<void>;
}

/** A place among those that serve, and who has it. */
interface Place {
  current: ServingProcess;
  /** Takes over when the current one ends. */
  next: ServingProcess | null;
  /** The current one ends because it is told to. */
  leaving: boolean;
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
  const fleet = new ProcessFleet(deps);
  return {
    start: () => fleet.start(),
    serving: () => [...fleet.ready],
    crashes: () => fleet.crashes,
    recycle: (process) => fleet.recycle(process),
    stop: () => fleet.stop(),
  };
}

class ProcessFleet {
  readonly ready = new Set<ServingProcess>();
  crashes = 0;
  readonly #deps: FleetDeps;
  readonly #running = new Set<ServingProcess>();
  readonly #places = new Set<Place>();
  readonly #askedPorts = new WeakMap<ServingProcess, number>();
  readonly #pauses = new Set<NodeJS.Timeout>();
  #port: number;
  #started = false;
  #stopping = false;

  constructor(deps: FleetDeps) {
    this.#deps = deps;
    this.#port = deps.port;
  }

  async start(): Promise<{ readonly port: number }> {
    const first = Array.from({ length: this.#deps.processes }, () => this.#launch());
    await Promise.all(first.map(({ whenReady }) => whenReady));
    this.#started = true;
    for (const { process } of first) void this.#keepAlive(process);
    return { port: this.#port };
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    for (const timer of this.#pauses) clearTimeout(timer);
    const limit = setTimeout(() => {
      for (const process of this.#running) {
        this.#deps.log.error({ pid: process.pid, limitMs: STOP_LIMIT_MS }, 'a serving process did not stop in time');
        process.kill('SIGKILL');
      }
    }, STOP_LIMIT_MS);
    // One after the other: a connection that meets a closed port is handed to a process whose port is open, so that
    // only the last one to close can turn anybody away.
    for (const process of [...this.#running]) await this.#drain(process);
    await Promise.all([...this.#running].map((process) => process.exited));
    clearTimeout(limit);
  }

  async recycle(process: ServingProcess): Promise<boolean> {
    const place = [...this.#places].find(({ current }) => current === process);
    if (place === undefined || place.next !== null || this.#stopping || !this.ready.has(process)) return false;
    const { process: fresh, whenReady } = this.#launch();
    place.next = fresh;
    try {
      await whenReady;
    } catch (error) {
      this.#deps.log.error({ err: error, pid: process.pid }, 'a serving process could not be replaced; it serves on');
      if (place.next === fresh) place.next = null;
      return false;
    }
    if (this.#isStopping()) return false;
    place.leaving = true;
    await this.#drain(process);
    const limit = setTimeout(() => process.kill('SIGKILL'), STOP_LIMIT_MS);
    await process.exited;
    clearTimeout(limit);
    this.#deps.log.info({ pid: fresh.pid, replaced: process.pid }, 'a fresh process serves in its place');
    return true;
  }

  /** Starts one; `whenReady` rejects when it ends before. */
  #launch(): { readonly process: ServingProcess; readonly whenReady: Promise<void> } {
    const process = this.#deps.fork();
    const { link } = process;
    this.#running.add(process);
    this.#deps.onStarted(process);
    link.answer('assignment', () => {
      const port = this.#portToAsk();
      this.#askedPorts.set(process, port);
      return { port, listenWhenReady: this.#started };
    });
    link.answer('mayStop', () => {
      // While all stop, its turn comes by itself.
      if (!this.#stopping) void this.#drain(process);
      return null;
    });
    const whenReady = new Promise<void>((resolve, reject) => {
      link.answer('ready', ({ port }) => {
        if (this.#noteReady(process, port)) resolve();
        return null;
      });
      void process.exited.then((exit) => {
        this.#running.delete(process);
        this.ready.delete(process);
        this.#deps.onExited(process, exit);
        reject(new Error(`a serving process ended while starting (${describeExit(exit)})`));
      });
    });
    return { process, whenReady };
  }

  /**
   * The system shares a port among those who ask for it by the same number: with 0 in the configuration that is 0 as
   * long as one of the first is there, and the number that was given then when all have gone.
   */
  #portToAsk(): number {
    const [other] = this.ready;
    return (other === undefined ? undefined : this.#askedPorts.get(other)) ?? this.#port;
  }

  #noteReady(process: ServingProcess, port: number): boolean {
    if (this.#started && port !== this.#port) {
      // The last one on the port went while this one came, and the system gave it another.
      process.kill('SIGKILL');
      return false;
    }
    this.#port = port;
    if (this.#running.has(process)) this.ready.add(process);
    return true;
  }

  /** Runs one place of the fleet for good. */
  async #keepAlive(first: ServingProcess): Promise<void> {
    const place: Place = { current: first, next: null, leaving: false };
    this.#places.add(place);
    let backoffMs = FIRST_BACKOFF_MS;
    for (;;) {
      const sinceMs = performance.now();
      const exit = await place.current.exited;
      if (this.#stopping) return;
      if (performance.now() - sinceMs > STABLE_AFTER_MS) backoffMs = FIRST_BACKOFF_MS;
      const hasLeft = place.leaving && place.next !== null;
      if (!hasLeft) this.#noteCrash(place.current, exit, place.next === null ? backoffMs : 0);
      if (place.next === null) {
        await this.#pause(backoffMs);
        backoffMs = Math.min(LAST_BACKOFF_MS, backoffMs * 2);
        if (this.#isStopping()) return;
        place.current = this.#replace();
      } else {
        place.current = place.next;
        place.next = null;
      }
      place.leaving = false;
    }
  }

  #noteCrash({ pid }: ServingProcess, exit: Exit, backoffMs: number): void {
    this.crashes += 1;
    const details = { pid, ...exit, left: this.ready.size, backoffMs };
    this.#deps.log.error(details, 'a serving process ended; it is replaced');
  }

  #replace(): ServingProcess {
    const { process, whenReady } = this.#launch();
    whenReady.then(
      () => this.#deps.log.info({ pid: process.pid }, 'the replacement serves'),
      // Its end is seen by who keeps its place.
      () => undefined,
    );
    return process;
  }

  /** The type checker takes an earlier look for the last word. */
  #isStopping(): boolean {
    return this.#stopping;
  }

  #pause(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => {
        this.#pauses.delete(timer);
        resolve();
      }, ms);
      this.#pauses.add(timer);
    });
  }

  async #drain(process: ServingProcess): Promise<void> {
    this.ready.delete(process);
    try {
      await process.link.ask('drain', null, CLOSE_PORT_LIMIT_MS);
    } catch (error) {
      // It may be gone already; if it hangs, the limit of the stop ends it.
      const details = { err: error, pid: process.pid };
      this.#deps.log.warn(details, 'a serving process did not confirm that its port is closed');
    }
  }
}

function describeExit({ code, signal }: Exit): string {
  return signal === null ? `exit code ${String(code)}` : signal;
}
