import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { afterEach, describe, expect, it } from 'vitest';
import { isRunning, parentOf, processIdentity } from '../../../infra/processes/identity.ts';
import { createStopList } from '../../../infra/processes/stop-list.ts';
import { stopProcess } from '../../../infra/processes/stop.ts';

const started: ChildProcess[] = [];

/** A process that says when it is ready for signals. */
async function node(script: string): Promise<{ pid: number; identity: string }> {
  const child = spawn(process.execPath, ['-e', `${script}; console.log('ready'); setInterval(() => {}, 1000)`], {
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  started.push(child);
  await once(child.stdout, 'data');
  return { pid: child.pid!, identity: processIdentity(child.pid!)! };
}

afterEach(() => {
  for (const child of started.splice(0)) child.kill('SIGKILL');
});

const TERM = { signals: [{ signal: 'SIGTERM', graceMs: 5_000 }] } as const;

describe('the identity of a process', () => {
  it('is its own as long as it runs, and nobody after', async () => {
    const { pid, identity } = await node('');
    expect(isRunning(pid, identity)).toBe(true);
    expect(processIdentity(pid)).toBe(identity);
    expect(parentOf(pid)).toBe(process.pid);
    process.kill(pid, 'SIGKILL');
    await expect.poll(() => isRunning(pid, identity)).toBe(false);
  });

  it('differs between two processes', async () => {
    const other = await node('');
    expect(other.identity).not.toBe(processIdentity(process.pid));
  });
});

describe('stopping a process', () => {
  it('leaves a process alone that inherited the number', async () => {
    const { pid, identity } = await node('');
    expect(await stopProcess(pid, `${identity}0`, TERM)).toBe('gone');
    expect(isRunning(pid, identity)).toBe(true);
  });

  it('kills a process that does not listen within its time', async () => {
    const { pid, identity } = await node(`process.on('SIGTERM', () => {})`);
    expect(await stopProcess(pid, identity, { signals: [{ signal: 'SIGTERM', graceMs: 100 }] })).toBe('SIGKILL');
    expect(isRunning(pid, identity)).toBe(false);
  });

  it('takes the rest of its group with it when it leads one', async () => {
    const child = spawn(
      process.execPath,
      [
        '-e',
        `const c = require('child_process').spawn(process.execPath, ['-e', 'setInterval(() => {}, 1000)']);
         console.log(c.pid); setInterval(() => {}, 1000)`,
      ],
      { detached: true, stdio: ['ignore', 'pipe', 'ignore'] },
    );
    started.push(child);
    const [line] = (await once(child.stdout, 'data')) as [Buffer];
    const grandchild = Number(line.toString());
    const identity = processIdentity(grandchild)!;
    await stopProcess(child.pid!, processIdentity(child.pid!)!, { ...TERM, group: true });
    await expect.poll(() => isRunning(grandchild, identity)).toBe(false);
  });
});

describe('a stop list', () => {
  it('stops in order: one order after the other, equal ones together', async () => {
    const list = createStopList();
    const order: string[] = [];
    for (const [name, at] of [
      ['database', 2],
      ['api', 0],
      ['worker', 1],
      ['second api', 0],
    ] as const)
      list.keep({ name, order: at, stop: TERM, ...(await node('')) });
    await list.stopAll({
      onStop: ({ name }) => order.push(`stop ${name}`),
      onStopped: ({ name }) => order.push(`stopped ${name}`),
    });
    expect(order.slice(0, 2)).toEqual(['stop api', 'stop second api']);
    expect(order.slice(2, 4).sort()).toEqual(['stopped api', 'stopped second api']);
    expect(order.slice(4)).toEqual(['stop worker', 'stopped worker', 'stop database', 'stopped database']);
  });

  it('stops without anybody watching', async () => {
    const list = createStopList();
    const kept = await node('');
    list.keep({ name: 'kept', order: 0, stop: TERM, ...kept });
    await list.stopAll();
    expect(isRunning(kept.pid, kept.identity)).toBe(false);
  });

  it('leaves alone what was forgotten', async () => {
    const list = createStopList();
    const kept = await node('');
    list.keep({ name: 'kept', order: 0, stop: TERM, ...kept });
    list.forget(kept.pid);
    await list.stopAll();
    expect(isRunning(kept.pid, kept.identity)).toBe(true);
  });

  it('stops at once what is started after the stop began', async () => {
    const list = createStopList();
    await list.stopAll();
    const late = await node('');
    list.keep({ name: 'late', order: 0, stop: TERM, ...late });
    await list.stopAll();
    expect(isRunning(late.pid, late.identity)).toBe(false);
  });
});
