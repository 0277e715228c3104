import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { ModelDefinition } from '../../../../domain/definition.ts';
import { checkPlan } from '../../../../domain/rollout/check-plan.ts';
import { DomainError, type Problem } from '../../../../domain/errors.ts';
import {
  definitionDigest,
  loadDefinition,
  parseDefinition,
  parseDefinitionText,
} from '../../../../models/definition/load.ts';
import type { ModelFile } from '../../../../models/definition/schema.ts';

const MINIMAL = 'name: pumps\ndata: pumps.csv\ntarget: { column: failed, positive: true }\n';
const load = (text: string): ModelDefinition => parseDefinitionText(text, '/models/pumps/model.yaml');

function problemsOf(act: () => unknown): readonly Problem[] {
  try {
    act();
  } catch (error) {
    expect(error).toBeInstanceOf(DomainError);
    return (error as DomainError).problems;
  }
  throw new Error('expected an error');
}
const messagesOf = (text: string): Record<string, string> =>
  Object.fromEntries(problemsOf(() => load(text)).map(({ field, message }) => [field, message]));

// A file's output is a definition but for the data's path: a field added to one must be added to the other.
type Same<A, B> = A extends B ? (B extends A ? true : false) : false;
const sameKeys: Same<keyof ModelFile, keyof ModelDefinition> = true;
const rest: Omit<ModelDefinition, 'data'> = {} as Omit<ModelFile, 'data'>;

describe('a definition that is written down', () => {
  it('needs four lines; the rest has defaults', () => {
    expect([sameKeys, rest]).toBeDefined();
    const definition = load(MINIMAL);
    expect(definition.data).toEqual({ source: '/models/pumps/pumps.csv', format: 'csv', delimiter: ',' });
    expect(definition.target).toEqual({ column: 'failed', positive: 'true' });
    expect(definition.policies).toEqual({ missing: 'flag', unknown: 'reject', outOfRange: 'reject' });
    expect(definition.rollout.canary).toEqual({
      strategy: 'canary',
      steps: [
        { weightPercent: 5, bakeTimeMs: 7_200_000 },
        { weightPercent: 25, bakeTimeMs: 21_600_000 },
        { weightPercent: 50, bakeTimeMs: 43_200_000 },
        { weightPercent: 100, bakeTimeMs: 0 },
      ],
      limits: { errorRateMax: 0.001, p95MsMax: 120 },
      minRequests: 100,
      observeEveryMs: 4_000,
      keepWarmMs: 3_600_000,
    });
    expect(definition.rollout.blueGreen.steps.map((s) => s.weightPercent)).toEqual([0, 10, 50, 100]);
  });

  it('shares the rollout settings between strategies, and each may differ', () => {
    const { rollout } = load(`${MINIMAL}
rollout:
  minRequests: 7
  keepWarm: 2m
  limits: { p95MsMax: 80 }
  blueGreen: { keepWarm: 1d, limits: { errorRateMax: 0.01 } }
  shadow: { limits: { slowerMsMax: 5, disagreementMax: 0.02 } }
`);
    expect(rollout.shadow?.limits).toEqual({
      errorRateMax: 0.001,
      p95MsMax: 80,
      slowerMsMax: 5,
      disagreementMax: 0.02,
    });
    expect(rollout.canary).toMatchObject({
      minRequests: 7,
      keepWarmMs: 120_000,
      limits: { errorRateMax: 0.001, p95MsMax: 80 },
    });
    expect(rollout.blueGreen).toMatchObject({ keepWarmMs: 86_400_000, limits: { errorRateMax: 0.01, p95MsMax: 80 } });
  });

  it("passes the domain's check of plans at the ends of every range", () => {
    const { rollout } = load(`${MINIMAL}
rollout:
  observeEvery: 100ms
  keepWarm: 365d
  minRequests: 0
  limits: { errorRateMax: 0, p95MsMax: 0.1 }
  canary: { steps: [{ weightPercent: 0, bakeTime: 365d }, { weightPercent: 0.01, bakeTime: 0s }, { weightPercent: 100 }] }
  blueGreen: { observeEvery: 1h, minRequests: 1000000000, limits: { errorRateMax: 1, p95MsMax: 600000 } }
`);
    expect([...checkPlan(rollout.canary), ...checkPlan(rollout.blueGreen)]).toEqual([]);
  });

  it('takes the format from the ending, an explicit one before it, and an empty section for none', () => {
    const data = (value: string) => load(MINIMAL.replace('pumps.csv', value)).data;
    expect(data('/d/x.parquet')).toEqual({ source: '/d/x.parquet', format: 'parquet', delimiter: ',' });
    expect(data('x.TSV')).toMatchObject({ format: 'csv', delimiter: '\t' });
    expect(data('{ source: x.dat, format: csv, delimiter: ";" }')).toMatchObject({ format: 'csv', delimiter: ';' });
    expect(load(`${MINIMAL}features:\n  # a: number\n`).features).toEqual({});
  });

  it('reads a type alone as a feature', () => {
    expect(load(`${MINIMAL}features: { a: category, b: { min: 0 } }`).features).toEqual({
      a: { type: 'category' },
      b: { min: 0 },
    });
  });
});

