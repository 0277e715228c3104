import type { Command } from 'commander';
import type { Route } from '../../domain/routing.ts';
import type { HealthAnswer, ModelSummary, RolloutAnswer } from '../api/answers.ts';
import type { SluiceApi } from '../api/sluice-api.ts';
import { CliError, EXIT, type ExitCode } from '../errors.ts';
import type { Runner, Session } from '../session.ts';
import { formatPercent, formatTime } from '../terminal/format.ts';
import { renderTable } from '../terminal/table.ts';
import type { Terminal } from '../terminal/terminal.ts';
import { isOver, renderRollout } from '../views/rollout.ts';
import { renderHealth } from '../views/health.ts';

const AFTER_HELP = `
Shows which version of which model answers which share of the requests, since when and by whose decision; open
rollouts; and the health of the services. What serves is shown even while the database is down.

Exit code 0: everything is well. 1: something is not, and the answer says what.

Examples:
  sluice status
  sluice status --json`;

/** Enough to reach back over a rollout's own entries to the last change of the routing. */
const AUDIT_LIMIT = 100;
const ROLLOUTS_LIMIT = 100;

export function registerStatus(program: Command, runner: Runner): void {
  program
    .command('status')
    .description('what is serving now, open rollouts, and the health of the services')
    .addHelpText('after', AFTER_HELP)
    .action((_options: unknown, command: Command) => runner.run(command, status));
}

interface Since {
  readonly at: string;
  readonly by: string;
  readonly reason: string | null;
}

interface Served {
  readonly model: string;
  readonly generation: number | null;
  readonly routes: readonly Route[];
  /** `null`: it serves nothing, or it cannot be known now. */
  readonly since: Since | null;
}

/** What the registry says, beside what the API process has in memory. */
interface Recorded {
  readonly models: readonly Served[];
  readonly rollouts: readonly RolloutAnswer[];
}

async function status(session: Session): Promise<ExitCode> {
  const api = await session.api();
  const health = await api.health();
  const recorded = await readRecorded(api).catch((error: unknown) => {
    // What serves is in the API's memory; an outage of the registry is a line of the answer and not its end.
    if (error instanceof CliError && error.exitCode === EXIT.unreachable) return null;
    throw error;
  });
  const models = recorded?.models ?? health.models.map((model) => ({ ...model, since: null }));
  const rollouts = recorded?.rollouts ?? [];
  session.answer(
    { url: api.url, models, rollouts, health },
    renderStatus({ url: api.url, models, rollouts, health }, session.terminal),
  );
  return health.status === 'ok' ? EXIT.ok : EXIT.failed;
}

async function readRecorded(api: SluiceApi): Promise<Recorded> {
  const [models, rollouts] = await Promise.all([api.models(), api.rollouts({ limit: ROLLOUTS_LIMIT })]);
  return {
    models: await Promise.all(models.map((model) => servedBy(api, model))),
    rollouts: rollouts.filter((r) => r.finished_at === null && !isOver(r.phase)),
  };
}

async function servedBy(api: SluiceApi, { name, routing }: ModelSummary): Promise<Served> {
  if (routing === null) return { model: name, generation: null, routes: [], since: null };
  const entries = await api.audit(name, AUDIT_LIMIT);
  const change = entries.find((entry) => entry.action === 'routing.apply');
  const since = change === undefined ? null : { at: change.at, by: change.actor, reason: change.reason };
  return { model: name, generation: routing.generation, routes: routing.routes, since };
}

interface Shown extends Recorded {
  readonly url: string;
  readonly health: HealthAnswer;
}

function renderStatus({ url, models, rollouts, health }: Shown, terminal: Terminal): readonly string[] {
  const { style } = terminal;
  const open = rollouts.flatMap((rollout) => [
    '',
    ...(rollout.snapshot === null
      ? [`${style.bold(rollout.model)}  the rollout of version ${rollout.candidate} is starting`]
      : renderRollout(rollout.snapshot, terminal, Date.now())),
  ]);
  return [
    style.bold('Serving'),
    ...renderServing(models, terminal),
    ...(open.length === 0 ? [] : ['', style.bold('Open rollouts'), ...open]),
    '',
    `${style.bold('Services')}  ${style.dim(url)}`,
    ...renderHealth(health, terminal),
  ];
}

function renderServing(models: readonly Served[], terminal: Terminal): readonly string[] {
  if (models.length === 0) return ['Nothing yet. Make a model from a CSV: sluice init data.csv --target COLUMN'];
  const { style } = terminal;
  const rows = models.flatMap(({ model, generation, routes, since }) => {
    if (routes.length === 0) return [[style.bold(model), 'nothing', '', '', '', '', '']];
    return routes.map((route, i) => [
      i === 0 ? style.bold(model) : '',
      `v${route.version}`,
      route.variant,
      route.weightPercent === 0 ? style.dim('warm') : formatPercent(route.weightPercent),
      String(generation ?? ''),
      since === null ? '' : formatTime(since.at),
      since === null ? '' : `${since.by}${since.reason === null ? '' : `: ${since.reason}`}`,
    ]);
  });
  return renderTable(
    [
      { title: 'model' },
      { title: 'version' },
      { title: 'variant' },
      { title: 'share', align: 'right' },
      { title: 'generation', align: 'right' },
      { title: 'since' },
      { title: 'by', shrink: true },
    ],
    rows,
    style,
    terminal.width,
  );
}
