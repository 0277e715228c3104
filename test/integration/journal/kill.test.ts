import { fork } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { Agent, get } from 'node:http';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { linesOf, readFrame } from '../../../api/journal/frame.ts';
import { openTestRegistry, type TestRegistry } from '../db/fixture.ts';
import { givenServedModel, putLoadOn, type Home } from './fixture.ts';

const CHILD = fileURLToPath(new URL('./serving-child.ts', import.meta.url));
const UUID = /^[0-9a-f-]{36}$/;

let t: TestRegistry;
let home: Home;
const children: ChildProcess[] = [];
beforeEach(async () => {
  t = await openTestRegistry();
  home = await givenServedModel(t.registry);
});
afterEach(async () => {
  for (const child of children.splice(0)) if (child.kill('SIGKILL')) await once(child, 'exit');
  await t.close();
  await home.remove();
});

async function startChild(ships: 'yes' | 'no') {
  const child = fork(CHILD, [t.databaseUrl, home.path, ships], { execArgv: ['--import', 'tsx'] });
  children.push(child);
  const [{ port }] = (await once(child, 'message')) as [{ port: number }];
  const agent = new Agent({ keepAlive: true, maxSockets: 32 });
  const ask = () =>
    new Promise<string>((resolve, reject) => {
      get({ host: '127.0.0.1', port, agent }, (response) => {
        let text = '';
        response.setEncoding('utf8').on('data', (part: string) => (text += part));
        response.on('end', () => (UUID.test(text) ? resolve(text) : reject(new Error(`answered "${text}"`))));
        response.on('error', reject);
      }).on('error', reject);
    });
  const kill = async () => {
    const exit = once(child, 'exit');
    child.kill('SIGKILL');
    await exit;
    children.splice(children.indexOf(child), 1);
  };
  return { ask, kill };
}

/** Predicts on 32 connections and kills the process in the middle of it; the ids of all that was answered. */
async function killUnderLoad(ships: 'yes' | 'no', answers: number): Promise<readonly string[]> {
  const child = await startChild(ships);
  const load = putLoadOn(child.ask, 32);
  await vi.waitFor(() => expect(load.answered.length).toBeGreaterThan(answers), { timeout: 30_000, interval: 1 });
  await child.kill();
  await load.stop();
  return load.answered;
}

function idsInJournal(): Set<string> {
  const dir = join(home.path, 'journal');
  const files = readdirSync(dir, { recursive: true }).map(String);
  const ids = new Set<string>();
  for (const file of files.filter((name) => name.endsWith('.jnl'))) {
    const bytes = readFileSync(join(dir, file));
    for (let at = 0; at < bytes.length;) {
      const read = readFrame(bytes, at);
      if (read.kind !== 'frame') break;
      for (const line of linesOf(read.payload)) ids.add((JSON.parse(line) as { request_id: string }).request_id);
      at += read.bytes;
    }
  }
  return ids;
}

const stored = async () =>
  (await t.sql`select request_id as id from predictions`).map((row) => (row as unknown as { id: string }).id);

describe('a serving process killed with -9 under load', () => {
  it('has every answer that anybody got in its journal', async () => {
    const answered = await killUnderLoad('no', 2_000);
    expect(await stored()).toEqual([]);
    const journalled = idsInJournal();
    expect(answered.filter((id) => !journalled.has(id))).toEqual([]);
  });

  it('loses and doubles none: its successors store each answer once, whenever they are killed themselves', async () => {
    const answered: string[] = [];
    for (let round = 0; round < 4; round += 1) answered.push(...(await killUnderLoad('yes', 1_500)));
    await startChild('yes');
    // What was written and not answered before the kill is stored as well: at most one per connection and kill.
    await vi.waitFor(async () => expect((await stored()).length).toBeGreaterThanOrEqual(answered.length), {
      timeout: 30_000,
      interval: 100,
    });
    const ids = await stored();
    const distinct = new Set(ids);
    expect(ids).toHaveLength(distinct.size);
    expect(answered.filter((id) => !distinct.has(id))).toEqual([]);
    expect(ids.length).toBeLessThanOrEqual(answered.length + 4 * 32);
  });
});
