/** From the outcomes of single kills to the table and the figures. */
import { isDeepStrictEqual } from 'node:util';
import type { Figure } from '../bench.ts';
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

export function judgeCell({ expected, ...cell }: Judged): Cell {
  const { end, findings } = cell.outcome;
  const endsOtherwise = !isDeepStrictEqual(end, expected);
  const { mixed, unrouted, misrecorded, unheard, cut, refused, latestMs } = findings;
  const told = (count: number, what: string): readonly string[] => (count === 0 ? [] : [`${count} ${what}`]);
  return {
    ...cell,
    endsOtherwise,
    problems: [
      ...(endsOtherwise ? [`ends otherwise: ${JSON.stringify(end)}`] : []),
      ...told(mixed, 'answers of a mix'),
      ...told(unrouted, 'answers of a version that is not routed'),
      ...told(misrecorded, 'answers not recorded once, as given'),
      ...told(refused.length, `answers other than 200 (${refused[0]?.status} ${refused[0]?.what})`),
      ...(isOfApi(cell.part) ? [] : told(cut, 'requests cut off')),
      ...(isOfApi(cell.part) ? [] : told(unheard, 'records of answers that nobody heard')),
      ...(latestMs <= LATE_MAX_MS || mayBeLate(cell.part) ? [] : [`an answer ${Math.round(latestMs)} ms late`]),
    ],
  };
}

/** A line for each row and step, a column for each part. */
export function table(cells: readonly Cell[], rows: Readonly<Record<string, Row>>): readonly string[] {
  const parts = PARTS.filter((part) => cells.some((cell) => cell.part === part));
  const lines = Object.entries(rows).flatMap(([name, row]) =>
    killPoints(row).map((step) => {
      const point = pointName(row, step);
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
  const cut = findings.cut === 0 ? '' : `, ${findings.cut} cut`;
  return `${end.phase ?? '?'} ${Math.round(tookMs / 1_000)} s${cut}`;
}

export function sumUp(cells: readonly Cell[], rows: Readonly<Record<string, Row>>): readonly Figure[] {
  const killed = cells.filter((cell) => cell.part !== null && cell.point !== 'elsewhere');
  const parts = new Set(killed.map((cell) => cell.part)).size;
  const wanted = Object.values(rows).flatMap(killPoints).length * parts;
  const sum = (of: readonly Cell[], count: (f: Outcome['findings']) => number): number =>
    of.reduce((total, cell) => total + count(cell.outcome.findings), 0);
  const figure = (name: string, value: number, bar: number | null, unit = ''): Figure => {
    return { name, value, unit, bar, better: 'lower' };
  };
  const others = cells.filter((cell) => !isOfApi(cell.part));
  const ofApi = cells.filter((cell) => isOfApi(cell.part));
  const worst = (of: readonly Cell[]): number => Math.max(0, ...of.map((cell) => cell.outcome.findings.latestMs));
  return [
    figure('kills, each of one part at one step of one rollout', killed.length, null),
    figure('kills that did not fall on their step', wanted - killed.length, 0),
    figure('rollouts that ended otherwise than undisturbed', cells.filter((cell) => cell.endsOtherwise).length, 0),
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
    figure(
      'answers other than 200',
      sum(cells, (f) => f.refused.length),
      0,
    ),
    figure(
      'requests cut off, API not killed',
      sum(others, (f) => f.cut),
      0,
    ),
    figure(
      'requests cut off, API killed',
      sum(ofApi, (f) => f.cut),
      null,
    ),
    figure(
      'records of answers nobody heard, API not killed',
      sum(others, (f) => f.unheard),
      0,
    ),
    figure(
      'records of answers nobody heard, API killed',
      sum(ofApi, (f) => f.unheard),
      null,
    ),
    figure('latest answer of an old routing', worst(cells.filter((c) => !mayBeLate(c.part))), LATE_MAX_MS, 'ms'),
    figure(
      'latest answer of an old routing, Postgres killed',
      worst(cells.filter((c) => mayBeLate(c.part))),
      null,
      'ms',
    ),
  ];
}
