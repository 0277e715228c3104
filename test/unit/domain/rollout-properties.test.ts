import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { assignRoute } from '../../../domain/assignment.ts';
import { evidenceHash, openRules } from '../../../domain/rollout/approvals.ts';
import { checkPlan } from '../../../domain/rollout/check-plan.ts';
import { hasEnded } from '../../../domain/rollout/progress.ts';
import { weightOf } from '../../../domain/rollout/routes.ts';
import { snapshot } from '../../../domain/rollout/snapshot.ts';
import type { Route } from '../../../domain/routing.ts';
import { always, forwards, live, lives, RUNS, plans } from './rollout-lives.ts';

describe('whatever happens to a rollout', () => {
  it('every routing change has weights that sum to 100, one champion, and each variant once', () => {
    always(({ before, commands }) => {
      for (const c of commands) {
        if (c.kind !== 'route') continue;
        const sum = c.routes.reduce((total, r) => total + Math.round(r.weightPercent * 100), 0);
        expect(sum).toBe(10_000);
        expect(c.routes.filter((r) => r.variant === 'champion').length).toBeLessThanOrEqual(1);
        expect(new Set(c.routes.map((r) => r.variant)).size).toBe(c.routes.length);
        const baseline = c.routes.find((r) => r.variant === 'baseline');
        if (baseline !== undefined) {
          expect(baseline.version).toBe(before.champion);
          const share = weightOf(c.routes, before.candidate);
          expect(baseline.weightPercent).toBeCloseTo(Math.min(share, 100 - share), 9);
        }
      }
    });
  });

  it('the generation grows with every change in force and never otherwise', () => {
    always(({ before, event, after }) => {
      if (event.kind === 'routed' && before.pending !== null) expect(after.generation).toBe(before.generation + 1);
      else expect(after.generation).toBe(before.generation);
    });
  });

  it('the weight of the candidate never shrinks but for a restore, and never grows once the way back began', () => {
    always(({ before, after, commands }) => {
      for (const c of commands) {
        if (c.kind !== 'route') continue;
        const weight = weightOf(c.routes, before.candidate);
        if (c.purpose === 'restore') expect(weight).toBe(0);
        else expect(weight).toBeGreaterThanOrEqual(before.weightPercent);
        if (before.phase === 'rollingBack') expect(c.purpose).toBe('restore');
      }
      if (before.phase === 'rollingBack') expect(after.weightPercent).toBeLessThanOrEqual(before.weightPercent);
    });
  });

  it('nobody on the candidate moves back while its weight grows', () => {
    const keys = Array.from({ length: 60 }, (_, i) => `user-${i}`);
    const table = (routes: readonly Route[]) => ({
      model: 'm',
      generation: 1,
      salt: 's',
      rolloutId: null,
      routes,
      slowMs: 1,
    });
    fc.assert(
      fc.property(lives, (life) => {
        for (const { before, commands } of live(life)) {
          for (const c of forwards(commands)) {
            if (before.routes.length === 0 || before.weightPercent === 0) continue;
            for (const key of keys) {
              const was = assignRoute(table(before.routes), key).version === before.candidate;
              if (was) expect(assignRoute(table(c.routes), key).version).toBe(before.candidate);
            }
          }
        }
      }),
      { ...RUNS, numRuns: 2_000 },
    );
  });

  it('no step is taken by itself without evidence, time, traffic and approvals, or over a hold', () => {
    always(({ before, event, after, commands }) => {
      if (event.kind !== 'observed' || forwards(commands).length === 0) return;
      expect(event.hold).toBeNull();
      expect(event.verdict.kind).not.toBe('rollback');
      expect(openRules({ ...before, verdict: event.verdict }, event.nowMs, before.champion === null)).toEqual([]);
      if (before.phase === 'starting') return;
      if (!before.bakeSkipped) {
        const bake = before.plan.steps[before.stepIndex]?.bakeTimeMs ?? 0;
        expect(event.nowMs - before.stepStartedAtMs).toBeGreaterThanOrEqual(bake);
      }
      if (before.phase !== 'running' || before.weightPercent === 0) return;
      const more = event.observation.candidate.requests - before.requestsBeforeStep;
      expect(more).toBeGreaterThanOrEqual(Math.max(1, before.plan.minRequests));
      expect(event.verdict.sampleRatio?.ok).not.toBe(false);
      if (before.plan.advance === 'healthy') expect(event.verdict.kind).toBe('healthy');
      expect(after.phase).not.toBe('paused');
    });
  });

  it('a person goes on without evidence, but never without the approvals that are left', () => {
    always(({ before, event, commands }) => {
      if (event.kind !== 'promote' || forwards(commands).length === 0) return;
      expect(openRules(before, event.nowMs, true)).toEqual([]);
      expect(before.plan.strategy).not.toBe('shadow');
    });
  });

  it('nothing but a person moves a frozen rollout', () => {
    always(({ before, event, after, commands }) => {
      // A change that is pending is one that a person ordered: whoever froze it had waited for the others.
      if (before.phase !== 'frozen' || before.pending !== null) return;
      if (['promote', 'abort', 'rollback', 'resume', 'failed'].includes(event.kind)) return;
      expect(commands).toEqual([]);
      expect(after.phase).toBe('frozen');
      expect(after.routes).toBe(before.routes);
    });
  });

  it('an order that has expired changes nothing', () => {
    always(({ before, event, after, commands }) => {
      if (!('expiresAtMs' in event) || event.expiresAtMs === null || event.expiresAtMs >= event.nowMs) return;
      expect(after).toBe(before);
      expect(commands).toEqual([]);
    });
  });

  it('an approval of other evidence changes nothing, and a change of evidence voids those given', () => {
    always(({ before, event, after }) => {
      if (event.kind === 'approve' && event.evidenceHash !== evidenceHash(before)) expect(after).toBe(before);
      if (hasEnded(after) || (event.kind !== 'observed' && event.kind !== 'routed')) return;
      for (const a of after.approvals)
        if (after.phase !== 'rollingBack') expect(a.evidenceHash).toBe(evidenceHash(after));
    });
  });

  it('a candidate that had to go is quarantined, and none that is promoted or concluded', () => {
    fc.assert(
      fc.property(lives, (life) => {
        const moments = live(life);
        const last = moments.at(-1)?.after;
        if (last === undefined || !hasEnded(last)) return;
        const quarantined = moments.some((m) => m.commands.some((c) => c.kind === 'quarantine'));
        const foreign = last.reason?.startsWith('the routing was changed by someone else') ?? false;
        const gone = last.phase === 'rolledBack' || last.phase === 'aborted';
        expect(quarantined).toBe(gone && !foreign && life.champion !== null);
      }),
      RUNS,
    );
  });

  it('an ended rollout accepts nothing, and ends exactly once', () => {
    fc.assert(
      fc.property(lives, (life) => {
        const moments = live(life);
        let closes = 0;
        for (const { before, after, commands } of moments) {
          if (hasEnded(before)) {
            expect(after).toBe(before);
            expect(commands).toEqual([]);
          }
          closes += commands.filter((c) => c.kind === 'close').length;
          expect(hasEnded(after)).toBe(closes === 1);
        }
      }),
      RUNS,
    );
  });

  it('a rollback or abort ends with the champion alone, and its alias where it was', () => {
    fc.assert(
      fc.property(lives, (life) => {
        const moments = live(life);
        const last = moments.at(-1)?.after;
        if (last === undefined || life.champion === null) return;
        let champion: number | null = life.champion;
        for (const c of moments.flatMap((m) => m.commands)) {
          if (c.kind === 'setAliases' && c.aliases.champion !== undefined) champion = c.aliases.champion;
        }
        if (last.phase === 'rolledBack' || last.phase === 'aborted') expect(champion).toBe(life.champion);
        if (last.phase === 'promoted' || last.phase === 'keepWarm') expect(champion).toBe(last.candidate);
      }),
      RUNS,
    );
  });

  it('every ordinal is used once', () => {
    fc.assert(
      fc.property(lives, (life) => {
        const ordinals = live(life).flatMap((m) => m.commands.flatMap((c) => ('ordinal' in c ? [c.ordinal] : [])));
        expect(new Set(ordinals).size).toBe(ordinals.length);
      }),
      RUNS,
    );
  });

  it('every state survives JSON and explains itself', () => {
    fc.assert(
      fc.property(lives, (life) => {
        for (const { after } of live(life)) {
          expect(JSON.parse(JSON.stringify(after))).toEqual(after);
          const { explanation } = snapshot(after, 10_000);
          expect(Object.values(explanation).every((words) => words.length > 0)).toBe(true);
        }
      }),
      { numRuns: 300 },
    );
  });

  it('generated plans are plans a person could write', () => {
    fc.assert(
      fc.property(plans, (plan) => {
        expect(checkPlan(plan)).toEqual([]);
      }),
      { numRuns: 300 },
    );
  });
});
