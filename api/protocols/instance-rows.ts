import type { Signature } from '../../domain/signature.ts';
import type { PredictRequest } from '../serving/contract.ts';
import { checkRowCount } from './answer-rows.ts';
import type { ProblemList } from './problem-list.ts';
import { createTableRows } from './table-rows.ts';

/** Rows as objects by name, or as arrays in the order of the features; one list may hold both. */
export function instanceRows(
  list: readonly unknown[],
  field: string,
  signature: Signature,
  problems: ProblemList,
): readonly PredictRequest[] {
  checkRowCount(list.length, field, problems);
  problems.refuseIfAny();
  const table = createTableRows(signature, problems);
  return list.map((row, i) => (Array.isArray(row) ? table.fromArray(i, row) : table.fromRecord(i, row)));
}
