import type { Signature } from '../../../domain/signature.ts';
import type { PredictRequest } from '../../serving/contract.ts';
import type { Fields } from '../client-json.ts';
import { instanceRows } from '../instance-rows.ts';
import type { ProblemList } from '../problem-list.ts';

/** `signature_name` comes from clients of TensorFlow Serving, whose protocol this is; there is one signature here. */
const KNOWN = ['instances', 'signature_name'];

export const cellName = (row: number, column: string | null): string =>
  column === null ? `instances[${row}]` : `instances[${row}].${column}`;

/** `{"instances": [...]}`: each an object by feature name, or an array in the order of the features. */
export function readInstances(fields: Fields, signature: Signature, problems: ProblemList): readonly PredictRequest[] {
  for (const name of Object.keys(fields)) {
    if (!KNOWN.includes(name)) problems.addField(name.slice(0, 200), 'is not a known field', KNOWN);
  }
  const { instances } = fields;
  if (Array.isArray(instances)) return instanceRows(instances, 'instances', signature, problems);
  problems.addField('instances', 'expected a list of rows');
  return [];
}
