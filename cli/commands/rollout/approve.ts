import { type Command, Option } from 'commander';
import { APPROVER_ROLES, type ApproverRole } from '../../../domain/approver-role.ts';
import { CliError, EXIT } from '../../errors.ts';
import type { Session } from '../../session.ts';
import type { Runner } from '../../session.ts';
import { confirm } from '../../terminal/confirm.ts';
import { renderRollout } from '../../views/rollout.ts';

interface ApproveOptions {
  readonly role?: ApproverRole;
  readonly evidence?: string;
  readonly reject?: true;
  readonly reason?: string;
  readonly yes?: true;
}

const AFTER_HELP = `
On a terminal the evidence is shown first, and what you agree to is exactly that. A script names the evidence that was
reviewed with --evidence: \`sluice rollout status MODEL\` shows its hash. Other evidence by then is refused.

Examples:
  sluice rollout approve churn --role techLead
  sluice rollout approve churn --evidence 5f2b1c9a --reason "errors and latency are fine"
  sluice rollout approve churn --reject --reason "complaints doubled"`;

export function registerApprove(rollout: Command, runner: Runner): void {
  rollout
    .command('approve')
    .description('agree to the next step of a rollout in a role of your key, or reject it')
    .argument('<rollout>', 'name of the model, or id of the rollout')
    .addOption(
      new Option('--role <role>', 'in which you decide; by default the one of the key').choices(APPROVER_ROLES),
    )
    .option('--evidence <hash>', 'hash of the evidence that was reviewed')
    .option('--reject', 'say no')
    .option('--reason <text>', 'why; kept in the audit log and shown in the rollout')
    .option('--yes', 'do not ask')
    .addHelpText('after', AFTER_HELP)
    .action((reference: string, options: ApproveOptions, command: Command) =>
      runner.run(command, (session) => approve(session, reference, options)),
    );
}

async function approve(session: Session, reference: string, options: ApproveOptions): Promise<undefined> {
  const decision = options.reject === true ? 'reject' : 'approve';
  const evidence = options.evidence ?? (await review(session, reference, decision, options.yes === true));
  const api = await session.api();
  const answer = await api.approve(reference, {
    evidence_hash: evidence,
    decision,
    ...(options.role === undefined ? {} : { role: options.role }),
    ...(options.reason === undefined ? {} : { reason: options.reason }),
  });
  const { style } = session.terminal;
  const done = decision === 'approve' ? 'approved' : 'rejected';
  session.answer(answer, [
    `${style.green(style.signs.yes)} ${done}`,
    '',
    ...renderRollout(answer.status, session.terminal, Date.now()),
  ]);
}

/** Shows what is decided on; the hash of exactly this goes with the decision. */
async function review(session: Session, reference: string, decision: string, yes: boolean): Promise<string> {
  const api = await session.api();
  const { snapshot } = await api.rollout(reference);
  const hash = snapshot?.evidenceHash;
  if (snapshot === null || hash === undefined) {
    throw new CliError(EXIT.refused, 'noEvidence', `${reference} has no evidence to decide on yet`);
  }
  if (!session.terminal.canAsk || session.json) {
    throw new CliError(EXIT.usage, 'evidenceNeeded', 'Name the evidence that was reviewed with --evidence', {
      hint: `It is ${hash} now: look at it first, with sluice rollout status ${reference}`,
    });
  }
  for (const line of renderRollout(snapshot, session.terminal, Date.now())) session.terminal.note(line);
  await confirm(session, `${reference}: ${decision} on this evidence (${hash})?`, yes);
  return hash;
}
