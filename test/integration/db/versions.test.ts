import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  definition,
  evaluation,
  givenModel,
  newVersion,
  openTestRegistry,
  performance,
  type TestRegistry,
} from './fixture.ts';

let t: TestRegistry;
beforeAll(async () => {
  t = await openTestRegistry();
});
afterAll(() => t.close());

const auditOf = async (subject: string) =>
  (await t.registry.audit.list({ subject, limit: 100 })).map((e) => e.action).reverse();

describe('models', () => {
  it('creates, replaces and finds a definition, and writes the audit only for a change', async () => {
    const { models } = t.registry;
    expect(await models.find('apply')).toBeNull();
    const first = await models.apply(definition('apply', 'one'), 'digest 1', 'ann');
    expect(await models.apply(definition('apply', 'one'), 'digest 1', 'ann')).toEqual(first);
    await models.apply(definition('apply', 'two'), 'digest 2', 'bob');
    expect(await models.find('apply')).toMatchObject({
      definition: definition('apply', 'two'),
      definitionDigest: 'digest 2',
    });
    expect((await models.list()).map((m) => m.name)).toContain('apply');
    const entries = await t.registry.audit.list({ subject: 'apply', limit: 10 });
    expect(entries.map((e) => [e.actor, e.details])).toEqual([
      ['bob', { digest: 'digest 2', previousDigest: 'digest 1' }],
      ['ann', { digest: 'digest 1', previousDigest: null }],
    ]);
  });

  it('survives the same new model from several processes at once', async () => {
    const others = [t.registry, t.another(), t.another()];
    const rows = await Promise.all(others.map((r) => r.models.apply(definition('twins'), 'digest', 'ann')));
    expect(new Set(rows.map((r) => r.definitionDigest))).toEqual(new Set(['digest']));
  });
});

describe('versions', () => {
  it('numbers versions from 1 without gaps when many register at once', async () => {
    await givenModel(t.registry, 'numbers', 0);
    const stores = [t.registry.versions, t.another().versions];
    const registered = await Promise.all(
      Array.from({ length: 20 }, (_, i) => stores[i % 2]!.register(newVersion('numbers', `numbers-${i}`))),
    );
    expect(registered.map((v) => v.version).sort((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, i) => i + 1));
    const listed = await t.registry.versions.list('numbers', 5);
    expect(listed.map((v) => v.version)).toEqual([20, 19, 18, 17, 16]);
  });

  it('gives a run that registers again, even at the same time, the version of its first call', async () => {
    await givenModel(t.registry, 'retry', 0);
    const other = t.another().versions;
    const tries = [t.registry.versions, other, t.registry.versions, other];
    const rows = await Promise.all(tries.map((v) => v.register(newVersion('retry', 'one run'))));
    expect(rows.map((r) => r.version)).toEqual([1, 1, 1, 1]);
    expect(await t.registry.versions.list('retry', 10)).toHaveLength(1);
  });

  it('gives back what was registered, numbers exact', async () => {
    const [row] = await givenModel(t.registry, 'exact', 1);
    expect(await t.registry.versions.find('exact', 1)).toEqual(row);
    expect(row).toMatchObject({ version: 1, status: 'validating', evaluation });
    expect(await t.registry.versions.find('exact', 2)).toBeNull();
  });

  it('refuses a version of a model that does not exist, and a run that belongs to another model', async () => {
    const { versions } = t.registry;
    await expect(versions.register(newVersion('nobody', 'r'))).rejects.toMatchObject({ code: 'notFound' });
    await givenModel(t.registry, 'owner', 1);
    await givenModel(t.registry, 'thief', 0);
    await expect(versions.register(newVersion('thief', 'owner-run-1'))).rejects.toMatchObject({ code: 'conflict' });
  });

  it('settles a status once', async () => {
    await givenModel(t.registry, 'settle', 1);
    await t.registry.versions.settle('settle', 1, 'accepted');
    await t.registry.versions.settle('settle', 1, 'accepted');
    expect((await t.registry.versions.find('settle', 1))?.status).toBe('accepted');
    expect((await auditOf('settle')).filter((a) => a === 'version.settle')).toHaveLength(1);
    await expect(t.registry.versions.settle('settle', 9, 'accepted')).rejects.toMatchObject({ code: 'notFound' });
  });

  it('sets, moves and removes aliases; a change that comes again late does nothing', async () => {
    await givenModel(t.registry, 'alias', 2);
    const { versions } = t.registry;
    await versions.setAliases('alias', { champion: 1, candidate: 2 }, 'ann', 'first');
    expect(await versions.aliases('alias')).toEqual({ champion: 1, candidate: 2 });
    await versions.setAliases('alias', { champion: 2, candidate: null, previous: 1 }, 'ann', 'second');
    await versions.setAliases('alias', { champion: 1, candidate: 2 }, 'ann', 'first');
    expect(await versions.aliases('alias')).toEqual({ champion: 2, previous: 1 });
    const failed = versions.setAliases('alias', { champion: 7 }, 'ann', 'third');
    await expect(failed).rejects.toMatchObject({ code: 'notFound', message: /no version 7/ });
    // The refused change left no trace that would make its correction look done.
    await versions.setAliases('alias', { champion: 1 }, 'ann', 'third');
    expect((await versions.aliases('alias')).champion).toBe(1);
  });

  it('keeps the latest gate report, one per run', async () => {
    await givenModel(t.registry, 'gates', 1);
    const { versions } = t.registry;
    expect(await versions.latestGates('gates', 1)).toBeNull();
    const report = { model: 'gates', version: 1, performance, runId: 'gates run 1' };
    const results = [
      { gate: 'quality.auc', passed: false, message: 'too low', evidence: { auc: 0.6, ok: false, why: null } },
    ];
    await versions.recordGates({ ...report, passed: false, results });
    await versions.recordGates({ ...report, passed: true, results: [] });
    expect(await versions.latestGates('gates', 1)).toMatchObject({ passed: true, results: [] });
    await versions.recordGates({ ...report, runId: 'gates run 2', passed: false, results });
    expect(await versions.latestGates('gates', 1)).toMatchObject({ passed: false, results, performance });
    expect(await t.sql`select count(*)::int as n from gate_reports where model = 'gates'`).toMatchObject([{ n: 2 }]);
  });
});
