import { ALGORITHMS, type Algorithm } from './definition.ts';
import type { Problem } from './errors.ts';
import {
  createJsonReader,
  flag,
  isJsonObject,
  listOf,
  number,
  oneOf,
  text,
  wholeNumber,
  type JsonReader,
} from './json-reader.ts';
import { STRATEGIES, type PlanOverrides, type RolloutStep, type Strategy } from './rollout/plan.ts';

/** Versions and seeds fit a 32-bit integer column. */
const INT_MAX = 2_147_483_647;

export type Parsed<T> =
  { readonly ok: true; readonly value: T } | { readonly ok: false; readonly problems: readonly Problem[] };

export interface TrainInput {
  readonly model: string;
  readonly seed?: number;
  readonly algorithms?: readonly Algorithm[];
  readonly rollout: false | { readonly strategy?: Strategy };
  readonly requestedBy: string;
}

export interface ValidateInput {
  readonly model: string;
  readonly version: number;
}

export interface RolloutInput {
  readonly model: string;
  readonly version: number;
  readonly strategy?: Strategy;
  readonly plan: PlanOverrides;
  readonly requestedBy: string;
  readonly reason?: string;
}

export interface CommandInput {
  readonly by: string;
  /** Empty when none was given. */
  readonly reason: string;
  readonly expiresAtMs: number | null;
}

/** Who asked when nobody said so: a person at the Temporal UI or CLI. */
const SOMEBODY = 'temporal';

const version = wholeNumber(1, INT_MAX);

export function parseTrainInput(raw: unknown): Parsed<TrainInput> {
  return parse(raw, '{"model":"NAME"}', (r) => {
    const model = r.required('model', text) ?? '';
    const seed = r.optional('seed', wholeNumber(0, INT_MAX));
    const algorithms = r.optional('algorithms', listOf(ALGORITHMS));
    const rollout = readRolloutWish(r, raw);
    const requestedBy = r.optional('requestedBy', text) ?? SOMEBODY;
    return { model, ...given({ seed, algorithms }), rollout, requestedBy };
  });
}

export function parseValidateInput(raw: unknown): Parsed<ValidateInput> {
  return parse(raw, '{"model":"NAME","version":1}', (r) => ({
    model: r.required('model', text) ?? '',
    version: r.required('version', version) ?? 0,
  }));
}

export function parseRolloutInput(raw: unknown): Parsed<RolloutInput> {
  return parse(raw, '{"model":"NAME","version":2,"strategy":"canary"}', (r) => {
    const model = r.required('model', text) ?? '';
    const wanted = r.required('version', version) ?? 0;
    const strategy = r.optional('strategy', oneOf(STRATEGIES));
    const plan = readPlan(r.object('plan'));
    const requestedBy = r.optional('requestedBy', text) ?? SOMEBODY;
    const reason = r.optional('reason', text);
    return { model, version: wanted, ...given({ strategy }), plan, requestedBy, ...given({ reason }) };
  });
}

/** Nothing at all is a command too: every field has a default. */
export function parseCommandInput(raw: unknown): Parsed<CommandInput> {
  return parse(raw ?? {}, '{"by":"NAME","reason":"why"}', (r) => {
    const by = r.optional('by', text) ?? SOMEBODY;
    const reason = r.optional('reason', text) ?? '';
    const expiresAt = r.optional('expiresAt', text);
    const expiresAtMs = expiresAt === undefined ? null : Date.parse(expiresAt);
    if (Number.isNaN(expiresAtMs)) {
      r.report({
        field: 'expiresAt',
        message: 'is not a time',
        allowed: ['ISO 8601, for example 2030-01-31T12:00:00Z'],
      });
    }
    return { by, reason, expiresAtMs };
  });
}

function readRolloutWish(r: JsonReader, raw: unknown): TrainInput['rollout'] {
  if (!isJsonObject(raw) || !isJsonObject(raw.rollout)) return r.optional('rollout', flag) === true ? {} : false;
  const wish = r.object('rollout');
  const strategy = wish?.required('strategy', oneOf(STRATEGIES));
  wish?.finish();
  return given({ strategy });
}

/** Shapes only: whether the numbers make a plan is checked once the definition's parts are filled in. */
function readPlan(r: JsonReader | undefined): PlanOverrides {
  if (r === undefined) return {};
  const steps = r.list('steps')?.map((step): RolloutStep => {
    const weightPercent = step.required('weightPercent', number) ?? 0;
    const bakeTimeMs = step.required('bakeTimeMs', number) ?? 0;
    step.finish();
    return { weightPercent, bakeTimeMs };
  });
  const limits = r.object('limits');
  const errorRateMax = limits?.optional('errorRateMax', number);
  const p95MsMax = limits?.optional('p95MsMax', number);
  limits?.finish();
  const plan = given({
    steps,
    limits: limits === undefined ? undefined : given({ errorRateMax, p95MsMax }),
    minRequests: r.optional('minRequests', number),
    observeEveryMs: r.optional('observeEveryMs', number),
    keepWarmMs: r.optional('keepWarmMs', number),
  });
  r.finish();
  return plan;
}

function parse<T>(raw: unknown, sample: string, read: (reader: JsonReader) => T): Parsed<T> {
  if (!isJsonObject(raw)) {
    return { ok: false, problems: [{ field: 'input', message: 'expected one JSON object', allowed: [sample] }] };
  }
  const problems: Problem[] = [];
  const reader = createJsonReader(raw, (problem) => problems.push(problem));
  const value = read(reader);
  reader.finish();
  return problems.length === 0 ? { ok: true, value } : { ok: false, problems };
}

type Given<T> = { readonly [K in keyof T]?: Exclude<T[K], undefined> };

/** Leaves out what was not given, so that an absent field stays absent. */
function given<T extends object>(fields: T): Given<T> {
  return Object.fromEntries(Object.entries(fields).filter(([, value]) => value !== undefined)) as Given<T>;
}
