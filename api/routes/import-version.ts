import type { Context } from 'hono';
import { DomainError } from '../../domain/errors.ts';
import { importedDefinition } from '../../models/definition/imported.ts';
import { MODEL_BYTES_MAX } from '../../models/doctor/limits.ts';
import { actorOf } from '../actor.ts';
import { answerJson } from '../answers.ts';
import type { AppEnv } from '../app-env.ts';
import type { Importer } from '../imports/create-importer.ts';
import type { ImportedVersion } from '../imports/import-ports.ts';
import { receiveUpload } from '../imports/receive-upload.ts';
import { defineOperation } from '../operation.ts';
import type { Operation } from '../operation.ts';
import { importBytesSchema, importedVersionSchema, importFormSchema } from '../schemas/imports.ts';
import type { ImportedVersionAnswer } from '../schemas/imports.ts';
import { modelParams } from '../schemas/parameters.ts';

export interface ImportVersionDeps {
  readonly importer: Importer;
  /** An empty folder for one upload. */
  readonly openFolder: () => Promise<{ readonly path: string; readonly remove: () => Promise<void> }>;
}

const MEGABYTE = 1024 * 1024;
/** A UUID has 36; longer keys are no names. */
const KEY_LENGTH_MAX = 255;

/** `POST /models/{model}/versions`. */
export function importVersionOperations({ importer, openFolder }: ImportVersionDeps): readonly Operation[] {
  const answer = { schema: importedVersionSchema };
  return [
    defineOperation({
      id: 'importVersion',
      method: 'post',
      path: '/models/{model}/versions',
      tag: 'Models',
      summary: 'Import a model file',
      description:
        'Takes an ONNX file of any make, examines it in a process of its own, and registers it as a version of the ' +
        'model, which is made when there is none of this name. A file with something wrong is refused with what is ' +
        `wrong and how to mend it. At most ${MODEL_BYTES_MAX / MEGABYTE} MiB. The same content again answers with ` +
        'the version of the first time, as does the same `Idempotency-Key`.',
      permission: 'admin',
      params: modelParams,
      refusals: ['conflict', 'malformedRequest', 'payloadTooLarge', 'unsupportedMediaType', 'invalidInput'],
      rawBody: {
        description: 'The file, alone or with a signature and sample rows',
        content: {
          'application/octet-stream': { schema: importBytesSchema },
          'multipart/form-data': { schema: importFormSchema },
        },
      },
      answers: {
        201: { description: 'Registered; `status` says whether its gates passed', ...answer },
        200: { description: 'Registered by an earlier import of the same', ...answer },
      },
      handle: async ({ c, params }) => {
        const { model } = params;
        checkModelName(model);
        const idempotencyKey = readKey(c);
        const folder = await openFolder();
        try {
          const upload = await receiveUpload(c, folder.path);
          const { signal } = c.req.raw;
          const imported = await importer({ model, upload, actor: actorOf(c), idempotencyKey, signal });
          return answerJson(c, imported.created ? 201 : 200, describeImport(imported, upload.bytes));
        } finally {
          await folder.remove();
        }
      },
    }),
  ];
}

/** Before a long upload: a name that cannot be one is not the file's fault. */
function checkModelName(model: string): void {
  const target = { column: 'target', positive: '1', negative: '0' };
  importedDefinition(model, { entity: null, target, risk: { medium: 0.3, high: 0.6 } });
}

function readKey(c: Context<AppEnv>): string | null {
  const key = c.req.header('idempotency-key')?.trim() ?? '';
  if (key.length <= KEY_LENGTH_MAX) return key === '' ? null : key;
  const message = `has ${key.length} characters, at most ${KEY_LENGTH_MAX} are taken`;
  throw new DomainError('malformedRequest', `The Idempotency-Key ${message}`, [{ field: 'Idempotency-Key', message }]);
}

function describeImport(
  { row, created, findings, examined, gates }: ImportedVersion,
  bytes: number,
): ImportedVersionAnswer {
  const { producer, opsets, latency, threads } = examined;
  return {
    model: row.model,
    version: row.version,
    status: row.status,
    created,
    artefact_digest: row.artefactDigest,
    artefact_bytes: bytes,
    producer,
    opsets,
    signature: row.signature as ImportedVersionAnswer['signature'],
    findings: [...findings],
    latency: [...latency],
    threads,
    gates: [...gates] as ImportedVersionAnswer['gates'],
  };
}
