import { readFile } from 'node:fs/promises';
import { parseDocument } from 'yaml';
import type { Problem } from '../../../domain/errors.ts';
import { createJsonReader, isJsonObject } from '../../../domain/json-reader.ts';
import type { ModelDefinition } from '../../../domain/definition.ts';
import { checkPlan, overridePlan } from '../../../domain/rollout/check-plan.ts';
import type { PlanOverrides, Strategy } from '../../../domain/rollout/plan.ts';
import { readPlan } from '../../../domain/rollout/read-plan.ts';
import { basePlan } from '../../../domain/rollout/strategy-plans.ts';
import { UsageError } from '../../errors.ts';

/**
 * Parts of a plan from a YAML or JSON file, durations in milliseconds as in `POST /rollouts`. What they make of the
 * definition's plan is checked as a whole.
 * @throws UsageError with every problem
 */
export async function readPlanFile(
  path: string,
  { rollout }: Pick<ModelDefinition, 'rollout'>,
  strategy: Strategy = rollout.strategy,
): Promise<PlanOverrides> {
  const raw = parseText(await readText(path), path);
  if (!isJsonObject(raw)) throw new UsageError(`${path}: expected a plan, for example\nminRequests: 500`);
  const problems: Problem[] = [];
  const plan = readPlan(createJsonReader(raw, (problem) => problems.push(problem), 'plan'));
  // Of a plan that cannot be read, the rules would say half-truths.
  if (problems.length === 0) problems.push(...checkPlan(overridePlan(basePlan(rollout, strategy), plan)));
  if (problems.length > 0) throw new UsageError(`${path}: the plan cannot be rolled out`, problems);
  return plan;
}

/** JSON is YAML. */
function parseText(text: string, path: string): unknown {
  const document = parseDocument(text);
  const problems = document.errors.map(({ message, linePos }) => ({
    field: `line ${linePos?.[0].line ?? 1}`,
    message: message.split('\n')[0] ?? message,
  }));
  if (problems.length > 0) throw new UsageError(`${path}: neither YAML nor JSON`, problems);
  return document.toJS();
}

async function readText(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new UsageError(`${path} cannot be read (${(error as NodeJS.ErrnoException).code ?? 'unknown error'})`);
  }
}
