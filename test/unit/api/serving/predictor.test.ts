import { setTimeout as pause } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { AdoptedRouting } from '../../../../api/serving/model-routing.ts';
import { Predictor } from '../../../../api/serving/predictor.ts';
import { VersionBreakers } from '../../../../api/serving/version-breakers.ts';
import { DomainError } from '../../../../domain/errors.ts';
import type { Route } from '../../../../domain/routing.ts';
import type { LoadedModel } from '../../../../models/serving/load-model.ts';
import { compileRowEncoder } from '../../../../models/serving/row-encoder.ts';
import { tinyModel } from '../../../support/tiny-model.ts';

const { signature } = tinyModel();

function model(score: () => Promise<number>): LoadedModel {
  const encoder = compileRowEncoder(signature);
  return {
    signature,
    encoder,
    row: new Float32Array(encoder.width),
    predictOne: score,
    predictMany: async (_, count) => new Float32Array(count).fill(await score()),
    close: () => Promise.resolve(),
  };
}

function routing(routes: readonly (Route & { loaded: LoadedModel })[], slowMs = 1000): AdoptedRouting {
  return {
    table: { model: 'm', generation: 1, salt: 's', rolloutId: null, routes, slowMs },
    versions: new Map(
      routes.map((r) => [r.version, { model: 'm', version: r.version, manifestDigest: '', loaded: r.loaded }]),
    ),
    shadow: null,
  };
}

function predictor(current: AdoptedRouting) {
  const counted: { version: number; error: boolean; slow: boolean }[] = [];
  const instance = new Predictor({
    current: () => current,
    sink: { write: () => undefined, flushed: () => null },
    counters: { count: (_, route, error, slow) => counted.push({ version: route.version, error, slow }) },
    metrics: { observe: () => undefined, batchSize: () => undefined },
    breakers: new VersionBreakers({ info: () => undefined, warn: () => undefined, error: () => undefined }),
    log: { info: () => undefined, warn: () => undefined, error: () => undefined },
  });
  return { instance, counted };
}

const rows = (count: number) => Array.from({ length: count }, () => ({ entityId: null, features: { x: 1 } }));
const champion = (version: number, loaded: LoadedModel, weightPercent = 100) =>
  ({ variant: 'champion', version, weightPercent, loaded }) as const;
const candidate = (version: number, loaded: LoadedModel) =>
  ({ variant: 'candidate', version, weightPercent: 100, loaded }) as const;

describe('the predictor', () => {
  it('judges slowness by the limit of one run, times the runs a large request takes', async () => {
    const slow = model(() => pause(30, 0.5));
    const adopted = routing([champion(1, slow)], 20);
    const { instance, counted } = predictor(adopted);
    await instance.predict(adopted, rows(1));
    expect(counted.map((c) => c.slow)).toEqual([true]);
    // 512 rows are 4 runs: 80 ms.
    await instance.predict(adopted, rows(512));
    expect(counted.slice(1).some((c) => c.slow)).toBe(false);
  });

  it('does not blame a version for a full queue', async () => {
    const full = model(() => Promise.reject(new DomainError('unavailable', 'too many wait')));
    const adopted = routing([champion(1, full, 0), candidate(2, full)]);
    const { instance, counted } = predictor(adopted);
    await expect(instance.predict(adopted, rows(1))).rejects.toMatchObject({ code: 'unavailable' });
    expect(counted).toEqual([]);
  });

  it('falls back to the champion of the routing in force, not to one that was released meanwhile', async () => {
    const released = model(() => Promise.reject(new DomainError('unavailable', 'being unloaded')));
    const broken = model(() => Promise.reject(new Error('broken')));
    const began = routing([champion(1, released, 0), candidate(2, broken)]);
    const now = routing([
      champion(
        3,
        model(() => Promise.resolve(0.25)),
      ),
    ]);
    const { instance, counted } = predictor(now);
    expect(await instance.predict(began, rows(1))).toMatchObject([{ ok: true, version: 3, probability: 0.25 }]);
    expect(counted).toMatchObject([
      { version: 2, error: true },
      { version: 3, error: false },
    ]);
  });

  it.each([NaN, Infinity, -0.1, 1.1])('counts %d as an error, not as an answer', async (value) => {
    const adopted = routing([
      champion(
        1,
        model(() => Promise.resolve(value)),
      ),
    ]);
    const { instance, counted } = predictor(adopted);
    await expect(instance.predict(adopted, rows(1))).rejects.toMatchObject({ code: 'unavailable' });
    expect(counted).toMatchObject([{ version: 1, error: true }]);
  });

  it('forgives the rounding of float32 sums', async () => {
    const adopted = routing([
      champion(
        1,
        model(() => Promise.resolve(Math.fround(1.0000001))),
      ),
    ]);
    expect(await predictor(adopted).instance.predict(adopted, rows(1))).toMatchObject([{ probability: 1 }]);
  });
});
