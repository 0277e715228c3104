import { type Command, Option } from 'commander';
import { APPROVER_ROLES, type ApproverRole } from '../../domain/approver-role.ts';
import { DEFAULT_TIER, RATE_TIERS, type RateTier } from '../../domain/rate-tier.ts';
import { type Permission, PERMISSIONS } from '../../domain/records.ts';
import { parseDuration } from '../../models/definition/duration.ts';
import type { KeyAnswer } from '../api/answers.ts';
import { listOf, time } from '../arguments.ts';
import type { Runner, Session } from '../session.ts';
import { confirm } from '../terminal/confirm.ts';
import { formatTime } from '../terminal/format.ts';
import { renderPairs, renderTable } from '../terminal/table.ts';
import type { Style } from '../terminal/style.ts';

interface CreateOptions {
  readonly permission: readonly Permission[];
  readonly tier: RateTier;
  readonly role?: readonly ApproverRole[];
  readonly expires?: string;
}

export function registerKeys(program: Command, runner: Runner): void {
  const keys = program
    .command('keys')
    .helpCommand(false)
    .description('API keys: make, list, revoke')
    .addHelpText(
      'after',
      '\nPermissions: predict (ask for predictions, send feedback), monitor (read models, rollouts, health, audit),\n' +
        'admin (everything).\n\nExamples:\n  sluice keys create shop --tier basic --expires 90d\n  sluice keys list\n' +
        '  sluice keys revoke 0b6b2a5e-7c1d-4f43-9a53-0d1f6b7a4c11',
    );
  keys
    .command('create')
    .description('make a key; it is shown once and never again')
    .argument('<name>', 'who or what will use it')
    .addOption(
      new Option('--permission <list>', `of ${PERMISSIONS.join(', ')}; several with commas`)
        .argParser(listOf(PERMISSIONS))
        .default(['predict'], 'predict'),
    )
    .addOption(
      new Option('--tier <tier>', 'predicted rows an hour: free 100, basic 1,000, premium 10,000, enterprise 100,000')
        .choices(RATE_TIERS)
        .default(DEFAULT_TIER),
    )
    .addOption(
      new Option(
        '--role <list>',
        `may approve steps of rollouts as ${APPROVER_ROLES.join(', ')}; several with commas`,
      ).argParser(listOf(APPROVER_ROLES)),
    )
    .addOption(new Option('--expires <when>', 'after a time such as 90d, or at a time, ISO 8601').argParser(expiry))
    .addHelpText('after', '\nExample:\n  sluice keys create dashboard --permission monitor,predict --expires 365d')
    .action((name: string, options: CreateOptions, command: Command) =>
      runner.run(command, (session) => create(session, name, options)),
    );
  keys
    .command('list')
    .description('every key by its first characters, with permissions and state')
    .addHelpText('after', '\nExample:\n  sluice keys list')
    .action((_options: unknown, command: Command) => runner.run(command, list));
  keys
    .command('revoke')
    .description('end a key at once; it cannot be brought back')
    .argument('<id>', 'id of the key, from `sluice keys list`')
    .option('--yes', 'do not ask')
    .addHelpText('after', '\nExample:\n  sluice keys revoke 0b6b2a5e-7c1d-4f43-9a53-0d1f6b7a4c11 --yes')
    .action((id: string, options: { yes?: true }, command: Command) =>
      runner.run(command, (session) => revoke(session, id, options.yes === true)),
    );
}

/** `90d` from now, or a time. */
function expiry(text: string): string {
  const ms = parseDuration(text);
  return ms === null ? time(text) : new Date(Date.now() + ms).toISOString();
}

async function create(session: Session, name: string, options: CreateOptions): Promise<undefined> {
  const api = await session.api();
  const answer = await api.createKey({
    name,
    permissions: options.permission,
    tier: options.tier,
    ...(options.role === undefined ? {} : { roles: options.role }),
    ...(options.expires === undefined ? {} : { expires_at: options.expires }),
  });
  const { style } = session.terminal;
  session.answer(answer, [
    ...renderPairs(
      [
        ['key', style.bold(answer.key)],
        ['id', answer.id],
        ['permissions', answer.permissions.join(', ')],
        ['tier', answer.tier],
        ...(options.role === undefined ? [] : [['roles', options.role.join(', ')] as const]),
        ['expires', options.expires === undefined ? 'never' : formatTime(options.expires)],
      ],
      style,
    ),
    style.yellow('Keep it now: only its hash is stored.'),
  ]);
}

async function list(session: Session): Promise<undefined> {
  const api = await session.api();
  const keys = await api.keys();
  const { style, width } = session.terminal;
  const table = renderTable(
    [
      { title: 'name', shrink: true },
      { title: 'key' },
      { title: 'permissions' },
      { title: 'tier' },
      { title: 'roles' },
      { title: 'state' },
      { title: 'made' },
      { title: 'id' },
    ],
    keys.map((k) => [
      k.name,
      `${k.prefix}${style.signs.cut}`,
      k.permissions.join(', '),
      k.tier,
      k.roles?.join(', ') ?? '',
      stateOf(k, style),
      k.created_at === undefined ? '' : formatTime(k.created_at),
      k.id,
    ]),
    style,
    width,
  );
  session.answer({ keys }, keys.length === 0 ? ['No keys.'] : table);
}

function stateOf(key: KeyAnswer, style: Style): string {
  if (typeof key.revoked_at === 'string') return style.red(`revoked ${formatTime(key.revoked_at)}`);
  if (typeof key.expires_at !== 'string') return style.green('valid');
  const over = Date.parse(key.expires_at) <= Date.now();
  return over
    ? style.red(`expired ${formatTime(key.expires_at)}`)
    : style.green(`valid until ${formatTime(key.expires_at)}`);
}

async function revoke(session: Session, id: string, yes: boolean): Promise<undefined> {
  await confirm(session, `Revoke key ${id}? Whoever uses it is refused from now on.`, yes);
  const api = await session.api();
  await api.revokeKey(id);
  const { style } = session.terminal;
  session.answer({ revoked: id }, [`${style.green(style.signs.yes)} Key ${id} is revoked`]);
}
