import { DomainError } from '../../domain/errors.ts';
import type { Problem } from '../../domain/errors.ts';

/** What is wrong with a request, gathered before it is refused once. `column` null: the row as a whole. */
export interface ProblemList {
  addField(field: string, message: string, allowed?: readonly string[]): void;
  addCell(row: number, column: string | null, message: string, allowed?: readonly string[]): void;
  /** Enough is known: looking at further rows would only cost time. */
  readonly isFull: boolean;
  /** @throws DomainError `invalidInput` when there is any problem */
  refuseIfAny(): void;
}

/** How a protocol's request names a cell, rows counted from 0. */
export type NameCell = (row: number, column: string | null) => string;

/** Problems gathered per request: an answer shows a fifth of them. */
const PROBLEMS_MAX = 100;

export function createProblemList(nameCell: NameCell): ProblemList {
  const problems: Problem[] = [];
  const add = (field: string, message: string, allowed?: readonly string[]): void => {
    if (problems.length >= PROBLEMS_MAX) return;
    problems.push({ field, message, ...(allowed === undefined ? {} : { allowed }) });
  };
  return {
    addField: add,
    addCell: (row, column, message, allowed) => add(nameCell(row, column), message, allowed),
    get isFull() {
      return problems.length >= PROBLEMS_MAX;
    },
    refuseIfAny: () => {
      if (problems.length > 0) throw new DomainError('invalidInput', 'The request cannot be used as it is', problems);
    },
  };
}
