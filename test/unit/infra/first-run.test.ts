/* eslint-disable @typescript-eslint/require-await -- fakes of asynchronous calls */
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { TrainAnswer } from '../../../cli/api/answers.ts';
import { firstRun, type FirstRunApi } from '../../../infra/platform/first-run.ts';
import type { Progress } from '../../../infra/platform/progress.ts';

const EXAMPLE = fileURLToPath(new URL('../../../examples/churn/model.yaml', import.meta.url));

let home: string;
beforeEach(() => void (home = mkdtempSync(join(tmpdir(), 'sluice-first-'))));
afterEach(() => rmSync(home, { recursive: true, force: true }));

interface World {
  applied: boolean;
  training: 'none' | 'running' | 'completed' | 'failed';
  routed: boolean;
  gatesPass: boolean;
}

/** A platform in which each look at a running training or rollout moves it one step on. */
function fakePlatform(start: Partial<World> = {}) {
  const world: World = { applied: false, training: 'none', routed: false, gatesPass: true, ...start };
  const calls: string[] = [];
  let looks = 0;
  const routing = { generation: 1, routes: [] };
  const api: FirstRunApi = {
    models: async () => {
      if (world.training === 'completed' && world.gatesPass && ++looks > 2) world.routed = true;
      return world.applied
        ? [{ name: 'churn', description: '', aliases: {}, versions: 0, routing: world.routed ? routing : null }]
        : [];
    },
    applyModel: async () => {
      calls.push('apply');
      world.applied = true;
    },
    startTraining: async (_model, input) => {
      calls.push(`train ${JSON.stringify(input)}`);
      world.training = 'running';
      return { workflow_id: 'train/churn', run_id: 'r' };
    },
    training: async () => {
      const { training: status } = world;
      if (status === 'running') world.training = 'completed';
      const kind = world.gatesPass ? 'accepted' : 'rejected';
      const gates = [{ gate: 'quality.auc', passed: world.gatesPass, message: 'auc 0.7 is below 0.8', evidence: {} }];
      return {
        workflow_id: 'train/churn',
        status,
        progress: null,
        result: status === 'completed' ? { kind, model: 'churn', version: 1, gates } : null,
        failure: status === 'failed' ? 'the disk is full' : null,
      } as unknown as TrainAnswer;
    },
    rollouts: async () => [],
    startRollout: async () => ({ rollout_id: 'r', workflow_id: 'rollout/churn', run_id: 'r' }),
  };
  return { api, calls, world };
}

const lines: string[] = [];
const progress: Progress = {
  say: (line) => void lines.push(line),
  step: () => ({ update: () => undefined, done: () => undefined, fail: (text) => void lines.push(text) }),
  close: () => undefined,
};

const run = (api: FirstRunApi, signal = new AbortController().signal) =>
  firstRun({ home, example: EXAMPLE, api, progress, signal, pollMs: 1, routedTimeoutMs: 200 });

const marked = (): boolean => existsSync(join(home, 'first-run-open'));

describe('the first run', () => {
  it('applies the example, trains it with a rollout, and waits until it is routed', async () => {
    const { api, calls, world } = fakePlatform();
    expect(await run(api)).toEqual({ kind: 'served', model: 'churn' });
    expect(calls).toEqual(['apply', 'train {"rollout":true}']);
    expect(world.routed).toBe(true);
    expect(marked()).toBe(false);
  });

  it('does nothing while the registry holds a model', async () => {
    const { api, calls } = fakePlatform({ applied: true });
    expect(await run(api)).toEqual({ kind: 'notNeeded' });
    expect(calls).toEqual([]);
  });

  it('goes on with a training that is under way instead of starting another', async () => {
    writeFileSync(join(home, 'first-run-open'), '');
    const { api, calls } = fakePlatform({ applied: true, training: 'running' });
    expect(await run(api)).toEqual({ kind: 'served', model: 'churn' });
    expect(calls).toEqual([]);
  });

  it('trains when it was cut off after the definition was applied', async () => {
    writeFileSync(join(home, 'first-run-open'), '');
    const { api, calls } = fakePlatform({ applied: true });
    expect(await run(api)).toEqual({ kind: 'served', model: 'churn' });
    expect(calls).toEqual(['train {"rollout":true}']);
  });

  it('trains again after a training that broke', async () => {
    writeFileSync(join(home, 'first-run-open'), '');
    const { api, calls } = fakePlatform({ applied: true, training: 'failed' });
    expect(await run(api)).toEqual({ kind: 'served', model: 'churn' });
    expect(calls).toHaveLength(1);
  });

  it('says which gate a rejected version did not pass', async () => {
    const { api } = fakePlatform({ gatesPass: false });
    const outcome = await run(api);
    expect(outcome).toMatchObject({ kind: 'failed', model: 'churn' });
    expect(outcome.kind === 'failed' && outcome.reason).toMatch(/version 1 .* auc 0\.7 is below 0\.8/);
  });

  it('says why a training broke', async () => {
    const { api, world } = fakePlatform();
    const broken: FirstRunApi = {
      ...api,
      startTraining: async () => {
        world.training = 'failed';
        return { workflow_id: 'train/churn', run_id: 'r' };
      },
    };
    expect(await run(broken)).toMatchObject({ kind: 'failed', reason: expect.stringMatching(/the disk is full/) });
  });

  it('waits for an API that is away for a moment', async () => {
    const { api } = fakePlatform();
    let away = 3;
    const flaky: FirstRunApi = {
      ...api,
      training: (model) =>
        away-- > 0 ? Promise.reject(Object.assign(new Error('away'), { code: 'unreachable' })) : api.training(model),
    };
    expect(await run(flaky)).toEqual({ kind: 'served', model: 'churn' });
  });

  it('keeps its marker when it ends by an unforeseen error, so that the next start tries again', async () => {
    const { api } = fakePlatform();
    const outcome = await run({ ...api, applyModel: () => Promise.reject(new Error('refused')) });
    expect(outcome).toEqual({ kind: 'failed', model: 'churn', reason: 'refused' });
    expect(marked()).toBe(true);
  });

  it('throws when the platform is stopped meanwhile, and goes on at the next start', async () => {
    const { api } = fakePlatform({ training: 'running' });
    const stop = new AbortController();
    const endless: FirstRunApi = {
      ...api,
      training: async () => {
        stop.abort();
        return { workflow_id: 'train/churn', status: 'running', progress: null, result: null, failure: null };
      },
    };
    await expect(run(endless, stop.signal)).rejects.toThrow();
    expect(marked()).toBe(true);
  });
});
