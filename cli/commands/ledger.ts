import { type Command, Option } from 'commander';
import type { LedgerAnswer } from '../api/answers.ts';
import { time, wholeNumber } from '../arguments.ts';
import { UsageError } from '../errors.ts';
import type { Runner, Session } from '../session.ts';
import { formatPercent, formatTime } from '../terminal/format.ts';
import { renderPairs, renderTable } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';

interface LedgerOptions {
  readonly at?: string;
  readonly from?: string;
  readonly to?: string;
  readonly limit: number;
}

const AFTER_HELP = `
Examples:
  sluice ledger churn --at 2026-03-01T12:00:00Z
  sluice ledger churn --from 2026-03-01T00:00:00Z --to 2026-03-02T00:00:00Z
  sluice ledger churn --json`;

export function registerLedger(program: Command, runner: Runner): void {
  program
    .command('ledger')
    .description('which version served at any time, with what weight, who decided, and on what evidence')
    .argument('<model>', 'name of the model')
    .addOption(new Option('--at <time>', 'at this moment, ISO 8601').argParser(time))
    .addOption(new Option('--from <time>', 'from this moment on').argParser(time))
    .addOption(new Option('--to <time>', 'before this moment').argParser(time))
    .addOption(
      new Option('--limit <number>', 'at most this many generations').argParser(wholeNumber(1, 500)).default(50),
    )
    .addHelpText('after', AFTER_HELP)
    .action((model: string, options: LedgerOptions, command: Command) =>
      runner.run(command, (session) => show(session, model, options)),
    );
}

async function show(session: Session, model: string, options: LedgerOptions): Promise<undefined> {
  const { at, from, to, limit } = options;
  if (at !== undefined && (from !== undefined || to !== undefined)) {
    throw new UsageError('Ask for a moment or for a range', [], 'Give --at alone, or --from and --to');
  }
  const api = await session.api();
  const range = Object.entries({ at, from, to }).flatMap(([k, v]) => (v === undefined ? [] : [[k, v] as const]));
  const entries = await api.ledger(model, { ...Object.fromEntries(range), limit: String(limit) });
  const [only] = entries;
  const empty = [`${model} served nothing ${at === undefined ? 'in this time' : `at ${formatTime(at)}`}`];
  const lines =
    only === undefined
      ? empty
      : at === undefined
        ? renderEntries(entries, session.terminal)
        : renderEntry(model, only, session.terminal);
  session.answer({ model, entries }, lines);
}

const weights = ({ routes }: LedgerAnswer): string =>
  routes.map((r) => `${r.variant} v${r.version} ${formatPercent(r.weightPercent)}`).join(', ');

function renderEntry(model: string, entry: LedgerAnswer, { style }: Terminal): readonly string[] {
  const { evidence } = entry;
  return [
    style.bold(`${model}, generation ${entry.generation}`),
    ...renderPairs(
      [
        ['served', weights(entry)],
        ['from', formatTime(entry.valid_from)],
        ['until', entry.valid_to === null ? 'now' : formatTime(entry.valid_to)],
        ['decided by', entry.decided_by],
        ['because', entry.reason],
        ['evidence', evidence === null ? 'none: nothing had been measured' : `${evidence.kind}: ${evidence.reason}`],
        ['rollout', entry.rollout_id ?? 'none'],
      ],
      style,
    ),
  ];
}

function renderEntries(entries: readonly LedgerAnswer[], { style, width }: Terminal): readonly string[] {
  return renderTable(
    [
      { title: 'from' },
      { title: 'until' },
      { title: 'generation', align: 'right' },
      { title: 'weights' },
      { title: 'decided by', shrink: true },
      { title: 'because', shrink: true },
      { title: 'evidence', shrink: true },
    ],
    entries.map((entry) => [
      formatTime(entry.valid_from),
      entry.valid_to === null ? 'now' : formatTime(entry.valid_to),
      String(entry.generation),
      weights(entry),
      entry.decided_by,
      entry.reason,
      entry.evidence === null ? '' : entry.evidence.kind,
    ]),
    style,
    width,
  );
}
