import type { RolloutAnswer } from '../../api/answers.ts';
import type { Session } from '../../session.ts';
import { formatDuration, formatPercent, formatTime } from '../../terminal/format.ts';
import { renderTable } from '../../terminal/table.ts';
import type { Terminal } from '../../terminal/terminal.ts';
import { paintPhase, renderRollout } from '../../views/rollout.ts';

export async function showRollout(session: Session, reference: string): Promise<undefined> {
  const api = await session.api();
  const rollout = await api.rollout(reference);
  session.answer(rollout, renderAnswer(rollout, session.terminal));
}

/** A rollout that has just been accepted has no snapshot yet. */
function renderAnswer(rollout: RolloutAnswer, terminal: Terminal): readonly string[] {
  if (rollout.snapshot !== null) return renderRollout(rollout.snapshot, terminal, Date.now());
  return [`${rollout.model}: the rollout of version ${rollout.candidate} is starting`];
}

export async function listRollouts(session: Session, filter: { model?: string; limit: number }): Promise<undefined> {
  const api = await session.api();
  const rollouts = await api.rollouts(filter);
  const empty = ['No rollouts yet. Start one: sluice rollout start MODEL --watch'];
  session.answer({ rollouts }, rollouts.length === 0 ? empty : renderRollouts(rollouts, session.terminal));
}

function renderRollouts(rollouts: readonly RolloutAnswer[], terminal: Terminal): readonly string[] {
  return renderTable(
    [
      { title: 'model' },
      { title: 'version', align: 'right' },
      { title: 'strategy' },
      { title: 'phase' },
      { title: 'weight', align: 'right' },
      { title: 'started' },
      { title: 'took', align: 'right' },
      { title: 'by', shrink: true },
      { title: 'reason', shrink: true },
      { title: 'id' },
    ],
    rollouts.map((r) => [
      r.model,
      String(r.candidate),
      r.plan.strategy,
      paintPhase(r.phase, terminal.style),
      r.snapshot === null ? '' : formatPercent(r.snapshot.weightPercent),
      formatTime(r.started_at),
      formatDuration((r.finished_at === null ? Date.now() : Date.parse(r.finished_at)) - Date.parse(r.started_at)),
      r.started_by,
      r.reason ?? '',
      r.id,
    ]),
    terminal.style,
    terminal.width,
  );
}
