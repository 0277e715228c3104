import type { ModelRow } from '../../db/ports.ts';
import { DomainError } from '../../domain/errors.ts';
import type { Problem } from '../../domain/errors.ts';
import type { ExaminedModel } from '../../models/doctor/examination.ts';
import type { Finding } from '../../models/doctor/finding.ts';
import { parseSampleRows } from '../../models/doctor/sample-row.ts';
import type { SampleRow } from '../../models/doctor/sample-row.ts';
import { parseSignatureFile } from '../../models/doctor/signature-file.ts';
import { auditAfter } from '../actor.ts';
import { compareWithChampion } from './compare-with-champion.ts';
import type { ImportDeps, ImportedVersion, ImportRequest } from './import-ports.ts';
import { judgeImport } from './judge-import.ts';
import { registerImport } from './register-import.ts';

/** Where neither signature file nor definition says: as in a `model.yaml`. */
const RISK_DEFAULT = { medium: 0.3, high: 0.6 };

export type Importer = (request: ImportRequest) => Promise<ImportedVersion>;

/**
 * From an uploaded file to a registered version: the doctor first, then the artefacts, then the row, then the gates.
 * The same import again finds the version of the first; one that was cut off is finished. One at a time in a process.
 * @throws DomainError `invalidInput` with the doctor's findings, `conflict` when the key was used for another import,
 *   `unavailable` while another import is under way
 */
export function createImporter(deps: ImportDeps): Importer {
  let busy = false;
  return async (request) => {
    // Each examination may hold a core and 2 GB for a minute.
    if (busy) throw new DomainError('unavailable', 'Another model is being examined; try again in a moment');
    busy = true;
    try {
      return await importVersion(deps, request);
    } finally {
      busy = false;
    }
  };
}

async function importVersion(deps: ImportDeps, request: ImportRequest): Promise<ImportedVersion> {
  const { model, actor } = request;
  const { versions } = deps.registry;
  const known = await deps.registry.models.find(model);
  const { examined, samples, findings } = await examineUpload(deps, request, known);
  const { row, manifest } = await registerImport(deps, { request, examined, samples, known });
  const { version } = row;
  const notes = [...findings, ...(await compareWithChampion(versions, row))];
  if (row.status !== 'validating') {
    const gates = await versions.latestGates(model, version);
    return { row, created: false, findings: notes, examined, gates: gates?.results ?? [] };
  }
  const definition = await deps.registry.models.find(model);
  if (definition === null) throw new DomainError('notFound', `The model ${model} is gone`);
  const gates = await judgeImport(deps, { policy: definition.definition.gates, row, manifest, examined });
  const passed = gates.every((gate) => gate.passed);
  const { performance } = examined;
  await versions.recordGates({ model, version, passed, results: gates, performance, runId: row.lineage.runId });
  const status = passed ? 'accepted' : 'rejected';
  await versions.settle(model, version, status);
  const details = { version, status, artefactDigest: row.artefactDigest, producer: examined.producer };
  await auditAfter(deps.registry.audit, deps.log, { actor, action: 'version.import', subject: model, details });
  return { row: { ...row, status }, created: true, findings: notes, examined, gates };
}

interface Examined {
  readonly examined: ExaminedModel;
  readonly samples: readonly SampleRow[];
  readonly findings: readonly Finding[];
}

async function examineUpload(deps: ImportDeps, request: ImportRequest, known: ModelRow | null): Promise<Examined> {
  const { upload, signal } = request;
  const signature = upload.signature === null ? null : parseSignatureFile(upload.signature);
  const samples = upload.samples === null ? [] : parseSampleRows(upload.samples);
  const { entity = null, target = null, risk = RISK_DEFAULT } = known?.definition ?? {};
  const defaults = { entity, target, risk };
  const examination = await deps.examine({ onnxPath: upload.onnxPath, signature, defaults, samples }, { signal });
  const { findings } = examination;
  if (!examination.ok) throw notImportable(findings);
  checkTarget(known, examination.model);
  return { examined: examination.model, samples, findings };
}

function notImportable(findings: readonly Finding[]): DomainError {
  const problems = findings
    .filter((finding) => finding.severity === 'error')
    .map(({ check, message, fix }): Problem => ({
      field: check,
      message: fix === null ? message : `${message}. To mend it: ${fix}`,
    }));
  const count = problems.length === 1 ? 'one thing is' : `${problems.length} things are`;
  return new DomainError('invalidInput', `The model cannot be imported: ${count} wrong with it`, problems);
}

/** Versions of one model answer one question; feedback and gates read the definition's classes. */
function checkTarget(known: ModelRow | null, { signature }: ExaminedModel): void {
  if (known === null) return;
  const { column, positive } = known.definition.target;
  const { target } = signature;
  if (target.column === column && target.positive === positive) return;
  const message = `the model predicts ${column} = ${positive}, this file ${target.column} = ${target.positive}`;
  throw new DomainError('invalidInput', `The file answers another question: ${message}`, [
    { field: 'target', message, allowed: [`${column} = ${positive}`] },
  ]);
}
