import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PredictOutcome, Serving } from '../../../../api/serving/contract.ts';
import type { Route } from '../../../../domain/routing.ts';
import { ServingWorld } from '../../../support/serving-world.ts';
import { tinyModel } from '../../../support/tiny-model.ts';

type Answer = Extract<PredictOutcome, { ok: true }>;

const champion = (version: number, weightPercent = 100): Route => ({ variant: 'champion', version, weightPercent });
const candidate = (version: number, weightPercent: number): Route => ({ variant: 'candidate', version, weightPercent });
/** Answers `value` for any `x` below 10, so that an answer tells its version. */
const constant = (value: number) => tinyModel({ weights: [0], bias: value, link: 'identity' });

let world: ServingWorld;
beforeEach(async () => {
  world = await ServingWorld.create();
  world.addVersion('m', 1, constant(0.1));
  world.addVersion('m', 2, constant(0.9));
});
afterEach(() => world.destroy());

async function one(serving: Serving, features: unknown = { x: 1 }, entityId: string | null = null): Promise<Answer> {
  const [outcome] = await serving.predict('m', [{ entityId, features }]);
  expect(outcome).toMatchObject({ ok: true });
  return outcome as Answer;
}
const generation = (serving: Serving) => serving.served()[0]?.generation;

describe('a routing change', () => {
  it('is adopted only when the new version is loaded; the old one answers meanwhile', async () => {
    world.route('m', [champion(1)]);
    const serving = await world.started();
    let open!: () => void;
    world.artefactGate = new Promise((resolve) => (open = resolve));
    world.route('m', [champion(1, 0), candidate(2, 100)]);
    await vi.waitFor(() =>
      expect(serving.status().reasons).toEqual([expect.stringMatching(/generation 2 .* being loaded/)]),
    );
    expect(serving.status().ready).toBe(true);
    expect(await one(serving)).toMatchObject({ version: 1, probability: Math.fround(0.1) });
    open();
    await vi.waitFor(() => expect(generation(serving)).toBe(2));
    expect(await one(serving)).toMatchObject({ version: 2, probability: Math.fround(0.9) });
    expect(serving.status()).toMatchObject({ ready: true, reasons: [] });
  });

  it('costs no request under load, and every answer is of the version it names', async () => {
    world.route('m', [champion(1)]);
    const serving = await world.started();
    const stop = new AbortController();
    let answered = 0;
    const client = async () => {
      while (!stop.signal.aborted) {
        const answer = await one(serving);
        expect(answer.probability).toBe(Math.fround(answer.version === 1 ? 0.1 : 0.9));
        answered += 1;
      }
    };
    const clients = Promise.all(Array.from({ length: 16 }, client));
    for (let i = 0; i < 20; i += 1) {
      const table = world.route('m', [champion((i % 2) + 1)]);
      await vi.waitFor(() => expect(generation(serving)).toBe(table.generation), { interval: 1 });
    }
    stop.abort();
    await clients;
    expect(answered).toBeGreaterThan(100);
    expect(world.observed.every((o) => o.status === 'ok')).toBe(true);
  });

  it('keeps a version of weight 0 loaded, and drops one that is no longer routed', async () => {
    world.route('m', [champion(1), candidate(2, 0)]);
    const serving = await world.started();
    expect(world.reads).toBe(4);
    world.route('m', [champion(2)]);
    await vi.waitFor(() => expect(generation(serving)).toBe(2));
    expect(world.reads).toBe(4);
    world.route('m', [champion(1)]);
    await vi.waitFor(() => expect(generation(serving)).toBe(3));
    expect(world.reads).toBe(6);
  });

  it('that cannot be loaded leaves the old routing in force, and is tried again', async () => {
    world.route('m', [champion(1)]);
    const serving = await world.started();
    world.route('m', [champion(7)]);
    await vi.waitFor(() => expect(serving.status().reasons[0]).toMatch(/no version 7 of m; next try in 1 s/));
    expect(serving.status().ready).toBe(true);
    expect(await one(serving)).toMatchObject({ version: 1 });
    world.addVersion('m', 7, constant(0.7));
    await vi.waitFor(() => expect(generation(serving)).toBe(2), { timeout: 5000 });
    expect(await one(serving)).toMatchObject({ version: 7 });
  });

  it('with an older generation is ignored', async () => {
    world.route('m', [champion(1)], { generation: 5 });
    const serving = await world.started();
    world.route('m', [champion(2)], { generation: 4 });
    world.route('other', [champion(1)]);
    await vi.waitFor(() => expect(serving.status().reasons[0]).toMatch(/other/));
    expect(generation(serving)).toBe(5);
    expect(await one(serving)).toMatchObject({ version: 1 });
  });

  it('is seen by the poll when its notification was lost', async () => {
    world.route('m', [champion(1)]);
    const routing = { ...world.deps().routing, listen: () => Promise.reject(new Error('no connection')) };
    const serving = await world.started({ routing });
    world.route('m', [champion(2)]);
    await vi.waitFor(() => expect(generation(serving)).toBe(2), { timeout: 5000 });
  });
});

