import type { ModelDefinition } from '../../domain/definition.ts';
import type { RolloutCommandName, RolloutModelInput, TrainModelInput } from '../../workflows/messages.ts';
import type { RolloutReport } from '../../api/reports/build-report.ts';
import type {
  ApprovalAnswer,
  AssessmentAnswer,
  AuditAnswer,
  BacktestAnswer,
  BatchAnswer,
  CommandAnswer,
  HealthAnswer,
  ImportAnswer,
  KeyAnswer,
  LedgerAnswer,
  ModelAnswer,
  ModelSummary,
  PredictionAnswer,
  RestorePointAnswer,
  RolloutAnswer,
  StartedRollout,
  StartedWorkflow,
  StopTheLineAnswer,
  TrainAnswer,
  TriggerAnswer,
  VersionAnswer,
  VersionSummary,
  WebhookAnswer,
} from './answers.ts';
import type { HttpClient } from './http-client.ts';

/** Where the path of a command is not its name. */
const COMMAND_PATHS: Readonly<Partial<Record<RolloutCommandName, string>>> = { skipBake: 'skip-bake' };

export interface Instance {
  readonly entity_id?: string;
  readonly features: unknown;
}

/** The platform's HTTP API by name. Everything rejects with `CliError`. */
export interface SluiceApi {
  readonly url: string;
  models(): Promise<readonly ModelSummary[]>;
  model(name: string): Promise<ModelAnswer>;
  applyModel(definition: ModelDefinition): Promise<unknown>;
  /** Newest first. */
  versions(model: string): Promise<readonly VersionSummary[]>;
  version(model: string, version: number): Promise<VersionAnswer>;
  /** @param form the parts `model`, `signature` and `samples` */
  importVersion(model: string, form: FormData): Promise<ImportAnswer>;
  startTraining(model: string, input: Omit<TrainModelInput, 'model'>): Promise<StartedWorkflow>;
  training(model: string): Promise<TrainAnswer>;
  startRollout(input: RolloutModelInput): Promise<StartedRollout>;
  /** Newest first. */
  rollouts(filter: { model?: string; limit: number }): Promise<readonly RolloutAnswer[]>;
  /** By id, or the open (else the last) one of a model. */
  rollout(reference: string): Promise<RolloutAnswer>;
  /** @param body `evidence_hash`, and `role`, `decision`, `reason` where they are given */
  approve(reference: string, body: Readonly<Record<string, unknown>>): Promise<ApprovalAnswer>;
  assessPlan(body: Readonly<Record<string, unknown>>): Promise<AssessmentAnswer>;
  backtest(body: Readonly<Record<string, unknown>>): Promise<BacktestAnswer>;
  report(reference: string): Promise<RolloutReport>;
  reportText(reference: string, format: 'md' | 'svg'): Promise<string>;
  ledger(model: string, range: Readonly<Record<string, string>>): Promise<readonly LedgerAnswer[]>;
  release(model: string, version: number, reason: string): Promise<unknown>;
  stopTheLine(): Promise<StopTheLineAnswer>;
  setStopTheLine(active: boolean, reason: string): Promise<StopTheLineAnswer>;
  reportOutcomes(outcomes: readonly unknown[]): Promise<{ readonly accepted: number; readonly matched: number }>;
  trigger(body: Readonly<Record<string, unknown>>): Promise<TriggerAnswer>;
  createWebhook(body: Readonly<Record<string, unknown>>): Promise<WebhookAnswer & { readonly secret: string }>;
  webhooks(): Promise<readonly WebhookAnswer[]>;
  removeWebhook(id: string): Promise<unknown>;
  testWebhook(id: string): Promise<{ readonly delivered: boolean; readonly message: string }>;
  steer(reference: string, command: RolloutCommandName, reason?: string): Promise<CommandAnswer>;
  /** @param top contributions of an explanation; `null`: none is asked for */
  predict(model: string | null, instance: Instance, top: number | null): Promise<PredictionAnswer>;
  predictBatch(model: string | null, instances: readonly Instance[]): Promise<BatchAnswer>;
  feedback(body: Readonly<Record<string, unknown>>): Promise<{ accepted: boolean; matched: number }>;
  createKey(body: Readonly<Record<string, unknown>>): Promise<KeyAnswer & { readonly key: string }>;
  keys(): Promise<readonly KeyAnswer[]>;
  revokeKey(id: string): Promise<unknown>;
  health(): Promise<HealthAnswer>;
  createRestorePoint(name: string): Promise<RestorePointAnswer>;
  /** Newest first. */
  restorePoints(): Promise<readonly RestorePointAnswer[]>;
  /** Newest first. */
  audit(subject: string, limit: number): Promise<readonly AuditAnswer[]>;
}

