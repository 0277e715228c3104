import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { RunningServing } from '../../../../api/serving/create-serving.ts';
import type { KeptBounds } from '../../../../api/serving/version-cache.ts';
import type { Route } from '../../../../domain/routing.ts';
import { ServingWorld } from '../../../support/serving-world.ts';
import { tinyModel } from '../../../support/tiny-model.ts';

const VERSIONS = 8;
const HOUR_MS = 3_600_000;
const routes = (...versions: readonly number[]): Route[] =>
  versions.map((version, i) => ({
    variant: i === 0 ? 'champion' : 'candidate',
    version,
    weightPercent: i === 0 ? 100 : 0,
  }));

let world: ServingWorld;
beforeEach(async () => {
  world = await ServingWorld.create();
  for (let version = 1; version <= VERSIONS; version += 1) world.addVersion('m', version, tinyModel());
});
afterEach(() => world.destroy());

async function started(kept: KeptBounds): Promise<RunningServing> {
  world.route('m', routes(1));
  return world.started({ kept });
}

async function routeTo(serving: RunningServing, ...versions: readonly number[]): Promise<void> {
  const { generation } = world.route('m', routes(...versions));
  await vi.waitFor(() => expect(serving.served()[0]?.generation).toBe(generation), { interval: 1 });
  // What is let go is closed behind the change.
  await new Promise((resolve) => setTimeout(resolve, 10));
}

/** What one of them is reckoned to take. */
async function oneVersion(): Promise<number> {
  const serving = await started({ bytesMax: 0, ttlMs: HOUR_MS });
  const { bytes } = serving.versions().routed;
  await serving.close();
  return bytes;
}

describe('versions that no routing names any more', () => {
  it('stay loaded, so that the way back costs no load', async () => {
    const serving = await started({ bytesMax: 1e9, ttlMs: HOUR_MS });
    await routeTo(serving, 2);
    const { reads } = world;
    expect(serving.versions()).toMatchObject({ routed: { versions: 1 }, kept: { versions: 1 } });
    await routeTo(serving, 1);
    expect(world.reads).toBe(reads);
    const [answer] = await serving.predict('m', [{ entityId: null, features: { x: 1 } }]);
    expect(answer).toMatchObject({ ok: true, version: 1 });
    expect(serving.versions().evictions).toEqual({ budget: 0, age: 0 });
  });

  it('go beyond the budget, the longest unused first; one that came back counts as new', async () => {
    const bytes = await oneVersion();
    const serving = await started({ bytesMax: bytes * 2, ttlMs: HOUR_MS });
    for (const version of [2, 3, 1, 4]) await routeTo(serving, version);
    // Unused since: 2, 3, 1. Two of them fit.
    expect(serving.versions()).toEqual({
      routed: { versions: 1, bytes },
      kept: { versions: 2, bytes: bytes * 2 },
      evictions: { budget: 1, age: 0 },
    });
    const { reads } = world;
    await routeTo(serving, 1);
    await routeTo(serving, 3);
    expect(world.reads).toBe(reads);
    await routeTo(serving, 2);
    expect(world.reads).toBe(reads + 2);
  });

  it('never cost a routed one its place, however small the budget', async () => {
    const serving = await started({ bytesMax: 1, ttlMs: HOUR_MS });
    for (let i = 0; i < 40; i += 1) {
      const first = 1 + ((i * 5) % VERSIONS);
      const named = i % 3 === 0 ? [first] : [first, 1 + ((i * 5 + 3) % VERSIONS)];
      await routeTo(serving, ...named);
      expect(serving.versions()).toMatchObject({
        routed: { versions: named.length },
        kept: { versions: 0, bytes: 0 },
      });
      const [answer] = await serving.predict('m', [{ entityId: null, features: { x: 1 } }]);
      expect(answer).toMatchObject({ ok: true, version: first });
    }
    expect(serving.versions().evictions.budget).toBeGreaterThan(20);
  });

  it('go when nobody has named them for long', async () => {
    const serving = await started({ bytesMax: 1e9, ttlMs: 200 });
    await routeTo(serving, 2);
    expect(serving.versions().kept.versions).toBe(1);
    await vi.waitFor(() => expect(serving.versions().kept.versions).toBe(0), { timeout: 5_000 });
    expect(serving.versions()).toMatchObject({ routed: { versions: 1 }, evictions: { age: 1, budget: 0 } });
  });
});
