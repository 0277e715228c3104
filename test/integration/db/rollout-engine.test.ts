import { randomUUID } from 'node:crypto';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { migrate, migrationsFolder } from '../../../db/migrate.ts';
import type { LedgerEntry } from '../../../db/rollout-ports.ts';
import type { Verdict } from '../../../domain/verdict.ts';
import { counts, givenModel, openTestRegistry, prediction, race, routingChange, type TestRegistry } from './fixture.ts';

let t: TestRegistry;
beforeAll(async () => {
  t = await openTestRegistry();
});
afterAll(() => t.close());

const verdict = (kind: Verdict['kind'] = 'inconclusive') =>
  ({ kind, reason: `it is ${kind}`, evidence: [], sampleRatio: null }) as unknown as Verdict;

const split = (candidate: number) => [
  { variant: 'champion', version: 1, weightPercent: 100 - candidate } as const,
  { variant: 'candidate', version: 2, weightPercent: candidate } as const,
];

function weightOf({ routes }: LedgerEntry): number {
  return routes.reduce((sum, r) => sum + Math.round(r.weightPercent * 100), 0) / 100;
}

describe('the ledger', () => {
  it('tells who decided and on what evidence, for any time', async () => {
    await givenModel(t.registry, 'books', 2);
    const rolloutId = randomUUID();
    await t.registry.routing.apply(routingChange('books', { by: 'key:ann', reason: 'first version' }));
    const evidence = verdict('healthy');
    const change = { expectedGeneration: 1, rolloutId, routes: split(5), by: 'key:bob', reason: 'step 1', evidence };
    await t.registry.routing.apply(routingChange('books', change));
    await t.registry.routing.apply(routingChange('books', { expectedGeneration: 2, by: 'platform', reason: 'back' }));
    const all = await t.registry.ledger.between('books', new Date(0), new Date('2100-01-01'), 10);
    expect(all.map((e) => [e.generation, e.changedBy, e.reason])).toEqual([
      [1, 'key:ann', 'first version'],
      [2, 'key:bob', 'step 1'],
      [3, 'platform', 'back'],
    ]);
    expect(all[1]).toMatchObject({ rolloutId, routes: split(5), evidence, validTo: all[2]!.validFrom });
    expect(await t.registry.ledger.at('books', all[1]!.validFrom)).toEqual(all[1]);
    expect(await t.registry.ledger.at('books', new Date(all[0]!.validFrom.getTime() - 1))).toBeNull();
    expect(await t.registry.ledger.at('books', new Date('2100-01-01'))).toEqual(all[2]);
    const own = await t.registry.ledger.ofRollout('books', rolloutId);
    expect(own.map((e) => e.generation)).toEqual([2, 3]);
    expect(await t.registry.ledger.ofRollout('books', 'no id')).toEqual([]);
  });

  it('names exactly one generation for any time, with weights that sum to 100, whoever races', async () => {
    await givenModel(t.registry, 'any-time', 2);
    const stores = [t.registry.routing, t.another().routing];
    await t.registry.routing.apply(routingChange('any-time'));
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 0, max: 100 }), { minLength: 2, maxLength: 6 }), async (weights) => {
        const { generation } = (await t.registry.routing.find('any-time'))!;
        // All read the same generation, as rivals do: one wins, and the rest write nothing.
        const { won } = await race(
          weights.map((w, i) =>
            stores[i % 2]!.apply(
              routingChange('any-time', { expectedGeneration: generation, routes: split(w), reason: `to ${w}` }),
            ),
          ),
        );
        expect(won).toHaveLength(1);
      }),
      { numRuns: 15 },
    );
    const all = await t.registry.ledger.between('any-time', new Date(0), new Date('2100-01-01'), 100);
    expect(all.map((e) => e.generation)).toEqual(Array.from({ length: 16 }, (_, i) => i + 1));
    const firstMs = all[0]!.validFrom.getTime();
    const lastMs = all.at(-1)!.validFrom.getTime();
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: firstMs, max: lastMs + 1_000 }), async (ms) => {
        const at = new Date(ms);
        const within = all.filter((e) => e.validFrom <= at && (e.validTo === null || e.validTo > at));
        expect(within).toHaveLength(1);
        expect(weightOf(within[0]!)).toBe(100);
        expect(await t.registry.ledger.at('any-time', at)).toEqual(within[0]);
      }),
      { numRuns: 60 },
    );
  });

  it('keeps its order when the clock was set back', async () => {
    await givenModel(t.registry, 'clock', 1);
    await t.registry.routing.apply(routingChange('clock'));
    await t.sql`update routing_history set valid_from = now() + interval '1 hour' where model = 'clock'`;
    await t.registry.routing.apply(routingChange('clock', { expectedGeneration: 1 }));
    const [first, second] = await t.registry.ledger.between('clock', new Date(0), new Date('2100-01-01'), 10);
    expect(second!.validFrom.getTime()).toBe(first!.validFrom.getTime() + 1);
    expect(first!.validTo).toEqual(second!.validFrom);
  });

  it('is filled from the audit log where routings were applied before there was one', async () => {
    await givenModel(t.registry, 'before', 2);
    await t.registry.routing.apply(routingChange('before', { by: 'ann', reason: 'first' }));
    await t.registry.routing.apply(routingChange('before', { expectedGeneration: 1, routes: split(25), by: 'bob' }));
    const written = await t.registry.ledger.between('before', new Date(0), new Date('2100-01-01'), 10);
    await t.sql`delete from routing_history where model = 'before'`;
    const { readFileSync } = await import('node:fs');
    const file = readFileSync(`${migrationsFolder()}/0003_rollout-engine.sql`, 'utf8');
    await t.sql.unsafe(file.split('--> statement-breakpoint').at(-1)!);
    const filled = await t.registry.ledger.between('before', new Date(0), new Date('2100-01-01'), 10);
    const times = { validFrom: expect.any(Date) as Date };
    expect(filled).toEqual([
      { ...written[0], ...times, validTo: filled[1]!.validFrom },
      { ...written[1], ...times, validTo: null },
    ]);
    await migrate(t.databaseUrl);
  });
});

