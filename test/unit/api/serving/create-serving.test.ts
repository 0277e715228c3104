import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PredictOutcome, Serving } from '../../../../api/serving/contract.ts';
import type { Route } from '../../../../domain/routing.ts';
import { ServingWorld } from '../../../support/serving-world.ts';
import { numberFeature, tinyModel } from '../../../support/tiny-model.ts';

type Answer = Extract<PredictOutcome, { ok: true }>;

const champion = (version: number, weightPercent = 100): Route => ({ variant: 'champion', version, weightPercent });
const candidate = (version: number, weightPercent: number): Route => ({ variant: 'candidate', version, weightPercent });
/** Answers `value` for any `x` below 10, so that an answer tells its version. */
const constant = (value: number, extra: Parameters<typeof tinyModel>[0] = {}) =>
  tinyModel({ weights: [0], bias: value, link: 'identity', ...extra });

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

describe('a prediction', () => {
  it('carries probability, label, risk, version and variant, and is recorded as it was answered', async () => {
    world.addVersion('m', 3, tinyModel({ signature: { threshold: 0.4, risk: { medium: 0.2, high: 0.6 } } }));
    world.route('m', [champion(3)]);
    const serving = await world.started();
    const answer = await one(serving, { x: 0 }, 'customer-1');
    expect(answer).toMatchObject({ model: 'm', version: 3, variant: 'champion', probability: 0.5, threshold: 0.4 });
    expect(answer).toMatchObject({ label: 'yes', risk: 'medium', warnings: [] });
    expect(answer.requestId).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4/);
    expect(answer.latencyMs).toBeGreaterThan(0);
    expect(await one(serving, { x: -5 })).toMatchObject({ label: 'no', risk: 'low' });
    expect(await one(serving, { x: 5 })).toMatchObject({ label: 'yes', risk: 'high' });
    await serving.close();
    const { requestId, probability, label, risk, latencyMs } = answer;
    expect(world.saved).toHaveLength(3);
    expect(world.saved[0]).toMatchObject({ requestId, probability, label, risk, latencyMs, version: 3 });
    expect(world.saved[0]).toMatchObject({ model: 'm', entityId: 'customer-1', features: { x: 0 }, rolloutId: null });
    expect(world.observed).toEqual(Array(3).fill({ version: 3, variant: 'champion', status: 'ok' }));
  });

  it('refuses wrong input, which counts against nobody', async () => {
    world.route('m', [champion(1)]);
    const serving = await world.started();
    const [outcome] = await serving.predict('m', [{ entityId: null, features: { x: '1', y: 2 } }]);
    expect(outcome).toMatchObject({ ok: false, problems: [{ field: 'features.x' }, { field: 'features.y' }] });
    expect(outcome).not.toHaveProperty('code');
    expect(serving.served()[0]?.routes[0]?.counts).toMatchObject({ requests: 0, errors: 0 });
    expect(world.observed).toEqual([{ version: 1, variant: 'champion', status: 'invalid' }]);
    await serving.close();
    expect(world.saved).toEqual([]);
    expect(world.counts).toEqual([]);
  });

  it('answers a batch in order, the refused rows among the others, by both versions', async () => {
    world.addVersion('m', 3, tinyModel({ link: 'identity', features: [numberFeature('x')] }));
    world.addVersion('m', 4, tinyModel({ link: 'identity', features: [numberFeature('x')] }));
    world.route('m', [champion(3, 50), candidate(4, 50)]);
    const serving = await world.started();
    const xs = Array.from({ length: 600 }, (_, i) => i / 1000);
    const outcomes = await serving.predict(
      'm',
      xs.map((x, i) => ({ entityId: `e${i}`, features: i % 7 === 0 ? { x: 'no' } : { x } })),
    );
    for (const [i, outcome] of outcomes.entries()) {
      if (i % 7 === 0) expect(outcome.ok).toBe(false);
      else expect(outcome).toMatchObject({ ok: true, probability: Math.fround(xs[i]!) });
    }
    const versions = new Set(outcomes.flatMap((o) => (o.ok ? [o.version] : [])));
    expect([...versions].sort()).toEqual([3, 4]);
    expect(new Set(outcomes.flatMap((o) => (o.ok ? [o.requestId] : []))).size).toBe(514);
    expect(await serving.predict('m', [])).toEqual([]);
  });

  it('stays with one version for an entity, in single calls and in batches', async () => {
    world.route('m', [champion(1, 50), candidate(2, 50)]);
    const serving = await world.started();
    const entities = Array.from({ length: 50 }, (_, i) => `customer-${i}`);
    const singles = await Promise.all(entities.map((id) => one(serving, { x: 1 }, id)));
    const batch = await serving.predict(
      'm',
      entities.map((entityId) => ({ entityId, features: { x: 1 } })),
    );
    expect(batch.map((o) => o.ok && o.version)).toEqual(singles.map((a) => a.version));
    expect(new Set(singles.map((a) => a.variant)).size).toBe(2);
  });

  it('waits for nothing: with a database that never answers it is answered all the same', async () => {
    world.route('m', [champion(1)]);
    const never = new Promise<never>(() => undefined);
    const records = { savePredictions: () => never, saveCounts: () => never, saveShadowCounts: () => never };
    const serving = await world.started({ records, closeLimitMs: 50 });
    for (let i = 0; i < 600; i += 1) await one(serving);
    expect(serving.status().recordsQueued).toBe(600);
  });

  it('names what is wrong with the model asked for', async () => {
    const empty = await world.started();
    await expect(empty.predict(null, [])).rejects.toMatchObject({ code: 'unavailable' });
    await expect(empty.predict('m', [])).rejects.toMatchObject({ code: 'notFound' });
    world.addVersion('other', 1, constant(0.5));
    world.route('m', [champion(1)]);
    const serving = await world.started();
    expect(await serving.predict(null, [{ entityId: null, features: { x: 1 } }])).toMatchObject([{ model: 'm' }]);
    world.route('other', [champion(1)]);
    await vi.waitFor(() => expect(serving.served()).toHaveLength(2));
    await expect(serving.predict('none', [])).rejects.toMatchObject({
      code: 'notFound',
      problems: [{ field: 'model', allowed: ['m', 'other'] }],
    });
    await expect(serving.predict(null, [])).rejects.toMatchObject({
      code: 'malformedRequest',
      problems: [{ allowed: ['m', 'other'] }],
    });
    const cold = world.serving();
    await expect(cold.predict('m', [])).rejects.toMatchObject({ code: 'unavailable' });
  });
});

