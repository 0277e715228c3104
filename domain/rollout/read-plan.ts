import { APPROVER_ROLES } from '../approver-role.ts';
import { WEEKDAYS, type Calendar } from '../calendar.ts';
import { flag, given, listOf, number, oneOf, text, type Expected, type JsonReader } from '../json-reader.ts';
import {
  ADVANCE_RULES,
  MAX_WAIT_POLICIES,
  METRICS,
  type ApprovalRule,
  type MetricRule,
  type PlanOverrides,
  type RolloutStep,
} from './plan.ts';

const texts: Expected<readonly string[]> = {
  words: 'a list of texts',
  accepts: (v): v is readonly string[] => Array.isArray(v) && v.every((item) => typeof item === 'string'),
};
const persons: Expected<1 | 2> = {
  words: '1 or 2',
  allowed: ['1', '2'],
  accepts: (v): v is 1 | 2 => v === 1 || v === 2,
};

/** Shapes only: whether the numbers make a plan is checked once the definition's parts are filled in. */
export function readPlan(r: JsonReader | undefined): PlanOverrides {
  if (r === undefined) return {};
  const plan = given({
    steps: r.list('steps')?.map(readStep),
    limits: readLimits(r.object('limits')),
    minRequests: r.optional('minRequests', number),
    observeEveryMs: r.optional('observeEveryMs', number),
    keepWarmMs: r.optional('keepWarmMs', number),
    advance: r.optional('advance', oneOf(ADVANCE_RULES)),
    baseline: r.optional('baseline', flag),
    alpha: r.optional('alpha', number),
    warmUpRequests: r.optional('warmUpRequests', number),
    metrics: r.list('metrics')?.map(readMetric),
    calendar: readCalendar(r.object('calendar')),
    mirrorPercent: r.optional('mirrorPercent', number),
    endsAtMs: r.optional('endsAtMs', number),
  });
  r.finish();
  return plan;
}

function readLimits(r: JsonReader | undefined): PlanOverrides['limits'] {
  if (r === undefined) return undefined;
  const limits = given({
    errorRateMax: r.optional('errorRateMax', number),
    p95MsMax: r.optional('p95MsMax', number),
    disagreementMax: r.optional('disagreementMax', number),
    scoreShiftMax: r.optional('scoreShiftMax', number),
    slowerMsMax: r.optional('slowerMsMax', number),
  });
  r.finish();
  return limits;
}

function readStep(r: JsonReader): RolloutStep {
  const weightPercent = r.required('weightPercent', number) ?? 0;
  const bakeTimeMs = r.required('bakeTimeMs', number) ?? 0;
  const choices = given({
    maxWaitMs: r.optional('maxWaitMs', number),
    onMaxWait: r.optional('onMaxWait', oneOf(MAX_WAIT_POLICIES)),
    approvals: r.list('approvals')?.map(readApproval),
  });
  r.finish();
  return { weightPercent, bakeTimeMs, ...choices };
}

function readApproval(r: JsonReader): ApprovalRule {
  const role = r.required('role', oneOf(APPROVER_ROLES)) ?? 'techLead';
  const rule = {
    role,
    persons: r.optional('persons', persons) ?? 1,
    expiresAfterMs: r.required('expiresAfterMs', number) ?? 0,
    ...given({ onReject: r.optional('onReject', oneOf(['rollback', 'hold'] as const)) }),
  };
  r.finish();
  return rule;
}

function readMetric(r: JsonReader): MetricRule {
  const rule = {
    metric: r.required('metric', oneOf(METRICS)) ?? 'errorRate',
    action: r.optional('action', oneOf(['rollback', 'watch'] as const)) ?? 'rollback',
    ...given({
      event: r.optional('event', text),
      degradationMax: r.optional('degradationMax', number),
      better: r.optional('better', oneOf(['higher', 'lower'] as const)),
    }),
  };
  r.finish();
  return rule;
}

function readCalendar(r: JsonReader | undefined): Calendar | undefined {
  if (r === undefined) return undefined;
  const windows = r.list('windows')?.map((w) => {
    const days = w.required('days', listOf(WEEKDAYS)) ?? [];
    const from = w.required('from', text) ?? '';
    const to = w.required('to', text) ?? '';
    w.finish();
    return { days, from, to };
  });
  const calendar = {
    timeZone: r.optional('timeZone', text) ?? 'UTC',
    windows: windows ?? [],
    holidays: r.optional('holidays', texts) ?? [],
  };
  r.finish();
  return calendar;
}
