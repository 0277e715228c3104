import { answerJson } from '../answers.ts';
import { addUpModels } from '../cluster/add-up-models.ts';
import type { FleetOverview, JournalHealth, ProcessState } from '../cluster/calls.ts';
import { defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { aliveSchema, detailedHealthSchema, healthSchema, readySchema } from '../schemas/health.ts';
import type { HealthStatus } from '../schemas/health.ts';
import type { KeyDirectory } from '../security/key-directory.ts';
import type { Serving } from '../serving/contract.ts';
import { withTimeLimit } from '../time-limit.ts';

/** A dependency that takes longer than this to answer counts as down. */
const CHECK_TIMEOUT_MS = 2_000;

export interface HealthDeps {
  readonly serving: Pick<Serving, 'served' | 'status'>;
  readonly keys: Pick<KeyDirectory, 'status'>;
  /** By name; each resolves when its service answers. */
  readonly checks: Readonly<Record<string, () => Promise<void>>>;
  readonly overview: () => Promise<FleetOverview>;
  /** True from the first SIGTERM on. */
  readonly isDraining: () => boolean;
  /** Of the platform. */
  readonly version: string;
}

/** Why this process should not get requests now; empty when it should. */
function unreadyReasons({ serving, keys, isDraining }: HealthDeps): readonly string[] {
  const { ready, reasons } = serving.status();
  return [
    ...(isDraining() ? ['the process is stopping'] : []),
    ...(keys.status().ageMs === null ? ['the API keys are not loaded yet'] : []),
    ...(ready ? [] : reasons),
    ...(!ready && reasons.length === 0 ? ['the models are not loaded yet'] : []),
  ];
}

function statusOf(deps: HealthDeps, allUp: boolean): HealthStatus {
  if (deps.isDraining()) return 'draining';
  if (unreadyReasons(deps).length > 0) return 'starting';
  return allUp ? 'ok' : 'degraded';
}

async function checkOne(check: () => Promise<void>) {
  const startedAt = performance.now();
  const late = (): Error => new Error(`no answer within ${CHECK_TIMEOUT_MS} ms`);
  const passed = await withTimeLimit(check(), CHECK_TIMEOUT_MS, late).then(
    () => ({ status: 'up', message: null }),
    (error: unknown) => ({ status: 'down', message: error instanceof Error ? error.message : 'failed' }),
  );
  return { ...passed, latency_ms: Math.round((performance.now() - startedAt) * 10) / 10 };
}

async function describeHealth(deps: HealthDeps) {
  const names = Object.keys(deps.checks);
  const [checked, { processes, crashes, journal, recordsLost, recycled }] = await Promise.all([
    Promise.all(Object.values(deps.checks).map(checkOne)),
    deps.overview(),
  ]);
  const { keys, ageMs } = deps.keys.status();
  const sum = (of: (p: ProcessState) => number): number => processes.reduce((total, p) => total + of(p), 0);
  const allUp = checked.every((d) => d.status === 'up') && journal?.notWritable !== true;
  return {
    status: statusOf(deps, allUp && processes.every((p) => p.ready)),
    reasons: unreadyReasons(deps),
    version: deps.version,
    node: process.version,
    uptime_s: Math.round(process.uptime()),
    memory_mb: sum((p) => p.memoryMb),
    processes: processes.map(describeProcess),
    process_crashes: crashes,
    ...(recycled === undefined ? {} : { process_recycles: recycled }),
    dependencies: Object.fromEntries(names.map((name, i) => [name, checked[i]])),
    models: addUpModels(processes.map((p) => p.models)).map(({ model, generation, routes }) => ({
      model,
      generation,
      routes: routes.map(({ variant, version, weightPercent, breaker = 'closed' }) => ({
        variant,
        version,
        weightPercent,
        breaker,
      })),
    })),
    records: {
      queued: sum((p) => p.recordsQueued) + (journal?.waiting ?? 0),
      dropped: (recordsLost ?? sum((p) => p.recordsDropped)) + (journal?.dropped ?? 0),
    },
    ...(journal === null ? {} : { journal: describeJournal(journal) }),
    keys: { loaded: keys, age_ms: ageMs },
  };
}

function describeProcess({ pid, uptimeS, memoryMb, ready, reasons }: ProcessState) {
  return { pid, uptime_s: uptimeS, memory_mb: memoryMb, ready, reasons };
}

function describeJournal({ bytes, lagSeconds, shipped, dropped, rejected, spilled, notWritable }: JournalHealth) {
  const lag = Math.round(lagSeconds * 10) / 10;
  return { bytes, lag_s: lag, shipped, dropped, rejected, spilled, failing: notWritable };
}

/** `/alive`, `/livez`, `/ready`, `/readyz`, `/health`, `/health/detailed`. */
export function healthOperations(deps: HealthDeps): readonly Operation[] {
  return [alive('alive', '/alive'), alive('livez', '/livez'), ready(deps, 'ready', '/ready')].concat(
    ready(deps, 'readyz', '/readyz'),
    health(deps),
    detailedHealth(deps),
  );
}

const tag = 'Operations';

function alive(id: string, path: string): Operation {
  return defineOperation({
    id,
    method: 'get',
    path,
    tag,
    summary: 'Does the process answer?',
    description: 'Always 200: for liveness probes. Says nothing of what the process depends on.',
    permission: null,
    answers: { 200: { description: 'It does', schema: aliveSchema, example: { alive: true } } },
    handle: ({ c }) => answerJson(c, 200, { alive: true }),
  });
}

function ready(deps: HealthDeps, id: string, path: string): Operation {
  return defineOperation({
    id,
    method: 'get',
    path,
    tag,
    summary: 'Should the process get requests?',
    description: '200 when every routed version is loaded and proven on its golden rows; 503 with the reasons before.',
    permission: null,
    answers: {
      200: { description: 'Ready', schema: readySchema, example: { ready: true, reasons: [] } },
      503: {
        description: 'Not now',
        schema: readySchema,
        example: { ready: false, reasons: ['churn version 2 is being loaded'] },
      },
    },
    handle: ({ c }) => {
      const reasons = unreadyReasons(deps);
      return reasons.length === 0
        ? answerJson(c, 200, { ready: true, reasons })
        : answerJson(c, 503, { ready: false, reasons }, { 'retry-after': '1' });
    },
  });
}

function health(deps: HealthDeps): Operation {
  return defineOperation({
    id: 'health',
    method: 'get',
    path: '/health',
    tag,
    summary: 'How is it?',
    description: 'One word, always with status 200; it asks no dependency. See `/health/detailed`.',
    permission: null,
    answers: { 200: { description: 'The state', schema: healthSchema, example: { status: 'ok' } } },
    handle: ({ c }) => answerJson(c, 200, { status: statusOf(deps, true) }),
  });
}

function detailedHealth(deps: HealthDeps): Operation {
  return defineOperation({
    id: 'detailedHealth',
    method: 'get',
    path: '/health/detailed',
    tag,
    summary: 'How is everything?',
    description: 'Asks every dependency, with a limit of two seconds each. `degraded` while one of them is down.',
    permission: 'monitor',
    answers: { 200: { description: 'The state of the process and what it depends on', schema: detailedHealthSchema } },
    handle: async ({ c }) => answerJson(c, 200, await describeHealth(deps)),
  });
}
