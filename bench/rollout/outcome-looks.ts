import { createJudge, observationOf } from '../../domain/judge.ts';
import { NO_COUNTS } from '../../domain/records.ts';
import type { JudgePolicy, OutcomeStats } from '../../domain/verdict.ts';
import { normal, seeded } from './random.ts';

const POLICY: JudgePolicy = {
  limits: { errorRateMax: 0.001, p95MsMax: 120 },
  metrics: [{ metric: 'outcome', event: 'order', action: 'rollback', degradationMax: 0.05 }],
  alpha: 0.01,
  warmUpRequests: 0,
};

/** A conversion of 10 %, two equal arms, a look every 500 users of each up to 60,000. */
export function runOutcomes(loss: number, runs: number, seed: number) {
  const judge = createJudge();
  const random = seeded(seed);
  const [every, most, base] = [500, 60_000, 0.1];
  const draw = (share: number) =>
    Math.max(0, Math.round(every * share + Math.sqrt(every * share * (1 - share)) * normal(random)));
  let rollbacks = 0;
  let healthy = 0;
  for (let i = 0; i < runs; i++) {
    let ours = 0;
    let theirs = 0;
    for (let users = every; users <= most; users += every) {
      ours += draw(base * (1 - loss));
      theirs += draw(base);
      const stats = (arm: OutcomeStats['arm'], sum: number) => ({ event: 'order', arm, users, sum, sumOfSquares: sum });
      const sums = { candidate: { ...NO_COUNTS, requests: users }, champion: NO_COUNTS, windows: 3 };
      const outcomes = [stats('candidate', ours), stats('baseline', theirs)];
      const { kind } = judge({ ...observationOf(sums), outcomes }, POLICY);
      if (kind === 'inconclusive') continue;
      if (kind === 'rollback') rollbacks += 1;
      else healthy += 1;
      break;
    }
  }
  return { rollback: rollbacks / runs, healthy: healthy / runs };
}
