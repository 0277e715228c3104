import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { PredictOutcome } from '../../../../api/serving/contract.ts';
import type { AdoptedRouting } from '../../../../api/serving/model-routing.ts';
import { Predictor } from '../../../../api/serving/predictor.ts';
import { VersionBreakers } from '../../../../api/serving/version-breakers.ts';
import { DomainError } from '../../../../domain/errors.ts';
import type { PredictionRecord } from '../../../../domain/records.ts';
import type { Route } from '../../../../domain/routing.ts';
import { NO_SERVING_POLICY } from '../../../../domain/serving-policy.ts';
import type { ServingPolicy } from '../../../../domain/serving-policy.ts';
import type { LoadedModel } from '../../../../models/serving/load-model.ts';
import { compileRowEncoder } from '../../../../models/serving/row-encoder.ts';
import { tinyModel } from '../../../support/tiny-model.ts';

const { signature } = tinyModel();
const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['Date', 'performance', 'setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

/** A version that does what it is told, and counts its runs. */
function version() {
  const encoder = compileRowEncoder(signature);
  let behave: () => number = () => 0.5;
  const run = vi.fn(() => Promise.resolve().then(behave));
  const loaded: LoadedModel = {
    signature,
    encoder,
    row: new Float32Array(encoder.width),
    predictOne: run,
    predictMany: async (_, count) => {
      const value = await run();
      return new Float32Array(count).fill(value);
    },
    close: () => Promise.resolve(),
  };
  return {
    loaded,
    run,
    answers: (value: number) => (behave = () => value),
    fails: () =>
      (behave = () => {
        throw new Error('broken');
      }),
  };
}

type Version = ReturnType<typeof version>;

function setUp(
  versions: Readonly<Record<number, Version>>,
  routes: readonly Route[],
  policy: Partial<ServingPolicy> = {},
) {
  const table = { model: 'm', generation: 1, salt: 's', rolloutId: null, routes, slowMs: 1000 };
  const routing: AdoptedRouting = {
    table: { ...table, policy: { ...NO_SERVING_POLICY, ...policy } },
    versions: new Map(
      Object.entries(versions).map(([number, { loaded }]) => [
        Number(number),
        { model: 'm', version: Number(number), manifestDigest: '', loaded },
      ]),
    ),
    shadow: null,
  };
  const counted: { version: number; error: boolean }[] = [];
  const observed: string[] = [];
  const lookups: string[] = [];
  const recorded: PredictionRecord[] = [];
  const breakers = new VersionBreakers(quiet);
  const predictor = new Predictor({
    current: () => routing,
    sink: { write: (record) => recorded.push(record), flushed: () => null },
    counters: { count: (_, route, error) => counted.push({ version: route.version, error }) },
    breakers,
    metrics: {
      observe: (_, of, __, status) => observed.push(`${of} ${status}`),
      batchSize: () => undefined,
      cacheLookup: (_, outcome) => lookups.push(outcome),
    },
    log: quiet,
  });
  const predict = (...xs: unknown[]) =>
    predictor.predict(
      routing,
      xs.map((x) => ({ entityId: null, features: { x } })),
    );
  /** The outcome of one row, or the code of the failure. */
  const one = async (x: unknown = 1): Promise<PredictOutcome | string> => {
    try {
      const [outcome] = await predict(x);
      return outcome!;
    } catch (error) {
      return (error as DomainError).code;
    }
  };
  return { predict, one, counted, observed, lookups, recorded, breakers, routing };
}

const champion = (of: number, weightPercent = 100): Route => ({ variant: 'champion', version: of, weightPercent });
const candidate = (of: number, weightPercent = 100): Route => ({ variant: 'candidate', version: of, weightPercent });

describe('a version that fails again and again', () => {
  it('is asked ten times, then not until a second has passed, then once', async () => {
    const broken = version();
    broken.fails();
    const { one, breakers } = setUp({ 1: broken }, [champion(1)]);
    for (let i = 0; i < 30; i += 1) expect(await one()).toBe('unavailable');
    expect(broken.run).toHaveBeenCalledTimes(10);
    expect(breakers.stateOf(broken.loaded)).toBe('open');
    vi.advanceTimersByTime(1_000);
    await Promise.all(Array.from({ length: 20 }, () => one()));
    expect(broken.run).toHaveBeenCalledTimes(11);
    // The next wait is longer.
    vi.advanceTimersByTime(1_500);
    await one();
    expect(broken.run).toHaveBeenCalledTimes(11);
    vi.advanceTimersByTime(500);
    await one();
    expect(broken.run).toHaveBeenCalledTimes(12);
  });

  it('answers again as soon as it can', async () => {
    const flaky = version();
    flaky.fails();
    const { one, breakers } = setUp({ 1: flaky }, [champion(1)]);
    for (let i = 0; i < 10; i += 1) await one();
    flaky.answers(0.25);
    expect(await one()).toBe('unavailable');
    vi.advanceTimersByTime(1_000);
    expect(await one()).toMatchObject({ probability: 0.25 });
    expect(breakers.stateOf(flaky.loaded)).toBe('closed');
    expect(await one()).toMatchObject({ probability: 0.25 });
  });

  it('counts as failing when what it answers is no probability', async () => {
    const wrong = version();
    wrong.answers(NaN);
    const { one, breakers } = setUp({ 1: wrong }, [champion(1)]);
    for (let i = 0; i < 10; i += 1) await one();
    expect(breakers.stateOf(wrong.loaded)).toBe('open');
  });

  it('is not one whose queue is full', async () => {
    const full = version();
    full.run.mockRejectedValue(new DomainError('unavailable', 'too many wait'));
    const { one, breakers } = setUp({ 1: full }, [champion(1)]);
    for (let i = 0; i < 30; i += 1) expect(await one()).toBe('unavailable');
    expect(breakers.stateOf(full.loaded)).toBe('closed');
  });
});

describe('a candidate that fails', () => {
  it('leaves its rows to the champion, without being asked once it is known to fail; each counts against it', async () => {
    const [old, broken] = [version(), version()];
    old.answers(0.25);
    broken.fails();
    const { one, counted, observed } = setUp({ 1: old, 2: broken }, [champion(1, 0), candidate(2)]);
    for (let i = 0; i < 25; i += 1) {
      const outcome = await one();
      expect(outcome).toMatchObject({ ok: true, version: 1, variant: 'champion', probability: 0.25 });
      expect(outcome).not.toHaveProperty('degraded');
    }
    expect(broken.run).toHaveBeenCalledTimes(10);
    expect(counted.filter((c) => c.version === 2 && c.error)).toHaveLength(25);
    expect(counted.filter((c) => c.version === 1 && !c.error)).toHaveLength(25);
    expect(observed.filter((o) => o === '2 diverted')).toHaveLength(15);
  });
});

describe('a champion that fails', () => {
  it('is replaced by the constant of the definition, labelled by its own threshold', async () => {
    const broken = version();
    broken.fails();
    const policy = { fallback: { kind: 'constant', probability: 0.27 } } as const;
    const { one, observed, recorded, counted } = setUp({ 1: broken }, [champion(1)], policy);
    const outcome = await one();
    expect(outcome).toMatchObject({ ok: true, version: 1, probability: 0.27, label: 'no', degraded: true });
    expect(observed).toEqual(['1 error', '1 degraded']);
    expect(counted).toEqual([{ version: 1, error: true }]);
    expect(recorded).toHaveLength(1);
    // Also when it is not asked any more.
    for (let i = 0; i < 20; i += 1) expect(await one()).toMatchObject({ degraded: true });
  });

  it('is replaced by the version before', async () => {
    const [before, broken] = [version(), version()];
    before.answers(0.75);
    broken.fails();
    const policy = { fallback: { kind: 'previous' }, previous: 1 } as const;
    const { predict, counted } = setUp({ 1: before, 2: broken }, [champion(2)], policy);
    const outcomes = await predict(1, 2, 3);
    expect(outcomes).toMatchObject([1, 2, 3].map(() => ({ version: 1, probability: 0.75, degraded: true })));
    // Speaks of neither version's quality.
    expect(counted.filter((c) => c.version === 1)).toEqual([]);
  });

  it('stands in for a failing candidate as long as it can, and the fallback after it', async () => {
    const [old, broken] = [version(), version()];
    old.fails();
    broken.fails();
    const policy = { fallback: { kind: 'constant', probability: 0.9 } } as const;
    const { one } = setUp({ 1: old, 2: broken }, [champion(1, 0), candidate(2)], policy);
    expect(await one()).toMatchObject({ version: 1, probability: 0.9, degraded: true });
  });

  it.each([
    ['none is declared', {}],
    ['the version before is not loaded', { fallback: { kind: 'previous' }, previous: 7 } as const],
    ['there is none before', { fallback: { kind: 'previous' } } as const],
  ])('leaves its rows without an answer when %s', async (_, policy) => {
    const broken = version();
    broken.fails();
    expect(await setUp({ 1: broken }, [champion(1)], policy).one()).toBe('unavailable');
  });

  it('does not make wrong rows right', async () => {
    const broken = version();
    broken.fails();
    const policy = { fallback: { kind: 'constant', probability: 0.27 } } as const;
    const { one } = setUp({ 1: broken }, [champion(1)], policy);
    for (let i = 0; i < 10; i += 1) await one();
    expect(await one('ten')).toMatchObject({ ok: false, problems: [{ field: 'features.x' }] });
  });

  it('keeps the answers it could give, in a batch that fails in parts', async () => {
    const partly = version();
    partly.loaded.predictMany = () => Promise.resolve(Float32Array.of(0.25, NaN, 0.75));
    const policy = { fallback: { kind: 'constant', probability: 0.5 } } as const;
    const { predict } = setUp({ 1: partly }, [champion(1)], policy);
    const outcomes = await predict(1, 2, 3);
    expect(outcomes).toMatchObject([
      { probability: 0.25 },
      { probability: 0.5, degraded: true },
      { probability: 0.75 },
    ]);
    expect(outcomes[0]).not.toHaveProperty('degraded');
  });
});

describe('answers that are kept', () => {
  const cache = { ttlMs: 60_000, maxEntries: 3 };

  it('are given again for the same row, with an id and a record of their own', async () => {
    const model = version();
    const { one, lookups, recorded } = setUp({ 1: model }, [champion(1)], { cache });
    const [first, second] = [await one(3), await one(3.0)] as { requestId: string }[];
    expect(model.run).toHaveBeenCalledTimes(1);
    expect(first!.requestId).not.toBe(second!.requestId);
    expect(recorded).toHaveLength(2);
    expect(lookups).toEqual(['miss', 'hit']);
    await one(4);
    expect(model.run).toHaveBeenCalledTimes(2);
  });

  it('are not kept unless the definition says so', async () => {
    const model = version();
    const { one } = setUp({ 1: model }, [champion(1)]);
    await one(3);
    await one(3);
    expect(model.run).toHaveBeenCalledTimes(2);
  });

  it('end with their time, and with the least recently used', async () => {
    const model = version();
    const { one } = setUp({ 1: model }, [champion(1)], { cache });
    vi.advanceTimersByTime(1_000);
    await one(1);
    vi.advanceTimersByTime(60_100);
    await one(1);
    expect(model.run).toHaveBeenCalledTimes(2);
    for (const x of [2, 3, 1, 4]) await one(x);
    await one(1);
    expect(model.run).toHaveBeenCalledTimes(5);
    await one(2);
    expect(model.run).toHaveBeenCalledTimes(6);
  });

  it('never cross from one version to another', async () => {
    const [old, fresh] = [version(), version()];
    old.answers(0.25);
    fresh.answers(0.75);
    const before = setUp({ 1: old, 2: fresh }, [champion(1)], { cache });
    expect(await before.one(3)).toMatchObject({ version: 1, probability: 0.25 });
    const routes = [champion(1, 0), candidate(2)];
    (before.routing.table as { routes: readonly Route[] }).routes = routes;
    expect(await before.one(3)).toMatchObject({ version: 2, probability: 0.75 });
  });

  it('answer the rows of a batch that are known, and only the others are asked', async () => {
    const model = version();
    const many = vi.fn((rows: Float32Array, count: number) =>
      Promise.resolve(Float32Array.from({ length: count }, (_, i) => (rows[i] ?? NaN) / 10)),
    );
    model.loaded.predictMany = many;
    const { predict } = setUp({ 1: model }, [champion(1)], { cache });
    await predict(1, 2);
    const outcomes = await predict(3, 2, 1, 3);
    expect(outcomes.map((o) => (o.ok ? Math.round(o.probability * 10) : null))).toEqual([3, 2, 1, 3]);
    expect(many.mock.calls[1]?.[1]).toBe(2);
  });

  it('never hold what is no probability', async () => {
    const model = version();
    model.answers(NaN);
    const { one } = setUp({ 1: model }, [champion(1)], { cache });
    expect(await one(3)).toBe('unavailable');
    model.answers(0.5);
    expect(await one(3)).toMatchObject({ probability: 0.5 });
  });
});
