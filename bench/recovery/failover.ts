/** Two whole platforms on this machine: the active one is killed, and the standby takes over by itself. */
import { spawn } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { readRegionStatus } from '../../adapters/region-status.ts';
import type { Figure } from '../bench.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const START_TIMEOUT_MS = 300_000;
const FAILOVER_TIMEOUT_MS = 180_000;
const FAILOVER_BAR_S = 60;
const POLL_MS = 100;

/** From the kill of the active region until the standby has proven what it serves and has called the hook. */
export async function measureFailover(log: (line: string) => void): Promise<readonly Figure[]> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-regions-'));
  chmodSync(folder, 0o755);
  mkdirSync(join(folder, 'shared'));
  const hook = join(folder, 'moved');
  const shared = {
    ...process.env,
    SLUICE_CACHE: resolve(ROOT, '.sluice/cache'),
    SLUICE_PORT: '0',
    SLUICE_BACKUP_TARGETS: `file://${join(folder, 'shared')}?name=shared`,
    SLUICE_BACKUP_SIGNING_KEY_FILE: join(folder, 'signing-key.pem'),
    DATABASE_URL: '',
    TEMPORAL_ADDRESS: '',
  };
  const script = 'require("fs").writeFileSync(process.argv[1], "moved")';
  const east = { home: join(folder, 'east'), env: { ...shared, SLUICE_REGION: 'east' } };
  const west = {
    home: join(folder, 'west'),
    env: {
      ...shared,
      SLUICE_REGION: 'west',
      SLUICE_REGION_ROLE: 'standby',
      SLUICE_FAILOVER: 'auto',
      SLUICE_FAILOVER_HOOK: JSON.stringify([process.execPath, '-e', script, hook]),
    },
  };
  try {
    start(east);
    await until('the active region', START_TIMEOUT_MS, () => apiOf(east.home) !== '');
    await run(east, 'backup', 'now');
    start(west);
    const level = (): boolean => (readRegionStatus(west.home)?.standby?.lagSeconds ?? Infinity) < 3;
    await until('the standby to be level', START_TIMEOUT_MS, level);
    log('the standby is level; the active region is killed');
    const startedAt = performance.now();
    kill(east.home);
    await until('the standby to take over', FAILOVER_TIMEOUT_MS, () => existsSync(hook));
    const tookS = (performance.now() - startedAt) / 1000;
    log(`from the kill to proven answers and moved traffic: ${tookS.toFixed(1)} s`);
    return [{ name: 'failover to verified serving', value: tookS, unit: 's', bar: FAILOVER_BAR_S, better: 'lower' }];
  } finally {
    for (const { home } of [east, west]) kill(home);
    await sleep(POLL_MS);
    rmSync(folder, { recursive: true, force: true });
  }
}

interface Home {
  readonly home: string;
  readonly env: NodeJS.ProcessEnv;
}

function start({ home, env }: Home): void {
  const options = { cwd: ROOT, env: { ...env, SLUICE_HOME: home }, stdio: 'ignore' } as const;
  spawn(process.execPath, ['infra/start.mjs', 'up'], options).on('error', () => undefined);
}

async function run({ home, env }: Home, ...args: string[]): Promise<void> {
  const options = { cwd: ROOT, env: { ...env, SLUICE_HOME: home }, stdio: 'ignore' } as const;
  const child = spawn(process.execPath, ['cli/sluice.mjs', ...args], options);
  const code = await new Promise((done) => child.on('close', done));
  if (code !== 0) throw new Error(`sluice ${args.join(' ')} ended with ${String(code)}`);
}

interface State {
  readonly pid: number;
  readonly api: { readonly url: string };
  readonly processes: Readonly<Record<string, number>>;
}

function stateOf(home: string): State | null {
  const file = join(home, 'run', 'platform.json');
  return existsSync(file) ? (JSON.parse(readFileSync(file, 'utf8')) as State) : null;
}

const apiOf = (home: string): string => stateOf(home)?.api.url ?? '';

/** Everything of a platform at once, as a machine that loses its power. */
function kill(home: string): void {
  const state = stateOf(home);
  for (const pid of state === null ? [] : [state.pid, ...Object.values(state.processes)]) {
    try {
      process.kill(pid, 'SIGKILL');
    } catch {
      // It has ended before.
    }
  }
}

async function until(what: string, timeoutMs: number, holds: () => boolean): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (!holds()) {
    if (performance.now() > deadline) throw new Error(`waited ${String(timeoutMs / 1000)} s for ${what}`);
    await sleep(POLL_MS);
  }
}
