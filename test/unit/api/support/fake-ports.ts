/** The ports in memory; each test changes what it is about. */
import { vi } from 'vitest';
import type { ControlPlane } from '../../../../api/control-plane.ts';
import type { Serving } from '../../../../api/serving/contract.ts';
import type { AuditEntry, KeyRow, ModelRow, Registry, RolloutRow, VersionRow } from '../../../../db/ports.ts';
import type { Alias } from '../../../../db/schema.ts';
import type { FeedbackRecord, PredictionRecord } from '../../../../domain/records.ts';
import type { RoutingTable } from '../../../../domain/routing.ts';
import { NOW_MS, answered, definition, evaluation, served, snapshot, version } from './samples.ts';

export interface World {
  models: ModelRow[];
  versions: VersionRow[];
  aliases: Partial<Record<Alias, number>>;
  routing: RoutingTable[];
  rollouts: RolloutRow[];
  predictions: PredictionRecord[];
  feedback: FeedbackRecord[];
  keys: KeyRow[];
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
    audit: [],
  };
}

const unused = (): never => {
  throw new Error('the API does not call this');
};

export function createFakeRegistry(world: World): Registry {
  return {
    models: {
      apply: async (applied, digest, by) => {
        const row = { name: applied.name, definition: applied, definitionDigest: digest, updatedAt: new Date(NOW_MS) };
        world.models = [...world.models.filter((m) => m.name !== row.name), row];
        world.audit.push({ actor: by, action: 'model.apply', subject: row.name, details: {}, at: new Date(NOW_MS) });
        return row;
      },
      find: async (name) => world.models.find((m) => m.name === name) ?? null,
      list: async () => world.models,
    },
    versions: {
      register: unused,
      settle: unused,
      setAliases: unused,
      recordGates: unused,
      find: async (model, number) => world.versions.find((v) => v.model === model && v.version === number) ?? null,
      list: async (model, limit) =>
        world.versions
          .filter((v) => v.model === model)
          .sort((a, b) => b.version - a.version)
          .slice(0, limit),
      aliases: async () => world.aliases,
      latestGates: async () => ({
        passed: true,
        results: [{ gate: 'quality.auc', passed: true, message: '0.85 >= 0.8', evidence: { auc: evaluation.auc } }],
        performance: { singleRowP50Ms: 0.1, singleRowP95Ms: 0.2, rowsPerSecond: 5000, artefactBytes: 900, runs: 200 },
        createdAt: new Date(NOW_MS),
      }),
    },
    routing: {
      find: async (model) => world.routing.find((r) => r.model === model) ?? null,
      all: async () => world.routing,
      apply: unused,
      listen: unused,
    },
    rollouts: {
      open: unused,
      progress: unused,
      close: unused,
      find: async (id) => world.rollouts.find((r) => r.id === id) ?? null,
      findOpen: async (model) => world.rollouts.find((r) => r.model === model && r.finishedAt === null) ?? null,
      list: async ({ model, limit }) =>
        world.rollouts.filter((r) => model === undefined || r.model === model).slice(0, limit),
    },
    records: {
      savePredictions: unused,
      saveCounts: unused,
      observe: unused,
      ensurePartitions: unused,
      findPrediction: async (id) => world.predictions.find((p) => p.requestId === id) ?? null,
      saveFeedback: async (record) => {
        world.feedback.push(record);
        return { matched: world.predictions.filter((p) => p.requestId === record.requestId).length };
      },
    },
    keys: {
      create: async (row) => {
        const stored = { ...row, createdAt: new Date(NOW_MS), revokedAt: null };
        world.keys.push(stored);
        return stored;
      },
      list: async () => world.keys,
      revoke: async (id) => {
        if (!world.keys.some((k) => k.id === id)) return false;
        world.keys = world.keys.map((k) => (k.id === id ? { ...k, revokedAt: new Date(NOW_MS) } : k));
        return true;
      },
    },
    audit: {
      write: async (entry) => {
        world.audit.push({ ...entry, at: new Date(NOW_MS) });
      },
      list: async ({ subject, limit }) =>
        world.audit.filter((e) => subject === undefined || e.subject === subject).slice(0, limit),
    },
  };
}

const started = (workflowId: string) => ({ workflowId, runId: 'run-9' });

export function createFakeControl() {
  return {
    startTraining: vi.fn<ControlPlane['startTraining']>(async ({ model }) => started(`train/${model}`)),
    trainingStatus: vi.fn<ControlPlane['trainingStatus']>(async (model) => ({
      workflowId: `train/${model}`,
      runId: null,
      status: 'none',
      progress: null,
      result: null,
      failure: null,
    })),
    startRollout: vi.fn<ControlPlane['startRollout']>(async ({ model }) => started(`rollout/${model}`)),
    rolloutCommand: vi.fn<ControlPlane['rolloutCommand']>(async () => ({ kind: 'applied', status: snapshot })),
    rolloutStatus: vi.fn<ControlPlane['rolloutStatus']>(async () => null),
    check: vi.fn<ControlPlane['check']>(async () => undefined),
  };
}

export function createFakeServing() {
  return {
    predict: vi.fn<Serving['predict']>(async (_model, requests) => requests.map(() => answered)),
    served: vi.fn<Serving['served']>(() => [served]),
    status: vi.fn<Serving['status']>(() => ({ ready: true, reasons: [], recordsQueued: 2, recordsDropped: 0 })),
  };
}
