import { type Command, Option } from 'commander';
import { STRATEGIES, type Strategy } from '../../../domain/rollout/plan.ts';
import type { AssessmentAnswer, BacktestAnswer } from '../../api/answers.ts';
import { wholeNumber } from '../../arguments.ts';
import type { Runner, Session } from '../../session.ts';
import { formatDuration, formatNumber, formatPercent, formatTime } from '../../terminal/format.ts';
import { renderTable } from '../../terminal/table.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import { paintPhase } from '../../views/rollout.ts';

interface PlanOptions {
  readonly strategy?: Strategy;
  readonly requestsPerSecond?: number;
}

/** `plan` looks ahead, `backtest` back. */
export function registerForesight(rollout: Command, runner: Runner): void {
  const strategy = () => new Option('--strategy <name>', "by default the definition's").choices(STRATEGIES);
  rollout
    .command('plan')
    .description("simulate a rollout at today's traffic: how long each step takes, and what cannot be decided")
    .argument('<model>', 'name of the model')
    .addOption(strategy())
    .addOption(
      new Option('--requests-per-second <number>', 'instead of what was measured over the last day').argParser(
        wholeNumber(0),
      ),
    )
    .addHelpText('after', '\nExample:\n  sluice rollout plan churn --strategy canary --requests-per-second 200')
    .action((model: string, options: PlanOptions, command: Command) =>
      runner.run(command, (session) => plan(session, model, options)),
    );
  rollout
    .command('backtest')
    .description('replay a plan on what a rollout recorded: when it would have stepped, promoted or gone back')
    .argument('<rollout>', 'name of the model (its latest rollout), or id of the rollout')
    .addOption(new Option('--strategy <name>', 'by default the plan that it ran by').choices(STRATEGIES))
    .addHelpText('after', '\nExample:\n  sluice rollout backtest churn --strategy blue-green')
    .action((reference: string, options: { strategy?: Strategy }, command: Command) =>
      runner.run(command, (session) => backtest(session, reference, options)),
    );
}

async function plan(session: Session, model: string, options: PlanOptions): Promise<undefined> {
  const api = await session.api();
  const answer = await api.assessPlan({
    model,
    ...(options.strategy === undefined ? {} : { strategy: options.strategy }),
    ...(options.requestsPerSecond === undefined ? {} : { traffic: { requestsPerSecond: options.requestsPerSecond } }),
  });
  session.answer(answer, renderAssessment(answer, session.terminal));
}

const orNever = (ms: number | null): string => (ms === null ? 'never' : ms === 0 ? 'at once' : formatDuration(ms));

function renderAssessment({ model, plan: asked, traffic, assessment }: AssessmentAnswer, terminal: Terminal) {
  const { style, width } = terminal;
  const rate = `${formatNumber(traffic.requestsPerSecond)} requests/s`;
  const shares = `${formatPercent(traffic.errorRate * 100)} errors, ${formatPercent(traffic.slowShare * 100)} slow`;
  return [
    `${style.bold(model)}  ${asked.strategy} at today's traffic: ${rate}, ${shares}`,
    '',
    ...renderTable(
      [
        { title: 'weight', align: 'right' },
        { title: 'bake', align: 'right' },
        { title: 'expected', align: 'right' },
        { title: 'until healthy', align: 'right' },
        { title: 'notices 2x', align: 'right' },
        { title: '5x', align: 'right' },
        { title: '10x the limit', align: 'right' },
        { title: 'not decided in time', shrink: true },
      ],
      assessment.steps.map((s) => [
        formatPercent(s.weightPercent),
        formatDuration(s.bakeTimeMs),
        orNever(s.expectedMs),
        orNever(s.toHealthyMs),
        orNever(s.detectMs.x2),
        orNever(s.detectMs.x5),
        orNever(s.detectMs.x10),
        s.undecided.join('; '),
      ]),
      style,
      width,
    ),
    '',
    assessment.expectedMs === null
      ? style.red('It would not reach 100 % by itself at this traffic.')
      : `Expected until 100 %: ${style.bold(formatDuration(assessment.expectedMs))}`,
    ...assessment.warnings.map((warning) => style.yellow(`! ${warning}`)),
  ];
}

async function backtest(
  session: Session,
  reference: string,
  { strategy }: { strategy?: Strategy },
): Promise<undefined> {
  const api = await session.api();
  const answer = await api.backtest({ rollout: reference, ...(strategy === undefined ? {} : { strategy }) });
  session.answer(answer, renderBacktest(answer, session.terminal));
}

function renderBacktest({ model, rollout_id: id, recorded, plan: used, result }: BacktestAnswer, terminal: Terminal) {
  const { style, width } = terminal;
  return [
    `${style.bold(model)}  rollout ${id}, in fact ${paintPhase(recorded.outcome, style)}`,
    `Under this plan (${used.strategy}): ${style.bold(paintPhase(result.outcome, style))}`,
    '',
    ...renderTable(
      [{ title: 'when' }, { title: 'what' }, { title: 'weight', align: 'right' }, { title: 'why', shrink: true }],
      result.events.map((e) => [
        formatTime(e.atMs),
        paintPhase(e.kind, style),
        formatPercent(e.weightPercent),
        e.reason,
      ]),
      style,
      width,
    ),
    '',
    `${formatNumber(result.candidate.requests)} requests of the candidate, ${formatNumber(result.looks)} looks`,
  ];
}
