import { WorkflowExecutionAlreadyStartedError } from '@temporalio/common';
import {
  CancellationScope,
  executeChild,
  ParentClosePolicy,
  proxyActivities,
  startChild,
  workflowInfo,
} from '@temporalio/workflow';
import type { TrainActivities, TrainedCandidate } from '../activities/contract.ts';
import type { DataReport } from '../domain/evaluation.ts';
import { parseTrainInput, type TrainInput } from '../domain/workflow-input.ts';
import { PROFILES } from './activity-profiles.ts';
import { explained, requireInput } from './failures.ts';
import {
  rolloutWorkflowId,
  trainingTaskQueue,
  validateWorkflowId,
  type TrainModelInput,
  type TrainModelResult,
  type ValidateModelResult,
} from './messages.ts';
import { rolloutModel } from './rollout-model.ts';
import { label } from './search-attributes.ts';
import { createTrainProgress, type TrainProgressBoard } from './train-progress.ts';
import { validateModel } from './validate-model.ts';

const quick = proxyActivities<TrainActivities>(PROFILES.quick);
const heavy = proxyActivities<TrainActivities>(PROFILES.heavy);

/**
 * From data to a registered version: snapshot, check, train, register, gates, and a rollout when asked for.
 * Sample input: `{"model":"NAME"}`; data that cannot be trained on is a result, not a failure.
 */
export async function trainModel(raw: TrainModelInput): Promise<TrainModelResult> {
  const input = requireInput(parseTrainInput(raw));
  const progress = createTrainProgress(input.model, input.rollout !== false);
  try {
    return await run(input, progress);
  } catch (error) {
    throw explained(error);
  }
}

async function run(input: TrainInput, progress: TrainProgressBoard): Promise<TrainModelResult> {
  const { model, seed, algorithms } = input;
  const { workflowId, runId, taskQueue } = workflowInfo();
  const wish = { ...(seed === undefined ? {} : { seed }), ...(algorithms === undefined ? {} : { algorithms }) };
  const plan = await quick.planTraining({ model, ...wish });

  progress.enter('snapshot', `copying ${plan.dataSource}`);
  const data = await heavy.snapshotData({ dataSource: plan.dataSource });

  progress.enter('check', 'checking the data');
  const report = await heavy.checkData({ definitionDigest: plan.definitionDigest, dataDigest: data.digest });
  if (!report.ok) {
    progress.enter('done', `the data cannot be trained on: ${firstError(report)}`);
    return { kind: 'dataInvalid', model, report };
  }

  progress.enter('train', `training ${plan.algorithms.join(' and ')} on ${report.rows} rows`);
  const training = proxyActivities<TrainActivities>({ ...PROFILES.training, taskQueue: trainingTaskQueue(taskQueue) });
  const candidate = await training.train.executeWithOptions(
    { summary: `${plan.algorithms.join(', ')}; seed ${plan.seed}` },
    [{ plan, dataDigest: data.digest, runId }],
  );

  progress.enter('register', `registering the ${candidate.algorithm} model`);
  const row = { model, plan, dataDigest: data.digest, dataRows: report.rows, candidate, workflowId, runId };
  const { version } = await quick.registerVersion(row);
  label({ version });

  progress.enter('gates', `the gates of version ${version}`);
  const { passed, gates } = await passGates(model, version, runId);
  const { note, workflow } = passed ? await rollOut(input, version, progress) : { note: null, workflow: null };
  const kind = passed ? 'accepted' : 'rejected';
  progress.enter('done', `version ${version} is ${kind}${note === null ? '' : `; ${note}`}`);
  return {
    kind,
    model,
    version,
    ...outline(candidate),
    gates,
    rollout: workflow,
    notes: [...candidate.notes, ...(note === null ? [] : [note])],
  };
}

/** A version never stays in validation: without a verdict it is rejected. */
async function passGates(model: string, version: number, runId: string): Promise<ValidateModelResult> {
  const settle = (status: 'accepted' | 'rejected'): Promise<void> =>
    quick.settleVersion({ model, version, status, runId });
  try {
    const result = await executeChild(validateModel, {
      workflowId: validateWorkflowId(model, version),
      args: [{ model, version }],
      staticSummary: `Gates of ${model} version ${version}`,
    });
    await settle(result.passed ? 'accepted' : 'rejected');
    return result;
  } catch (error) {
    await CancellationScope.nonCancellable(() => settle('rejected'));
    throw error;
  }
}

/** Starts the rollout as a workflow of its own; one that runs already is said, not failed. */
async function rollOut(
  input: TrainInput,
  version: number,
  progress: TrainProgressBoard,
): Promise<{ note: string | null; workflow: string | null }> {
  const { model, rollout, requestedBy } = input;
  if (rollout === false) return { note: null, workflow: null };
  progress.enter('rollout', `starting the rollout of version ${version}`);
  const workflowId = rolloutWorkflowId(model);
  try {
    await startChild(rolloutModel, {
      workflowId,
      args: [{ model, version, ...rollout, requestedBy, reason: `trained by ${workflowInfo().workflowId}` }],
      parentClosePolicy: ParentClosePolicy.ABANDON,
      staticSummary: `Rollout of ${model} version ${version}`,
    });
    return { note: null, workflow: workflowId };
  } catch (error) {
    if (!(error instanceof WorkflowExecutionAlreadyStartedError)) throw error;
    return { note: `no rollout was started: ${workflowId} is running already`, workflow: null };
  }
}

function outline({ algorithm, artefactDigest, evaluation }: TrainedCandidate) {
  return { algorithm, artefactDigest, evaluation };
}

function firstError(report: DataReport): string {
  return report.findings.find((f) => f.severity === 'error')?.message ?? 'see the report';
}
