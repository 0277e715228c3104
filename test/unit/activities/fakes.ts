import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createActivities } from '../../../activities/create-activities.ts';
import type { ActivityDeps } from '../../../activities/deps.ts';
import { createFolderArtefactStore } from '../../../adapters/folder-artefact-store.ts';
import type { RolloutRow, RoutingChange, VersionRow } from '../../../db/ports.ts';
import type { ControlState, InstanceRow, LookRow, TriggerRow } from '../../../db/rollout-ports.ts';
import { DomainError } from '../../../domain/errors.ts';
import { observationOf } from '../../../domain/judge.ts';
import { NO_COUNTS } from '../../../domain/records.ts';
import type { Observation } from '../../../domain/verdict.ts';
import type { RoutingTable } from '../../../domain/routing.ts';
import { parseDefinitionText } from '../../../models/definition/load.ts';

export const definition = parseDefinitionText(
  'name: prices\ndata: prices.csv\ntarget: { column: sold, positive: yes }\n',
  '/data/model.yaml',
);

export const NOW_MS = 1_900_000_000_000;

interface Seen {
  readonly seen: Observation;
  readonly looks: LookRow[];
  readonly instances: InstanceRow[];
  readonly line: ControlState;
  readonly triggers: readonly TriggerRow[];
  readonly webhooks: number;
}

/** What the looks at a rollout read and write. */
function rolloutStores(state: Seen, answer: <T>(value: T) => Promise<T>) {
  return {
    records: { observe: () => answer(state.seen) },
    looks: {
      record: (look: LookRow) => {
        state.looks.push(look);
        return answer(undefined);
      },
    },
    instances: {
      serving: (_: string, sinceMs: number) => answer(state.instances.filter((i) => i.seenAtMs >= sinceMs)),
    },
    controls: { stopTheLine: () => answer(state.line), triggers: () => answer(state.triggers) },
    webhooks: { list: () => answer(Array.from({ length: state.webhooks }, () => ({}))) },
  };
}

/** A registry in memory: enough of the rules to tell the activities' own decisions. */
export async function fakeDeps(change: Partial<ActivityDeps> = {}) {
  const home = await mkdtemp(join(tmpdir(), 'sluice-activities-'));
  onTestFinished(() => rm(home, { recursive: true, force: true }));
  const versions = new Map<number, Pick<VersionRow, 'model' | 'version' | 'status'>>();
  for (const [version, status] of [
    [1, 'accepted'],
    [2, 'accepted'],
    [3, 'rejected'],
    [4, 'validating'],
    [5, 'quarantined'],
  ] as const) {
    versions.set(version, { model: 'prices', version, status });
  }
  const state = {
    aliases: { champion: 1 } as Record<string, number>,
    routing: {
      model: 'prices',
      generation: 9,
      salt: 'old',
      rolloutId: null,
      routes: [{ variant: 'champion', version: 1, weightPercent: 100 }],
      slowMs: 120,
    } as RoutingTable | null,
    open: null as RolloutRow | null,
    applied: [] as RoutingChange[],
    seen: observationOf({ candidate: NO_COUNTS, champion: NO_COUNTS, windows: 0 }),
    looks: [] as LookRow[],
    instances: [] as InstanceRow[],
    line: { active: false, by: '', reason: '', at: null } as ControlState,
    triggers: [] as TriggerRow[],
    webhooks: 0,
    settled: [] as unknown[],
    closed: [] as { id: string; reason: string; phase: string }[],
  };
  const answer = <T>(value: T): Promise<T> => Promise.resolve(value);
  const refuse = (): never => {
    throw new Error('not expected in this test');
  };
  const models = {
    find: (name: string) => answer(name === 'prices' ? ({ name, definition } as never) : null),
    list: () => answer([{ name: 'prices' }] as never),
  };
  const versionStore = {
    find: (model: string, version: number) => answer((model === 'prices' ? versions.get(version) : undefined) ?? null),
    list: () => answer([...versions.values()].reverse()),
    aliases: () => answer(state.aliases),
    settle: (...settled: unknown[]) => {
      state.settled.push(settled);
      return answer(undefined);
    },
  };
  const routing = {
    find: () => answer(state.routing),
    apply: (wanted: RoutingChange) => {
      if (wanted.expectedGeneration !== (state.routing?.generation ?? 0)) {
        return Promise.reject(new DomainError('conflict', 'another generation'));
      }
      state.applied.push(wanted);
      return answer({ ...wanted, generation: wanted.expectedGeneration + 1 });
    },
  };
  const rollouts = {
    find: (id: string) => answer(state.open?.id === id ? state.open : null),
    findOpen: () => answer(state.open),
    open: (row: RolloutRow) => {
      if (state.open !== null && state.open.id !== row.id) {
        return Promise.reject(new DomainError('conflict', `rollout ${state.open.id} is open`));
      }
      state.open = { ...row, phase: 'starting', snapshot: null, startedAt: new Date(0), finishedAt: null };
      return answer(state.open);
    },
    close: (id: string, snapshot: { phase: string }, reason: string) => {
      state.closed.push({ id, reason, phase: snapshot.phase });
      state.open = null;
      return answer(undefined);
    },
  };
  const deps = {
    registry: { models, versions: versionStore, routing, rollouts, ...rolloutStores(state, answer) },
    nowMs: () => NOW_MS,
    notify: () => answer(undefined),
    artefacts: createFolderArtefactStore(join(home, 'artefacts')),
    jobs: { checkData: refuse, train: refuse, evaluate: refuse, measure: refuse },
    judge: () => ({ kind: 'healthy', reason: 'fine', evidence: [] }),
    lightgbmLibrary: () => answer({ path: null, reason: 'no network' }),
    workDir: join(home, 'work'),
    trainingMemoryMb: 512,
    codeCommit: 'abc',
    requireLease: () => answer(undefined),
    requireDrill: () => answer(undefined),
    isRunning: () => answer(true),
    ...change,
  } as unknown as ActivityDeps;
  return { deps, state, home, activities: createActivities(deps) };
}