describe('a version that fails', () => {
  const failing = () => constant(0.9, { failsFrom: 10 });
  beforeEach(() => world.addVersion('m', 3, failing()));

  it('as candidate is answered for by the champion, and the failure counts against it', async () => {
    world.route('m', [champion(1, 0), candidate(3, 100)]);
    const serving = await world.started();
    expect(await one(serving, { x: 1 })).toMatchObject({ version: 3, variant: 'candidate' });
    expect(await one(serving, { x: 50 })).toMatchObject({ version: 1, variant: 'champion' });
    const counts = serving.served()[0]!.routes.map((r) => [r.variant, r.counts.requests, r.counts.errors]);
    expect(counts).toEqual([
      ['champion', 1, 0],
      ['candidate', 2, 1],
    ]);
    expect(world.observed.map((o) => o.status)).toEqual(['ok', 'error', 'ok']);
    expect(world.logged).toContain('a version failed to answer');
  });

  it('as champion makes the prediction unavailable', async () => {
    world.route('m', [champion(3)]);
    const serving = await world.started();
    await expect(serving.predict('m', [{ entityId: null, features: { x: 50 } }])).rejects.toMatchObject({
      code: 'unavailable',
    });
    expect(serving.served()[0]!.routes[0]!.counts).toMatchObject({ requests: 1, errors: 1 });
    await serving.close();
    expect(world.saved).toEqual([]);
    expect(world.counts).toMatchObject([{ requests: 1, errors: 1, variant: 'champion', version: 3 }]);
  });

  it('fails no other caller of the same run', async () => {
    world.route('m', [champion(3)]);
    const serving = await world.started();
    const calls = [1, 50, 2].map((x) => serving.predict('m', [{ entityId: null, features: { x } }]));
    const settled = await Promise.allSettled(calls);
    expect(settled.map((s) => s.status)).toEqual(['fulfilled', 'rejected', 'fulfilled']);
  });

  it('leaves the rows of a batch that others answered', async () => {
    world.route('m', [champion(3, 50), candidate(1, 50)]);
    const serving = await world.started();
    const outcomes = await serving.predict(
      'm',
      Array.from({ length: 40 }, (_, i) => ({ entityId: `e${i}`, features: { x: 50 } })),
    );
    const answered = outcomes.filter((o) => o.ok);
    for (const o of outcomes) expect(o).toMatchObject(o.ok ? { version: 1 } : { code: 'unavailable' });
    expect(answered.length).toBeGreaterThan(0);
    expect(answered.length).toBeLessThan(40);
  });

  it('counts an answer that is no probability as an error', async () => {
    world.addVersion('m', 4, constant(1.5));
    world.route('m', [champion(1, 0), candidate(4, 100)]);
    const serving = await world.started();
    expect(await one(serving)).toMatchObject({ version: 1 });
    expect(serving.served()[0]!.routes[1]!.counts).toMatchObject({ requests: 1, errors: 1 });
  });
});
