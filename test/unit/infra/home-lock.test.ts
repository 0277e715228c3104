import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockHome } from '../../../infra/platform/home-lock.ts';
import { processIdentity } from '../../../infra/processes/identity.ts';

let home: string;
beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'sluice-lock-'));
  mkdirSync(join(home, 'run'));
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const lockFile = (): string => join(home, 'run', 'lock');

describe('the lock of a home', () => {
  it('lets one in, names its process to the next, and leaves nothing behind', () => {
    const lock = lockHome(home);
    expect(() => lockHome(home)).toThrow(new RegExp(`process ${String(process.pid)}`));
    lock.release();
    expect(readdirSync(join(home, 'run'))).toEqual([]);
    lockHome(home).release();
  });

  it('is taken over from a process that is gone', async () => {
    const child = spawn(process.execPath, ['-e', '']);
    const identity = processIdentity(child.pid!);
    await once(child, 'exit');
    writeFileSync(lockFile(), JSON.stringify({ pid: child.pid, identity }));
    lockHome(home).release();
    expect(existsSync(lockFile())).toBe(false);
  });

  it('is taken over when its number belongs to another process by now', () => {
    writeFileSync(lockFile(), JSON.stringify({ pid: process.pid, identity: 'an earlier one' }));
    lockHome(home).release();
  });

  it('is taken over when it was cut off while it was written', () => {
    writeFileSync(lockFile(), '{"pid":');
    lockHome(home).release();
  });

  it('goes to exactly one of several that find it stale', async () => {
    writeFileSync(lockFile(), JSON.stringify({ pid: process.pid, identity: 'an earlier one' }));
    const module = new URL('../../../infra/platform/home-lock.ts', import.meta.url).href;
    const script = `const { lockHome } = await import(${JSON.stringify(module)});
      process.stdout.write('ready'); await new Promise((r) => process.stdin.once('data', r));
      try { lockHome(${JSON.stringify(home)}); process.stdout.write('taken'); } catch { process.stdout.write('refused'); }
      await new Promise((r) => process.stdin.once('end', r));`;
    const children = Array.from({ length: 4 }, () =>
      spawn(process.execPath, ['--import', 'tsx', '--input-type=module', '-e', script], {
        stdio: ['pipe', 'pipe', 'inherit'],
      }),
    );
    const outputs = children.map(() => '');
    children.forEach((child, i) =>
      child.stdout.on('data', (chunk: Buffer) => (outputs[i] = `${outputs[i] ?? ''}${chunk.toString()}`)),
    );
    await expect.poll(() => outputs.filter((o) => o.startsWith('ready')).length, { timeout: 15_000 }).toBe(4);
    for (const child of children) child.stdin.write('go');
    await expect.poll(() => outputs.filter((o) => /taken|refused/.test(o)).length, { timeout: 10_000 }).toBe(4);
    for (const child of children) child.stdin.end();
    expect(outputs.filter((o) => o.endsWith('taken'))).toHaveLength(1);
  });
});
