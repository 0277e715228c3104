import { describe, expect, it } from 'vitest';
import { decide } from '../../../domain/rollout/machine.ts';
import { refusal } from '../../../domain/rollout/orders.ts';
import { nextLookAtMs } from '../../../domain/rollout/progress.ts';
import { snapshot } from '../../../domain/rollout/snapshot.ts';
import { ALL_AT_ONCE, BLUE_GREEN, driver } from './rollout-fixtures.ts';

describe('a canary', () => {
  it('goes through its steps on time and traffic, is kept warm, and ends as promoted', () => {
    const d = driver().start();
    expect(d.weights()).toEqual([5]);
    d.look(60_000, 100).look(120_000, 100);
    expect(d.weights()).toEqual([5, 25, 100]);
    expect(d.state.phase).toBe('keepWarm');
    expect(d.state.routes).toEqual([
      { variant: 'champion', version: 4, weightPercent: 0 },
      { variant: 'candidate', version: 7, weightPercent: 100 },
    ]);
    d.look(120_000 + 599_999, 0);
    expect(d.state.phase).toBe('keepWarm');
    d.look(720_000, 0);
    expect(d.state).toMatchObject({
      phase: 'promoted',
      generation: 16,
      routes: [{ variant: 'champion', version: 7, weightPercent: 100 }],
    });
    expect(d.aliases()).toEqual([{ candidate: 7 }, { champion: 7, previous: 4, candidate: null }]);
    expect(d.closed()).toMatchObject([{ outcome: 'promoted' }]);
  });

  it('never leaves a step for time alone', () => {
    const d = driver().start().look(60_000, 99).look(9_000_000, 0);
    expect(d.weights()).toEqual([5]);
    expect(snapshot(d.state, 9_000_000).explanation.waitsFor).toBe('traffic: 99 of 100 requests answered by version 7');
    expect(d.look(9_000_001, 1).weights()).toEqual([5, 25]);
  });

  it('counts the traffic of each step anew', () => {
    const d = driver().start().look(60_000, 5_000).look(120_000, 99);
    expect(d.weights()).toEqual([5, 25]);
  });

  it('never leaves a step for traffic alone', () => {
    expect(driver().start().look(59_999, 1e6).weights()).toEqual([5]);
  });

  it.each([
    [0, 1],
    [1, 2],
  ])('rolls back by verdict at step %i', (steps) => {
    const d = driver().start();
    for (let i = 1; i <= steps; i++) d.look(i * 60_000, 100);
    d.look(steps * 60_000 + 1, 10, 'rollback');
    expect(d.state).toMatchObject({ phase: 'rolledBack', reason: 'errors over the limit' });
    expect(d.state.routes).toEqual([{ variant: 'champion', version: 4, weightPercent: 100 }]);
    expect(d.aliases().at(-1)).toEqual({ candidate: null });
    expect(d.commands.slice(-3).map((c) => c.kind)).toEqual(['setAliases', 'quarantine', 'close']);
    expect(d.closed()).toMatchObject([{ outcome: 'rolledBack', reason: 'errors over the limit' }]);
  });

  it('rolls back after 100 % and puts the aliases back as they were', () => {
    const d = driver().start().order('promote', 1).look(2, 10, 'rollback');
    expect(d.aliases().at(-1)).toEqual({ champion: 4, previous: 2, candidate: null });
    expect(d.state.phase).toBe('rolledBack');
  });

  it('goes straight to 100 % when promoted by hand, and a second promotion ends the keeping warm', () => {
    const d = driver().start().order('promote', 5, 'hotfix');
    expect(d.weights()).toEqual([5, 100]);
    expect(d.state).toMatchObject({ phase: 'keepWarm', reason: 'promote by bob: hotfix' });
    expect(d.order('promote', 6).state.phase).toBe('promoted');
  });

  it('stops the bake clock while paused, keeps watching, and goes on where it was', () => {
    const d = driver().start().order('pause', 30_000).look(500_000, 1_000);
    expect(d.state).toMatchObject({ phase: 'paused', weightPercent: 5 });
    expect(snapshot(d.state, 500_000).stepEndsAtMs).toBeNull();
    d.order('resume', 500_000).look(529_999, 0);
    expect(d.weights()).toEqual([5]);
    expect(snapshot(d.state, 529_999).stepEndsAtMs).toBe(530_000);
    expect(d.look(530_000, 0).weights()).toEqual([5, 25]);
  });

  it('still rolls back while paused', () => {
    expect(driver().start().order('pause', 1).look(2, 1, 'rollback').state.phase).toBe('rolledBack');
  });

  it('can be paused and resumed while the old version is kept warm', () => {
    const d = driver().start().order('promote', 0).order('pause', 100_000).look(9e6, 0).order('resume', 9e6);
    expect(d.state.phase).toBe('keepWarm');
    expect(d.look(9e6 + 499_999, 0).state.phase).toBe('keepWarm');
    expect(d.look(9e6 + 500_000, 0).state.phase).toBe('promoted');
  });
});

