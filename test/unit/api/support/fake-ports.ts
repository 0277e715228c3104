/** The ports in memory; each test changes what it is about. */
import { vi } from 'vitest';
import type { ControlPlane } from '../../../../api/control-plane.ts';
import type { Serving } from '../../../../api/serving/contract.ts';
import type { AuditEntry, KeyRow, ModelRow, Registry, RolloutRow, VersionRow } from '../../../../db/ports.ts';
import type {
  ControlState,
  LedgerEntry,
  LookRow,
  OutcomeRow,
  Traffic,
  TriggerRow,
  WebhookRow,
} from '../../../../db/rollout-ports.ts';
import type { Alias } from '../../../../db/schema.ts';
import type { FeedbackRecord, PredictionRecord } from '../../../../domain/records.ts';
import type { RoutingTable } from '../../../../domain/routing.ts';
import type { ArmWindow } from '../../../../domain/verdict.ts';
import { NOW_MS, answered, definition, evaluation, rollout, served, snapshot, version } from './samples.ts';

export interface World {
  models: ModelRow[];
  versions: VersionRow[];
  aliases: Partial<Record<Alias, number>>;
  routing: RoutingTable[];
  rollouts: RolloutRow[];
  predictions: PredictionRecord[];
  feedback: FeedbackRecord[];
  keys: KeyRow[];
  ledger: LedgerEntry[];
  looks: LookRow[];
  outcomes: OutcomeRow[];
  stopped: ControlState;
  triggers: Omit<TriggerRow, 'atMs'>[];
  webhooks: WebhookRow[];
  windows: ArmWindow[];
  traffic: Traffic;
  audit: (AuditEntry & { at: Date })[];
}

export function createWorld(): World {
  return {
    models: [{ name: 'leavers', definition, definitionDigest: 'd'.repeat(64), updatedAt: new Date(NOW_MS) }],
    versions: [version(1), version(2), version(3, 'rejected')],
    aliases: { champion: 1 },
    routing: [
      {
        model: 'leavers',
        generation: 4,
        salt: 's',
        rolloutId: null,
        routes: [{ variant: 'champion', version: 1, weightPercent: 100 }],
        slowMs: 120,
      },
    ],
    rollouts: [],
    predictions: [],
    feedback: [],
    keys: [],
    ledger: [],
    looks: [],
    outcomes: [],
    stopped: { active: false, by: 'platform', reason: 'never set', at: null },
    triggers: [],
    webhooks: [],
    windows: [],
    traffic: {
      counts: { requests: 0, errors: 0, slow: 0, latencySumMs: 0 },
      firstMs: null,
      lastMs: null,
      users: 0,
      outcomes: {},
    },
    audit: [],
  };
}

/** Later, as a database answers. */
const tick = () => new Promise((resolve) => setImmediate(resolve));

const unused = (): never => {
  throw new Error('the API does not call this');
};

