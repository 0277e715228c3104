import { randomUUID } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import type { ApprovalRule, RolloutStep } from '../../domain/rollout/plan.ts';
import type { Hold } from '../../domain/rollout/state.ts';
import type { Fake, Handle } from './rollout-story.ts';
import { approve, CHAMPION_ALONE, HALF_MS, MINUTE_MS, order, refusalOf } from './rollout-story.ts';
import { result, rolloutStories, status } from './rollout-story.ts';
import { PLAN } from './fake-rollout.ts';

const { given, sleep } = rolloutStories();
const HOUR_MS = 60 * MINUTE_MS;

const security = (change: Partial<ApprovalRule> = {}): ApprovalRule => ({
  role: 'security',
  persons: 1,
  expiresAfterMs: 24 * HOUR_MS,
  ...change,
});
/** 5 % for ten minutes, and 100 % only with approval. */
const approved = (rule: ApprovalRule, wait: Partial<RolloutStep> = {}) => ({
  ...PLAN,
  keepWarmMs: 0,
  steps: [
    { weightPercent: 5, bakeTimeMs: 10 * MINUTE_MS, ...wait },
    { weightPercent: 100, bakeTimeMs: 0, approvals: [rule] },
  ],
});

describe('approvals', () => {
  it('are waited for, shown with the evidence they are bound to, and let the step begin', async () => {
    const { fake } = await given({ plan: approved(security()) }, async (handle) => {
      await sleep(HOUR_MS + HALF_MS);
      const now = await status(handle);
      expect(now).toMatchObject({ phase: 'running', weightPercent: 5, next: { action: 'person' } });
      expect(now?.approvals).toMatchObject({ stepIndex: 1, satisfied: false });
      expect(now?.explanation.waitsFor).toBe(`the approval of security for step 2 on evidence ${now?.evidenceHash}`);
      expect((await refusalOf(order(handle, 'promote'))).message).toContain('it needs the approval of security first');
      const stale = await refusalOf(approve(handle, { by: 'ann', evidenceHash: 'of another look' }));
      expect(stale.message).toContain('the evidence is another by now');
      const other = await refusalOf(approve(handle, { by: 'ann', role: 'executive' }));
      expect(other.message).toContain('no step that is left needs the approval of the role executive');
      await approve(handle, { by: 'ann' });
      return result(handle);
    });
    expect(fake.weights).toEqual([5, 100]);
  });

  it('of two persons are of two different persons', async () => {
    const { fake } = await given({ plan: approved(security({ persons: 2 })) }, async (handle) => {
      await sleep(HALF_MS);
      await approve(handle, { by: 'ann' });
      expect((await refusalOf(approve(handle, { by: 'ann' }))).message).toContain('ann has approved this as security');
      await sleep(HOUR_MS);
      expect(await status(handle)).toMatchObject({ weightPercent: 5 });
      await approve(handle, { by: 'ben' });
      return result(handle);
    });
    expect(fake.weights).toEqual([5, 100]);
  });

  it('expire, and are void once something speaks against the candidate', async () => {
    let uneven = false;
    const rule = security({ expiresAfterMs: 5 * MINUTE_MS });
    const { fake } = await given({ plan: approved(rule), uneven: () => uneven }, async (handle) => {
      await sleep(MINUTE_MS + HALF_MS);
      await approve(handle, { by: 'ann' });
      await sleep(20 * MINUTE_MS);
      expect(await status(handle)).toMatchObject({ weightPercent: 5, approvals: { satisfied: false } });
      const before = (await status(handle))?.evidenceHash ?? '';
      uneven = true;
      await sleep(2 * MINUTE_MS);
      expect((await refusalOf(approve(handle, { by: 'ann', evidenceHash: before }))).type).toBe('refused');
      await approve(handle, { by: 'ann' });
      uneven = false;
      await sleep(2 * MINUTE_MS);
      // What she agreed to was other evidence.
      expect(await status(handle)).toMatchObject({ weightPercent: 5, approvals: { satisfied: false } });
      await approve(handle, { by: 'ann' });
      return result(handle);
    });
    expect(fake.weights).toEqual([5, 100]);
  });

  it('are asked for once, and the step follows the approval, while health comes and goes', async () => {
    let looks = 0;
    const verdict = () => ((looks += 1) % 2 === 0 ? ('healthy' as const) : ('inconclusive' as const));
    const plan = { ...approved(security()), advance: 'healthy' as const };
    const { fake } = await given({ plan, verdict, listening: true }, async (handle) => {
      await sleep(20 * MINUTE_MS + HALF_MS);
      await approve(handle, { by: 'ann' });
      return result(handle);
    });
    expect(fake.weights).toEqual([5, 100]);
    expect(fake.notices.filter((n) => n.kind === 'rollout.approvalNeeded')).toHaveLength(1);
  });

  it.each([
    ['rollback', 'rolledBack'],
    ['hold', 'paused'],
  ] as const)('that are refused do what the plan says: %s', async (onReject, phase) => {
    const { fake } = await given({ plan: approved(security({ onReject })) }, async (handle) => {
      await sleep(HALF_MS);
      const answer = await approve(handle, { by: 'ann', decision: 'reject', reason: 'no' });
      expect(answer).toMatchObject({
        applied: 'reject',
        status: { phase, reason: 'rejected by ann: no (as security)' },
      });
      if (phase === 'paused') await order(handle, 'abort');
      return result(handle);
    });
    expect(fake.routes).toEqual(CHAMPION_ALONE);
  });

  it('do not stop the watch: it rolls back while they are waited for', async () => {
    let bad = false;
    const verdict = () => (bad ? ('rollback' as const) : ('healthy' as const));
    const { value } = await given({ plan: approved(security()), verdict }, async (handle) => {
      await sleep(30 * MINUTE_MS + HALF_MS);
      bad = true;
      return result(handle);
    });
    expect(value.outcome).toBe('rolledBack');
  });

  it.each([
    ['rollback', 'rolledBack'],
    ['ask', 'paused'],
    ['hold', 'running'],
  ] as const)('that do not come within the longest wait: %s', async (onMaxWait, phase) => {
    const plan = approved(security(), { maxWaitMs: 20 * MINUTE_MS, onMaxWait });
    await given({ plan }, async (handle) => {
      await sleep(40 * MINUTE_MS + HALF_MS);
      expect(await status(handle)).toMatchObject({ phase });
      if (phase !== 'rolledBack') await order(handle, 'abort');
      return result(handle);
    });
  });
});

