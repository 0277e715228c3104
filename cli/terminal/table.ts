import type { Style } from './style.ts';
import { cut, padEnd, padStart, visibleLength } from './text.ts';

interface Column {
  readonly title: string;
  readonly align?: 'left' | 'right';
  /** May be cut to make the table fit; the first such columns give way first. Others are never cut. */
  readonly shrink?: boolean;
}

const GAP = '  ';
/** A cut column keeps at least this many characters. */
const SHRUNK_MIN = 8;

/** Lines of a table with a header, no frame. An empty table has no lines. */
export function renderTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: Style,
  width: number,
): readonly string[] {
  if (rows.length === 0) return [];
  const widths = columns.map((column, i) =>
    Math.max(visibleLength(column.title), ...rows.map((row) => visibleLength(row[i] ?? ''))),
  );
  let excess = widths.reduce((sum, w) => sum + w, 0) + GAP.length * (columns.length - 1) - width;
  columns.forEach((column, i) => {
    const own = widths[i] ?? 0;
    if (excess <= 0 || column.shrink !== true) return;
    const taken = Math.max(0, Math.min(excess, own - SHRUNK_MIN));
    widths[i] = own - taken;
    excess -= taken;
  });
  const line = (cells: readonly string[], paint: (text: string) => string): string =>
    columns
      .map((column, i) => {
        const columnWidth = widths[i] ?? 0;
        const cell = paint(cut(cells[i] ?? '', columnWidth, style.signs.cut));
        return column.align === 'right' ? padStart(cell, columnWidth) : padEnd(cell, columnWidth);
      })
      .join(GAP)
      .trimEnd();
  return [
    line(
      columns.map((c) => c.title),
      style.dim,
    ),
    ...rows.map((row) => line(row, (text) => text)),
  ];
}

/** `name  value` lines with the values under each other. */
export function renderPairs(pairs: readonly (readonly [string, string])[], style: Style): readonly string[] {
  const width = Math.max(0, ...pairs.map(([name]) => visibleLength(name)));
  return pairs.map(([name, value]) => `${style.dim(padEnd(name, width))}${GAP}${value}`);
}
