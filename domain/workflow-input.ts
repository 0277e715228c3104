import { ALGORITHMS, type Algorithm } from './definition.ts';
import type { Problem } from './errors.ts';
import {
  createJsonReader,
  flag,
  isJsonObject,
  given,
  listOf,
  oneOf,
  text,
  wholeNumber,
  type JsonReader,
} from './json-reader.ts';
import { APPROVER_ROLES, type ApproverRole } from './approver-role.ts';
import type { Trigger } from './rollout/events.ts';
import { readPlan } from './rollout/read-plan.ts';
import { STRATEGIES, type PlanOverrides, type Strategy } from './rollout/plan.ts';

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
  /** Workflow id of the group it belongs to. */
  readonly group?: string;
}

export interface GroupInput {
  readonly group: string;
  readonly members: readonly RolloutInput[];
  readonly requestedBy: string;
  readonly reason: string;
}

export interface ApprovalInput extends CommandInput {
  readonly role: ApproverRole;
  readonly evidenceHash: string;
  readonly decision: 'approve' | 'reject';
}

export interface CommandInput {
  readonly by: string;
  /** Empty when none was given. */
  readonly reason: string;
  readonly expiresAtMs: number | null;
}

/** Each member is a workflow of its own that the group waits for. */
const GROUP_MAX = 20;
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
    const group = r.optional('group', text);
    return { model, version: wanted, ...given({ strategy }), plan, requestedBy, ...given({ reason, group }) };
  });
}

export function parseGroupInput(raw: unknown): Parsed<GroupInput> {
  const sample = '{"group":"NAME","members":[{"model":"NAME","version":2},{"model":"OTHER","version":5}]}';
  return parse(raw, sample, (r) => {
    const group = r.required('group', text) ?? '';
    const requestedBy = r.optional('requestedBy', text) ?? SOMEBODY;
    const reason = r.optional('reason', text) ?? '';
    const members = (r.list('members') ?? []).map((member): RolloutInput => {
      const model = member.required('model', text) ?? '';
      const wanted = member.required('version', version) ?? 0;
      const strategy = member.optional('strategy', oneOf(STRATEGIES));
      const plan = readPlan(member.object('plan'));
      member.finish();
      return {
        model,
        version: wanted,
        ...given({ strategy }),
        plan,
        requestedBy,
        ...(reason === '' ? {} : { reason }),
      };
    });
    const models = members.map((m) => m.model);
    if (members.length < 2 || members.length > GROUP_MAX || new Set(models).size < models.length) {
      const allowed = [`2..${GROUP_MAX} different models`];
      r.report({ field: 'members', message: `names ${models.length} models: ${models.join(', ')}`, allowed });
    }
    return { group, members, requestedBy, reason };
  });
}

export function parseApprovalInput(raw: unknown): Parsed<ApprovalInput> {
  return parse(raw, '{"by":"NAME","role":"security","evidenceHash":"as shown"}', (r) => ({
    by: r.required('by', text) ?? '',
    role: r.required('role', oneOf(APPROVER_ROLES)) ?? 'techLead',
    evidenceHash: r.required('evidenceHash', text) ?? '',
    decision: r.optional('decision', oneOf(['approve', 'reject'] as const)) ?? 'approve',
    reason: r.optional('reason', text) ?? '',
    expiresAtMs: readDeadline(r),
  }));
}

/** Of a signal, which nobody can be told is wrong: what cannot be read is named so, and the call still counts. */
export function readTrigger(raw: unknown): Trigger {
  const field = (name: string, instead: string): string => {
    const value = isJsonObject(raw) ? raw[name] : undefined;
    return typeof value === 'string' && value !== '' ? value : instead;
  };
  return {
    kind: field('kind', 'trigger'),
    reason: field('reason', 'no reason was given'),
    by: field('by', SOMEBODY),
  };
}

/** The step a signal releases; one that is no number releases none. */
export function readRelease(raw: unknown): number {
  return typeof raw === 'number' && Number.isFinite(raw) ? raw : 0;
}

/** Nothing at all is a command too: every field has a default. */
export function parseCommandInput(raw: unknown): Parsed<CommandInput> {
  return parse(raw ?? {}, '{"by":"NAME","reason":"why"}', (r) => {
    const by = r.optional('by', text) ?? SOMEBODY;
    const reason = r.optional('reason', text) ?? '';
    return { by, reason, expiresAtMs: readDeadline(r) };
  });
}

/** Epoch ms. */
function readDeadline(r: JsonReader): number | null {
  const expiresAt = r.optional('expiresAt', text);
  const expiresAtMs = expiresAt === undefined ? null : Date.parse(expiresAt);
  if (!Number.isNaN(expiresAtMs)) return expiresAtMs;
  const allowed = ['ISO 8601, for example 2030-01-31T12:00:00Z'];
  r.report({ field: 'expiresAt', message: 'is not a time', allowed });
  return null;
}

function readRolloutWish(r: JsonReader, raw: unknown): TrainInput['rollout'] {
  if (!isJsonObject(raw) || !isJsonObject(raw.rollout)) return r.optional('rollout', flag) === true ? {} : false;
  const wish = r.object('rollout');
  const strategy = wish?.required('strategy', oneOf(STRATEGIES));
  wish?.finish();
  return given({ strategy });
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
