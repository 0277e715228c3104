import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { createFleet } from '../../../../api/cluster/fleet.ts';
import type { Exit, Fleet, ServingProcess } from '../../../../api/cluster/fleet.ts';

type Handler = (body: unknown) => unknown;

/** A serving process without a process: the test says what it does. */
class FakeProcess implements ServingProcess {
  static pids = 100;
  readonly pid = (FakeProcess.pids += 1);
  readonly channel = { send: () => true, onMessage: () => undefined };
  readonly handlers = new Map<string, Handler>();
  readonly asked: string[] = [];
  readonly killed: string[] = [];
  readonly exited: Promise<Exit>;
  exit: (exit?: Partial<Exit>) => void = () => undefined;
  onDrain: () => unknown = () => null;
  readonly link = {
    ask: (topic: string) => {
      this.asked.push(topic);
      return Promise.resolve(this.onDrain() as never);
    },
    answer: (topic: string, handler: Handler) => void this.handlers.set(topic, handler),
  };

  constructor() {
    this.exited = new Promise((resolve) => {
      this.exit = (exit) => resolve({ code: 0, signal: null, ...exit });
    });
  }

  say(topic: string, body: unknown = null): unknown {
    return this.handlers.get(topic)?.(body);
  }

  kill(signal: string): void {
    this.killed.push(signal);
    this.exit({ code: null, signal: signal as NodeJS.Signals });
  }
}

let forked: FakeProcess[];
let fleet: Fleet;
const log = { info: vi.fn(), warn: vi.fn(), error: vi.fn() };
const exited = vi.fn();

function create(processes = 2, port = 8080): Fleet {
  forked = [];
  const fork = () => {
    const process = new FakeProcess();
    forked.push(process);
    return process;
  };
  return (fleet = createFleet({ processes, port, fork, log, onStarted: () => undefined, onExited: exited }));
}

/** Lets everything that is due happen. */
const settle = () => vi.advanceTimersByTimeAsync(0);

async function started(processes = 2, port = 8080): Promise<Fleet> {
  const start = create(processes, port).start();
  for (const process of forked) {
    process.say('assignment');
    process.say('ready', { port: port === 0 ? 4711 : port });
  }
  await start;
  return fleet;
}

beforeEach(() => void vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] }));
afterEach(() => {
  vi.useRealTimers();
  vi.clearAllMocks();
});

describe('the start of a fleet', () => {
  it('is over when every process is ready, and tells the port', async () => {
    const start = create(3, 0).start();
    let port: number | null = null;
    void start.then((ready) => (port = ready.port));
    forked[0]?.say('ready', { port: 4711 });
    forked[1]?.say('ready', { port: 4711 });
    await settle();
    expect(port).toBeNull();
    forked[2]?.say('ready', { port: 4711 });
    await settle();
    expect(port).toBe(4711);
    expect(fleet.serving()).toHaveLength(3);
  });

  it('fails when a process ends before it is ready', async () => {
    const start = create().start();
    forked[0]?.say('ready', { port: 8080 });
    forked[1]?.exit({ code: 1 });
    await expect(start).rejects.toThrow('ended while starting (exit code 1)');
  });

  it('lets the first processes listen at once: probes are answered while models load', async () => {
    void create().start();
    expect(forked[0]?.say('assignment')).toEqual({ port: 8080, listenWhenReady: false });
    await settle();
  });
});

describe('a process that ends by itself', () => {
  it('is replaced soon, by one that listens when it can answer; the others serve on', async () => {
    await started();
    forked[0]?.exit({ code: null, signal: 'SIGKILL' });
    await settle();
    expect(fleet.serving()).toEqual([forked[1]]);
    expect(exited).toHaveBeenCalledWith(forked[0], { code: null, signal: 'SIGKILL' });
    await vi.advanceTimersByTimeAsync(100);
    expect(forked).toHaveLength(3);
    expect(fleet.serving()).toHaveLength(1);
    expect(forked[2]?.say('assignment')).toEqual({ port: 8080, listenWhenReady: true });
    forked[2]?.say('ready', { port: 8080 });
    expect(fleet.serving()).toHaveLength(2);
    expect(fleet.crashes()).toBe(1);
  });

  it('is tried less and less often while its replacements die young', async () => {
    await started(1);
    const forks: number[] = [];
    for (let ms = 0; ms < 10_000; ms += 50) {
      const before = forked.length;
      forked.at(-1)?.exit({ code: 1 });
      await vi.advanceTimersByTimeAsync(50);
      if (forked.length > before) forks.push(ms + 50);
    }
    const pauses = forks.map((at, i) => at - (forks[i - 1] ?? 0));
    expect(pauses.length).toBeGreaterThan(4);
    pauses.slice(1).forEach((pause, i) => expect(pause).toBeGreaterThan(1.5 * pauses[i]!));
  });

  it('is replaced at once again when it had run for long', async () => {
    await started(1);
    for (let i = 0; i < 3; i += 1) {
      await vi.advanceTimersByTimeAsync(61_000);
      forked.at(-1)?.exit({ code: 1 });
      await vi.advanceTimersByTimeAsync(100);
      expect(forked).toHaveLength(i + 2);
    }
  });
});

