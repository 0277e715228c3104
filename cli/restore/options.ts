import { CliError, EXIT } from '../errors.ts';
import type { TargetOptions } from './open-target.ts';

export interface RestoreCommandOptions extends TargetOptions {
  readonly to: string;
  readonly preview?: true;
  readonly confirm?: string;
}

/** The word that a person types before something in use is replaced. @throws CliError `refused` */
export function requireTyped(expected: string, typed: string | undefined, what: string): void {
  if (typed === expected) return;
  throw new CliError(EXIT.refused, 'notConfirmed', `${what}: nothing was changed`, {
    hint: `Repeat the command with --confirm ${expected}`,
  });
}