describe('blue-green', () => {
  it('warms the new version without traffic, then goes 10, 50, 100, then takes the old one out', () => {
    const d = driver({ plan: BLUE_GREEN }).start();
    expect(d.state.routes.at(-1)).toEqual({ variant: 'candidate', version: 7, weightPercent: 0 });
    d.look(30_000, 0).look(60_000, 100).look(90_000, 100);
    expect(d.weights()).toEqual([0, 10, 50, 100]);
    expect(d.look(90_000 + 600_000, 0).state.routes).toHaveLength(1);
  });
});

describe('all at once', () => {
  it('keeps the old version warm behind the new one', () => {
    const d = driver({ plan: ALL_AT_ONCE }).start();
    expect(d.weights()).toEqual([100]);
    expect(d.state.phase).toBe('keepWarm');
    expect(d.order('rollback', 10, 'wrong file').state).toMatchObject({
      phase: 'rolledBack',
      reason: 'rollback by bob: wrong file',
    });
  });

  it('gives the first version of a model everything, with nothing to keep warm', () => {
    const d = driver({ champion: null, previous: null, generation: 0, routes: [] }).start();
    expect(d.state).toMatchObject({ phase: 'promoted', generation: 1 });
    expect(d.aliases()).toEqual([{ champion: 7, candidate: null }]);
  });

  it('ends at once when nothing is to be kept warm', () => {
    expect(driver({ plan: { ...ALL_AT_ONCE, keepWarmMs: 0 } }).start().state.phase).toBe('promoted');
  });
});

