/** Starting, stopping and losing parts of the platform: nothing is left behind, and everything comes back. */
import { once } from 'node:events';
import { chownSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { availableParallelism, loadavg } from 'node:os';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { isReachable, postgresUser } from '../../infra/embedded/postgres-user.ts';
import { isRunning, processIdentity } from '../../infra/processes/identity.ts';
import { isPortFree } from '../../infra/processes/free-port.ts';
import {
  platformEnvironment,
  readPlatformState,
  removeHome,
  runCli,
  startPlatform,
  temporaryHome,
  waitFor,
  type Platform,
  type StartOptions,
} from '../support/platform.ts';

const ROOT = resolve(fileURLToPath(new URL('../..', import.meta.url)));
const NOBODY = { uid: 65_534, gid: 65_534 };
const isRoot = process.getuid?.() === 0;
const PARTS = ['api', 'worker', 'temporal', 'postgres', 'keeper'] as const;
/** Serving again, on a machine with other work to do. */
const BACK_MS = 60_000;

/** The platform's figure. A machine that already has more to do than it can says nothing about it. */
const secondStartMaxMs = (): number => ((loadavg()[0] ?? 0) > 2 * availableParallelism() ? 30_000 : 10_000);

type Part = (typeof PARTS)[number];
interface State {
  readonly pid: number;
  readonly processes: Record<Part, number>;
  readonly postgres: { readonly port: number };
}
interface Process {
  readonly name: string;
  readonly pid: number;
  readonly identity: string;
}

const stateOf = (home: string): State => readPlatformState(home) as unknown as State;

function processesOf(home: string): Process[] {
  const { pid, processes } = stateOf(home);
  return [['supervisor', pid] as const, ...Object.entries(processes)].map(([name, number]) => ({
    name,
    pid: number,
    identity: processIdentity(number) ?? 'gone',
  }));
}

const alive = (processes: readonly Process[]): string[] =>
  processes.filter((p) => isRunning(p.pid, p.identity)).map((p) => p.name);

function portsOf(home: string, url: string): number[] {
  const { temporal } = readPlatformState(home);
  return [new URL(url).port, temporal.address.split(':')[1], new URL(temporal.uiUrl!).port]
    .map(Number)
    .concat(stateOf(home).postgres.port);
}

async function expectNothingLeft(processes: readonly Process[], ports: readonly number[]): Promise<void> {
  await waitFor(
    () => alive(processes).length === 0,
    40_000,
    () => `the end of ${alive(processes).join(', ')}`,
  );
  for (const port of ports) expect(await isPortFree(port), `port ${String(port)}`).toBe(true);
}

describe('the started platform', () => {
  const home = temporaryHome();
  let platform: Platform;

  const serves = async (): Promise<number> => {
    const { models } = await platform.request<{ models: { versions: number }[] }>('GET', '/models');
    return models[0]!.versions;
  };
  const predicts = async (): Promise<unknown> => {
    const curl = /-d '(\{.*\})'/.exec(platform.output())![1]!;
    return platform.request('POST', '/models/churn/predict', JSON.parse(curl));
  };
  const startAgain = async (timeoutMs = BACK_MS, options: StartOptions = {}): Promise<void> => {
    await platform.stop();
    platform = await startPlatform(home, timeoutMs, options);
  };
  /** The moment in which the worker is there too. */
  const settled = (): Promise<unknown> => waitFor(() => /\+ Worker/.test(platform.output()), BACK_MS, 'the worker');

  beforeAll(async () => {
    platform = await startPlatform(home);
    await settled();
  }, 300_000);

  afterAll(async () => {
    await platform.stop();
    removeHome(home);
  });

  it('refuses a second start on the same home, naming the process that runs', async () => {
    const second = await runCli(['up'], platformEnvironment(home));
    expect(second.code).toBe(4);
    expect(second.stderr).toContain(`process ${String(stateOf(home).pid)}`);
    expect(await serves()).toBe(1);
  });

  it('stops on Ctrl-C in order and leaves no process, no port and no lock behind', async () => {
    await startAgain(BACK_MS, { detached: true });
    await settled();
    const processes = processesOf(home);
    const ports = portsOf(home, platform.url);
    // A terminal sends it to the whole group of the process that it started.
    process.kill(-platform.process.pid!, 'SIGINT');
    const [code] = (await once(platform.process, 'exit')) as [number | null];
    expect(code).toBe(0);
    expect(alive(processes)).toEqual([]);
    await expectNothingLeft(processes, ports);
    expect(readdirSync(join(home, 'run'))).toEqual([]);
    const stops = [...platform.output().matchAll(/stopping (\w+)/g)].map((m) => m[1]);
    expect(stops).toEqual(['api', 'worker', 'temporal', 'postgres']);
    expect(readFileSync(join(home, 'logs/postgres.log'), 'utf8')).toMatch(/database system is shut down\s*$/);
  });

  it('serves again in under 10 s (on a machine that is not overloaded), with the same screen, without training, and with no LANG at all', async () => {
    await startAgain(BACK_MS, { env: { LANG: undefined, LC_ALL: undefined } });
    expect(platform.startedInMs).toBeLessThan(secondStartMaxMs());
    expect(platform.output()).not.toMatch(/Example/);
    expect(platform.output()).toMatch(/API key\s+in .*first-key/);
    expect(platform.output()).not.toContain(platform.key);
    expect(await predicts()).toMatchObject({ model: 'churn', model_version: 1 });
    expect(await serves()).toBe(1);
  });

  it.each([
    ['api', () => predicts()],
    ['postgres', () => platform.request('GET', '/models')],
    ['temporal', () => platform.request('GET', '/models/churn/train')],
    ['worker', () => platform.request('GET', '/models/churn/train')],
  ] as const)('starts the %s again when it is killed, and says so', async (part, works) => {
    await settled();
    const before = stateOf(home).processes[part];
    process.kill(before, 'SIGKILL');
    await waitFor(() => stateOf(home).processes[part] !== before, BACK_MS, `another ${part}`);
    await waitFor(() => works().catch(() => null), BACK_MS, `the platform with another ${part}`);
    await waitFor(
      () => new RegExp(`${part}\\w* ended \\(SIGKILL\\)[\\s\\S]*${part}\\w* runs again`, 'i').test(platform.output()),
      BACK_MS,
      'the news on the terminal',
    );
    expect(await predicts()).toMatchObject({ model_version: 1 });
  });

  it('leaves no orphan behind when the supervisor is killed, and starts again', async () => {
    await settled();
    const processes = processesOf(home);
    const ports = portsOf(home, platform.url);
    platform.process.kill('SIGKILL');
    await expectNothingLeft(processes, ports);
    await startAgain(BACK_MS);
    expect(await predicts()).toMatchObject({ model_version: 1 });
  });

  it.each([
    ['supervisor and keeper', ['keeper']],
    ['everything', [...PARTS]],
  ] as const)('recovers at the next start when %s are killed at once', async (_name, parts) => {
    await settled();
    const processes = processesOf(home);
    const { processes: pids } = stateOf(home);
    platform.process.kill('SIGKILL');
    for (const part of parts) process.kill(pids[part], 'SIGKILL');
    await startAgain(BACK_MS);
    expect(alive(processes)).toEqual([]);
    expect(await predicts()).toMatchObject({ model_version: 1 });
    expect(await serves()).toBe(1);
  });

  it('takes other ports when its own are busy, and says which', async () => {
    await platform.stop();
    const busy = await Promise.all(
      [0, 5433, 7233, 8233].map(async (port) => {
        const server = createServer().listen(port, '127.0.0.1');
        // Busy already is as good.
        await Promise.race([once(server, 'listening'), once(server, 'error')]).catch(() => undefined);
        return server;
      }),
    );
    const mine = String((busy[0]!.address() as { port: number }).port);
    try {
      await startAgain(BACK_MS, { env: { SLUICE_PORT: mine } });
      expect(platform.output()).toContain(`port ${mine} is busy; the API takes ${new URL(platform.url).port}`);
      const state = readPlatformState(home);
      expect([state.temporal.address, stateOf(home).postgres.port, state.temporal.uiUrl]).not.toEqual(
        expect.arrayContaining([expect.stringMatching(/:(7233|8233)$/)]),
      );
      expect(await predicts()).toMatchObject({ model_version: 1 });
      // The API may be there a moment before the worker and Temporal are.
      const isWell = async () => (await platform.cli('status', '--json')).code === 0;
      await expect.poll(isWell, { timeout: 30_000 }).toBe(true);
    } finally {
      for (const server of busy) server.close();
    }
  });

  it('stops when the npm that started it is killed', async () => {
    await startAgain(BACK_MS, { npm: true });
    const processes = processesOf(home);
    platform.process.kill('SIGKILL');
    await waitFor(
      () => alive(processes).length === 0,
      40_000,
      () => `the end of ${alive(processes).join(', ')}`,
    );
    expect(existsSync(join(home, 'run/lock'))).toBe(false);
    await startAgain(BACK_MS);
  });
});

/** Root's own folders may be closed to others: then there is nothing to test. */
const othersMayRead =
  isRoot && [ROOT, process.execPath].every((p) => isReachable(join(p, 'x'), { name: 'nobody', ...NOBODY }));

describe.runIf(othersMayRead)('started by an ordinary user', () => {
  it('stops in mid-training, goes on with it at the next start, and trains only once', async () => {
    const home = temporaryHome();
    chownSync(home, NOBODY.uid, NOBODY.gid);
    const tmp = join(home, 'tmp');
    mkdirSync(tmp);
    chownSync(tmp, NOBODY.uid, NOBODY.gid);
    const options = { user: NOBODY, env: { HOME: tmp, TMPDIR: tmp, LANG: undefined, LC_ALL: undefined } };
    try {
      const first = await startPlatform(home, 120_000, { ...options, until: /Example .*train \(/ });
      const processes = processesOf(home);
      expect(await first.stop()).toBe(0);
      expect(alive(processes)).toEqual([]);
      const second = await startPlatform(home, 240_000, options);
      const { versions } = await second.request<{ versions: unknown[] }>('GET', '/models/churn/versions');
      expect(versions).toHaveLength(1);
      expect(second.output()).not.toMatch(/starting the training/);
      expect(await second.stop()).toBe(0);
    } finally {
      removeHome(home);
    }
  });
});

it.runIf(isRoot)('finds a user that PostgreSQL can run as', () => {
  expect(postgresUser()!.uid).toBeGreaterThan(0);
});