describe('a hold', () => {
  it.each([
    [{ kind: 'stopTheLine', reason: 'incident 7', untilMs: null }, 'stop-the-line to be lifted: incident 7'],
    [{ kind: 'calendar', reason: 'a holiday', untilMs: 0 }, 'the calendar until 1970-01-01T00:00:00.000Z: a holiday'],
  ] as const)('keeps every step from being taken, shown as such: %j', async (hold, words) => {
    let held: Hold | null = hold;
    const { fake } = await given({ hold: () => held }, async (handle) => {
      await sleep(5 * MINUTE_MS + HALF_MS);
      expect(await status(handle)).toMatchObject({ phase: 'starting', hold, explanation: { waitsFor: words } });
      if (hold.kind === 'stopTheLine') {
        expect((await refusalOf(order(handle, 'promote'))).message).toBe('stop-the-line: incident 7');
      }
      held = null;
      await sleep(5 * MINUTE_MS);
      expect(await status(handle)).toMatchObject({ phase: 'running', weightPercent: 5 });
      held = hold;
      await sleep(30 * MINUTE_MS);
      expect(await status(handle)).toMatchObject({ weightPercent: 5 });
      held = null;
      return result(handle);
    });
    expect(fake.weights).toEqual([5, 25, 100, 100]);
  });
});