describe('when the routing cannot be changed', () => {
  it('leaves the weights of another writer alone and ends as aborted', () => {
    const d = driver().start().look(1, 1);
    d.send({ kind: 'promote', nowMs: 2, by: 'bob', reason: '', expiresAtMs: null });
    d.send({ kind: 'routingFailed', nowMs: 3, conflict: true, reason: 'generation 14' });
    expect(d.state).toMatchObject({ phase: 'aborted', pending: null, weightPercent: 5 });
    expect(d.weights()).toEqual([5, 100]);
    expect(d.closed()[0]?.reason).toBe('the routing was changed by someone else: generation 14');
  });

  it('restores the champion after any other failure', () => {
    const d = driver();
    d.send({ kind: 'start', nowMs: 0 });
    d.send({ kind: 'routingFailed', nowMs: 1, conflict: false, reason: 'no database' });
    expect(d.state).toMatchObject({ phase: 'rollingBack', pending: { purpose: 'restore' } });
    d.send({ kind: 'routed', nowMs: 2, generation: 14 });
    expect(d.state).toMatchObject({ phase: 'aborted', generation: 14 });
  });

  it('says so when even the way back fails', () => {
    const d = driver().start();
    d.send({ kind: 'abort', nowMs: 2, by: 'bob', reason: '', expiresAtMs: null });
    d.send({ kind: 'routingFailed', nowMs: 3, conflict: true, reason: 'generation 99' });
    expect(d.closed()).toEqual([
      { kind: 'close', outcome: 'aborted', reason: 'abort by bob; the weights were left alone: generation 99' },
    ]);
  });

  it('stays promoted when only the tidying up after the last wait fails', () => {
    const d = driver().start().order('promote', 0);
    d.send({ kind: 'promote', nowMs: 1, by: 'bob', reason: '', expiresAtMs: null });
    d.send({ kind: 'routingFailed', nowMs: 3, conflict: true, reason: 'generation 99' });
    expect(d.state.phase).toBe('promoted');
  });

  it('sends the traffic back when something else breaks', () => {
    const d = driver().start().run({ kind: 'failed', nowMs: 4, reason: 'the counters cannot be read' });
    expect(d.state).toMatchObject({ phase: 'aborted', reason: 'the counters cannot be read', weightPercent: 0 });
  });

  it('ends without touching anything when a first version fails to start', () => {
    const d = driver({ champion: null, generation: 0, routes: [] });
    d.send({ kind: 'start', nowMs: 0 });
    d.run({ kind: 'failed', nowMs: 4, reason: 'gone' });
    expect(d.weights()).toEqual([100]);
    expect(d.state).toMatchObject({ phase: 'aborted', generation: 0 });
  });
});

describe('orders', () => {
  it('are refused with the reason when they do not apply', () => {
    const d = driver().start();
    expect(refusal(d.state, { kind: 'resume', expiresAtMs: null }, 2)).toBe('the rollout is not paused');
    d.order('pause', 1);
    expect(refusal(d.state, { kind: 'pause', expiresAtMs: null }, 2)).toBe('the rollout is paused already');
    d.send({ kind: 'abort', nowMs: 2, by: 'bob', reason: '', expiresAtMs: null });
    expect(refusal(d.state, { kind: 'promote', expiresAtMs: null }, 2)).toBe(
      'the traffic of prices is already going back to the champion',
    );
    d.send({ kind: 'routed', nowMs: 2, generation: 20 });
    expect(refusal(d.state, { kind: 'rollback', expiresAtMs: null }, 2)).toBe(
      'the rollout of prices version 7 has ended (aborted)',
    );
  });

  it('wait for a pending change of the routing', () => {
    const d = driver();
    d.send({ kind: 'start', nowMs: 0 });
    expect(decide(d.state, { kind: 'abort', nowMs: 1, by: 'bob', reason: '', expiresAtMs: null })).toEqual({
      state: d.state,
      commands: [],
    });
  });
});

describe('looking', () => {
  it('wakes at the end of the step, or at the next look when that comes first', () => {
    const d = driver().start();
    expect(nextLookAtMs(d.state, 0)).toBe(10_000);
    expect(nextLookAtMs(d.state, 55_000)).toBe(60_000);
    expect(nextLookAtMs(d.state, 60_000)).toBe(70_000);
    expect(nextLookAtMs(d.order('pause', 1_000).state, 2_000)).toBe(12_000);
  });
});

describe('the explanation', () => {
  it('says what is happening, what it waits for and what comes next', () => {
    const d = driver().start().look(15_000, 40);
    expect(snapshot(d.state, 15_000).explanation).toEqual({
      now: 'version 7 answers 5 % of the requests (step 1 of 3)',
      waitsFor: '45 s of watching, and traffic: 40 of 100 requests answered by version 7',
      next: '25 % to version 7; back to version 4 when it is shown to be over 0.1 % errors or a p95 over 120 ms',
    });
  });

  it('names the reason of the end', () => {
    const d = driver().start().look(1, 1, 'rollback');
    expect(snapshot(d.state, 1).explanation.now).toBe('rolled back, version 4 serves: errors over the limit');
  });
});