export function createFakeRegistry(world: World): Registry {
  return {
    models: {
      apply: (applied, digest, by) =>
        tick().then(() => {
          const row = {
            name: applied.name,
            definition: applied,
            definitionDigest: digest,
            updatedAt: new Date(NOW_MS),
          };
          world.models = [...world.models.filter((m) => m.name !== row.name), row];
          world.audit.push({ actor: by, action: 'model.apply', subject: row.name, details: {}, at: new Date(NOW_MS) });
          return row;
        }),
      find: (name) => tick().then(() => world.models.find((m) => m.name === name) ?? null),
      list: () => tick().then(() => world.models),
    },
    versions: {
      register: unused,
      settle: (model, number, status, because) =>
        tick().then(() => {
          world.versions = world.versions.map((v) =>
            v.model === model && v.version === number ? { ...v, status } : v,
          );
          const reason = because?.reason ?? '';
          const details = { version: number, status };
          const entry = { actor: because?.by ?? 'platform', action: 'version.settle', subject: model, reason, details };
          world.audit.push({ ...entry, at: new Date(NOW_MS) });
        }),
      setAliases: unused,
      recordGates: unused,
      find: (model, number) =>
        tick().then(() => world.versions.find((v) => v.model === model && v.version === number) ?? null),
      list: (model, limit) =>
        tick().then(() =>
          world.versions
            .filter((v) => v.model === model)
            .sort((a, b) => b.version - a.version)
            .slice(0, limit),
        ),
      aliases: () => tick().then(() => world.aliases),
      latestGates: () =>
        tick().then(() => ({
          passed: true,
          results: [{ gate: 'quality.auc', passed: true, message: '0.85 >= 0.8', evidence: { auc: evaluation.auc } }],
          performance: { singleRowP50Ms: 0.1, singleRowP95Ms: 0.2, rowsPerSecond: 5000, artefactBytes: 900, runs: 200 },
          createdAt: new Date(NOW_MS),
        })),
    },
    routing: {
      find: (model) => tick().then(() => world.routing.find((r) => r.model === model) ?? null),
      all: () => tick().then(() => world.routing),
      apply: unused,
      listen: unused,
    },
    rollouts: {
      open: unused,
      progress: unused,
      close: unused,
      find: (id) => tick().then(() => world.rollouts.find((r) => r.id === id) ?? null),
      findOpen: (model) =>
        tick().then(() => world.rollouts.find((r) => r.model === model && r.finishedAt === null) ?? null),
      list: ({ model, limit }) =>
        tick().then(() => world.rollouts.filter((r) => model === undefined || r.model === model).slice(0, limit)),
    },
    records: {
      savePredictions: unused,
      saveCounts: unused,
      saveShadowCounts: unused,
      observe: unused,
      recordedWindows: () => tick().then(() => world.windows),
      traffic: () => tick().then(() => world.traffic),
      compactCounts: unused,
      ensurePartitions: unused,
      findPrediction: (id) => tick().then(() => world.predictions.find((p) => p.requestId === id) ?? null),
      saveFeedback: (record) =>
        tick().then(() => {
          world.feedback.push(record);
          return { matched: world.predictions.filter((p) => p.requestId === record.requestId).length };
        }),
    },
    journal: { positions: unused, ship: unused, forget: unused },
    keys: {
      create: (row) =>
        tick().then(() => {
          const stored = { roles: [], ...row, createdAt: new Date(NOW_MS), revokedAt: null };
          world.keys.push(stored);
          return stored;
        }),
      list: () => tick().then(() => world.keys),
      revoke: (id) =>
        tick().then(() => {
          if (!world.keys.some((k) => k.id === id)) return false;
          world.keys = world.keys.map((k) => (k.id === id ? { ...k, revokedAt: new Date(NOW_MS) } : k));
          return true;
        }),
    },
    ...fakeRolloutStores(world),
    audit: {
      write: (entry) =>
        tick().then(() => {
          world.audit.push({ ...entry, at: new Date(NOW_MS) });
        }),
      list: ({ subject, limit }) =>
        tick().then(() => world.audit.filter((e) => subject === undefined || e.subject === subject).slice(0, limit)),
    },
  };
}

