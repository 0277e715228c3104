import type { CountsRow } from '../../db/ports.ts';
import { addCounts, NO_COUNTS } from '../../domain/records.ts';
import type { VariantCounts } from '../../domain/records.ts';
import type { Route, RoutingTable } from '../../domain/routing.ts';
import { SCORE_BINS } from '../../domain/verdict.ts';

type Mutable<T> = { -readonly [K in keyof T]: T[K] };

/** Counts of one variant and version in one rollout. */
interface Cell {
  readonly key: string;
  readonly of: Pick<CountsRow, 'model' | 'rolloutId' | 'variant' | 'version'>;
  window: Mutable<VariantCounts>;
  windowStartMs: number;
  /** Answers of the window by score; `null` outside of rollouts, where nobody compares them. */
  bins: number[] | null;
  /** Everything before the open window. */
  before: VariantCounts;
}

/** One row of the counters as it is cut, before it is numbered. */
export type CutWindow = Omit<CountsRow, 'instance' | 'sequence'>;

/** The counters in memory: a cell per route, bounded by the routes in force. */
export class CountCells {
  readonly #cells = new Map<string, Cell>();
  /** The routes of an adopted table are the same objects for every prediction: found without building a key. */
  readonly #byRoute = new WeakMap<Route, Cell>();
  readonly #open = new Set<Cell>();
  #routed: ReadonlySet<string> = new Set();

  get hasOpenWindows(): boolean {
    return this.#open.size > 0;
  }

  /** `score`: 0..1, `null` where there is no answer. */
  count(
    table: RoutingTable,
    route: Route,
    error: boolean,
    slow: boolean,
    latencyMs: number,
    score: number | null,
  ): void {
    const cell = this.#cellOf(table, route);
    const { window } = cell;
    if (window.requests === 0) {
      cell.windowStartMs = Date.now();
      this.#open.add(cell);
    }
    window.requests += 1;
    if (error) window.errors += 1;
    if (slow) window.slow += 1;
    window.latencySumMs += latencyMs;
    if (score === null || cell.of.rolloutId === null) return;
    cell.bins ??= new Array<number>(SCORE_BINS).fill(0);
    const bin = Math.min(SCORE_BINS - 1, Math.floor(score * SCORE_BINS));
    cell.bins[bin] = (cell.bins[bin] ?? 0) + 1;
  }

  totals(table: RoutingTable, route: Route): VariantCounts {
    const cell = this.#cellOf(table, route);
    return addCounts(cell.before, cell.window);
  }

  /** Closes the open windows; late counts of a route that is gone open a new one all the same. */
  cutWindows(): CutWindow[] {
    const cut = [...this.#open].map((cell) => {
      const scored = cell.bins === null ? {} : { scoreBins: cell.bins };
      const row = { ...cell.of, windowStartMs: cell.windowStartMs, ...cell.window, ...scored };
      cell.before = addCounts(cell.before, cell.window);
      cell.window = { ...NO_COUNTS };
      cell.bins = null;
      return row;
    });
    this.#open.clear();
    this.#forgetUnrouted();
    return cut;
  }

  /** Forgets the totals of routes that are in none of the tables, once their windows are cut. */
  retain(tables: readonly RoutingTable[]): void {
    this.#routed = new Set(tables.flatMap((table) => table.routes.map((route) => keyOf(table, route))));
    this.#forgetUnrouted();
  }

  #forgetUnrouted(): void {
    for (const [key, cell] of this.#cells) if (!this.#routed.has(key) && !this.#open.has(cell)) this.#cells.delete(key);
  }

  #cellOf(table: RoutingTable, route: Route): Cell {
    const near = this.#byRoute.get(route);
    if (near !== undefined) return near;
    const key = keyOf(table, route);
    const { variant, version } = route;
    const cell = this.#cells.get(key) ?? {
      key,
      of: { model: table.model, rolloutId: table.rolloutId, variant, version },
      window: { ...NO_COUNTS },
      windowStartMs: 0,
      bins: null,
      before: NO_COUNTS,
    };
    this.#cells.set(key, cell);
    this.#byRoute.set(route, cell);
    return cell;
  }
}

function keyOf(table: RoutingTable, route: Route): string {
  return `${table.model}/${table.rolloutId ?? '-'}/${route.variant}/${route.version}`;
}
