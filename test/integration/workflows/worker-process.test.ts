import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, inject, it, onTestFinished } from 'vitest';
import { migrate } from '../../../db/migrate.ts';
import { createTestDatabase, type TestDatabase } from '../../setup/database.ts';
import { testCacheDir } from '../../setup/temporal-binaries.ts';

let database: TestDatabase;
let home: string;
beforeAll(async () => {
  database = await createTestDatabase();
  await migrate(database.databaseUrl);
  home = await mkdtemp(join(tmpdir(), 'sluice-worker-'));
});
afterAll(async () => {
  await database.drop();
  await rm(home, { recursive: true, force: true });
});

function startProcess(change: NodeJS.ProcessEnv = {}): ChildProcess {
  const child = fork(fileURLToPath(new URL('../../../workers/main.ts', import.meta.url)), [], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'pipe', 'inherit', 'ipc'],
    env: {
      ...process.env,
      DATABASE_URL: database.databaseUrl,
      TEMPORAL_ADDRESS: inject('TEMPORAL_ADDRESS'),
      SLUICE_HOME: home,
      SLUICE_CACHE: testCacheDir(),
      SLUICE_TASK_QUEUE: 'worker-process-test',
      ...change,
    },
  });
  onTestFinished(() => void child.kill('SIGKILL'));
  return child;
}

async function log(child: ChildProcess): Promise<string> {
  let text = '';
  for await (const part of child.stdout!) text += String(part);
  return text;
}

describe('the worker process', () => {
  it('says when it is ready, logs JSON lines, and ends in order on SIGTERM', async () => {
    const child = startProcess();
    const lines = log(child);
    expect(await once(child, 'message')).toMatchObject({ 0: { type: 'ready' } });
    child.kill('SIGTERM');
    expect(await once(child, 'exit')).toEqual([0, null]);
    const entries = (await lines)
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line) as { msg: string; level: string });
    expect(entries.map((e) => e.msg)).toEqual(expect.arrayContaining(['ready', 'stopping', 'stopped']));
    expect(entries.filter((e) => e.level === 'error')).toEqual([]);
  });

  it('ends when its supervisor is gone', async () => {
    const child = startProcess();
    child.stdout!.resume();
    await once(child, 'message');
    child.disconnect();
    expect(await once(child, 'exit')).toEqual([0, null]);
  });

  it('does not start on settings it cannot use, and names them', async () => {
    const child = startProcess({ DATABASE_URL: '', TEMPORAL_ADDRESS: 'nowhere' });
    const lines = log(child);
    expect(await once(child, 'exit')).toEqual([1, null]);
    expect(await lines).toContain('TEMPORAL_ADDRESS');
  });
});