function fakeRolloutStores(
  world: World,
): Pick<Registry, 'ledger' | 'looks' | 'instances' | 'outcomes' | 'controls' | 'webhooks'> {
  return {
    ledger: {
      at: (model, at) =>
        tick().then(
          () =>
            world.ledger.find(
              (e) => e.model === model && e.validFrom <= at && (e.validTo === null || e.validTo > at),
            ) ?? null,
        ),
      between: (model) => tick().then(() => world.ledger.filter((e) => e.model === model)),
      ofRollout: (_model, id) => tick().then(() => world.ledger.filter((e) => e.rolloutId === id)),
    },
    looks: { record: unused, list: (id) => tick().then(() => world.looks.filter((l) => l.rolloutId === id)) },
    instances: { report: unused, serving: unused, leave: unused },
    outcomes: {
      save: (rows) =>
        tick().then(() => {
          world.outcomes.push(...rows);
          return { matched: rows.length };
        }),
    },
    controls: {
      stopTheLine: () => tick().then(() => world.stopped),
      setStopTheLine: (active, by, reason) =>
        tick().then(() => (world.stopped = { active, by, reason, at: new Date(NOW_MS) })),
      raise: (trigger) =>
        tick().then(() => {
          world.triggers.push(trigger);
        }),
      triggers: unused,
    },
    webhooks: {
      create: (row) =>
        tick().then(() => {
          const stored = { ...row, createdAt: new Date(NOW_MS), lastAttemptAt: null, lastOutcome: null };
          world.webhooks.push(stored);
          return stored;
        }),
      list: () => tick().then(() => world.webhooks),
      find: (id) => tick().then(() => world.webhooks.find((w) => w.id === id) ?? null),
      remove: (id) =>
        tick().then(() => {
          const before = world.webhooks.length;
          world.webhooks = world.webhooks.filter((w) => w.id !== id);
          return world.webhooks.length < before;
        }),
      note: () => tick().then(() => undefined),
    },
  };
}

export const STARTED_ID = '0d0b2b1e-6f0a-4a77-9f0e-3d8f5b7f1c22';
const started = (workflowId: string) => ({ workflowId, runId: 'run-9' });

/** A worker opens the row at once, where it is given the world. */
export function createFakeControl(world?: World) {
  return {
    startTraining: vi.fn<ControlPlane['startTraining']>(({ model }) => tick().then(() => started(`train/${model}`))),
    trainingStatus: vi.fn<ControlPlane['trainingStatus']>((model) =>
      tick().then(() => ({
        workflowId: `train/${model}`,
        runId: null,
        status: 'none',
        progress: null,
        result: null,
        failure: null,
      })),
    ),
    startRollout: vi.fn<ControlPlane['startRollout']>(({ model, version }) =>
      tick().then(() => {
        const run = started(`rollout/${model}`);
        world?.rollouts.unshift({ ...rollout(), id: STARTED_ID, model, candidate: version, runId: run.runId });
        return run;
      }),
    ),
    rolloutCommand: vi.fn<ControlPlane['rolloutCommand']>(() =>
      tick().then(() => ({ kind: 'applied', status: snapshot })),
    ),
    approveRollout: vi.fn<ControlPlane['approveRollout']>(() =>
      tick().then(() => ({ kind: 'applied', status: snapshot })),
    ),
    triggerRollout: vi.fn<ControlPlane['triggerRollout']>(() => tick().then(() => true)),
    rolloutStatus: vi.fn<ControlPlane['rolloutStatus']>(() => tick().then(() => null)),
    startBackup: vi.fn<ControlPlane['startBackup']>(() => tick().then(() => started('backup'))),
    startVerification: vi.fn<ControlPlane['startVerification']>(({ setId, target }) =>
      tick().then(() => started(`verify-backup/${setId}/${target}`)),
    ),
    verification: vi.fn<ControlPlane['verification']>(({ setId, target }) =>
      tick().then(() => ({
        workflowId: `verify-backup/${setId}/${target}`,
        runId: null,
        status: 'none',
        failure: null,
      })),
    ),
    startDrill: vi.fn<ControlPlane['startDrill']>(() => tick().then(() => started('drill/platform'))),
    check: vi.fn<ControlPlane['check']>(() => tick().then(() => undefined)),
  };
}

export function createFakeServing() {
  return {
    predict: vi.fn<Serving['predict']>((_model, requests) => tick().then(() => requests.map(() => answered))),
    explain: vi.fn<Serving['explain']>(() => tick().then(() => ({ explained: false, reason: 'nobody knows' }))),
    explanationRefusal: vi.fn<Serving['explanationRefusal']>(() => tick().then(() => null)),
    served: vi.fn<Serving['served']>(() => [served]),
    status: vi.fn<Serving['status']>(() => ({ ready: true, reasons: [], recordsQueued: 2, recordsDropped: 0 })),
  };
}
