/** The answer of `POST .../infer`, as JSON or with binary tensors. */
import { describeProblems } from '../../../domain/errors.ts';
import type { AnsweredRow } from '../answer-rows.ts';
import type { ProblemList } from '../problem-list.ts';
import { BYTES } from './datatypes.ts';
import type { TensorValue } from './datatypes.ts';
import type { InferRequest } from './infer-request.ts';
import { writeTensorBytes } from './tensor-bytes.ts';

interface OutputColumn {
  readonly datatype: string;
  readonly value: (row: AnsweredRow) => TensorValue;
}

/** `probability` and `label` are answered unless others are asked for; the rest accounts for an answer. */
const OUTPUTS: Readonly<Record<string, OutputColumn>> = {
  probability: { datatype: 'FP64', value: (row) => row.probability },
  label: { datatype: BYTES, value: (row) => row.label },
  risk: { datatype: BYTES, value: (row) => row.risk },
  model_version: { datatype: 'INT64', value: (row) => row.version },
  request_id: { datatype: BYTES, value: (row) => row.requestId },
};
const DEFAULT_OUTPUTS = ['probability', 'label'];
/** Rows whose warnings are spelled out; a caller sees from them what its data lacks. */
const WARNED_ROWS_MAX = 20;

/** For the metadata: `-1` is the number of rows. */
export const OUTPUT_METADATA = DEFAULT_OUTPUTS.map((name) => ({
  name,
  datatype: OUTPUTS[name]?.datatype ?? BYTES,
  shape: [-1, 1],
}));

export function checkOutputs({ outputs }: InferRequest, problems: ProblemList): void {
  const seen = new Set<string>();
  for (const { name } of outputs) {
    const field = `outputs.${name.slice(0, 200)}`;
    if (!Object.hasOwn(OUTPUTS, name)) problems.addField(field, 'is no output of this model', Object.keys(OUTPUTS));
    if (seen.has(name)) problems.addField(field, 'is there twice');
    seen.add(name);
  }
}

export interface InferAnswer {
  readonly body: string | Buffer;
  /** Length of the JSON before the tensors; `null`: all is JSON. */
  readonly jsonBytes: number | null;
}

/** @param rows at least one */
export function encodeInferAnswer(request: InferRequest, model: string, rows: readonly AnsweredRow[]): InferAnswer {
  const wanted =
    request.outputs.length > 0 ? request.outputs : DEFAULT_OUTPUTS.map((name) => ({ name, binary: undefined }));
  const tensors: Buffer[] = [];
  const outputs = wanted.map(({ name, binary }) => {
    const { datatype, value } = OUTPUTS[name] as OutputColumn;
    const head = { name, datatype, shape: [rows.length, 1] };
    if (!(binary ?? request.binaryByDefault)) return { ...head, data: rows.map(value) };
    const bytes = writeTensorBytes(datatype, rows.map(value));
    tensors.push(bytes);
    return { ...head, parameters: { binary_data_size: bytes.byteLength } };
  });
  const parameters = describeParameters(rows);
  const json = JSON.stringify({
    model_name: model,
    model_version: String(rows[0]?.version ?? ''),
    ...(request.id === undefined ? {} : { id: request.id }),
    ...(parameters === null ? {} : { parameters }),
    outputs,
  });
  if (tensors.length === 0) return { body: json, jsonBytes: null };
  const head = Buffer.from(json, 'utf8');
  return { body: Buffer.concat([head, ...tensors]), jsonBytes: head.byteLength };
}

/** What has no tensor: values the model has not seen, and that several versions answered. Texts, as parameters are. */
function describeParameters(rows: readonly AnsweredRow[]): object | null {
  const versions = [...new Set(rows.map((row) => row.version))].sort((a, b) => a - b);
  const warned = rows.flatMap(({ warnings }, row) => (warnings.length === 0 ? [] : [{ row, warnings }]));
  if (versions.length === 1 && warned.length === 0) return null;
  const shown = warned.slice(0, WARNED_ROWS_MAX).map((w) => `row ${w.row}: ${describeProblems(w.warnings)}`);
  const rest = warned.length - shown.length;
  return {
    ...(versions.length === 1 ? {} : { model_versions: versions.join(',') }),
    ...(shown.length === 0 ? {} : { warnings: shown.join('; ') + (rest === 0 ? '' : `; and ${rest} more rows`) }),
  };
}