describe('looks', () => {
  const look = (rolloutId: string, lookAtMs: number, over: object = {}) => ({
    rolloutId,
    lookAtMs,
    step: 0,
    phase: 'running',
    weights: split(5),
    counts: { candidate: { requests: 1, errors: 0, slow: 0, latencySumMs: 1 } },
    verdict: verdict(),
    ...over,
  });

  it('are stored once each, in order', async () => {
    const id = randomUUID();
    const startMs = 1_750_000_000_000;
    await t.registry.looks.record(look(id, startMs));
    await t.registry.looks.record(look(id, startMs + 10_000));
    await t.registry.looks.record(look(id, startMs));
    expect(await t.registry.looks.list(id, 10)).toEqual([look(id, startMs), look(id, startMs + 10_000)]);
    expect(await t.registry.looks.list('no id', 10)).toEqual([]);
  });

  it('are left out when they say nothing new and come close behind another', async () => {
    const id = randomUUID();
    const startMs = 1_750_000_000_000;
    const dayMs = 86_400_000;
    await t.registry.looks.record(look(id, startMs));
    await t.registry.looks.record(look(id, startMs + 500));
    await t.registry.looks.record(look(id, startMs + 3_000, { verdict: verdict('healthy') }));
    await t.registry.looks.record(look(id, startMs + 10 * dayMs));
    // After ten days a look every quarter of an hour is kept.
    await t.registry.looks.record(look(id, startMs + 10 * dayMs + 60_000));
    await t.registry.looks.record(look(id, startMs + 10 * dayMs + 120_000, { step: 1 }));
    const kept = await t.registry.looks.list(id, 10);
    expect(kept.map((l) => l.lookAtMs - startMs)).toEqual([0, 3_000, 10 * dayMs, 10 * dayMs + 120_000]);
  });
});

