import { type Command, Option } from 'commander';
import { time } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import type { Runner, Session } from '../session.ts';

interface FeedbackOptions {
  readonly label: string;
  readonly request?: string;
  readonly model?: string;
  readonly entity?: string;
  readonly at?: string;
}

const AFTER_HELP = `
The prediction is named by its request id, or by model and entity (then its latest prediction is meant).
A later report about the same request replaces the earlier one.

Examples:
  sluice feedback --request 0b6b2a5e-7c1d-4f43-9a53-0d1f6b7a4c11 --label Yes
  sluice feedback --model churn --entity 7590-VHVEG --label No --at 2026-03-01T12:00:00Z`;

export function registerFeedback(program: Command, runner: Runner): void {
  program
    .command('feedback')
    .description('say what really happened after a prediction')
    .requiredOption('--label <class>', 'what happened, as the data names it, for example Yes')
    .option('--request <id>', 'request id of the prediction')
    .option('--model <name>', 'the model, with --entity')
    .option('--entity <id>', 'the entity, with --model')
    .addOption(new Option('--at <time>', 'when it happened, ISO 8601; by default now').argParser(time))
    .addHelpText('after', AFTER_HELP)
    .action((options: FeedbackOptions, command: Command) =>
      runner.run(command, (session) => sendFeedback(session, options)),
    );
}

async function sendFeedback(session: Session, options: FeedbackOptions): Promise<undefined> {
  const byEntity = options.model !== undefined && options.entity !== undefined;
  if (options.request === undefined && !byEntity) {
    throw new UsageError('Feedback names no prediction', [], 'Give --request ID, or --model NAME with --entity ID');
  }
  const api = await session.api();
  const answer = await api.feedback({
    ...(options.request === undefined ? {} : { request_id: options.request }),
    ...(options.model === undefined ? {} : { model: options.model }),
    ...(options.entity === undefined ? {} : { entity_id: options.entity }),
    label: options.label,
    ...(options.at === undefined ? {} : { occurred_at: options.at }),
  });
  const { style } = session.terminal;
  const about = answer.matched === 1 ? '1 prediction' : `${answer.matched} predictions`;
  session.answer(answer, [`${style.green(style.signs.yes)} Accepted; it speaks of ${about}`]);
}
