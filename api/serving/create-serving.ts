import { randomUUID } from 'node:crypto';
import { join } from 'node:path';
import type { RecordStore, RoutingStore, VersionStore } from '../../db/ports.ts';
import type { InstanceStore } from '../../db/rollout-ports.ts';
import type { ArtefactStore } from '../../domain/artefacts.ts';
import { DomainError } from '../../domain/errors.ts';
import type { ServedModel, Serving, ServingStatus } from './contract.ts';
import { createExplanations } from './explanations.ts';
import { createInstanceReports } from './instance-reports.ts';
import type { AdoptedRouting } from './model-routing.ts';
import type { ServingLog, ServingMetrics } from './ports.ts';
import { Predictor } from './predictor.ts';
import { createRecordSink } from './record-sink.ts';
import type { RecordSink } from './record-sink.ts';
import { createRoutingFile } from './routing-file.ts';
import { RoutingSnapshots } from './routing-snapshots.ts';
import { createShadowCopies } from './shadow-copies.ts';
import { createVariantCounters } from './variant-counters.ts';
import type { VariantCounters } from './variant-counters.ts';
import { VersionBreakers } from './version-breakers.ts';
import { createVersionCache } from './version-cache.ts';
import type { KeptBounds, LoadedVersions } from './version-cache.ts';

/** Records and counters get this long to be written at the end; the process is being stopped meanwhile. */
const CLOSE_LIMIT_MS = 5_000;

export interface ServingDeps {
  readonly routing: Pick<RoutingStore, 'all' | 'listen'>;
  readonly versions: Pick<VersionStore, 'find'>;
  readonly artefacts: Pick<ArtefactStore, 'read'>;
  readonly records: Pick<RecordStore, 'savePredictions' | 'saveCounts' | 'saveShadowCounts'>;
  /** Where it is told what is served. Default: nowhere. */
  readonly instances?: Pick<InstanceStore, 'report' | 'leave'>;
  /** Folder of the routing's file, `routing.json`. */
  readonly home: string;
  readonly metrics: ServingMetrics;
  readonly log: ServingLog;
  /** Default: write-behind in memory. */
  readonly sink?: RecordSink;
  /** Versions kept loaded that no routing names. Default: none. */
  readonly kept?: KeptBounds;
  /** Default: 5 s. */
  readonly closeLimitMs?: number;
}

export interface RunningServing extends Serving {
  /** Loads and proves what is routed, then keeps up with the routing. Never rejects: `status()` tells. */
  start(): Promise<void>;
  /** What is in memory now. */
  versions(): LoadedVersions;
  /** Answers what waits, writes the records left, frees the models. Predict no more before calling it. */
  close(): Promise<void>;
}

/** The serving path: everything a prediction needs is in memory, so none waits for the database or for Temporal. */
export function createServing(deps: ServingDeps): RunningServing {
  const { log, metrics, records, closeLimitMs = CLOSE_LIMIT_MS } = deps;
  const sink = deps.sink ?? createRecordSink({ records, log });
  const counters = createVariantCounters({ records, log });
  const shadows = createShadowCopies({ records, log });
  const cache = createVersionCache({
    find: (model, version) => deps.versions.find(model, version),
    artefacts: deps.artefacts,
    onBatch: (rows) => metrics.batchSize(rows),
    ...(deps.kept === undefined ? {} : { kept: deps.kept }),
  });
  const snapshots = new RoutingSnapshots({
    routing: deps.routing,
    cache,
    file: createRoutingFile(join(deps.home, 'routing.json'), log),
    log,
    onAdopted: (tables) => {
      counters.retain(tables);
      reports?.adopted();
    },
  });
  const { instances } = deps;
  const reports =
    instances === undefined
      ? null
      : createInstanceReports({ instance: randomUUID(), instances, routings: () => snapshots.all(), log });
  const explanations = createExplanations({
    artefacts: deps.artefacts,
    find: (model, version) => snapshots.find(model)?.versions.get(version),
    log,
  });
  const breakers = new VersionBreakers(log);
  const current = (model: string): AdoptedRouting | undefined => snapshots.find(model);
  const predictor = new Predictor({ current, sink, counters, breakers, metrics, log, shadows });

  return {
    start: async () => {
      await snapshots.start();
      reports?.start();
    },
    predict: async (model, requests) => predictor.predict(routingFor(snapshots, model), requests),
    predictOne: (model, request, receiver) => predictor.predictOne(routingFor(snapshots, model), request, receiver),
    predictText: (model, row, receiver) => {
      const routing = model === null ? snapshots.only() : snapshots.find(model);
      return routing !== undefined && predictor.predictText(routing, row, receiver);
    },
    explain: (model, version, row) => explanations.explain(model, version, row),
    explanationRefusal: (model, version) => explanations.refusal(model, version),
    served: () => snapshots.all().map((routing) => servedModel(routing, counters, breakers)),
    versions: () => cache.status(),
    status: (): ServingStatus => ({
      ...snapshots.status(),
      recordsQueued: sink.queued(),
      recordsDropped: sink.dropped(),
    }),
    close: async () => {
      await Promise.all([snapshots.close(), reports?.close(closeLimitMs)]);
      await cache.closeAll();
      await Promise.all([sink, counters, shadows].map((part) => part.close(closeLimitMs)));
    },
  };
}

function routingFor(snapshots: RoutingSnapshots, model: string | null): AdoptedRouting {
  if (model === null) return onlyRouting(snapshots);
  const routing = snapshots.find(model);
  if (routing !== undefined) return routing;
  const allowed = snapshots.known();
  const routingUnread = allowed.length === 0 && !snapshots.status().ready;
  if (allowed.includes(model) || routingUnread) throw notYet(snapshots, model);
  const problem = { field: 'model', message: `there is no served model ${model.slice(0, 200)}`, allowed };
  throw new DomainError('notFound', `No served model is named ${model.slice(0, 200)}`, [problem]);
}

function onlyRouting(snapshots: RoutingSnapshots): AdoptedRouting {
  const allowed = snapshots.known();
  if (allowed.length > 1) {
    const problem = { field: 'model', message: 'several models are served: name one', allowed };
    throw new DomainError('malformedRequest', 'The request must name a model', [problem]);
  }
  const only = snapshots.all()[0];
  if (only === undefined) throw notYet(snapshots, allowed[0] ?? null);
  return only;
}

function notYet(snapshots: RoutingSnapshots, model: string | null): DomainError {
  const why = snapshots.status().reasons.join('; ') || 'no model has been rolled out yet';
  return new DomainError('unavailable', `${model ?? 'A model'} cannot be answered yet: ${why}`);
}

function servedModel(
  { table, versions }: AdoptedRouting,
  counters: Pick<VariantCounters, 'totals'>,
  breakers: Pick<VersionBreakers, 'stateOf'>,
): ServedModel {
  const routes = table.routes.flatMap((route) => {
    const loaded = versions.get(route.version)?.loaded;
    if (loaded === undefined) return [];
    const { signature } = loaded;
    return [{ ...route, signature, counts: counters.totals(table, route), breaker: breakers.stateOf(loaded) }];
  });
  return { model: table.model, generation: table.generation, routes };
}