describe('the port of a replacement', () => {
  const replaceAll = async (): Promise<FakeProcess> => {
    for (const process of [...forked]) process.exit({ code: 1 });
    await vi.advanceTimersByTimeAsync(100);
    return forked.at(-1)!;
  };

  it('is asked for as the others asked for theirs while one is there', async () => {
    await started(2, 0);
    forked[0]?.exit({ code: 1 });
    await vi.advanceTimersByTimeAsync(100);
    expect(forked[2]?.say('assignment')).toMatchObject({ port: 0 });
  });

  it('is the one that was given at the start when all have gone', async () => {
    await started(2, 0);
    const replacement = await replaceAll();
    expect(replacement.say('assignment')).toMatchObject({ port: 4711 });
  });

  it('is never another: such a process is ended and tried again', async () => {
    await started(2, 0);
    const replacement = await replaceAll();
    replacement.say('assignment');
    replacement.say('ready', { port: 4712 });
    expect(replacement.killed).toEqual(['SIGKILL']);
    await settle();
    expect(fleet.serving()).toEqual([]);
  });
});

describe('a process that is replaced by a fresh one', () => {
  async function recycling() {
    await started(2);
    let outcome: boolean | null = null;
    void fleet.recycle(forked[0]!).then((replaced) => (outcome = replaced));
    await settle();
    return { fresh: forked[2]!, outcome: () => outcome };
  }

  it('closes its port when the fresh one answers, not before; it counts as no crash', async () => {
    const { fresh, outcome } = await recycling();
    expect(forked[0]?.asked).toEqual([]);
    expect(fleet.serving()).toEqual([forked[0], forked[1]]);
    expect(fresh.say('assignment')).toEqual({ port: 8080, listenWhenReady: true });
    fresh.say('ready', { port: 8080 });
    await settle();
    expect(forked[0]?.asked).toEqual(['drain']);
    expect(fleet.serving()).toEqual([forked[1], fresh]);
    expect(outcome()).toBeNull();
    forked[0]?.exit();
    await settle();
    expect(outcome()).toBe(true);
    expect(fleet.crashes()).toBe(0);
    // The place is kept: the fresh one is replaced like any other.
    fresh.exit({ code: 1 });
    await vi.advanceTimersByTimeAsync(100);
    expect(forked).toHaveLength(4);
    expect(fleet.crashes()).toBe(1);
  });

  it('serves on when the fresh one does not come up', async () => {
    const { fresh, outcome } = await recycling();
    fresh.exit({ code: 1 });
    await settle();
    expect(outcome()).toBe(false);
    expect(forked[0]?.asked).toEqual([]);
    expect(fleet.serving()).toEqual([forked[0], forked[1]]);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(forked).toHaveLength(3);
  });

  it('is followed by the fresh one alone when it dies meanwhile', async () => {
    const { fresh } = await recycling();
    forked[0]?.exit({ code: null, signal: 'SIGKILL' });
    await settle();
    fresh.say('ready', { port: 8080 });
    await vi.advanceTimersByTimeAsync(60_000);
    expect(forked).toHaveLength(3);
    expect(fleet.serving()).toEqual([forked[1], fresh]);
    expect(fleet.crashes()).toBe(1);
  });

  it('is killed when it does not end, and is not replaced twice at a time', async () => {
    const { fresh, outcome } = await recycling();
    expect(await fleet.recycle(forked[0]!)).toBe(false);
    fresh.say('ready', { port: 8080 });
    await vi.advanceTimersByTimeAsync(14_500);
    expect(forked[0]?.killed).toEqual(['SIGKILL']);
    expect(outcome()).toBe(true);
    expect(forked).toHaveLength(3);
  });

  it('ends with all others when the fleet stops', async () => {
    const { fresh, outcome } = await recycling();
    const stop = fleet.stop();
    for (const process of forked) process.exit();
    await stop;
    expect(fresh.asked).toEqual(['drain']);
    expect(outcome()).toBe(false);
    expect(forked).toHaveLength(3);
  });
});

describe('the stop of a fleet', () => {
  it('closes one port after the other, then waits for all to end, and replaces nobody', async () => {
    await started(3);
    const order: string[] = [];
    let closeFirst: () => void = () => undefined;
    forked.forEach((process, i) => {
      process.onDrain = () => {
        order.push(`drain ${i}`);
        return i === 0 ? new Promise<null>((resolve) => (closeFirst = () => resolve(null))) : null;
      };
    });
    let stopped = false;
    void fleet.stop().then(() => (stopped = true));
    await settle();
    expect(order).toEqual(['drain 0']);
    closeFirst();
    await settle();
    expect(order).toEqual(['drain 0', 'drain 1', 'drain 2']);
    for (const process of forked) {
      expect(stopped).toBe(false);
      process.exit();
      await settle();
    }
    expect(stopped).toBe(true);
    await vi.advanceTimersByTimeAsync(60_000);
    expect(forked).toHaveLength(3);
  });

  it('kills what hangs', async () => {
    await started(2);
    const stop = fleet.stop();
    forked[0]?.exit();
    await vi.advanceTimersByTimeAsync(14_500);
    await stop;
    expect(forked.map((process) => process.killed)).toEqual([[], ['SIGKILL']]);
  });

  it('comes before a replacement that was due', async () => {
    await started(2);
    forked[0]?.exit({ code: 1 });
    await settle();
    const stop = fleet.stop();
    forked[1]?.exit();
    await vi.advanceTimersByTimeAsync(10_000);
    await stop;
    expect(forked).toHaveLength(2);
  });

  it('of one process alone, which was told to stop by a signal, is ordered by the primary; it is replaced', async () => {
    await started(2);
    forked[1]?.say('mayStop');
    expect(forked[1]?.asked).toEqual(['drain']);
    expect(fleet.serving()).toEqual([forked[0]]);
    forked[1]?.exit();
    await vi.advanceTimersByTimeAsync(100);
    expect(forked).toHaveLength(3);
  });
});