describe('serving instances', () => {
  it('say what they serve, forget what they no longer serve, and leave', async () => {
    const [a, b] = [randomUUID(), randomUUID()];
    const row = (model: string, seenAtMs: number, generation = 3) => ({
      model,
      generation,
      warmVersions: [1, 2],
      seenAtMs,
    });
    await t.registry.instances.report(a, [row('m1', 1_000), row('m2', 1_000)]);
    await t.registry.instances.report(b, [row('m1', 9_000, 4)]);
    await t.registry.instances.report(a, [row('m1', 8_000, 4)]);
    await t.registry.instances.report(a, [row('m1', 7_000, 3)]);
    expect(await t.registry.instances.serving('m2', 0)).toEqual([]);
    expect(await t.registry.instances.serving('m1', 0)).toHaveLength(2);
    expect(await t.registry.instances.serving('m1', 8_500)).toEqual([{ instance: b, ...row('m1', 9_000, 4) }]);
    expect((await t.registry.instances.serving('m1', 0)).find((i) => i.instance === a)).toMatchObject({
      generation: 4,
      seenAtMs: 8_000,
    });
    await t.registry.instances.leave(b);
    expect(await t.registry.instances.serving('m1', 8_500)).toEqual([]);
  });
});

describe('outcomes', () => {
  it('count once however often they are reported, and say how many predictions they belong to', async () => {
    const known = prediction({ model: 'sales', entityId: 'customer-1' });
    await t.registry.records.savePredictions([known]);
    const byRequest = { model: 'sales', event: 'bought', requestId: known.requestId, entityId: null, occurredAtMs: 1 };
    const byEntity = { ...byRequest, requestId: null, entityId: 'customer-1' };
    const nobody = { ...byEntity, entityId: 'customer-2' };
    const rows = [byRequest, byEntity, nobody].map((r) => ({ ...r, value: 1 }));
    expect(await t.registry.outcomes.save([...rows, ...rows])).toEqual({ matched: 2 });
    expect(await t.registry.outcomes.save([{ ...byRequest, value: 3 }])).toEqual({ matched: 1 });
    const stored = await t.sql<{ value: number; entity_id: string | null }[]>`
      select value, entity_id from outcomes where model = 'sales' order by id`;
    expect(stored.map((r) => [r.value, r.entity_id])).toEqual([
      [3, null],
      [1, 'customer-1'],
      [1, 'customer-2'],
    ]);
  });

  it('are refused as a whole, with everything that is wrong', async () => {
    const bad = { model: 'sales', event: 'x', value: NaN, requestId: null, entityId: null, occurredAtMs: 1 };
    const failure: unknown = await t.registry.outcomes
      .save([bad, { ...bad, value: 1, requestId: 'nonsense' }])
      .catch((e: unknown) => e);
    expect(failure).toMatchObject({
      code: 'invalidInput',
      problems: [
        { field: 'outcomes[0].request_id' },
        { field: 'outcomes[0].value' },
        { field: 'outcomes[1].request_id' },
      ],
    });
  });
});

describe('controls', () => {
  it('stop the line and let it go, audited', async () => {
    expect(await t.registry.controls.stopTheLine()).toMatchObject({ active: false, at: null });
    await t.registry.controls.setStopTheLine(true, 'key:ann', 'quarter end');
    expect(await t.another().controls.stopTheLine()).toMatchObject({ active: true, by: 'key:ann' });
    await t.registry.controls.setStopTheLine(false, 'key:bob', 'over');
    expect(await t.registry.controls.stopTheLine()).toMatchObject({ active: false, by: 'key:bob', reason: 'over' });
    const audit = await t.registry.audit.list({ subject: 'platform', limit: 10 });
    expect(audit.map((e) => e.action)).toEqual(['stopTheLine.off', 'stopTheLine.on']);
  });

  it('keep triggers for their model, or for all of them, once each', async () => {
    const all = { id: randomUUID(), model: null, kind: 'security', reason: 'leak', by: 'key:ann' } as const;
    const one = { ...all, id: randomUUID(), model: 'm1', kind: 'alert' } as const;
    for (const trigger of [all, one, one]) await t.registry.controls.raise(trigger);
    expect((await t.registry.controls.triggers('m1', 0)).map((r) => r.kind)).toEqual(['security', 'alert']);
    expect(await t.registry.controls.triggers('m2', 0)).toMatchObject([{ id: all.id, by: 'key:ann' }]);
    expect(await t.registry.controls.triggers('m1', Date.now() + 60_000)).toEqual([]);
  });
});

