import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, inject, it, vi } from 'vitest';
import { freePort } from '../../../infra/processes/free-port.ts';
import { createTestDatabase, type TestDatabase } from '../../setup/database.ts';

const ROOT = resolve(import.meta.dirname, '../../..');
const run = promisify(execFile);
/** The image's layout: dist beside package.json and db/migrations, nothing of the sources. */
let app: string;
let home: string;
let database: TestDatabase | undefined;
let env: NodeJS.ProcessEnv;
beforeAll(async () => {
  app = mkdtempSync(join(tmpdir(), 'sluice-build-'));
  home = join(app, 'home');
  mkdirSync(join(home, 'artefacts'), { recursive: true });
  const tsc = ['node_modules/typescript/bin/tsc', '-p', 'tsconfig.build.json', '--outDir', `${app}/dist`];
  await run(process.execPath, tsc, { cwd: ROOT }).catch((error: unknown) => {
    throw new Error(`The build failed:\n${(error as { stdout: string }).stdout}`);
  });
  for (const path of ['package.json', 'db/migrations', 'cli/sluice.mjs', 'infra/docker/healthcheck.mjs']) {
    cpSync(join(ROOT, path), join(app, path), { recursive: true });
  }
  symlinkSync(join(ROOT, 'node_modules'), join(app, 'node_modules'));
  await run(process.execPath, ['dist/workers/build-bundle.js'], { cwd: app });
  database = await createTestDatabase();
  const port = await freePort(0, '127.0.0.1');
  env = {
    PATH: process.env['PATH'],
    NODE_ENV: 'production',
    DATABASE_URL: database.databaseUrl,
    TEMPORAL_ADDRESS: inject('TEMPORAL_ADDRESS'),
    SLUICE_HOME: home,
    SLUICE_PORT: String(port),
    SLUICE_TASK_QUEUE: 'build-test',
    SLUICE_WORKER_METRICS_PORT: String(await freePort(0, '127.0.0.1')),
  };
}, 180_000);
afterAll(async () => {
  await database?.drop();
  rmSync(app, { recursive: true, force: true });
});

const program = (path: string, ...args: string[]) => run(process.execPath, [path, ...args], { cwd: app, env });
const isHealthy = (...address: string[]) =>
  program('infra/docker/healthcheck.mjs', ...address).then(
    () => true,
    () => false,
  );

/** Starts one of the image's processes, waits until its health check passes, and ends it as an orchestrator would. */
async function lifeOf(path: string, address: string[], meanwhile: () => Promise<void>): Promise<number | null> {
  const child: ChildProcess = spawn(process.execPath, [path], { cwd: app, env, stdio: ['ignore', 'pipe', 'pipe'] });
  const output: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream?.on('data', (d: Buffer) => output.push(d.toString()));
  const ended = once(child, 'exit');
  try {
    await vi.waitFor(
      async () => {
        if (child.exitCode !== null) throw new Error(`${path} ended: ${output.join('')}`);
        if (!(await isHealthy(...address))) throw new Error(`${path} is not healthy: ${output.join('')}`);
      },
      { timeout: 60_000, interval: 250 },
    );
    await meanwhile();
  } finally {
    child.kill('SIGTERM');
  }
  const [code] = (await ended) as [number | null];
  return code;
}

describe('the production build', () => {
  it('prepares an empty database and a Temporal server, twice without harm, and keeps the first key private', async () => {
    await program('dist/infra/docker/prepare.js');
    const key = readFileSync(join(home, 'first-key'), 'utf8');
    const { stdout } = await program('dist/infra/docker/prepare.js');
    expect(readFileSync(join(home, 'first-key'), 'utf8')).toBe(key);
    expect(stdout).not.toContain(key.trim());
  });

  it('names what is missing when it is not configured', async () => {
    const failed = run(process.execPath, ['dist/infra/docker/prepare.js'], {
      cwd: app,
      env: { ...env, DATABASE_URL: '' },
    });
    await expect(failed).rejects.toMatchObject({ code: 1, stdout: expect.stringContaining('DATABASE_URL') });
  });

  it('starts the API, whose command line finds it, and which ends at SIGTERM', async () => {
    expect(await isHealthy()).toBe(false);
    const code = await lifeOf('dist/api/main.js', [], async () => {
      const { stdout } = await program('cli/sluice.mjs', 'status', '--json');
      expect(JSON.parse(stdout)).toBeTypeOf('object');
    });
    expect(code).toBe(0);
  });

  it('starts the worker, which ends at SIGTERM', async () => {
    const address = `http://127.0.0.1:${String(env['SLUICE_WORKER_METRICS_PORT'])}/metrics`;
    expect(existsSync(join(app, 'dist/workers/main.js'))).toBe(true);
    expect(await lifeOf('dist/workers/main.js', [address], () => Promise.resolve())).toBe(0);
  });
});
