import type { VersionRow } from '../../db/ports.ts';
import type { GatePolicy } from '../../domain/definition.ts';
import type { Evaluation, GateResult } from '../../domain/evaluation.ts';
import { judgeGates } from '../../domain/gates.ts';
import type { ExaminedModel } from '../../models/doctor/examination.ts';
import type { ArtefactManifest } from '../../models/manifest.ts';
import { scoredFile, takesRowsOf } from '../../models/onnx/comparable.ts';
import type { ImportDeps } from './import-ports.ts';

/** The champion on the labelled rows of an import: at most 10,000 of them. */
const EVALUATE_LIMIT_MS = 60_000;
const EVALUATE_MEMORY_MB = 1_024;

export interface ImportToJudge {
  readonly policy: GatePolicy;
  readonly row: VersionRow;
  readonly manifest: ArtefactManifest;
  readonly examined: ExaminedModel;
}

/** The gates of the definition, and the doctor's measurements as one that has passed. */
export async function judgeImport(deps: ImportDeps, import_: ImportToJudge): Promise<readonly GateResult[]> {
  const { policy, manifest, examined } = import_;
  const { evaluation } = manifest;
  const { performance } = examined;
  const championEvaluation = evaluation.rows === 0 ? null : await evaluateChampion(deps, import_);
  return [doctorGate(examined), ...judgeGates({ policy, evaluation, championEvaluation, performance })];
}

function doctorGate({ latency, threads, producer, opsets, golden }: ExaminedModel): GateResult {
  const times = latency.map(({ rows, p50Ms, p95Ms }) => [
    [`rows${rows}P50Ms`, p50Ms],
    [`rows${rows}P95Ms`, p95Ms],
  ]);
  const evidence = { producer, opsets, threads: threads.intraOp, goldenRows: golden.length };
  return {
    gate: 'doctor',
    passed: true,
    message: `the file was examined and answers as it should; ${threads.intraOp} thread a run: ${threads.reason}`,
    evidence: { ...evidence, ...(Object.fromEntries(times.flat()) as Record<string, number>) },
  };
}

async function evaluateChampion(
  { registry, artefacts, jobs }: ImportDeps,
  { row, manifest }: ImportToJudge,
): Promise<Evaluation | null> {
  const { champion } = await registry.versions.aliases(row.model);
  const serving = champion === undefined ? null : await registry.versions.find(row.model, champion);
  if (serving === null) return null;
  const stored = new TextDecoder().decode(await artefacts.read(serving.manifestDigest));
  const theirs = JSON.parse(stored) as ArtefactManifest;
  if (!takesRowsOf(theirs, manifest)) return null;
  const [onnxPath, holdoutPath] = await Promise.all([
    artefacts.localPath(theirs.onnx.digest),
    artefacts.localPath(manifest.holdout.digest),
  ]);
  const control = {
    onProgress: () => undefined,
    signal: AbortSignal.timeout(EVALUATE_LIMIT_MS),
    memoryMb: EVALUATE_MEMORY_MB,
  };
  return jobs.evaluate({ ...scoredFile(theirs, onnxPath), holdoutPath }, control);
}
