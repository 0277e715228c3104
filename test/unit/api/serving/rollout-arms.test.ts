import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunningServing } from '../../../../api/serving/create-serving.ts';
import type { InstanceRow } from '../../../../db/rollout-ports.ts';
import type { Route } from '../../../../domain/routing.ts';
import { ServingWorld } from '../../../support/serving-world.ts';
import { tinyModel } from '../../../support/tiny-model.ts';

const constant = (value: number, extra: Parameters<typeof tinyModel>[0] = {}) =>
  tinyModel({ weights: [0], bias: value, link: 'identity', ...extra });
const champion = (version: number, weightPercent = 100): Route => ({ variant: 'champion', version, weightPercent });
const shadow = (version: number, mirrorPercent = 100): Route => ({
  variant: 'shadow',
  version,
  weightPercent: 0,
  mirrorPercent,
});
const ROLLOUT = '00000000-0000-4000-8000-000000000001';

let world: ServingWorld;
beforeEach(async () => {
  world = await ServingWorld.create();
  world.addVersion('m', 1, constant(0.1));
  world.addVersion('m', 2, constant(0.9));
});
afterEach(() => world.destroy());

/** Alone and in batches: the two ways of a row. */
async function ask(serving: RunningServing, rows: number): Promise<void> {
  const request = (i: number) => ({ entityId: `e-${i}`, features: { x: 1 } });
  for (let i = 0; i < rows; i += 2) {
    const alone = new Promise<void>((resolve, reject) => {
      serving.predictOne?.('m', request(i), { onOutcome: () => resolve(), onError: reject });
    });
    await Promise.all([alone, serving.predict('m', [request(i + 1)])]);
  }
}

const settled = (check: () => void) => vi.waitFor(check, { timeout: 5_000, interval: 20 });

describe('a baseline', () => {
  it('is the version of the champion, counted apart, with scores by bin', async () => {
    world.addVersion('m', 3, constant(0.125));
    world.addVersion('m', 4, constant(0.875));
    const routes: Route[] = [
      champion(3, 20),
      { variant: 'baseline', version: 3, weightPercent: 40 },
      { variant: 'candidate', version: 4, weightPercent: 40 },
    ];
    world.route('m', routes, { rolloutId: ROLLOUT });
    const serving = await world.started();
    await ask(serving, 200);
    await serving.close();
    const sum = (variant: string) =>
      world.counts.filter((row) => row.variant === variant).reduce((n, row) => n + row.requests, 0);
    expect(sum('baseline') + sum('candidate') + sum('champion')).toBe(200);
    expect(sum('baseline')).toBeGreaterThan(50);
    expect(sum('candidate')).toBeGreaterThan(50);
    for (const row of world.counts) {
      const bin = row.variant === 'candidate' ? 17 : 2;
      expect(row.scoreBins).toHaveLength(20);
      expect(row.scoreBins?.[bin]).toBe(row.requests);
    }
    expect(new Set(world.saved.filter((r) => r.variant === 'baseline').map((r) => r.version))).toEqual(new Set([3]));
  });
});

describe('a shadow', () => {
  it('is asked what clients were answered, and answers none of them', async () => {
    world.route('m', [champion(1), shadow(2)], { rolloutId: ROLLOUT });
    const serving = await world.started();
    await ask(serving, 40);
    await settled(() => expect(world.pairs.reduce((n, row) => n + row.pairs, 0)).toBe(40));
    await serving.close();
    expect(new Set(world.saved.map((r) => r.variant))).toEqual(new Set(['champion']));
    const total = (key: 'disagreements' | 'shadowErrors' | 'scoreDiffSum') =>
      world.pairs.reduce((n, row) => n + row[key], 0);
    expect(total('disagreements')).toBe(40);
    expect(total('shadowErrors')).toBe(0);
    expect(total('scoreDiffSum')).toBeCloseTo(32, 4);
    expect(world.pairs[0]).toMatchObject({ model: 'm', rolloutId: ROLLOUT, version: 2 });
  });

  it('gets the share of the requests that its route names', async () => {
    world.route('m', [champion(1), shadow(2, 25)], { rolloutId: ROLLOUT });
    const serving = await world.started();
    await ask(serving, 400);
    await serving.close();
    const pairs = world.pairs.reduce((n, row) => n + row.pairs, 0);
    expect(pairs).toBeGreaterThan(50);
    expect(pairs).toBeLessThan(150);
  });

  it('that fails is its own fault alone: clients are answered, the errors are counted', async () => {
    world.addVersion('m', 3, constant(5));
    world.route('m', [champion(1), shadow(3)], { rolloutId: ROLLOUT });
    const serving = await world.started();
    await ask(serving, 10);
    await settled(() => expect(world.pairs.reduce((n, row) => n + row.shadowErrors, 0)).toBe(10));
    expect(world.saved.length + serving.status().recordsQueued).toBe(10);
    expect(serving.served()[0]?.routes.find((r) => r.variant === 'champion')?.counts.errors).toBe(0);
  });

  it('that cannot be loaded does not keep the routing from being adopted', async () => {
    world.route('m', [champion(1), shadow(99)], { rolloutId: ROLLOUT });
    const serving = await world.started();
    await ask(serving, 4);
    expect(serving.status().ready).toBe(true);
    await settled(() => expect(world.pairs.reduce((n, row) => n + row.shadowErrors, 0)).toBe(4));
  });

  it('is left out where too many copies wait, which is counted', async () => {
    world.route('m', [champion(1), shadow(2)], { rolloutId: ROLLOUT });
    const serving = await world.started();
    const rows = Array.from({ length: 2_000 }, (_, i) => ({ entityId: `e-${i}`, features: { x: 1 } }));
    await serving.predict('m', rows);
    await settled(() => expect(world.pairs.reduce((n, row) => n + row.pairs + row.dropped, 0)).toBe(2_000));
    expect(world.pairs.reduce((n, row) => n + row.dropped, 0)).toBeGreaterThan(1_000);
  });
});

describe('the report of a process', () => {
  it('names the generation it serves and what it holds warm, at once after a change', async () => {
    const reported: Omit<InstanceRow, 'instance'>[][] = [];
    const left: string[] = [];
    const instances = {
      report: (_: string, rows: readonly Omit<InstanceRow, 'instance'>[]) => {
        reported.push([...rows]);
        return Promise.resolve();
      },
      leave: (instance: string) => {
        left.push(instance);
        return Promise.resolve();
      },
    };
    world.route('m', [champion(1)]);
    const serving = await world.started({ instances });
    await settled(() => expect(reported.at(-1)).toMatchObject([{ model: 'm', generation: 1, warmVersions: [1] }]));
    world.route('m', [champion(1, 95), { variant: 'candidate', version: 2, weightPercent: 5 }]);
    await settled(() => expect(reported.at(-1)).toMatchObject([{ generation: 2, warmVersions: [1, 2] }]));
    await serving.close();
    expect(left).toHaveLength(1);
  });
});
