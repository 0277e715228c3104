import { z } from 'zod';
import type { LocatedProblem } from './problems.ts';

const text = z.string().optional().catch(undefined);
const list = z.array(z.unknown()).catch([]);
const key = z.record(z.string(), z.unknown()).catch({});

/** The columns a definition names, read from whatever is there: these rules also speak when other parts are wrong. */
const namedColumns = z
  .object({
    target: z.object({ column: text }).catch({}),
    entity: text,
    exclude: list,
    protected: list,
    features: key,
  })
  .catch({ target: {}, entity: undefined, exclude: [], protected: [], features: {} });

/** Rules between parts of a definition: no column has two roles. */
export function crossProblems(raw: unknown): LocatedProblem[] {
  const named = namedColumns.parse(raw);
  const problems: LocatedProblem[] = [];
  const report = (path: readonly (string | number)[], field: string, message: string) => {
    problems.push({ path, field, message });
  };
  const target = named.target.column;
  const { entity } = named;
  if (target !== undefined && entity === target) {
    report(['entity'], 'entity', `"${target}" is the target, it cannot identify the entity too`);
  }
  named.exclude.forEach((column, i) => {
    const at = ['exclude', i] as const;
    if (column === target) report(at, `exclude[${i}]`, `"${target ?? ''}" is the target, it is never a feature anyway`);
    if (typeof column === 'string' && Object.hasOwn(named.features, column)) {
      report(at, `exclude[${i}]`, `"${column}" is described under features, it cannot be excluded too`);
    }
  });
  for (const column of Object.keys(named.features)) {
    if (column === target) report(['features', column], `features.${column}`, 'is the target, it cannot be a feature');
    if (column === entity) report(['features', column], `features.${column}`, 'is the entity, it cannot be a feature');
  }
  named.protected.forEach((column, i) => {
    if (column === target) report(['protected', i], `protected[${i}]`, `"${target ?? ''}" is the target`);
  });
  return problems;
}