describe('the policy of a model', () => {
  const constantFallback = { fallback: { kind: 'constant', probability: 0.3 }, cache: null, previous: null } as const;
  const previousFallback = { fallback: { kind: 'previous' }, cache: null, previous: 1 } as const;

  it('keeps the version before loaded where it is the fallback, and lets go of it when it is not any more', async () => {
    world.route('m', [champion(2)], { policy: previousFallback });
    const serving = await world.started();
    expect(world.reads).toBe(4);
    expect(serving.served()[0]?.routes.map((r) => r.version)).toEqual([2]);
    // Of the same generation: nobody changed the routing.
    world.route('m', [champion(2)], { policy: constantFallback, generation: 1 });
    world.route('other', [champion(7)]);
    await vi.waitFor(() => expect(serving.status().reasons[0]).toMatch(/other/));
    world.route('m', [champion(2)], { policy: previousFallback, generation: 1 });
    await vi.waitFor(() => expect(world.reads).toBe(6));
    expect(generation(serving)).toBe(1);
  });

  it('does not keep the champion from answering when the version before cannot be loaded', async () => {
    world.route('m', [champion(2)], { policy: { ...previousFallback, previous: 7 } });
    const serving = await world.started();
    expect(serving.status().ready).toBe(true);
    expect(await one(serving)).toMatchObject({ version: 2 });
    expect(world.logged).toContain('the version to fall back to could not be loaded');
  });

  it('holds after a restart without the database, the version before included', async () => {
    world.route('m', [champion(2)], { policy: previousFallback });
    await (await world.started()).close();
    world.databaseAway = true;
    const readsBefore = world.reads;
    const serving = await world.started();
    expect(await one(serving)).toMatchObject({ version: 2 });
    expect(world.reads - readsBefore).toBe(4);
  });
});

describe('an outage of the database', () => {
  it('leaves predictions alone and is told in the status', async () => {
    world.route('m', [champion(1)]);
    const serving = await world.started();
    world.databaseAway = true;
    world.notify();
    await vi.waitFor(() => expect(serving.status().reasons[0]).toMatch(/cannot be read: the database is away/));
    expect(serving.status().ready).toBe(true);
    expect(await one(serving)).toMatchObject({ version: 1 });
    world.databaseAway = false;
    await serving.close();
    expect(world.saved).toHaveLength(1);
  });

  it('at the start is bridged by the routing saved at the last run, until the database is back', async () => {
    world.route('m', [champion(1, 25), candidate(2, 75)]);
    const first = await world.started();
    await first.close();
    world.databaseAway = true;
    const second = await world.started();
    expect(second.status().ready).toBe(true);
    expect(second.served()[0]?.routes.map((r) => [r.version, r.weightPercent])).toEqual([
      [1, 25],
      [2, 75],
    ]);
    await one(second);
    world.databaseAway = false;
    world.route('m', [champion(2)]);
    await vi.waitFor(() => expect(generation(second)).toBe(2));
    expect(second.status()).toMatchObject({ ready: true, reasons: [] });
  });

  it('at the first start, or with a damaged file, is no crash but a reason', async () => {
    world.databaseAway = true;
    const serving = await world.started();
    expect(serving.status()).toMatchObject({ ready: false, reasons: [expect.stringMatching(/cannot be read/)] });
    await expect(serving.predict('m', [])).rejects.toMatchObject({ code: 'unavailable' });
    await writeFile(join(world.home, 'routing.json'), '{"formatVersion":1,"tables":[{}]}');
    expect((await world.started()).status().ready).toBe(false);
    expect(world.logged).toContain('the saved routing is unusable');
  });

  it('finds a whole file after every change', async () => {
    world.route('m', [champion(1)]);
    const serving = await world.started();
    for (let i = 0; i < 5; i += 1) {
      const table = world.route('m', [champion((i % 2) + 1)]);
      await vi.waitFor(() => expect(generation(serving)).toBe(table.generation));
    }
    await serving.close();
    const saved = JSON.parse(await readFile(join(world.home, 'routing.json'), 'utf8'));
    expect(saved.tables).toEqual([world.tables.get('m')]);
    expect(saved.addresses).toEqual([
      { model: 'm', version: 1, manifestDigest: world.versions.get('m/1')!.manifestDigest },
    ]);
  });
});
