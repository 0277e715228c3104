import type { z } from 'zod';
import type { Problem } from '../domain/errors.ts';

type Issue = z.core.$ZodIssue;

function fieldOf(path: readonly PropertyKey[]): string {
  let field = '';
  for (const part of path) {
    if (typeof part === 'number') field += `[${String(part)}]`;
    else field += field === '' ? String(part) : `.${String(part)}`;
  }
  return field;
}

const named = (root: string, path: readonly PropertyKey[]): string => {
  const field = fieldOf(path);
  return field === '' ? root : field;
};

/** Every issue as a problem: the field, what was expected, and the list of allowed values where there is one. */
export function zodProblems(error: z.ZodError, root: string): readonly Problem[] {
  return error.issues.flatMap((issue) => problemsOf(issue, root));
}

function problemsOf(issue: Issue, root: string): readonly Problem[] {
  const field = named(root, issue.path);
  switch (issue.code) {
    case 'unrecognized_keys':
      return issue.keys.map((key) => ({ field: named(root, [...issue.path, key]), message: 'is not a known field' }));
    case 'invalid_value':
      return [{ field, message: 'is not one of the allowed values', allowed: issue.values.map(String) }];
    case 'invalid_union':
      return [unionProblem(issue, field)];
    default:
      return [{ field, message: issue.message.replace(/^Invalid input: /, '') }];
  }
}

/** One sentence for all branches: what each of them expected. */
function unionProblem(issue: Extract<Issue, { code: 'invalid_union' }>, field: string): Problem {
  const expected = issue.errors.flatMap((branch) => branch.map((i) => i.message.replace(/^Invalid input: /, '')));
  return { field, message: [...new Set(expected)].join(', or ') };
}
