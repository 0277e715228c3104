import type { ModelDefinition } from '../../domain/definition.ts';
import type { RolloutCommandName, RolloutModelInput, TrainModelInput } from '../../workflows/messages.ts';
import type {
  AuditAnswer,
  BatchAnswer,
  CommandAnswer,
  HealthAnswer,
  ImportAnswer,
  KeyAnswer,
  ModelAnswer,
  ModelSummary,
  PredictionAnswer,
  RolloutAnswer,
  StartedWorkflow,
  TrainAnswer,
  VersionAnswer,
  VersionSummary,
} from './answers.ts';
import type { HttpClient } from './http-client.ts';

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
  startRollout(input: RolloutModelInput): Promise<StartedWorkflow>;
  /** Newest first. */
  rollouts(filter: { model?: string; limit: number }): Promise<readonly RolloutAnswer[]>;
  /** By id, or the open (else the last) one of a model. */
  rollout(reference: string): Promise<RolloutAnswer>;
  steer(reference: string, command: RolloutCommandName, reason?: string): Promise<CommandAnswer>;
  /** @param top contributions of an explanation; `null`: none is asked for */
  predict(model: string | null, instance: Instance, top: number | null): Promise<PredictionAnswer>;
  predictBatch(model: string | null, instances: readonly Instance[]): Promise<BatchAnswer>;
  feedback(body: Readonly<Record<string, unknown>>): Promise<{ accepted: boolean; matched: number }>;
  createKey(body: Readonly<Record<string, unknown>>): Promise<KeyAnswer & { readonly key: string }>;
  keys(): Promise<readonly KeyAnswer[]>;
  revokeKey(id: string): Promise<unknown>;
  health(): Promise<HealthAnswer>;
  /** Newest first. */
  audit(subject: string, limit: number): Promise<readonly AuditAnswer[]>;
}

export function createSluiceApi(http: HttpClient): SluiceApi {
  const get = (path: string): Promise<unknown> => http.request('GET', path);
  const post = (path: string, body: unknown): Promise<unknown> => http.request('POST', path, body);
  const of = (model: string, rest = ''): string => `/models/${encodeURIComponent(model)}${rest}`;
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
    startRollout: async (input) => (await post('/rollouts', input)) as StartedWorkflow,
    rollouts: async ({ model, limit }) => {
      const filter = new URLSearchParams({ limit: String(limit), ...(model === undefined ? {} : { model }) });
      return ((await get(`/rollouts?${filter.toString()}`)) as { rollouts: readonly RolloutAnswer[] }).rollouts;
    },
    rollout: async (reference) => (await get(`/rollouts/${encodeURIComponent(reference)}`)) as RolloutAnswer,
    steer: async (reference, command, reason) => {
      const path = `/rollouts/${encodeURIComponent(reference)}/${command}`;
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
    audit: async (subject, limit) => {
      const filter = new URLSearchParams({ subject, limit: String(limit) });
      return ((await get(`/audit?${filter.toString()}`)) as { entries: readonly AuditAnswer[] }).entries;
    },
  };
}
