import type { Evaluation, GateResult } from '../domain/evaluation.ts';
import { judgeGates } from '../domain/gates.ts';
import type { ArtefactManifest } from '../models/manifest.ts';
import { scoredFile, takesRowsOf } from '../models/onnx/comparable.ts';
import type { JobControl } from '../models/training/job.ts';
import type { ValidateActivities } from './contract.ts';
import type { ActivityDeps } from './deps.ts';
import { heartbeating } from './heartbeating.ts';
import { readDefinition, readManifest, requireVersion } from './read-model.ts';

const GATE_STEPS = 3;

/** The gates on a version: measured on the stored artefact itself, in processes of their own. */
export function createValidateActivities(deps: ActivityDeps): ValidateActivities {
  const { registry, artefacts, jobs, trainingMemoryMb } = deps;
  return {
    checkGates: ({ model, version, runId }) => {
      const say = (control: JobControl, done: number, message: string): void =>
        control.onProgress({ stage: 'gates', done, total: GATE_STEPS, message });
      const first = { stage: 'gates', done: 0, total: GATE_STEPS, message: 'scoring the candidate' };
      return heartbeating(first, trainingMemoryMb, async (control) => {
        const candidate = await requireVersion(deps, model, version);
        const { gates: policy } = await readDefinition(artefacts, candidate.lineage.definitionDigest);
        const manifest = await readManifest(artefacts, candidate.manifestDigest);
        const onnxPath = await artefacts.localPath(manifest.onnx.digest);
        const holdoutPath = await artefacts.localPath(manifest.holdout.digest);
        const file = scoredFile(manifest, onnxPath);
        const labelled = manifest.holdout.rows > 0;
        const evaluation = labelled ? await jobs.evaluate({ ...file, holdoutPath }, control) : manifest.evaluation;
        say(control, 1, 'scoring the champion on the same rows');
        const request = { model, version, holdoutPath, candidate: manifest };
        const championEvaluation = labelled ? await evaluateChampion(deps, request, control) : null;
        say(control, 2, 'measuring the speed');
        const performance = await jobs.measure({ ...file, golden: manifest.golden }, control);
        const gates: readonly GateResult[] = judgeGates({ policy, evaluation, championEvaluation, performance });
        const passed = gates.every((g) => g.passed);
        await registry.versions.recordGates({ model, version, passed, results: gates, performance, runId });
        return { passed, gates };
      });
    },
  };
}

interface ChampionRequest {
  readonly model: string;
  readonly version: number;
  readonly holdoutPath: string;
  readonly candidate: ArtefactManifest;
}

async function evaluateChampion(
  deps: ActivityDeps,
  { model, version, holdoutPath, candidate }: ChampionRequest,
  control: JobControl,
): Promise<Evaluation | null> {
  const { champion } = await deps.registry.versions.aliases(model);
  if (champion === undefined || champion === version) return null;
  const { manifestDigest } = await requireVersion(deps, model, champion);
  const manifest = await readManifest(deps.artefacts, manifestDigest);
  if (!takesRowsOf(manifest, candidate)) return null;
  const file = scoredFile(manifest, await deps.artefacts.localPath(manifest.onnx.digest));
  return deps.jobs.evaluate({ ...file, holdoutPath }, control);
}