export function createSluiceApi(http: HttpClient): SluiceApi {
  const get = (path: string): Promise<unknown> => http.request('GET', path);
  const post = (path: string, body: unknown): Promise<unknown> => http.request('POST', path, body);
  const of = (model: string, rest = ''): string => `/models/${encodeURIComponent(model)}${rest}`;
  const ofRollout = (reference: string, rest: string): string => `/rollouts/${encodeURIComponent(reference)}${rest}`;
  const predictPath = (model: string | null): string => (model === null ? '/predict' : of(model, '/predict'));
  return {
    url: http.url,
    models: async () => ((await get('/models')) as { models: readonly ModelSummary[] }).models,
    model: async (name) => (await get(of(name))) as ModelAnswer,
    applyModel: (definition) => post('/models', { definition }),
    versions: async (model) =>
      ((await get(of(model, '/versions'))) as { versions: readonly VersionSummary[] }).versions,
    version: async (model, version) => (await get(of(model, `/versions/${version}`))) as VersionAnswer,
    importVersion: async (model, form) => (await http.upload(of(model, '/versions'), form)) as ImportAnswer,
    startTraining: async (model, input) => (await post(of(model, '/train'), input)) as StartedWorkflow,
    training: async (model) => (await get(of(model, '/train'))) as TrainAnswer,
    startRollout: async (input) => (await post('/rollouts', input)) as StartedRollout,
    rollouts: async ({ model, limit }) => {
      const filter = new URLSearchParams({ limit: String(limit), ...(model === undefined ? {} : { model }) });
      return ((await get(`/rollouts?${filter.toString()}`)) as { rollouts: readonly RolloutAnswer[] }).rollouts;
    },
    rollout: async (reference) => (await get(`/rollouts/${encodeURIComponent(reference)}`)) as RolloutAnswer,
    approve: async (reference, body) => (await post(ofRollout(reference, '/approve'), body)) as ApprovalAnswer,
    assessPlan: async (body) => (await post('/rollouts/plan', body)) as AssessmentAnswer,
    backtest: async (body) => (await post('/rollouts/backtest', body)) as BacktestAnswer,
    report: async (reference) => (await get(ofRollout(reference, '/report'))) as RolloutReport,
    reportText: (reference, format) => http.text(ofRollout(reference, `/report?format=${format}`)),
    ledger: async (model, range) => {
      const path = of(model, `/ledger?${new URLSearchParams(range).toString()}`);
      return ((await get(path)) as { entries: readonly LedgerAnswer[] }).entries;
    },
    release: (model, version, reason) => post(of(model, `/versions/${version}/release`), { reason }),
    stopTheLine: async () => (await get('/stop-the-line')) as StopTheLineAnswer,
    setStopTheLine: async (active, reason) => (await post('/stop-the-line', { active, reason })) as StopTheLineAnswer,
    reportOutcomes: async (outcomes) =>
      (await post('/outcomes', { outcomes })) as { accepted: number; matched: number },
    trigger: async (body) => (await post('/triggers', body)) as TriggerAnswer,
    createWebhook: async (body) => (await post('/webhooks', body)) as WebhookAnswer & { secret: string },
    webhooks: async () => ((await get('/webhooks')) as { webhooks: readonly WebhookAnswer[] }).webhooks,
    removeWebhook: (id) => http.request('DELETE', `/webhooks/${encodeURIComponent(id)}`),
    testWebhook: async (id) =>
      (await post(`/webhooks/${encodeURIComponent(id)}/test`, undefined)) as { delivered: boolean; message: string },
    steer: async (reference, command, reason) => {
      const path = ofRollout(reference, `/${COMMAND_PATHS[command] ?? command}`);
      return (await post(path, reason === undefined ? {} : { reason })) as CommandAnswer;
    },
    predict: async (model, instance, top) => {
      const query = top === null ? '' : `?explain=true&top=${top}`;
      return (await post(`${predictPath(model)}${query}`, instance)) as PredictionAnswer;
    },
    predictBatch: async (model, instances) =>
      (await post('/predict/batch', { ...(model === null ? {} : { model }), instances })) as BatchAnswer,
    feedback: async (body) => (await post('/feedback', body)) as { accepted: boolean; matched: number },
    createKey: async (body) => (await post('/keys', body)) as KeyAnswer & { key: string },
    keys: async () => ((await get('/keys')) as { keys: readonly KeyAnswer[] }).keys,
    revokeKey: (id) => http.request('DELETE', `/keys/${encodeURIComponent(id)}`),
    health: async () => (await get('/health/detailed')) as HealthAnswer,
    createRestorePoint: async (name) => (await post('/restore-points', { name })) as RestorePointAnswer,
    restorePoints: async () => ((await get('/restore-points')) as { points: readonly RestorePointAnswer[] }).points,
    audit: async (subject, limit) => {
      const filter = new URLSearchParams({ subject, limit: String(limit) });
      return ((await get(`/audit?${filter.toString()}`)) as { entries: readonly AuditAnswer[] }).entries;
    },
  };
}
