/** The real API process on real services. */
import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { inject } from 'vitest';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import { createApiKey } from '../../../api/security/api-key-format.ts';
import type { Permission } from '../../../domain/records.ts';
import { tinyModel } from '../../support/tiny-model.ts';
import { definition, newVersion, openTestRegistry, routingChange, type TestRegistry } from '../db/fixture.ts';

const MAIN = fileURLToPath(new URL('../../../api/main.ts', import.meta.url));
const READY_TIMEOUT_MS = 30_000;

export interface ApiProcess {
  readonly child: ChildProcess;
  readonly url: string;
  readonly home: string;
  readonly logs: () => string;
  readonly key: string;
  readonly t: TestRegistry;
  call(method: string, path: string, body?: unknown): Promise<Response>;
  exited(): Promise<number | null>;
  remove(): Promise<void>;
}

async function makeKey(t: TestRegistry, permissions: readonly Permission[]): Promise<string> {
  const { key, row } = createApiKey('test', permissions);
  await t.registry.keys.create(row, 'test');
  return key;
}

/** A database with one model `m` whose two versions answer 0.1 and 0.2; version 1 serves. */
async function seed(t: TestRegistry, home: string): Promise<void> {
  const artefacts = createFolderArtefactStore(join(home, 'artefacts'));
  await t.registry.models.apply(definition('m'), 'digest', 'test');
  for (const value of [0.1, 0.2]) {
    const { onnx, manifest } = tinyModel({ weights: [0], bias: value, link: 'identity' });
    const artefactDigest = await artefacts.put(onnx);
    const manifestDigest = await artefacts.put(new TextEncoder().encode(JSON.stringify(manifest)));
    const { signature } = manifest;
    const row = { ...newVersion('m', `run-${value}`), artefactDigest, manifestDigest, signature };
    const { version } = await t.registry.versions.register(row);
    await t.registry.versions.settle('m', version, 'accepted');
  }
  await t.registry.versions.setAliases('m', { champion: 1 }, 'test', 'seed');
  await t.registry.routing.apply(routingChange('m'));
}

export async function startApi(environment: Record<string, string> = {}): Promise<ApiProcess> {
  const t = await openTestRegistry();
  const home = await mkdtemp(join(tmpdir(), 'sluice-api-'));
  await seed(t, home);
  const key = await makeKey(t, ['admin']);
  const child = fork(MAIN, {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    env: {
      PATH: process.env['PATH'],
      SLUICE_HOME: home,
      SLUICE_PORT: '0',
      DATABASE_URL: t.databaseUrl,
      TEMPORAL_ADDRESS: inject('TEMPORAL_ADDRESS'),
      ...environment,
    },
  });
  let output = '';
  child.stdout?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  child.stderr?.on('data', (chunk: Buffer) => (output += chunk.toString()));
  const exit = once(child, 'exit').then(([code]) => code as number | null);
  const ready = once(child, 'message', { signal: AbortSignal.timeout(READY_TIMEOUT_MS) });
  const failed = exit.then((code) => Promise.reject(new Error(`ended with ${String(code)}: ${output}`)));
  const [message] = (await Promise.race([ready, failed])) as [{ type: string; port: number }];
  failed.catch(() => undefined);
  const url = `http://127.0.0.1:${message.port}`;
  return {
    child,
    url,
    home,
    logs: () => output,
    key,
    t,
    call: (method, path, body) =>
      fetch(url + path, {
        method,
        headers: { 'x-api-key': key, ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
        ...(body === undefined ? {} : { body: JSON.stringify(body) }),
      }),
    exited: () => exit,
    remove: async () => {
      if (child.exitCode === null && child.signalCode === null) child.kill('SIGKILL');
      await exit;
      await t.close();
      await rm(home, { recursive: true, force: true });
    },
  };
}
