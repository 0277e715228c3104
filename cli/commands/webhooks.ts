import { type Command, Option } from 'commander';
import { ROLLOUT_NOTICES, type RolloutNoticeKind } from '../../domain/rollout/notices.ts';
import { listOf } from '../arguments.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { Runner, Session } from '../session.ts';
import { confirm } from '../terminal/confirm.ts';
import { formatTime } from '../terminal/format.ts';
import { renderPairs, renderTable } from '../terminal/table.ts';

interface AddOptions {
  readonly format: 'standard' | 'slack';
  readonly events?: readonly RolloutNoticeKind[];
}

export function registerWebhooks(program: Command, runner: Runner): void {
  const webhooks = program
    .command('webhooks')
    .helpCommand(false)
    .description('be told what rollouts do: signed deliveries, or messages in Slack')
    .addHelpText(
      'after',
      '\nExamples:\n  sluice webhooks add https://hooks.example.com/sluice\n  sluice webhooks list',
    );
  webhooks
    .command('add')
    .description('add a receiver; the secret that signs its deliveries is shown once')
    .argument('<url>', 'where to, https')
    .addOption(new Option('--format <format>', 'of the deliveries').choices(['standard', 'slack']).default('standard'))
    .addOption(
      new Option('--events <list>', `of ${ROLLOUT_NOTICES.join(', ')}; several with commas; by default all`).argParser(
        listOf(ROLLOUT_NOTICES),
      ),
    )
    .addHelpText(
      'after',
      '\nExamples:\n  sluice webhooks add https://hooks.example.com/sluice --events rollout.rollback,rollout.approvalNeeded\n' +
        '  sluice webhooks add https://hooks.slack.com/services/T0/B0/X --format slack',
    )
    .action((url: string, options: AddOptions, command: Command) =>
      runner.run(command, (session) => add(session, url, options)),
    );
  webhooks
    .command('list')
    .description('every receiver, and how its last delivery ended')
    .addHelpText('after', '\nExample:\n  sluice webhooks list')
    .action((_options: unknown, command: Command) => runner.run(command, list));
  webhooks
    .command('test')
    .description('send a test delivery')
    .argument('<id>', 'id of the webhook, from `sluice webhooks list`')
    .addHelpText('after', '\nExample:\n  sluice webhooks test 0b6b2a5e-7c1d-4f43-9a53-0d1f6b7a4c11')
    .action((id: string, _options: unknown, command: Command) => runner.run(command, (session) => test(session, id)));
  webhooks
    .command('remove')
    .description('tell it nothing from now on')
    .argument('<id>', 'id of the webhook, from `sluice webhooks list`')
    .option('--yes', 'do not ask')
    .addHelpText('after', '\nExample:\n  sluice webhooks remove 0b6b2a5e-7c1d-4f43-9a53-0d1f6b7a4c11 --yes')
    .action((id: string, options: { yes?: true }, command: Command) =>
      runner.run(command, (session) => remove(session, id, options.yes === true)),
    );
}

async function add(session: Session, url: string, { format, events }: AddOptions): Promise<undefined> {
  const api = await session.api();
  const answer = await api.createWebhook({ url, format, ...(events === undefined ? {} : { events }) });
  const { style } = session.terminal;
  session.answer(answer, [
    ...renderPairs(
      [
        ['secret', style.bold(answer.secret)],
        ['id', answer.id],
        ['target', answer.target],
        ['events', answer.events.length === 0 ? 'all' : answer.events.join(', ')],
      ],
      style,
    ),
    style.yellow('Keep the secret now: it is not shown again.'),
  ]);
}

async function list(session: Session): Promise<undefined> {
  const api = await session.api();
  const webhooks = await api.webhooks();
  const { style, width } = session.terminal;
  const table = renderTable(
    [
      { title: 'target' },
      { title: 'format' },
      { title: 'events', shrink: true },
      { title: 'last delivery', shrink: true },
      { title: 'id' },
    ],
    webhooks.map((w) => [
      w.target,
      w.format,
      w.events.length === 0 ? 'all' : w.events.join(', '),
      typeof w.last_attempt_at === 'string' ? `${formatTime(w.last_attempt_at)} ${w.last_outcome ?? ''}` : 'none yet',
      w.id,
    ]),
    style,
    width,
  );
  session.answer({ webhooks }, webhooks.length === 0 ? ['No webhooks.'] : table);
}

async function test(session: Session, id: string): Promise<ExitCode> {
  const api = await session.api();
  const answer = await api.testWebhook(id);
  const { style } = session.terminal;
  const sign = answer.delivered ? style.green(style.signs.yes) : style.red(style.signs.no);
  session.answer(answer, [`${sign} ${answer.message}`]);
  return answer.delivered ? EXIT.ok : EXIT.failed;
}

async function remove(session: Session, id: string, yes: boolean): Promise<undefined> {
  await confirm(session, `Remove webhook ${id}?`, yes);
  const api = await session.api();
  await api.removeWebhook(id);
  const { style } = session.terminal;
  session.answer({ removed: id }, [`${style.green(style.signs.yes)} Webhook ${id} is removed`]);
}