describe('how a model is served', () => {
  it('is not said unless it is', () => {
    expect(load(MINIMAL)).not.toHaveProperty('fallback');
    expect(load(MINIMAL)).not.toHaveProperty('cache');
  });

  it('reads every fallback, and a cache in words', () => {
    expect(load(`${MINIMAL}fallback: { kind: previous }\n`).fallback).toEqual({ kind: 'previous' });
    const constant = load(`${MINIMAL}fallback: { kind: constant, probability: 0.27 }\ncache: { ttl: 10m }\n`);
    expect(constant.fallback).toEqual({ kind: 'constant', probability: 0.27 });
    expect(constant.cache).toEqual({ ttlMs: 600_000, maxEntries: 10_000 });
    expect(parseDefinition(JSON.parse(JSON.stringify(constant)))).toEqual(constant);
  });

  it.each([
    ['fallback: { kind: constant }', 'fallback.probability'],
    ['fallback: { kind: constant, probability: 2 }', 'fallback.probability'],
    ['fallback: { kind: champion }', 'fallback.kind'],
    ['cache: { ttl: 2d }', 'cache.ttl'],
    ['cache: { maxEntries: 5 }', 'cache.ttl'],
    ['cache: { ttl: 1m, maxEntries: 0 }', 'cache.maxEntries'],
  ])('is refused for %s', (line, field) => {
    expect(problemsOf(() => load(`${MINIMAL}${line}\n`)).map((p) => p.field)).toEqual([field]);
  });
});

