import type { RolloutAnswer } from '../../api/answers.ts';
import { EXIT, type ExitCode } from '../../errors.ts';
import type { Session } from '../../session.ts';
import { changeKey, isOver, renderChange, renderRollout } from '../../views/rollout.ts';
import { watch } from '../../wait.ts';

/** Time left is shown in seconds; between two looks the server's state is what changes. */
const POLL_EVERY_MS = 1000;

/** Watches until the end (or until 100 %), and says by the exit code how it ended. */
export async function watchRollout(
  session: Session,
  reference: string,
  options: { readonly untilFull: boolean },
): Promise<ExitCode> {
  const api = await session.api();
  const show = createRolloutView(session);
  // The model names its open rollout now; a later one of the same model is another story.
  const { id } = await api.rollout(reference);
  const last = await watch({
    read: () => api.rollout(id),
    show: (rollout) => {
      show(rollout);
      return isOver(rollout.phase) || (options.untilFull && rollout.phase === 'keepWarm');
    },
    intervalMs: POLL_EVERY_MS,
    terminal: session.terminal,
    onInterrupt: `The rollout goes on. Look again: sluice rollout watch ${reference}`,
  });
  return ['promoted', 'concluded'].includes(last.phase) || !isOver(last.phase) ? EXIT.ok : EXIT.failed;
}

function createRolloutView(session: Session): (rollout: RolloutAnswer) => void {
  const { terminal } = session;
  let lastKey = '';
  return ({ snapshot }) => {
    if (snapshot === null) return;
    if (terminal.interactive && !session.json) {
      terminal.redraw(renderRollout(snapshot, terminal, Date.now()));
      return;
    }
    const key = changeKey(snapshot);
    if (key === lastKey) return;
    lastKey = key;
    terminal.print([session.json ? JSON.stringify(snapshot) : renderChange(snapshot, Date.now())]);
  };
}
