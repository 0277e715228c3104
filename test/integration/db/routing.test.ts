import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { NO_SERVING_POLICY } from '../../../domain/serving-policy.ts';
import { definition, givenModel, openTestRegistry, race, routingChange, type TestRegistry } from './fixture.ts';

let t: TestRegistry;
beforeAll(async () => {
  t = await openTestRegistry();
});
afterAll(() => t.close());

describe('routing.apply', () => {
  it('starts at generation 1 and grows by one with every change', async () => {
    await givenModel(t.registry, 'grow', 2);
    expect(await t.registry.routing.find('grow')).toBeNull();
    const rolloutId = randomUUID();
    const first = await t.registry.routing.apply(routingChange('grow'));
    expect(first).toMatchObject({ generation: 1, rolloutId: null });
    const routes = [
      { variant: 'champion', version: 1, weightPercent: 99.99 },
      { variant: 'candidate', version: 2, weightPercent: 0.01 },
    ] as const;
    const change = routingChange('grow', { expectedGeneration: 1, rolloutId, routes, salt: 'new', slowMs: 33.3 });
    const second = await t.registry.routing.apply(change);
    expect(second).toEqual({ model: 'grow', generation: 2, rolloutId, routes, salt: 'new', slowMs: 33.3 });
    expect(await t.registry.routing.find('grow')).toEqual(second);
    expect(await t.registry.routing.all()).toContainEqual({ ...second, policy: NO_SERVING_POLICY });
  });

  it('is read with what its definition says of serving, and with the version before', async () => {
    await givenModel(t.registry, 'policy', 2);
    await t.registry.routing.apply(routingChange('policy'));
    const fallback = { kind: 'constant', probability: 0.27 } as const;
    const cache = { ttlMs: 1_000, maxEntries: 5 };
    await t.registry.models.apply({ ...definition('policy'), fallback, cache }, 'another digest', 'ann');
    await t.registry.versions.setAliases('policy', { champion: 2, previous: 1 }, 'ann', 'change');
    const found = (await t.registry.routing.all()).filter(({ model }) => model === 'policy');
    expect(found).toMatchObject([{ generation: 1, policy: { fallback, cache, previous: 1 } }]);
  });

  it.each([0, 1])('lets exactly one of many writers at generation %i win', async (expectedGeneration) => {
    const model = `race-${expectedGeneration}`;
    await givenModel(t.registry, model, 1);
    if (expectedGeneration === 1) await t.registry.routing.apply(routingChange(model));
    const stores = [t.registry.routing, t.another().routing, t.another().routing];
    const writers = Array.from({ length: 12 }, (_, i) =>
      stores[i % 3]!.apply(routingChange(model, { expectedGeneration, salt: `of ${i}` })),
    );
    const { won, lost } = await race(writers);
    expect(won).toHaveLength(1);
    expect(await t.registry.routing.find(model)).toEqual(won[0]);
    expect(lost).toHaveLength(11);
    for (const error of lost) expect(error).toMatchObject({ code: 'conflict', message: /generation \d, not \d/ });
    const audit = await t.registry.audit.list({ subject: model, limit: 100 });
    expect(audit.filter((e) => e.action === 'routing.apply')).toHaveLength(expectedGeneration + 1);
  });

  it('takes the same change again as a success, at the same time and after later changes', async () => {
    await givenModel(t.registry, 'again', 1);
    const change = routingChange('again');
    const other = t.another().routing;
    const { won } = await race([t.registry.routing, other, other].map((r) => r.apply(change)));
    expect(won).toHaveLength(3);
    const later = await t.registry.routing.apply(routingChange('again', { expectedGeneration: 1 }));
    // The table as this change wrote it: its writer must not believe that generation 2 is its own.
    expect(await t.registry.routing.apply(change)).toEqual(won[0]);
    expect(await t.registry.routing.find('again')).toEqual(later);
  });

  it('refuses versions that do not exist, with nothing changed', async () => {
    await givenModel(t.registry, 'absent', 1);
    const routes = [{ variant: 'champion', version: 5, weightPercent: 100 }] as const;
    const failed = t.registry.routing.apply(routingChange('absent', { routes }));
    await expect(failed).rejects.toMatchObject({ code: 'notFound', message: /no version 5/ });
    expect(await t.registry.routing.find('absent')).toBeNull();
    await expect(t.registry.routing.apply(routingChange('nobody'))).rejects.toMatchObject({ code: 'notFound' });
  });

  it.each([
    ['weights that do not sum to 100', { routes: [{ variant: 'champion', version: 1, weightPercent: 99 }] }, 'routes'],
    ['no route at all', { routes: [] }, 'routes'],
    ['a variant twice', { routes: Array(2).fill({ variant: 'champion', version: 1, weightPercent: 50 }) }, 'routes'],
    [
      'a negative weight',
      {
        routes: [
          { variant: 'champion', version: 1, weightPercent: 110 },
          { variant: 'candidate', version: 1, weightPercent: -10 },
        ],
      },
      'routes[0].weightPercent',
    ],
    ['a limit of zero', { slowMs: 0 }, 'slowMs'],
    ['a weight that is no number', { routes: [{ variant: 'champion', version: 1, weightPercent: NaN }] }, 'routes'],
  ] as const)('refuses %s', async (_, over, field) => {
    await givenModel(t.registry, 'invalid', 1);
    await expect(t.registry.routing.apply(routingChange('invalid', over))).rejects.toMatchObject({
      code: 'invalidInput',
      problems: expect.arrayContaining([expect.objectContaining({ field })]),
    });
  });

  it('accepts every split of 100 in steps of 0.01', async () => {
    await givenModel(t.registry, 'splits', 2);
    let expectedGeneration = 0;
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 0, max: 10_000 }), async (hundredths) => {
        const weight = hundredths / 100;
        const routes = [
          { variant: 'champion', version: 1, weightPercent: 100 - weight },
          { variant: 'candidate', version: 2, weightPercent: weight },
        ] as const;
        const table = await t.registry.routing.apply(routingChange('splits', { expectedGeneration, routes }));
        expectedGeneration = table.generation;
        expect(table.routes).toEqual(routes);
      }),
      { numRuns: 25 },
    );
  });
});

describe('routing.listen', () => {
  it('calls every listener on changes from any process, until it is told to stop', async () => {
    await givenModel(t.registry, 'heard', 1);
    const other = t.another();
    const calls = { a: 0, b: 0 };
    const stopA = await t.registry.routing.listen(() => void (calls.a += 1));
    const stopB = await t.registry.routing.listen(() => void (calls.b += 1));
    const before = { ...calls };
    await other.routing.apply(routingChange('heard'));
    await vi.waitFor(() => expect(calls).toEqual({ a: before.a + 1, b: before.b + 1 }));
    await stopA();
    await stopA();
    await other.routing.apply(routingChange('heard', { expectedGeneration: 1 }));
    await vi.waitFor(() => expect(calls.b).toBe(before.b + 2));
    expect(calls.a).toBe(before.a + 1);
    await stopB();
  });

  it('hears nothing of a change that was refused', async () => {
    await givenModel(t.registry, 'refused', 1);
    const heard: string[] = [];
    const stop = await t.registry.routing.listen(() => heard.push('x'));
    const before = heard.length;
    const conflict = t.registry.routing.apply(routingChange('refused', { expectedGeneration: 4 }));
    await expect(conflict).rejects.toMatchObject({ code: 'conflict' });
    await t.registry.routing.apply(routingChange('refused'));
    await vi.waitFor(() => expect(heard.length).toBeGreaterThan(before));
    expect(heard).toHaveLength(before + 1);
    await stop();
  });
});
