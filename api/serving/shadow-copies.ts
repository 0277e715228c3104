import { randomUUID } from 'node:crypto';
import type { RecordStore } from '../../db/ports.ts';
import type { ShadowCountsRow } from '../../db/rollout-ports.ts';
import { assignShadow } from '../../domain/assignment.ts';
import type { Route, RoutingTable } from '../../domain/routing.ts';
import type { LoadedModel } from '../../models/serving/load-model.ts';
import { asProbability } from './conclude.ts';
import type { Answer } from './conclude.ts';
import type { AdoptedRouting } from './model-routing.ts';
import { createPeriodicFlush } from './periodic-flush.ts';
import type { ServingLog } from './ports.ts';
import { createRareLog } from './rare-log.ts';
import { addPair, PairCells } from './pair-cells.ts';
import type { Pair } from './pair-cells.ts';

/** Copies that wait; a few hundred rows are some ms of work, and more would hold memory for nobody's answer. */
const WAITING_MAX = 512;
/** Copies that begin in one turn of the event loop: under half a ms, so that a client's request hardly waits for them. */
const COPIES_PER_TURN = 16;
const FLUSH_EVERY_MS = 1_000;
const LOG_EVERY_MS = 60_000;

export interface ShadowCopies {
  /** An answer that has been given; copied when the routing has a shadow that takes this key. Never waits, never throws. */
  offer(routing: AdoptedRouting, features: unknown, key: string, answer: Answer): void;
  /** Copies that were left out since the start because too many waited. */
  dropped(): number;
  /** Writes the sums that are open, for `limitMs` at most. */
  close(limitMs: number): Promise<void>;
}

interface Copy {
  readonly table: RoutingTable;
  readonly route: Route;
  readonly model: LoadedModel | undefined;
  readonly features: unknown;
  readonly answer: Answer;
}

/**
 * Asks a shadow what a client was just answered, after the answer. Only the sums of the differences are kept; no client
 * sees or waits for a shadow, and a shadow that fails or is slow costs nobody but itself.
 */
export function createShadowCopies(deps: {
  readonly records: Pick<RecordStore, 'saveShadowCounts'>;
  readonly log: ServingLog;
}): ShadowCopies {
  const instance = randomUUID();
  const cells = new PairCells();
  const waiting: Copy[] = [];
  const rarely = createRareLog(LOG_EVERY_MS);
  let sequence = 0;
  let dropped = 0;
  let scheduled = false;
  let unsaved: readonly ShadowCountsRow[] = [];
  const flush = createPeriodicFlush({
    everyMs: FLUSH_EVERY_MS,
    hasWork: () => unsaved.length > 0 || cells.hasOpenWindows,
    write: async () => {
      if (unsaved.length === 0) unsaved = cells.cutWindows().map((row) => ({ instance, sequence: sequence++, ...row }));
      await deps.records.saveShadowCounts(unsaved);
      unsaved = [];
    },
    isUrgent: () => false,
    onFailure: (error, retryInMs) =>
      rarely('waiting', () => deps.log.warn({ err: error, retryInMs }, 'counts of a shadow wait for the database')),
  });

  function work(): void {
    scheduled = false;
    for (const copy of waiting.splice(0, COPIES_PER_TURN)) void ask(copy);
    if (waiting.length > 0) schedule();
  }

  function schedule(): void {
    if (scheduled) return;
    scheduled = true;
    setImmediate(work);
  }

  async function ask(copy: Copy): Promise<void> {
    const { table, route } = copy;
    try {
      addPair(cells.of(table, route), await pairOf(copy));
    } catch (error) {
      cells.of(table, route).shadowErrors += 1;
      const details = { err: error, model: table.model, version: route.version };
      rarely(`${table.model}/${route.version}`, () => deps.log.warn(details, 'a shadow failed to answer'));
    }
  }

  return {
    offer: (routing, features, key, answer) => {
      const { table, shadow, versions } = routing;
      if (shadow === null || assignShadow(table, key) === null) return;
      if (waiting.length >= WAITING_MAX) {
        dropped += 1;
        cells.of(table, shadow).dropped += 1;
        return;
      }
      waiting.push({ table, route: shadow, model: versions.get(shadow.version)?.loaded, features, answer });
      schedule();
    },
    dropped: () => dropped,
    close: async (limitMs) => {
      waiting.length = 0;
      if (await flush.close(limitMs)) return;
      deps.log.error({ rows: unsaved.length }, 'counts of a shadow were not written before the process ended');
    },
  };
}

/** The time is taken from where the client's own call was: before the encoding. */
async function pairOf({ model, features, answer }: Copy): Promise<Pair> {
  const startedMs = performance.now();
  if (model === undefined) throw new Error('the shadow is not loaded');
  const row = new Float32Array(model.encoder.width);
  const { problems } = model.encoder.encode(features, row, 0);
  // What the champion took and the shadow refuses would be an error for the client.
  if (problems.length > 0) throw new Error(`the shadow refuses what was answered: ${problems[0]?.message ?? ''}`);
  const probability = asProbability(await model.predictOne(row));
  if (probability === null) throw new Error('the shadow gave no probability');
  const { threshold, target } = model.signature;
  const label = probability >= threshold ? target.positive : target.negative;
  return {
    disagrees: label !== answer.label,
    scoreDiff: probability - answer.probability,
    latencyDiffMs: performance.now() - startedMs - answer.latencyMs,
  };
}
