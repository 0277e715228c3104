import type { Problem } from '../domain/errors.ts';

/** What a shell sees. Documented in the help of the program and in docs/guide/cli.md. */
export const EXIT = {
  ok: 0,
  /** The work was done and its outcome is bad, or something broke. */
  failed: 1,
  /** The command line, a file or a value is wrong; nothing was changed. */
  usage: 2,
  unreachable: 3,
  /** The platform says no: no permission, a conflict, a gate. */
  refused: 4,
  /** Ctrl-C while waiting; what was waited for goes on. 128 + SIGINT. */
  interrupted: 130,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/** An expected end of a command: a message for a person, an exit code for a shell. */
export class CliError extends Error {
  readonly exitCode: ExitCode;
  /** Short word for programs: an error code of the platform, or `usage`, `unreachable`, `interrupted`. */
  readonly code: string;
  readonly problems: readonly Problem[];
  /** What to do about it; one line. */
  readonly hint: string | null;

  constructor(
    exitCode: ExitCode,
    code: string,
    message: string,
    more: { problems?: readonly Problem[]; hint?: string | null } = {},
  ) {
    super(message);
    this.name = 'CliError';
    this.exitCode = exitCode;
    this.code = code;
    this.problems = more.problems ?? [];
    this.hint = more.hint ?? null;
  }
}

export class UsageError extends CliError {
  constructor(message: string, problems: readonly Problem[] = [], hint: string | null = null) {
    super(EXIT.usage, 'usage', message, { problems, hint });
    this.name = 'UsageError';
  }
}
