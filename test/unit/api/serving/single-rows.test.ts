import { describe, expect, it } from 'vitest';
import type { PredictOutcome } from '../../../../api/serving/contract.ts';
import type { AdoptedRouting } from '../../../../api/serving/model-routing.ts';
import { Predictor } from '../../../../api/serving/predictor.ts';
import { VersionBreakers } from '../../../../api/serving/version-breakers.ts';
import type { LoadedModel } from '../../../../models/serving/load-model.ts';
import { compileRowEncoder } from '../../../../models/serving/row-encoder.ts';
import { tinyModel } from '../../../support/tiny-model.ts';

const { signature } = tinyModel();
const log = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** Single rows go by `placeOne`; `score` answers them a turn later, or throws. */
function model(score: () => number): LoadedModel {
  const encoder = compileRowEncoder(signature);
  const later = (): Promise<number> => Promise.resolve().then(score);
  return {
    signature,
    encoder,
    row: new Float32Array(encoder.width),
    predictOne: later,
    predictMany: async (_, count) => new Float32Array(count).fill(await later()),
    placeOne: (features, waiter) => {
      const result = encoder.encode(features, new Float32Array(encoder.width), 0);
      if (result.problems.length === 0) {
        later().then(
          (probability) => waiter.resolve(probability),
          (error: unknown) => waiter.reject(error),
        );
      }
      return result;
    },
    close: () => Promise.resolve(),
  };
}

const fails = (): never => {
  throw new Error('broken');
};

function setUp(champion: () => number, candidate?: () => number) {
  const routes = [
    { variant: 'champion', version: 1, weightPercent: candidate === undefined ? 100 : 0 },
    ...(candidate === undefined ? [] : [{ variant: 'candidate', version: 2, weightPercent: 100 }]),
  ] as AdoptedRouting['table']['routes'];
  const versions = [champion, ...(candidate === undefined ? [] : [candidate])].map(
    (score, i) => [i + 1, { model: 'm', version: i + 1, manifestDigest: '', loaded: model(score) }] as const,
  );
  const routing = {
    table: { model: 'm', generation: 1, salt: 's', rolloutId: null, routes, slowMs: 1000 },
    versions: new Map(versions),
    shadow: null,
  } as unknown as AdoptedRouting;
  const counted: string[] = [];
  const written: number[] = [];
  const predictor = new Predictor({
    current: () => routing,
    sink: { write: (record) => written.push(record.version), flushed: () => null },
    counters: { count: (_, route, error) => counted.push(`${route.version}${error ? ' failed' : ''}`) },
    metrics: { observe: () => undefined, batchSize: () => undefined },
    breakers: new VersionBreakers(log),
    log,
  });
  const ask = (features: unknown = { x: 1 }): Promise<PredictOutcome> =>
    new Promise((resolve, reject) => {
      predictor.predictOne(
        routing,
        { entityId: null, features },
        { onOutcome: resolve, onError: (error) => reject(error instanceof Error ? error : new Error(String(error))) },
      );
    });
  return { ask, counted, written };
}

describe('a single row', () => {
  it('is answered, counted and recorded by its version', async () => {
    const { ask, counted, written } = setUp(() => 0.25);
    expect(await ask()).toMatchObject({ ok: true, version: 1, probability: 0.25 });
    expect({ counted, written }).toEqual({ counted: ['1'], written: [1] });
  });

  it('is refused for its input at once', async () => {
    const { ask, written } = setUp(fails);
    expect(await ask('no row')).toMatchObject({ ok: false, problems: [{ field: 'features' }] });
    expect(written).toEqual([]);
  });

  it.each([
    ['fails', fails],
    ['gives no probability', () => Number.NaN],
  ])('of a candidate that %s is answered by the champion', async (_, candidate) => {
    const { ask, counted, written } = setUp(() => 0.5, candidate);
    expect(await ask()).toMatchObject({ ok: true, version: 1, variant: 'champion' });
    expect({ counted, written }).toEqual({ counted: ['2 failed', '1'], written: [1] });
  });

  it('that no version can answer is an error, and a version that fails always is not asked any more', async () => {
    let asked = 0;
    const { ask } = setUp(() => {
      asked += 1;
      return fails();
    });
    for (let i = 0; i < 20; i += 1) await expect(ask()).rejects.toMatchObject({ code: 'unavailable' });
    expect(asked).toBe(10);
  });
});
