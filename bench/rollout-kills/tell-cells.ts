/** From the outcomes of single kills to the table and the figures. */
import { isDeepStrictEqual } from 'node:util';
import type { Figure } from '../bench.ts';
import type { UserAnswer } from '../rollout/user-load.ts';
import type { Findings } from './check-answers.ts';
import { PARTS, type Part } from './kill-world.ts';
import { killPoints, pointName, type Row } from './rows.ts';
import type { End, Outcome } from './run-batch.ts';

/** As after a verdict: from the end of a routing to the last answer that follows it. */
const LATE_MAX_MS = 2_000;

export interface Cell {
  readonly name: string;
  /** At which it was killed. */
  readonly point: string;
  readonly part: Part | null;
  readonly outcome: Outcome;
  /** It did not end as it does undisturbed. */
  readonly endsOtherwise: boolean;
  /** In words; empty when all is well. */
  readonly problems: readonly string[];
}

interface Judged {
  readonly name: string;
  readonly point: string;
  readonly part: Part | null;
  readonly outcome: Outcome;
  readonly expected: End;
}

const isOfApi = (part: Part | null): boolean => part === 'API' || part === 'API process';

/**
 * Whose routing cannot be told that it has changed follows the old one for longer: when the database goes away between
 * the change and the news of it.
 */
const mayBeLate = (part: Part | null): boolean => part === 'Postgres';

const describe = (failed: UserAnswer | undefined): string =>
  failed === undefined ? '' : `${failed.status} after ${Math.round(failed.atMs - failed.dueMs)} ms: ${failed.what}`;

export function judgeCell({ expected, ...cell }: Judged): Cell {
  const { end, findings } = cell.outcome;
  const endsOtherwise = !isDeepStrictEqual(end, expected);
  const { mixed, unrouted, misrecorded, unheard, cut, starting, refused, latestMs } = findings;
  const told = (count: number, what: string): readonly string[] => (count === 0 ? [] : [`${count} ${what}`]);
  return {
    ...cell,
    endsOtherwise,
    problems: [
      ...(endsOtherwise ? [`ends otherwise: ${JSON.stringify(end)}`] : []),
      ...told(mixed, 'answers of a mix'),
      ...told(unrouted, 'answers of a version that is not routed'),
      ...told(misrecorded, 'answers not recorded once, as given'),
      ...told(refused.length, `answers other than 200 (${describe(refused[0])})`),
      ...(isOfApi(cell.part) ? [] : told(cut.length, `requests cut off (${describe(cut[0])})`)),
      // Only who is killed as a whole starts anew, and says so until its models are loaded.
      ...(cell.part === 'API' ? [] : told(starting.length, 'answers 503 of an API that starts')),
      ...(isOfApi(cell.part) ? [] : told(unheard, 'records of answers that nobody heard')),
      ...(latestMs <= LATE_MAX_MS || mayBeLate(cell.part) ? [] : [`an answer ${Math.round(latestMs)} ms late`]),
    ],
  };
}

/** A line for each row and step, a column for each part. */
export function table(cells: readonly Cell[], rows: Readonly<Record<string, Row>>): readonly string[] {
  const parts = PARTS.filter((part) => cells.some((cell) => cell.part === part));
  const lines = Object.entries(rows).flatMap(([name, row]) =>
    killPoints(row).map((at) => {
      const point = pointName(row, at);
      const shown = parts.map((part) =>
        show(cells.find((c) => c.name === name && c.point === point && c.part === part)),
      );
      return [name, point, ...shown];
    }),
  );
  const all = [['rollout', 'killed at', ...parts], ...lines];
  const widths = (all[0] ?? []).map((_, i) => Math.max(...all.map((line) => line[i]?.length ?? 0)));
  return all.map((line) => line.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join('  '));
}

function show(cell: Cell | undefined): string {
  if (cell === undefined) return '-';
  const { end, tookMs, findings } = cell.outcome;
  if (cell.problems.length > 0) return 'NOT WELL';
  const failed = findings.cut.length + findings.starting.length;
  const cut = failed === 0 ? '' : `, ${failed} failed`;
  return `${end.phase ?? '?'} ${Math.round(tookMs / 1_000)} s${cut}`;
}

