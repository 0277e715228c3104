import { CommanderError } from 'commander';
import { DomainError } from '../domain/errors.ts';
import { describeError, errorDocument } from './describe-error.ts';
import { CliError, EXIT, type ExitCode, UsageError } from './errors.ts';
import { createProgram } from './program.ts';
import { createRunner } from './session.ts';
import { type Environment, readSettings, wantsColour } from './settings.ts';
import { createStyle } from './terminal/style.ts';
import { onScreen, type Streams } from './terminal/terminal.ts';

/** Runs one command line and says how it ended; never throws for what a person or the platform did. */
export async function run(args: readonly string[], streams: Streams, env: Environment): Promise<ExitCode> {
  quietBrokenPipe(streams.stdout);
  const json = args.includes('--json');
  try {
    const runner = createRunner(readSettings(env), streams);
    const program = createProgram(runner, { json, streams });
    if (args.length === 0) {
      program.outputHelp();
      return EXIT.ok;
    }
    await program.parseAsync(args[0] === '--version' ? ['-V'] : [...args], { from: 'user' });
    return runner.exitCode();
  } catch (error) {
    const expected = translate(error, json);
    if (expected === null) return EXIT.ok;
    if (expected.message !== '') report(expected, json, streams, env);
    return expected.exitCode;
  }
}

/** A reader that closes early (`sluice ... | head`) ends the program quietly, as every other tool does. */
function quietBrokenPipe(stdout: NodeJS.WriteStream): void {
  stdout.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code !== 'EPIPE') throw error;
    process.exit(EXIT.ok);
  });
}

/** `null`: help or the version was asked for and has been printed. */
function translate(error: unknown, json: boolean): CliError | null {
  if (error instanceof CliError) return error;
  if (error instanceof CommanderError) {
    if (error.exitCode === 0) return null;
    // A command group without its command: its help has been printed, which says it all to a person.
    if (error.code === 'commander.help') return new UsageError(json ? 'A command is missing' : '');
    return new UsageError(
      error.message.replace(/^error: /, ''),
      [],
      'See `sluice --help`, or --help behind any command',
    );
  }
  if (error instanceof DomainError) return new CliError(exitCodeOf(error), error.code, error.message, error);
  const message = error instanceof Error ? error.message : String(error);
  return new CliError(EXIT.failed, 'internal', message);
}

/** Rules of the platform that were broken on this side, for example by a definition file. */
function exitCodeOf(error: DomainError): ExitCode {
  if (error.code === 'unavailable') return EXIT.unreachable;
  if (['conflict', 'refused', 'fenced'].includes(error.code)) return EXIT.refused;
  const wrongInput = ['invalidInput', 'malformedRequest', 'dataInvalid', 'notFound', 'unsupportedMediaType'];
  return wrongInput.includes(error.code) ? EXIT.usage : EXIT.failed;
}

function report(error: CliError, json: boolean, streams: Streams, env: Environment): void {
  const style = createStyle({ colour: onScreen(streams.stderr) && wantsColour(env), unicode: true });
  const lines = json ? [JSON.stringify(errorDocument(error))] : describeError(error, style);
  streams.stderr.write(`${lines.join('\n')}\n`);
}
