/** What clients were told, held against the ledger of the routing and the records of the predictions. Pure. */
import type { LedgerEntry } from '../../db/rollout-ports.ts';
import type { Route } from '../../domain/routing.ts';
import { entityOf, type UserAnswer } from '../rollout/user-load.ts';

export interface StoredAnswer {
  readonly requestId: string;
  readonly version: number;
  readonly variant: string;
  readonly probability: number;
  readonly entityId: string;
}

export interface Told {
  readonly answers: readonly UserAnswer[];
  /** From before the first request to now; oldest first. */
  readonly ledger: readonly LedgerEntry[];
  readonly stored: readonly StoredAnswer[];
  readonly probabilityOf: (version: number, user: number) => number;
  /** The candidate fails on some rows: the champion answers them, whatever its weight. */
  readonly candidateFails: boolean;
}

export interface Findings {
  readonly answered: number;
  /** Answers whose probability is not the one of the version they name, for that very row, or whose id came twice. */
  readonly mixed: number;
  /** Answers by a version or a variant that no routing of any moment up to then gave traffic to. */
  readonly unrouted: number;
  /** The longest an answer was asked for after the end of the routing it follows, ms. */
  readonly latestMs: number;
  /** Answers that are not recorded, or recorded twice, or as another's. */
  readonly misrecorded: number;
  /** Records of answers that nobody heard; their connections were cut. */
  readonly unheard: number;
  /** Of the others, those without an answer: their connections were cut, or there was nobody to connect to. */
  readonly cut: readonly UserAnswer[];
  /** Those answered 503 by an API that has not loaded its keys or models yet. */
  readonly starting: readonly UserAnswer[];
  /** Those answered anything else than 200. */
  readonly refused: readonly UserAnswer[];
}

/** Models compute in float32. */
const TOLERANCE = 1e-5;
/** Two clocks of one machine. */
const CLOCKS_MS = 20;

const isNear = (a: number, b: number): boolean => Math.abs(a - b) < TOLERANCE;

/** An API that was started a moment ago says what it has not got yet. */
const isStarting = ({ status, what }: UserAnswer): boolean =>
  status === 503 && (what.includes('cannot be answered yet') || what.includes('are not loaded yet'));

export function checkAnswers({ answers, ledger, stored, probabilityOf, candidateFails }: Told): Findings {
  const good = answers.filter((a) => a.status === 200);
  const refused = answers.filter((a) => a.status !== 200 && a.status !== 0);
  const byId = new Map<string, StoredAnswer[]>();
  for (const row of stored) byId.set(row.requestId, [...(byId.get(row.requestId) ?? []), row]);
  const wrong = good.filter((a) => !isNear(a.probability, probabilityOf(a.version, a.user)));
  const ids = new Set(good.map((a) => a.requestId));
  const late = good.map((a) => lateMs(a, ledger, candidateFails));
  return {
    answered: good.length,
    mixed: wrong.length + good.length - ids.size,
    unrouted: late.filter((ms) => ms === null).length,
    latestMs: late.reduce<number>((most, ms) => Math.max(most, ms ?? 0), 0),
    misrecorded: good.filter((a) => !isRecorded(a, byId.get(a.requestId) ?? [])).length,
    unheard: [...byId.keys()].filter((id) => !ids.has(id)).length,
    cut: answers.filter((a) => a.status === 0),
    starting: refused.filter(isStarting),
    refused: refused.filter((a) => !isStarting(a)),
  };
}

function isRecorded(answer: UserAnswer, rows: readonly StoredAnswer[]): boolean {
  const [row] = rows;
  if (row === undefined || rows.length > 1) return false;
  const same = row.version === answer.version && row.variant === answer.variant;
  return same && row.entityId === entityOf(answer.user) && isNear(row.probability, answer.probability);
}

/** How long the routing was over, ms, when the answer was asked for; 0: in force. `null`: none gave it this traffic. */
function lateMs(
  { version, variant, dueMs, atMs }: UserAnswer,
  ledger: readonly LedgerEntry[],
  candidateFails: boolean,
): number | null {
  const mayAnswer = (r: Route): boolean => {
    const standsIn = candidateFails && r.variant === 'champion';
    return r.variant === variant && r.version === version && (r.weightPercent > 0 || standsIn);
  };
  const ends = ledger
    .filter(({ validFrom }) => validFrom.getTime() <= atMs + performance.timeOrigin + CLOCKS_MS)
    .filter(({ routes }) => routes.some(mayAnswer))
    .map(({ validTo }) => validTo?.getTime() ?? Infinity);
  return ends.length === 0 ? null : Math.max(0, dueMs + performance.timeOrigin - Math.max(...ends));
}
