import { readRecoveryStatus, walLagSeconds, type RecoveryStatus } from '../../adapters/recovery-status.ts';
import { setTimeMs } from '../../domain/recovery/manifest.ts';
import { DEFAULT_OBJECTIVES } from '../../domain/recovery/objectives.ts';
import { previewRestore } from '../../recovery/restore/restore-and-check.ts';
import { EXIT, type ExitCode } from '../errors.ts';
import type { Session } from '../session.ts';
import { formatDuration } from '../terminal/format.ts';
import { openTargets, type OpenedTarget } from './open-targets.ts';

/** Each target against the objectives; the log's lag and the last drill as the worker of this home wrote them down. */
export async function status(session: Session): Promise<ExitCode> {
  const opened = await openTargets({});
  const known = readRecoveryStatus(opened[0].config.home);
  const states = [];
  for (const target of opened) states.push(await stateOf(target, known));
  const { style } = session.terminal;
  const lines = states.flatMap((state) => {
    const { target, address, problem, met } = state;
    const title = `${target} (${address}): ${problem ?? setsText(state)}`;
    return [
      met ? style.green(title) : style.red(title),
      ...state.restorable.map((window) => `  restorable  ${window}`),
      `  log         ${state.walLagSeconds === null ? 'not shipped between sets' : `${formatDuration(state.walLagSeconds * 1000)} behind`}`,
    ];
  });
  session.answer({ targets: states, drill: known?.drill ?? null }, [...lines, drillText(known)]);
  return states.every((state) => state.met) ? EXIT.ok : EXIT.refused;
}

async function stateOf({ name, vault }: OpenedTarget, known: RecoveryStatus | null) {
  const told = known?.targets.find((one) => one.name === name) ?? null;
  const walLag = known === null ? null : walLagSeconds(known, told?.walLagSeconds ?? null, Date.now());
  const found = await vault.find().then(
    (sets) => {
      const newest = sets.filter((set) => set.verifiedAt !== null && set.manifest !== null).at(-1);
      const ageMs = newest === undefined ? null : Date.now() - setTimeMs(newest.setId);
      return { sets: sets.length, newestVerified: newest?.setId ?? null, ageMs, problem: null };
    },
    (error: unknown) => ({ sets: 0, newestVerified: null, ageMs: null, problem: messageOf(error) }),
  );
  const windows = await previewRestore({ target: vault, wish: { kind: 'latest' } }).then(
    (preview) => preview.windows,
    // Said above, or there is nothing to restore yet.
    () => [],
  );
  const met = found.ageMs !== null && found.ageMs <= DEFAULT_OBJECTIVES.setAgeMaxMs;
  return { target: name, address: vault.address, ...found, restorable: windows, walLagSeconds: walLag, met };
}

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error));

function setsText({ sets, ageMs, newestVerified }: Awaited<ReturnType<typeof stateOf>>): string {
  if (ageMs === null) return `${String(sets)} sets, no verified set`;
  return `${String(sets)} sets, newest verified set ${formatDuration(ageMs)} old (${newestVerified ?? ''})`;
}

function drillText(known: RecoveryStatus | null): string {
  const drill = known?.drill ?? null;
  if (drill === null) return 'drill: none yet';
  const age = formatDuration(Date.now() - drill.finishedAtMs);
  if (!drill.passed) return `drill: FAILED ${age} ago`;
  const took = drill.restoreMs === null ? '' : `, restored in ${formatDuration(drill.restoreMs)}`;
  const loss = drill.lossMs === null ? '' : `, ${formatDuration(drill.lossMs)} would have been lost`;
  return `drill: passed ${age} ago${took}${loss}`;
}
