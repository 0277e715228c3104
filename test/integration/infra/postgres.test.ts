import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { startPostgres, type EmbeddedPostgres } from '../../../infra/embedded/postgres.ts';
import { isRunning, processIdentity } from '../../../infra/processes/identity.ts';
import { startKeeper } from '../../../infra/processes/keeper-client.ts';
import { nodeProgram } from '../../../infra/processes/node-program.ts';

const isRoot = process.getuid?.() === 0;

let home: string;
const running: EmbeddedPostgres[] = [];
let said: string[] = [];
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sluice-pg-'));
  chmodSync(home, 0o755);
  said = [];
});
afterEach(async () => {
  for (const server of running.splice(0)) await server.process.stop();
  rmSync(home, { recursive: true, force: true });
});

async function start(options: Partial<Parameters<typeof startPostgres>[0]> = {}): Promise<EmbeddedPostgres> {
  const started = await startPostgres({ home, keeper: null, port: 0, say: (line) => said.push(line), ...options });
  running.push(started);
  return started;
}

async function query(server: EmbeddedPostgres, statement: string): Promise<readonly Record<string, unknown>[]> {
  const sql = postgres(server.databaseUrl, { max: 1 });
  try {
    return [...(await sql.unsafe(statement))] as Record<string, unknown>[];
  } finally {
    await sql.end();
  }
}

async function occupy(): Promise<{ server: Server; port: number }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  return { server, port: (server.address() as { port: number }).port };
}

describe('the embedded PostgreSQL', () => {
  it('keeps acknowledged rows over a kill -9 and a stale postmaster.pid', async () => {
    const first = await start();
    await query(first, 'create table kept as select 42 as answer');
    process.kill(first.process.pid, 'SIGKILL');
    await first.process.exited;
    expect(existsSync(join(first.dataDir, 'postmaster.pid'))).toBe(true);
    expect(await query(await start(), 'select answer from kept')).toEqual([{ answer: 42 }]);
  });

  it('starts when the number in postmaster.pid belongs to another program by now', async () => {
    const first = await start();
    const file = join(first.dataDir, 'postmaster.pid');
    process.kill(first.process.pid, 'SIGKILL');
    await first.process.exited;
    const stale = readFileSync(file, 'utf8').split('\n');
    stale[0] = String(process.pid);
    writeFileSync(file, stale.join('\n'));
    expect(await query(await start(), 'select 1 as one')).toEqual([{ one: 1 }]);
    expect(said.join('\n')).toContain('stale postmaster.pid');
  });

  it('starts when the killed server is still waiting to be collected', async () => {
    const first = await start();
    const file = join(first.dataDir, 'postmaster.pid');
    process.kill(first.process.pid, 'SIGKILL');
    await first.process.exited;
    // A child that ended and whose parent does not look.
    const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 60'], { stdio: ['ignore', 'pipe', 'ignore'] });
    try {
      const zombie = Number(((await once(parent.stdout, 'data')) as [Buffer])[0].toString());
      await expect.poll(() => isRunning(zombie, processIdentity(zombie) ?? 'none')).toBe(false);
      writeFileSync(file, readFileSync(file, 'utf8').replace(/^\d+/, String(zombie)));
      expect(() => process.kill(zombie, 0)).not.toThrow();
      expect(await query(await start(), 'select 1 as one')).toEqual([{ one: 1 }]);
    } finally {
      parent.kill('SIGKILL');
    }
  });

  it('stops a server that lost its supervisor before it was written down', async () => {
    const first = await start();
    rmSync(join(home, 'run'), { recursive: true });
    const second = await start();
    expect(isRunning(first.process.pid, first.process.identity)).toBe(false);
    expect(said.join('\n')).toContain(`stopping PostgreSQL ${String(first.process.pid)}`);
    expect(await query(second, 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it('takes a free port when its own is busy, and fails with its log when it may not', async () => {
    const { server, port } = await occupy();
    try {
      const started = await start({ port });
      expect(started.port).not.toBe(port);
      expect(said.join('\n')).toContain(`port ${String(port)} is busy`);
      await started.process.stop();
      await expect(start({ port, portFixed: true })).rejects.toThrow(
        /ended while starting[\s\S]*Address already in use/,
      );
    } finally {
      server.close();
    }
  });

  it('keeps its password where only the owner reads it', async () => {
    await start();
    expect(statSync(join(home, 'postgres-password')).mode & 0o777).toBe(0o600);
    expect(existsSync(join(home, 'postgres', 'initdb-password'))).toBe(false);
  });

  it('makes the database again when an earlier start was killed while making it', async () => {
    mkdirSync(join(home, 'postgres', 'data.draft', 'base'), { recursive: true });
    mkdirSync(join(home, 'postgres', 'data'));
    expect(await query(await start(), 'select 1 as one')).toEqual([{ one: 1 }]);
  });

  it.runIf(isRoot)("keeps its data elsewhere, and says so, when root's folder keeps others out", async () => {
    chmodSync(home, 0o700);
    const started = await start();
    try {
      expect(started.dataDir.startsWith('/var/lib/sluice/')).toBe(true);
      expect(said.join('\n')).toContain(started.dataDir.replace(/\/data$/, ''));
      await started.process.stop();
      const again = await start();
      expect(again.dataDir).toBe(started.dataDir);
    } finally {
      for (const server of running.splice(0)) await server.process.stop();
      rmSync(started.dataDir.replace(/\/data$/, ''), { recursive: true, force: true });
    }
  });
});

describe('the keeper', () => {
  it('stops what a killed supervisor left, even when it was killed at once', async () => {
    const module = (path: string) => JSON.stringify(new URL(`../../../infra/${path}`, import.meta.url).href);
    const script = join(home, 'supervisor.mjs');
    writeFileSync(
      script,
      `const { startKeeper } = await import(${module('processes/keeper-client.ts')});
       const { startPostgres } = await import(${module('embedded/postgres.ts')});
       const keeper = startKeeper(${JSON.stringify(join(home, 'logs', 'keeper.log'))});
       const { process: p } = await startPostgres({ home: ${JSON.stringify(home)}, port: 0, keeper });
       process.stdout.write(JSON.stringify({ pid: p.pid, identity: p.identity, keeper: keeper.pid }), () => process.kill(process.pid, 'SIGKILL'));`,
    );
    const tsx = nodeProgram(new URL('file:///supervisor.ts')).slice(0, -1);
    const child = spawn(process.execPath, [...tsx, script], { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const { pid, identity } = JSON.parse(line.toString()) as { pid: number; identity: string };
    await expect.poll(() => isRunning(pid, identity), { timeout: 15_000 }).toBe(false);
    await expect.poll(() => readFileSync(join(home, 'logs', 'keeper.log'), 'utf8')).toMatch(/postgres \d+: SIGINT/);
  });

  it('leaves without a trace when it is released', async () => {
    const keeper = startKeeper(join(home, 'keeper.log'));
    await keeper.release();
    expect(() => process.kill(keeper.pid, 0)).toThrow();
    expect(readFileSync(join(home, 'keeper.log'), 'utf8')).toBe('');
  });
});