const figure = (name: string, value: number, bar: number | null, unit = ''): Figure => {
  return { name, value, unit, bar, better: 'lower' };
};

export function sumUp(cells: readonly Cell[], rows: Readonly<Record<string, Row>>): readonly Figure[] {
  const killed = cells.filter((cell) => cell.part !== null && cell.point !== 'elsewhere');
  const parts = new Set(killed.map((cell) => cell.part)).size;
  const wanted = Object.values(rows).flatMap(killPoints).length * parts;
  return [
    figure('kills, each of one part at one step of one rollout', killed.length, null),
    figure('kills that did not fall on their step', wanted - killed.length, 0),
    figure('rollouts that ended otherwise than undisturbed', cells.filter((cell) => cell.endsOtherwise).length, 0),
    ...answerFigures(cells),
    ...failureFigures(cells),
    ...goneFigures(cells),
  ];
}

/** How long a bad version goes on to answer when what would send it back is killed at that moment. */
function goneFigures(cells: readonly Cell[]): readonly Figure[] {
  return cells.flatMap(({ point, part, outcome: { goneMs } }) => {
    const isQuiet = part === null;
    if (goneMs === null || (point !== 'verdict' && !isQuiet)) return [];
    const what = isQuiet ? 'nothing killed' : `${part} killed then`;
    return [figure(`from the verdict to the last bad answer, ${what}`, goneMs, isQuiet ? LATE_MAX_MS : null, 'ms')];
  });
}

function sum(cells: readonly Cell[], count: (f: Findings) => number): number {
  return cells.reduce((total, cell) => total + count(cell.outcome.findings), 0);
}

function answerFigures(cells: readonly Cell[]): readonly Figure[] {
  const worst = (of: readonly Cell[]): number => Math.max(0, ...of.map((cell) => cell.outcome.findings.latestMs));
  const mayBe = cells.filter((cell) => mayBeLate(cell.part));
  const mayNot = cells.filter((cell) => !mayBeLate(cell.part));
  return [
    figure(
      'requests answered',
      sum(cells, (f) => f.answered),
      null,
    ),
    figure(
      'answers of a mix of versions',
      sum(cells, (f) => f.mixed),
      0,
    ),
    figure(
      'answers of a version or variant that is not routed',
      sum(cells, (f) => f.unrouted),
      0,
    ),
    figure(
      'answers not recorded exactly once, as given',
      sum(cells, (f) => f.misrecorded),
      0,
    ),
    figure('latest answer of an old routing', worst(mayNot), LATE_MAX_MS, 'ms'),
    figure('latest answer of an old routing, Postgres killed', worst(mayBe), null, 'ms'),
  ];
}

function failureFigures(cells: readonly Cell[]): readonly Figure[] {
  const primary = cells.filter((cell) => cell.part === 'API');
  const serving = cells.filter((cell) => cell.part === 'API process');
  const others = cells.filter((cell) => !isOfApi(cell.part));
  const refused = sum(cells, (f) => f.refused.length);
  const starting = sum([...others, ...serving], (f) => f.starting.length);
  return [
    figure('answers other than 200 by an API that was not just started', refused + starting, 0),
    figure(
      'requests cut off, API not killed',
      sum(others, (f) => f.cut.length),
      0,
    ),
    figure(
      'records of answers nobody heard, API not killed',
      sum(others, (f) => f.unheard),
      0,
    ),
    figure(
      'requests cut off, an API process killed',
      sum(serving, (f) => f.cut.length),
      null,
    ),
    figure(
      'requests cut off or refused, the whole API killed',
      sum(primary, (f) => f.cut.length),
      null,
    ),
    figure(
      'answers 503 until it had started, the whole API killed',
      sum(primary, (f) => f.starting.length),
      null,
    ),
    figure(
      'records of answers nobody heard, API killed',
      sum([...primary, ...serving], (f) => f.unheard),
      null,
    ),
  ];
}
