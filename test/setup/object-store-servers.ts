/** Stand-ins for the stores of the clouds, each a server that others wrote: moto and Azurite. */
import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, rename, rm } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { pythonEnvironment, pythonMissing } from './python-environment.ts';
import { testCacheDir } from './temporal-binaries.ts';

const run = promisify(execFile);

const MOTO = ['moto[server,s3]==5.1.4'];
/** The newest that runs on Node 20. With its 186 MB not a dependency of the platform. */
const AZURITE = 'azurite@3.34.0';
const INSTALL_LIMIT_MS = 300_000;
const READY_WITHIN_MS = 60_000;
/** The emulator's account and key, the same for everybody (Microsoft's "well-known storage account"). */
export const AZURITE_ACCOUNT = 'devstoreaccount1';
export const AZURITE_KEY = 'Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==';

export interface StoreServer {
  readonly endpoint: string;
  readonly stop: () => Promise<void>;
}

/** Why moto cannot run here; `null` when they can. */
export const motoMissing = (): Promise<string | null> => pythonMissing('the stand-in for S3');

export async function startMoto(): Promise<StoreServer> {
  const python = await pythonEnvironment('moto-server', MOTO);
  const port = await freePort();
  return started(python, ['-m', 'moto.server', '-H', '127.0.0.1', '-p', String(port)], port, '/moto-api/data.json');
}

/** Why Azurite cannot run here; `null` when it can. Installs it into the cache of the tests the first time. */
export async function azuriteMissing(): Promise<string | null> {
  const folder = join(testCacheDir(), 'azurite');
  if (existsSync(join(folder, 'node_modules/azurite'))) return null;
  await mkdir(testCacheDir(), { recursive: true });
  const draft = await mkdtemp(join(testCacheDir(), '.azurite-'));
  try {
    const npm = process.platform === 'win32' ? 'npm.cmd' : 'npm';
    const install = ['install', '--prefix', draft, '--ignore-scripts', '--no-audit', '--no-fund', AZURITE];
    await run(npm, install, { timeout: INSTALL_LIMIT_MS, maxBuffer: 16 * 1024 * 1024 });
    await rename(draft, folder).catch(() => undefined);
    return null;
  } catch {
    return `the stand-in for Azure Blob needs the npm package ${AZURITE}, and it cannot be installed`;
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
}

export async function startAzurite(): Promise<StoreServer> {
  const program = join(testCacheDir(), 'azurite/node_modules/azurite/dist/src/blob/main.js');
  const location = await mkdtemp(join(tmpdir(), 'azurite-'));
  const port = await freePort();
  const options = ['--blobHost', '127.0.0.1', '--blobPort', String(port), '--location', location];
  const quiet = ['--silent', '--skipApiVersionCheck', '--disableTelemetry'];
  const server = await started(process.execPath, [program, ...options, ...quiet], port, '/');
  return {
    endpoint: `${server.endpoint}/${AZURITE_ACCOUNT}`,
    stop: async () => {
      await server.stop();
      await rm(location, { recursive: true, force: true });
    },
  };
}

async function started(program: string, args: readonly string[], port: number, probe: string): Promise<StoreServer> {
  const child = spawn(program, args, { stdio: ['ignore', 'ignore', 'pipe'], env: { ...process.env, NO_PROXY: '*' } });
  let said = '';
  child.stderr.on('data', (chunk: Buffer) => (said = `${said}${chunk.toString()}`.slice(-4_000)));
  const endpoint = `http://127.0.0.1:${port}`;
  const deadline = Date.now() + READY_WITHIN_MS;
  for (;;) {
    const answers = await fetch(`${endpoint}${probe}`).then(
      () => true,
      () => false,
    );
    if (answers) return { endpoint, stop: () => stop(child) };
    if (child.exitCode !== null || Date.now() > deadline) {
      await stop(child);
      throw new Error(`${program} ${args.join(' ')} did not start: ${said}`);
    }
    await sleep(100);
  }
}

async function stop(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = once(child, 'exit');
  child.kill('SIGKILL');
  await gone;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}