describe('a freeze', () => {
  it('keeps everything as it is, whatever is observed or breaks, until resume', async () => {
    let bad = false;
    const { fake, value } = await given({ verdict: () => (bad ? 'rollback' : 'healthy') }, freezeAndBreak);
    async function freezeAndBreak(handle: Handle, f: Fake) {
      await sleep(HALF_MS);
      await order(handle, 'freeze', { by: 'ann', reason: 'an audit' });
      bad = true;
      f.fail('observe', () => new Error('no counters'));
      await sleep(60 * MINUTE_MS);
      f.heal('observe');
      await handle.signal('trigger', { kind: 'security', reason: 'leak', by: 'eve' });
      await sleep(60 * MINUTE_MS);
      expect(await status(handle)).toMatchObject({ phase: 'frozen', weightPercent: 5, verdict: { kind: 'rollback' } });
      await order(handle, 'resume');
      return result(handle);
    }
    expect(value).toMatchObject({ outcome: 'rolledBack', reason: 'security: leak (eve)' });
    expect(fake.weights).toEqual([5, 0]);
  });
});

describe('a call from outside', () => {
  it('rolls back at once, by signal or at the next look, and quarantines the version', async () => {
    const signalled = await given({}, async (handle) => {
      await sleep(HALF_MS);
      await handle.signal('trigger', { kind: 'alert', reason: 'HighErrors', by: 'alertmanager' });
      return result(handle);
    });
    expect(signalled.value).toMatchObject({ outcome: 'rolledBack', reason: 'alert: HighErrors (alertmanager)' });
    expect(signalled.fake.calls).toContain('quarantine');
    const seen = await given({ triggers: () => [{ kind: 'webhook', reason: 'stop', by: 'ci' }] }, result);
    expect(seen.value).toMatchObject({ outcome: 'rolledBack', reason: 'webhook: stop (ci)' });
    expect(seen.fake.weights).toEqual([5, 0]);
  });
});

describe('orders', () => {
  it('sent twice under one id are carried out once', async () => {
    const { fake } = await given({}, async (handle) => {
      await sleep(HALF_MS);
      const send = () => handle.executeUpdate('promote', { args: [{}], updateId: 'the-same' });
      const answers = await Promise.all([send(), send()]);
      expect(answers[0]).toEqual(answers[1]);
      expect(await status(handle)).toMatchObject({ phase: 'keepWarm' });
      await order(handle, 'promote');
      return result(handle);
    });
    expect(fake.weights).toEqual([5, 100, 100]);
  });

  it('skip the bake time and not the evidence', async () => {
    let kind: 'healthy' | 'inconclusive' = 'inconclusive';
    const plan = { ...PLAN, advance: 'healthy' as const };
    const { fake } = await given({ plan, verdict: () => kind }, async (handle) => {
      await sleep(MINUTE_MS + HALF_MS);
      await order(handle, 'skipBake');
      await sleep(3 * MINUTE_MS);
      expect(await status(handle)).toMatchObject({
        weightPercent: 5,
        explanation: { waitsFor: expect.stringMatching(/^evidence: /) as string },
      });
      kind = 'healthy';
      await sleep(2 * MINUTE_MS);
      expect(await status(handle)).toMatchObject({ weightPercent: 25 });
      await order(handle, 'abort');
      return result(handle);
    });
    expect(fake.weights).toEqual([5, 25, 0]);
  });

  it('a second start beside the first is refused by its id', async () => {
    await given({}, async (handle) => {
      await sleep(HALF_MS);
      const again = handle.client.start('rolloutModel', {
        workflowId: handle.workflowId,
        taskQueue: randomUUID(),
        args: [{ model: 'prices', version: 3 }],
      });
      await expect(again).rejects.toThrow('already started');
      await order(handle, 'abort');
      return result(handle);
    });
  });
});