describe('webhooks and keys', () => {
  it('keep a webhook sealed, note its deliveries, and remove it', async () => {
    const row = { id: randomUUID(), target: 'https://a.example/…', format: 'standard', createdBy: 'key:ann' } as const;
    await t.registry.webhooks.create({ ...row, sealed: 'opaque', events: ['rollback'] });
    await t.registry.webhooks.note(row.id, 'delivered');
    expect(await t.registry.webhooks.find(row.id)).toMatchObject({ ...row, lastOutcome: 'delivered' });
    expect(await t.registry.webhooks.list()).toHaveLength(1);
    expect(await t.registry.webhooks.remove(row.id, 'key:ann')).toBe(true);
    expect(await t.registry.webhooks.remove(row.id, 'key:ann')).toBe(false);
    expect(await t.registry.webhooks.find('no id')).toBeNull();
    const audit = JSON.stringify(await t.registry.audit.list({ subject: row.target, limit: 10 }));
    expect(audit).toContain('webhook.create');
    expect(audit).not.toContain('opaque');
  });

  it('keep the roles of a key', async () => {
    const key = { id: randomUUID(), name: 'lead', prefix: 'sk_live_aaaa', hash: randomUUID(), permissions: ['admin'] };
    const row = { ...key, permissions: ['admin'], tier: 'unlimited', expiresAt: null, roles: ['techLead'] } as const;
    expect(await t.registry.keys.create(row, 'ann')).toMatchObject({ roles: ['techLead'] });
  });

  it('release a version with who and why', async () => {
    await givenModel(t.registry, 'freed', 1);
    await t.registry.versions.settle('freed', 1, 'quarantined', { by: 'platform', reason: 'rolled back' });
    await t.registry.versions.settle('freed', 1, 'accepted', { by: 'key:ann', reason: 'the data were wrong' });
    const [last] = await t.registry.audit.list({ subject: 'freed', limit: 1 });
    expect(last).toMatchObject({ actor: 'key:ann', reason: 'the data were wrong', details: { status: 'accepted' } });
  });
});

describe('counters of shadows and scores', () => {
  it('are stored once', async () => {
    const rolloutId = randomUUID();
    const shadow = {
      instance: randomUUID(),
      sequence: 1,
      model: 'demo',
      rolloutId,
      version: 2,
      windowStartMs: 1_750_000_000_000,
      pairs: 10,
      disagreements: 1,
      shadowErrors: 0,
      dropped: 2,
      scoreDiffSum: 0.5,
      scoreDiffSumOfSquares: 0.25,
      latencyDiffSumMs: -3,
      latencyDiffSumOfSquaresMs: 9,
    };
    await t.registry.records.saveShadowCounts([shadow, { ...shadow, sequence: 2 }]);
    await t.registry.records.saveShadowCounts([shadow]);
    const [sums] = await t.sql`select sum(pairs)::int as pairs, sum(latency_diff_sum_ms) as ms from shadow_counts
      where rollout_id = ${rolloutId}`;
    expect(sums).toEqual({ pairs: 20, ms: -6 });
    const scoreBins = Array.from({ length: 20 }, (_, i) => i);
    await t.registry.records.saveCounts([counts({ rolloutId, scoreBins }), counts({ rolloutId })]);
    const stored = await t.sql`select score_bins from variant_counts where rollout_id = ${rolloutId} order by 1`;
    expect(stored.map((r) => r['score_bins'] as number[] | null)).toEqual([scoreBins, null]);
  });
});