describe('a definition that is wrong', () => {
  it('names every problem at once, with its line and what is allowed', () => {
    const problems = problemsOf(() =>
      load(
        'name: Pumps\ndata: p.csv\nentitty: id\ntarget:\n  column: y\n  positive: 1\ntraining: { folds: 1.5, algorithms: [knn] }\n',
      ),
    );
    const by = (field: string) => problems.find((p) => p.field === field);
    expect(problems.map((p) => p.field).sort()).toEqual([
      'entitty',
      'name',
      'training.algorithms[0]',
      'training.folds',
    ]);
    expect(by('entitty')?.message).toBe('unknown key, did you mean "entity"? (line 3)');
    expect(by('entitty')?.allowed).toContain('entity');
    expect(by('training.algorithms[0]')).toMatchObject({ allowed: ['spline-logistic', 'gradient-boosting'] });
    expect(by('training.folds')?.message).toBe('expected a whole number, found 1.5 (line 7)');
    expect(by('name')?.message).toMatch(/1 to 63 characters.*\(line 1\)/);
  });

  it('says what is missing', () => {
    expect(messagesOf('{}')).toEqual({ name: 'is missing', data: 'is missing', target: 'is missing' });
    expect(messagesOf('a text')).toHaveProperty('model');
  });

  it('names the allowed keys of the section an unknown key is in', () => {
    const problems = problemsOf(() =>
      load(`${MINIMAL}gates: { quality: { acu: { min: 1 } } }\nfeatures: { a: { typo: number } }`),
    );
    expect(problems.map((p) => [p.field, p.allowed])).toEqual([
      ['gates.quality.acu', ['auc', 'prAuc', 'logLoss', 'accuracy', 'brier', 'ece']],
      ['features.a.typo', ['type', 'min', 'max', 'missing', 'unknown', 'outOfRange']],
    ]);
  });

  it.each([
    ['risk: { medium: 0.9, high: 0.1 }', 'risk.medium', /must not be more than risk.high/],
    ['exclude: [failed]', 'exclude[0]', /is the target/],
    ['entity: failed', 'entity', /is the target/],
    ['features: { failed: number }', 'features.failed', /is the target/],
    ['exclude: [a]\nfeatures: { a: number }', 'exclude[0]', /described under features/],
    ['entity: id\nfeatures: { id: category }', 'features.id', /is the entity/],
    ['protected: [failed]', 'protected[0]', /is the target/],
    ['features: { a: { min: 3, max: 1 } }', 'features.a.min', /must not be more than max \(1\), found 3/],
    ['features: { a: { type: boolean, max: 1 } }', 'features.a.max', /has no range/],
    ['gates: { quality: { auc: {} } }', 'gates.quality.auc', /names neither min nor max/],
    ['rollout: { observeEvery: 1ms }', 'rollout.observeEvery', /between 100ms and 1h/],
    ['rollout: { keepWarm: 5 }', 'rollout.keepWarm', /expected a duration such as 45s.*found 5/],
    ['retraining: { schedule: weekly }', 'retraining.schedule', /cron/],
    ['training: { threshold: best }', 'training.threshold', /one of accuracy, f1 or a number, found "best"/],
  ])('refuses %s', (lines, field, message) => {
    expect(messagesOf(`${MINIMAL}${lines}\n`)[field]).toMatch(message);
  });

  it('wants steps that grow, end at 100 and have bake times', () => {
    const steps = (list: string) => messagesOf(`${MINIMAL}rollout: { canary: { steps: [${list}] } }\n`);
    const at = (i: number, key: string) => `rollout.canary.steps[${i}].${key}`;
    expect(
      steps('{ weightPercent: 10, bakeTime: 1h }, { weightPercent: 10, bakeTime: 1h }, { weightPercent: 100 }'),
    ).toEqual({
      [at(1, 'weightPercent')]: 'must be more than the step before it (10), found 10 (line 4)',
    });
    expect(steps('{ weightPercent: 10, bakeTime: 1h }')).toEqual({
      [at(0, 'weightPercent')]: 'the last step must be 100, found 10 (line 4)',
    });
    expect(steps('{ weightPercent: 10 }, { weightPercent: 100 }')[at(0, 'bakeTime')]).toMatch(/is missing/);
    expect(steps('{ weightPercent: 10, bakeTime: 2hours }, { weightPercent: 100 }')).toEqual({
      [at(0, 'bakeTime')]: 'expected a duration such as 45s, 30m, 2h or 1d (line 4)',
    });
  });

  it('names the line of text that is not YAML, and refuses aliases without end', () => {
    expect(problemsOf(() => load('name: a\n  b: [1\n'))[0]?.field).toMatch(/^line \d$/);
    const bomb = `a: &a [x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b]\nd: [*c,*c,*c]\n`;
    expect(problemsOf(() => load(bomb))[0]).toMatchObject({ field: 'file' });
  });

  it('says that a file is not there, and that an ending says nothing', async () => {
    await expect(loadDefinition('/nowhere/model.yaml')).rejects.toMatchObject({ code: 'notFound' });
    expect(problemsOf(() => load(MINIMAL.replace('pumps.csv', 'pumps.xlsx')))).toMatchObject([
      { field: 'data.format', allowed: ['csv', 'parquet'] },
    ]);
  });
});

describe('the resolved form', () => {
  it('comes back unchanged through JSON, with the same digest', async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-definition-'));
    await writeFile(join(folder, 'model.yaml'), `${MINIMAL}features: { a: integer }\n`);
    const definition = await loadDefinition(join(folder, 'model.yaml'));
    const back = parseDefinition(JSON.parse(JSON.stringify(definition)));
    expect(back).toEqual(definition);
    expect(definitionDigest(back)).toBe(definitionDigest(definition));
    expect(definitionDigest({ ...definition, entity: 'x' })).not.toBe(definitionDigest(definition));
  });

  it('does not depend on the order of keys in its digest', () => {
    const definition = load(MINIMAL);
    fc.assert(
      fc.property(
        fc.shuffledSubarray(Object.entries(definition), { minLength: Object.keys(definition).length }),
        (entries) => {
          expect(definitionDigest(Object.fromEntries(entries) as unknown as ModelDefinition)).toBe(
            definitionDigest(definition),
          );
        },
      ),
    );
  });

  it('must have an absolute path and keep the rules between parts', () => {
    const json = { ...load(MINIMAL), exclude: ['failed'] };
    expect(problemsOf(() => parseDefinition(json))).toMatchObject([{ field: 'exclude[0]' }]);
    const relative = { ...load(MINIMAL), data: { source: 'x.csv', format: 'csv' } };
    expect(problemsOf(() => parseDefinition(relative))).toMatchObject([{ field: 'data.source' }]);
    expect(problemsOf(() => parseDefinition(null))).toMatchObject([{ field: 'model' }]);
  });
});
