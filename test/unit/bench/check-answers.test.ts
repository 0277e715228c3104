/** The bench and the test that kill a platform under load find what they look for: each kind of defect, planted. */
import { describe, expect, it } from 'vitest';
import { checkAnswers, type StoredAnswer, type Told } from '../../../bench/rollout-kills/check-answers.ts';
import { entityOf, type UserAnswer } from '../../../bench/rollout/user-load.ts';
import type { LedgerEntry } from '../../../db/rollout-ports.ts';
import type { Route } from '../../../domain/routing.ts';

const epoch = (ms: number): Date => new Date(Math.round(performance.timeOrigin + ms));
const champion = (version: number, weightPercent = 100): Route => ({ variant: 'champion', version, weightPercent });

function entry(generation: number, fromMs: number, toMs: number | null, ...routes: Route[]): LedgerEntry {
  const who = { model: 'm', salt: 's', rolloutId: null, changedBy: 'test', reason: 'a test', evidence: null };
  return { ...who, generation, routes, validFrom: epoch(fromMs), validTo: toMs === null ? null : epoch(toMs) };
}

const ledger = [
  entry(1, 0, 1_000, champion(1)),
  entry(2, 1_000, 2_000, champion(1, 80), { variant: 'candidate', version: 2, weightPercent: 20 }),
  entry(3, 2_000, null, champion(1)),
];
const probabilityOf = (version: number, user: number): number => (version === 1 ? 0 : 0.5) + user / 1_000;

function answer(user: number, over: Partial<UserAnswer> = {}): UserAnswer {
  const version = over.version ?? 1;
  const times = { dueMs: 1_500, atMs: 1_510 };
  const who = { variant: version === 1 ? 'champion' : 'candidate', requestId: `id-${user}` };
  return { user, status: 200, what: '', version, probability: probabilityOf(version, user), ...who, ...times, ...over };
}

function recorded({ requestId, version, variant, probability, user }: UserAnswer): StoredAnswer {
  return { requestId, version, variant, probability, entityId: entityOf(user) };
}

function check(answers: readonly UserAnswer[], over: Partial<Told> = {}) {
  const told = { answers, ledger, probabilityOf, candidateFails: false };
  const stored = answers.filter((a) => a.status === 200).map(recorded);
  const { cut, starting, refused, ...found } = checkAnswers({ ...told, stored, ...over });
  return { ...found, cut: cut.length, starting: starting.length, refused: refused.length };
}

const fine = { mixed: 0, unrouted: 0, latestMs: 0, misrecorded: 0, unheard: 0, cut: 0, starting: 0, refused: 0 };

describe('the answers of a rollout', () => {
  it('are fine when each is one routed version’s, recorded once', () => {
    expect(check([answer(1), answer(2, { version: 2 })])).toEqual({ ...fine, answered: 2 });
  });

  it('are a mix when the probability is the other version’s, another row’s, or an id comes twice', () => {
    expect(check([answer(1, { version: 2, probability: probabilityOf(1, 1) })]).mixed).toBe(1);
    expect(check([answer(1, { probability: probabilityOf(1, 2) })]).mixed).toBe(1);
    expect(check([answer(1), answer(2, { requestId: 'id-1' })]).mixed).toBe(1);
  });

  it('are unrouted before their version gets traffic, and by a variant of another version', () => {
    expect(check([answer(1, { version: 2, dueMs: 500, atMs: 510 })]).unrouted).toBe(1);
    expect(check([answer(1, { version: 2, variant: 'champion' })]).unrouted).toBe(1);
    expect(check([answer(1, { version: 3 })]).unrouted).toBe(1);
  });

  it('are late by the time since the routing they follow ended', () => {
    expect(Math.round(check([answer(1, { version: 2, dueMs: 2_700, atMs: 2_710 })]).latestMs)).toBeCloseTo(700, -1);
  });

  it('may come from a champion without weight only where the candidate fails', () => {
    const without = [entry(1, 0, null, champion(1, 0), { variant: 'candidate', version: 2, weightPercent: 100 })];
    expect(check([answer(1)], { ledger: without }).unrouted).toBe(1);
    expect(check([answer(1)], { ledger: without, candidateFails: true }).unrouted).toBe(0);
  });

  it('are misrecorded when they are missing, twice, or another’s', () => {
    const one = answer(1);
    const row = recorded(one);
    const others = [
      [],
      [row, row],
      [{ ...row, version: 2 }],
      [{ ...row, variant: 'baseline' }],
      [{ ...row, probability: 0.9 }],
      [{ ...row, entityId: 'user-2' }],
    ];
    for (const stored of others) expect(check([one], { stored }).misrecorded).toBe(1);
    expect(check([one], { stored: [row, { ...row, requestId: 'id-2' }] }).unheard).toBe(1);
  });

  it('fail by a cut, by an API that has just started, or otherwise', () => {
    const failed = (status: number, what: string): UserAnswer => answer(1, { status, what, requestId: '', version: 0 });
    expect(check([failed(0, 'socket hang up')])).toMatchObject({ answered: 0, cut: 1, starting: 0, refused: 0 });
    expect(check([failed(503, 'm cannot be answered yet')])).toMatchObject({ starting: 1, refused: 0 });
    expect(check([failed(503, 'overloaded')])).toMatchObject({ starting: 0, refused: 1 });
    expect(check([failed(500, 'cannot be answered yet')])).toMatchObject({ starting: 0, refused: 1 });
  });
});
