import { describeProblems } from '../domain/errors.ts';
import type { CliError } from './errors.ts';
import type { Style } from './terminal/style.ts';

/** An error for a person: what happened, every problem on its own line, what to do. */
export function describeError(error: CliError, style: Style): readonly string[] {
  const problems = error.problems.map((problem) => `  ${describeProblems([problem])}`);
  return [
    `${style.red(style.signs.no)} ${withoutProblems(error)}`,
    ...problems,
    ...(error.hint === null ? [] : [style.dim(error.hint)]),
  ];
}

/** Some messages already end with their problems, for logs of one line; here each has a line of its own. */
function withoutProblems(error: CliError): string {
  return error.problems.length === 0
    ? error.message
    : error.message.replace(`: ${describeProblems(error.problems)}`, '');
}

/** The same for a program: one JSON document. */
export function errorDocument(error: CliError): unknown {
  return {
    error: {
      code: error.code,
      message: withoutProblems(error),
      problems: error.problems,
      ...(error.hint === null ? {} : { hint: error.hint }),
      exit_code: error.exitCode,
    },
  };
}
