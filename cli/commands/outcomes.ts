import { readFile } from 'node:fs/promises';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { time } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import type { Runner, Session } from '../session.ts';
import { formatNumber } from '../terminal/format.ts';

/** What the API takes in one request. */
const OUTCOMES_PER_REQUEST = 1_000;

interface ReportOptions {
  readonly event?: string;
  readonly value: number;
  readonly model?: string;
  readonly request?: string;
  readonly entity?: string;
  readonly at?: string;
  readonly file?: string;
}

const AFTER_HELP = `
One outcome by --request or --entity, or many from a file: a JSON list, or a JSON object per line, with the fields of
POST /outcomes (event, value, model, request_id, entity_id, occurred_at).

Examples:
  sluice outcomes report --model churn --event complaint --entity 7590-VHVEG
  sluice outcomes report --event revenue --value 24.5 --request 0b6b2a5e-7c1d-4f43-9a53-0d1f6b7a4c11
  sluice outcomes report --file outcomes.jsonl`;

export function registerOutcomes(program: Command, runner: Runner): void {
  const outcomes = program
    .command('outcomes')
    .helpCommand(false)
    .description('business events that came of predictions; rollouts compare them')
    .addHelpText('after', '\nExample:\n  sluice outcomes report --model churn --event complaint --entity 7590-VHVEG');
  outcomes
    .command('report')
    .description('report one event, or a file of them')
    .option('--event <name>', 'what happened, for example complaint')
    .addOption(new Option('--value <number>', 'of the event for its user').argParser(anyNumber).default(1))
    .option('--model <name>', 'the model; not needed while only one is served')
    .option('--request <id>', 'request id of the prediction')
    .option('--entity <id>', 'the entity')
    .addOption(new Option('--at <time>', 'when it happened, ISO 8601; by default now').argParser(time))
    .option('--file <path>', 'many outcomes, JSON or a JSON object per line')
    .addHelpText('after', AFTER_HELP)
    .action((options: ReportOptions, command: Command) => runner.run(command, (session) => report(session, options)));
}

function anyNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === '' || !Number.isFinite(value)) throw new InvalidArgumentError('Expected a number.');
  return value;
}

async function report(session: Session, options: ReportOptions): Promise<undefined> {
  const outcomes = options.file === undefined ? [fromOptions(options)] : await fromFile(options.file);
  const api = await session.api();
  let accepted = 0;
  let matched = 0;
  for (let i = 0; i < outcomes.length; i += OUTCOMES_PER_REQUEST) {
    const answer = await api.reportOutcomes(outcomes.slice(i, i + OUTCOMES_PER_REQUEST));
    accepted += answer.accepted;
    matched += answer.matched;
  }
  const { style } = session.terminal;
  session.answer({ accepted, matched }, [
    `${style.green(style.signs.yes)} ${formatNumber(accepted)} accepted, ${formatNumber(matched)} of a known prediction`,
  ]);
}

function fromOptions({ event, value, model, request, entity, at }: ReportOptions): object {
  if (event === undefined || (request === undefined && entity === undefined)) {
    const hint = 'Give --event with --request ID or --entity ID, or --file PATH';
    throw new UsageError('An outcome needs an event and what it belongs to', [], hint);
  }
  return {
    event,
    value,
    ...(model === undefined ? {} : { model }),
    ...(request === undefined ? {} : { request_id: request }),
    ...(entity === undefined ? {} : { entity_id: entity }),
    ...(at === undefined ? {} : { occurred_at: at }),
  };
}

async function fromFile(path: string): Promise<readonly unknown[]> {
  const text = await readFile(path, 'utf8').catch((error: unknown) => {
    throw new UsageError(`${path} cannot be read: ${(error as Error).message}`, [], 'Name a file that exists');
  });
  try {
    const list: unknown = text.trimStart().startsWith('[')
      ? JSON.parse(text)
      : text
          .split('\n')
          .filter((line) => line.trim() !== '')
          .map((line) => JSON.parse(line) as unknown);
    if (Array.isArray(list) && list.length > 0) return list as unknown[];
  } catch (error) {
    throw new UsageError(`${path} is not JSON: ${(error as Error).message}`, [], 'A list, or an object per line');
  }
  throw new UsageError(`${path} holds no outcomes`, [], 'A list, or an object per line');
}
