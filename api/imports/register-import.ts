import { createHash } from 'node:crypto';
import type { ModelRow, VersionRow } from '../../db/ports.ts';
import type { ArtefactStore, Digest } from '../../domain/artefacts.ts';
import type { ModelDefinition } from '../../domain/definition.ts';
import { DomainError } from '../../domain/errors.ts';
import { notEvaluated } from '../../domain/evaluation.ts';
import { canonicalJson } from '../../models/canonical-json.ts';
import { importedDefinition } from '../../models/definition/imported.ts';
import { definitionDigest } from '../../models/definition/load.ts';
import type { ExaminedModel } from '../../models/doctor/examination.ts';
import type { SampleRow } from '../../models/doctor/sample-row.ts';
import type { ArtefactManifest } from '../../models/manifest.ts';
import type { ImportDeps, ImportRequest } from './import-ports.ts';

/** As the algorithm of a version: who imports knows it, the file does not. */
const ALGORITHM = 'imported';

export interface Registration {
  readonly request: ImportRequest;
  readonly examined: ExaminedModel;
  readonly samples: readonly SampleRow[];
  /** `null`: the import makes the model. */
  readonly known: ModelRow | null;
}

/**
 * Stores what a version is made of, then the row that names it. The same import again gives the row of the first.
 * @throws DomainError `conflict` when the caller's key names another import
 */
export async function registerImport(
  deps: ImportDeps,
  { request, examined, samples, known }: Registration,
): Promise<{ readonly row: VersionRow; readonly manifest: ArtefactManifest }> {
  const { registry, artefacts } = deps;
  const { model, upload, actor } = request;
  const manifest = await storeManifest(artefacts, request, examined, samples);
  const definition = known?.definition ?? importedDefinition(model, examined.signature);
  if (known === null) await registry.models.apply(definition, definitionDigest(definition), actor);
  const content = contentDigest(request);
  const { signature, evaluation } = manifest;
  const row = await registry.versions.register({
    model,
    algorithm: ALGORITHM,
    artefactDigest: upload.digest,
    manifestDigest: await putJson(artefacts, manifest),
    signature,
    evaluation,
    lineage: await lineageOf(deps, examined, manifest, definition, runIdOf(request), content),
    registeredByRun: runIdOf(request),
  });
  if (row.lineage.parameters['content'] !== content) {
    const message = `it named the import of version ${row.version}, which had another content`;
    throw new DomainError('conflict', `This Idempotency-Key is taken: ${message}`, [
      { field: 'Idempotency-Key', message },
    ]);
  }
  return { row, manifest };
}

async function storeManifest(
  artefacts: ArtefactStore,
  { model, upload }: ImportRequest,
  { signature, foreign, golden, evaluation }: ExaminedModel,
  samples: readonly SampleRow[],
): Promise<ArtefactManifest> {
  const onnx = await artefacts.putFile(upload.onnxPath);
  if (onnx.digest !== upload.digest) throw new DomainError('artefactCorrupt', 'The uploaded file changed on the disk');
  // Without labels of both classes there is nothing to compare on.
  const held = evaluation === null ? [] : samples;
  const lines = held.map(({ features, label }) => `${JSON.stringify({ features, label })}\n`).join('');
  const holdout = await artefacts.put(new TextEncoder().encode(lines));
  return {
    formatVersion: 1,
    model,
    algorithm: ALGORITHM,
    onnx,
    signature,
    evaluation: evaluation ?? notEvaluated(signature.threshold),
    holdout: { digest: holdout, rows: held.length },
    foreign,
    golden,
  };
}

async function lineageOf(
  { artefacts, codeCommit }: ImportDeps,
  { producer, opsets }: ExaminedModel,
  { holdout }: ArtefactManifest,
  definition: ModelDefinition,
  runId: string,
  content: string,
): Promise<VersionRow['lineage']> {
  return {
    dataDigest: holdout.digest,
    dataSource: 'labelled rows of the import',
    dataRows: holdout.rows,
    definitionDigest: await putJson(artefacts, definition),
    codeCommit: codeCommit(),
    algorithm: ALGORITHM,
    parameters: { producer, opsets, content },
    seed: 0,
    crossValidation: {},
    workflowId: 'import',
    runId,
  };
}

const putJson = (artefacts: ArtefactStore, value: unknown): Promise<Digest> =>
  artefacts.put(new TextEncoder().encode(canonicalJson(value)));

const sha256 = (text: string): string => createHash('sha256').update(text).digest('hex');

/** Of everything that was sent. */
function contentDigest({ upload }: ImportRequest): string {
  const { digest, signature, samples } = upload;
  return sha256(canonicalJson([digest, signature, samples]));
}

function runIdOf(request: ImportRequest): string {
  const { model, idempotencyKey } = request;
  const name = idempotencyKey === null ? contentDigest(request) : `key/${sha256(idempotencyKey)}`;
  return `import/${model}/${name}`;
}
