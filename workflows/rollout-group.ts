import {
  allHandlersFinished,
  CancellationScope,
  condition,
  defineQuery,
  defineSignal,
  defineUpdate,
  isCancellation,
  ParentClosePolicy,
  setCurrentDetails,
  setHandler,
  startChild,
  workflowInfo,
  type ChildWorkflowHandle,
} from '@temporalio/workflow';
import { parseCommandInput, parseGroupInput, type GroupInput, type RolloutInput } from '../domain/workflow-input.ts';
import { failure, reasonOf, requireInput } from './failures.ts';
import {
  GROUP_READY_SIGNAL,
  ROLLOUT_RELEASE_SIGNAL,
  ROLLOUT_STATUS_QUERY,
  ROLLOUT_TRIGGER_SIGNAL,
  rolloutWorkflowId,
  type GroupMemberReady,
  type RolloutCommandInput,
  type RolloutGroupInput,
  type RolloutGroupResult,
  type RolloutGroupStatus,
  type RolloutModelInput,
  type RolloutModelResult,
} from './messages.ts';
import { rolloutModel } from './rollout-model.ts';
import { label } from './search-attributes.ts';

type Result = RolloutGroupResult['members'][number];

interface Member {
  readonly input: RolloutInput;
  handle: ChildWorkflowHandle<typeof rolloutModel> | null;
  ready: GroupMemberReady | null;
  released: number;
  result: Result | null;
}

/**
 * Rolls several models out together: each step waits for all of them, and one that goes back takes all back.
 * Sample input: `{"group":"NAME","members":[{"model":"A","version":2},{"model":"B","version":5}]}`.
 */
export async function rolloutGroup(raw: RolloutGroupInput): Promise<RolloutGroupResult> {
  const input = requireInput(parseGroupInput(raw));
  const members = input.members.map((m): Member => ({
    input: m,
    handle: null,
    ready: null,
    released: 0,
    result: null,
  }));
  let backReason: string | null = null;
  let changes = 0;
  const changed = (): void => {
    changes += 1;
    setCurrentDetails(explain(input, members, backReason));
  };
  label({ model: input.group, phase: 'running' });
  const described = { description: 'Where each member stands. Takes no argument.' };
  setHandler(defineQuery<RolloutGroupStatus>(ROLLOUT_STATUS_QUERY), () => show(input, members, backReason), described);
  setHandler(defineSignal<[GroupMemberReady]>(GROUP_READY_SIGNAL), (ready) => {
    const member = members.find((m) => m.input.model === ready.model);
    if (member !== undefined) member.ready = ready;
    changed();
  });
  receiveRollback((reason) => {
    backReason ??= reason;
    changed();
  });

  await Promise.all(members.map((m) => startMember(m, changed)));
  try {
    while (members.some((m) => m.result === null)) {
      const seen = changes;
      backReason ??= whyBack(members);
      if (backReason === null) await releaseReady(members);
      else await sendBack(members, backReason);
      await condition(() => changes > seen);
    }
  } catch (error) {
    // A cancelled group cancels its members, each of which gives its traffic back: they are waited for.
    if (isCancellation(error)) {
      await CancellationScope.nonCancellable(() => condition(() => members.every((m) => m.result !== null)));
    }
    throw error;
  }
  await condition(allHandlersFinished);
  const results = members.map((m) => m.result as Result);
  const promoted = results.every((r) => 'outcome' in r && r.outcome === 'promoted');
  label({ phase: promoted ? 'promoted' : 'rolledBack' });
  return { group: input.group, outcome: promoted ? 'promoted' : 'rolledBack', members: results };
}

