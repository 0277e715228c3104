import type { ModelDefinition } from '../../domain/definition.ts';
import { DomainError } from '../../domain/errors.ts';
import type { DataFinding, DataReport, Severity } from '../../domain/evaluation.ts';
import { findColumn } from './cells.ts';
import { checkColumn } from './checks/check-columns.ts';
import { checkDuplicates } from './checks/check-duplicates.ts';
import { checkLeakage } from './checks/check-leakage.ts';
import { checkSchema } from './checks/check-schema.ts';
import { checkTarget } from './checks/check-target.ts';
import { finding } from './checks/finding.ts';
import type { DataColumn, DataTable } from './dataset.ts';
import { decideFeatures } from './infer-features.ts';
import { readTarget, type Target } from './read-target.ts';

/** A report travels through workflow histories: this many findings are about 150 KB. */
const FINDINGS_MAX = 500;
const SEVERITIES: readonly Severity[] = ['error', 'warning', 'info'];

/**
 * Looks at a table before anything is trained on it: schema, types, missing values, ranges, duplicates, target
 * leakage, class balance, constants, size. Never throws for what the data holds: every problem is a finding, with the
 * numbers it rests on.
 */
export function checkData(table: DataTable, definition: ModelDefinition): DataReport {
  const findings: DataFinding[] = checkSchema(table, definition);
  const target = targetOrFindings(table, definition);
  const decisions = decideFeatures(table, definition);
  const leftOut = new Set(decisions.leftOut.map(({ column }) => column));
  if (Array.isArray(target)) findings.push(...target);
  else findings.push(...checkTarget(target, definition));
  for (const { field, message } of decisions.problems) {
    const column = field.replace(/^features\.?/, '');
    findings.push(finding('type', 'error', column === '' ? null : column, message));
  }
  for (const { column, reason } of decisions.leftOut) {
    findings.push(finding('schema', 'info', column, `left out; ${reason}`));
  }
  for (const column of candidateColumns(table, definition)) {
    findings.push(...checkColumn(column, definition));
    if (Array.isArray(target) || leftOut.has(column.name)) continue;
    findings.push(...checkLeakage(column, target.labels, Object.hasOwn(definition.features, column.name)));
  }
  findings.push(...checkDuplicates(table, definition));
  return {
    rows: table.rows,
    columns: table.columns.length,
    positives: Array.isArray(target) ? 0 : target.positives,
    findings: worstFirst(findings),
    ok: findings.every(({ severity }) => severity !== 'error'),
  };
}

function targetOrFindings(table: DataTable, definition: ModelDefinition): Target | DataFinding[] {
  try {
    return readTarget(table, definition.target);
  } catch (error) {
    if (!(error instanceof DomainError)) throw error;
    const check = findColumn(table, definition.target.column) === undefined ? 'schema' : 'balance';
    return error.problems.map(({ field, message, allowed }) =>
      finding(check, 'error', definition.target.column, `${field}: ${message}`, {
        found: check === 'balance' ? (allowed ?? []).join(', ') : null,
      }),
    );
  }
}

function candidateColumns(table: DataTable, definition: ModelDefinition): readonly DataColumn[] {
  const others = new Set([definition.target.column, definition.entity, ...definition.exclude]);
  return table.columns.filter((column) => !others.has(column.name));
}

function worstFirst(findings: readonly DataFinding[]): readonly DataFinding[] {
  const sorted = SEVERITIES.flatMap((severity) => findings.filter((f) => f.severity === severity));
  if (sorted.length <= FINDINGS_MAX) return sorted;
  const more = sorted.length - FINDINGS_MAX;
  const note = finding('schema', 'info', null, `${more} lesser findings are not listed`, { notListed: more });
  return [...sorted.slice(0, FINDINGS_MAX), note];
}
