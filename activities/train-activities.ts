import { rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import type { Digest } from '../domain/artefacts.ts';
import { DomainError } from '../domain/errors.ts';
import type { Lineage } from '../domain/evaluation.ts';
import { canonicalJson } from '../models/canonical-json.ts';
import type { ArtefactManifest } from '../models/manifest.ts';
import type { JobProgress, TrainingOutcome } from '../models/training/job.ts';
import type { TrainActivities } from './contract.ts';
import type { ActivityDeps } from './deps.ts';
import { heartbeating } from './heartbeating.ts';
import { readDefinition, readManifest, requireModel, requireTrainable } from './read-model.ts';

const begun = (stage: string): JobProgress => ({ stage, done: 0, total: 1, message: stage });

/** From the definition to a registered version. Artefacts are stored before the row that names them. */
export function createTrainActivities(deps: ActivityDeps): TrainActivities {
  const { registry, artefacts, jobs, trainingMemoryMb: memoryMb } = deps;
  const putJson = (value: unknown): Promise<Digest> => artefacts.put(new TextEncoder().encode(canonicalJson(value)));
  const workDirOf = (runId: string): string => join(deps.workDir, `train-${runId}`);
  return {
    planTraining: async ({ model, seed, algorithms }) => {
      // Now, and not at the registration at the end, where the database asks.
      await deps.requireLease();
      const definition = requireTrainable((await requireModel(deps, model)).definition);
      return {
        definitionDigest: await putJson(definition),
        dataSource: definition.data.source,
        algorithms: algorithms ?? definition.training.algorithms,
        seed: seed ?? definition.training.seed,
      };
    },

    snapshotData: ({ dataSource }) =>
      heartbeating(begun('snapshot'), memoryMb, async () => {
        await requireFile(dataSource);
        return artefacts.putFile(dataSource);
      }),

    checkData: ({ definitionDigest, dataDigest }) =>
      heartbeating(begun('check'), memoryMb, async (control) => {
        const definition = requireTrainable(await readDefinition(artefacts, definitionDigest));
        return jobs.checkData({ definition, dataPath: await artefacts.localPath(dataDigest) }, control);
      }),

    train: ({ plan, dataDigest, runId }) =>
      heartbeating(begun('start'), memoryMb, async (control) => {
        const definition = requireTrainable(await readDefinition(artefacts, plan.definitionDigest));
        const lightgbm = plan.algorithms.includes('gradient-boosting') ? await deps.lightgbmLibrary() : null;
        const { algorithms, seed } = plan;
        const dataPath = await artefacts.localPath(dataDigest);
        const lightgbmLibrary = lightgbm?.path ?? null;
        const job = { definition, dataPath, algorithms, seed, workDir: workDirOf(runId), lightgbmLibrary };
        const outcome = await jobs.train(job, control);
        const stored = await storeOutcome(deps, definition.name, outcome, putJson);
        const { algorithm, parameters, crossValidation, evaluation } = outcome;
        const missing = lightgbm?.path === null ? [`LightGBM's library: ${lightgbm.reason}`] : [];
        return { algorithm, parameters, crossValidation, evaluation, ...stored, notes: [...outcome.notes, ...missing] };
      }),

    registerVersion: async ({ model, plan, dataDigest, dataRows, candidate, workflowId, runId }) => {
      const { signature } = await readManifest(artefacts, candidate.manifestDigest);
      const { algorithm, artefactDigest, manifestDigest, evaluation, parameters, crossValidation } = candidate;
      const lineage: Lineage = {
        dataDigest,
        dataSource: plan.dataSource,
        dataRows,
        definitionDigest: plan.definitionDigest,
        codeCommit: deps.codeCommit,
        algorithm,
        parameters,
        seed: plan.seed,
        crossValidation,
        workflowId,
        runId,
      };
      const row = { model, algorithm, artefactDigest, manifestDigest, signature, evaluation, lineage };
      const { version } = await registry.versions.register({ ...row, registeredByRun: runId });
      return { version };
    },

    settleVersion: async ({ model, version, status, runId }) => {
      await registry.versions.settle(model, version, status);
      // Everything in it is in the store by now. Left behind, it is cleared at a later start of the worker.
      await rm(workDirOf(runId), { recursive: true, force: true }).catch(() => undefined);
    },
  };
}

async function storeOutcome(
  { artefacts }: Pick<ActivityDeps, 'artefacts'>,
  model: string,
  outcome: TrainingOutcome,
  putJson: (value: unknown) => Promise<Digest>,
): Promise<{ artefactDigest: Digest; manifestDigest: Digest }> {
  const onnx = await artefacts.putFile(outcome.onnxPath);
  const holdout = await artefacts.putFile(outcome.holdoutPath);
  const { algorithm, signature, evaluation, golden } = outcome;
  const manifest: ArtefactManifest = {
    formatVersion: 1,
    model,
    algorithm,
    onnx,
    signature,
    evaluation,
    holdout: { digest: holdout.digest, rows: outcome.holdoutRows },
    golden,
  };
  return { artefactDigest: onnx.digest, manifestDigest: await putJson(manifest) };
}

async function requireFile(path: string): Promise<void> {
  const found = await stat(path).catch(() => null);
  if (found?.isFile() === true) return;
  throw new DomainError('notFound', 'The data of this model cannot be read', [
    { field: 'data.source', message: `there is no file ${path}` },
  ]);
}