function receiveRollback(send: (reason: string) => void): void {
  const description =
    'Takes every member back to its champion. Argument: nothing, or {"by":"you","reason":"why","expiresAt":"2030-01-31T12:00:00Z"}.';
  const read = (raw?: RolloutCommandInput) => requireInput(parseCommandInput(raw));
  const validator = (raw?: RolloutCommandInput): void => {
    const { expiresAtMs } = read(raw);
    if (expiresAtMs !== null && Date.now() > expiresAtMs) throw failure('refused', 'the command has expired');
  };
  const handle = (raw?: RolloutCommandInput): void => {
    const { by, reason } = read(raw);
    send(`rollback by ${by}${reason === '' ? '' : `: ${reason}`}`);
  };
  setHandler(defineUpdate<unknown, [RolloutCommandInput?]>('rollback'), handle, { validator, description });
}

/** Started as a child; one that cannot be started counts as failed. */
async function startMember(member: Member, changed: () => void): Promise<void> {
  const { model, version } = member.input;
  const failed = (error: unknown): void => {
    member.result = { model, failure: reasonOf(error) };
    changed();
  };
  try {
    const args: [RolloutModelInput] = [{ ...member.input, group: workflowInfo().workflowId }];
    member.handle = await startChild(rolloutModel, {
      workflowId: rolloutWorkflowId(model),
      args,
      parentClosePolicy: ParentClosePolicy.REQUEST_CANCEL,
      staticSummary: `Rollout of ${model} version ${version}, of a group`,
    });
    member.handle.result().then((result: RolloutModelResult) => {
      member.result = result;
      changed();
    }, failed);
  } catch (error) {
    failed(error);
  }
}

/** Why the whole group goes back: one member did, by itself or by order. */
function whyBack(members: readonly Member[]): string | null {
  for (const { input, result } of members) {
    if (result === null) continue;
    if ('failure' in result) return `${input.model} could not be rolled out: ${result.failure}`;
    if (result.outcome !== 'promoted') return `${input.model} was ${result.outcome}: ${result.reason}`;
  }
  return null;
}

async function sendBack(members: readonly Member[], reason: string): Promise<void> {
  for (const { result, handle } of members) {
    if (result !== null || handle === null) continue;
    await handle.signal(ROLLOUT_TRIGGER_SIGNAL, { kind: 'group', reason, by: workflowInfo().workflowId }).catch(() => {
      // It has ended in between; its result says how.
    });
  }
}

/** Lets all go on once each is ready; nobody ends before everybody can, as an ended rollout cannot be taken back. */
async function releaseReady(members: readonly Member[]): Promise<void> {
  const open = members.filter((m) => m.result === null);
  const waiting = open.filter((m) => m.ready !== null && m.ready.step > m.released);
  if (waiting.length < open.length) return;
  const early = waiting.filter((m) => m.ready?.last === false);
  for (const member of early.length > 0 ? early : waiting) {
    member.released = member.ready?.step ?? member.released;
    await member.handle?.signal(ROLLOUT_RELEASE_SIGNAL, member.released).catch(() => undefined);
  }
}

function show(input: GroupInput, members: readonly Member[], backReason: string | null): RolloutGroupStatus {
  return {
    group: input.group,
    members: members.map(({ input: m, ready, released, result }) => ({
      model: m.model,
      version: m.version,
      workflowId: rolloutWorkflowId(m.model),
      readyForStep: ready !== null && ready.step > released ? ready.step : null,
      outcome: result === null ? null : 'failure' in result ? 'failed' : result.outcome,
    })),
    releasedStep: Math.min(...members.map((m) => m.released)),
    explanation: backReason === null ? 'each step waits for all members' : `all members go back: ${backReason}`,
  };
}

function explain(input: GroupInput, members: readonly Member[], backReason: string | null): string {
  const { members: rows, explanation } = show(input, members, backReason);
  const lines = rows.map((m) => {
    const where = m.outcome ?? (m.readyForStep === null ? 'on its way' : `ready for step ${m.readyForStep + 1}`);
    return `- ${m.model} version ${m.version}: ${where}`;
  });
  return [`**Group ${input.group}**: ${explanation}`, '', ...lines].join('\n');
}
