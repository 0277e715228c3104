import type { Session } from '../session.ts';
import { formatTime } from '../terminal/format.ts';
import { renderTable } from '../terminal/table.ts';

/** Names this moment on the running platform. */
export async function point(session: Session, name: string): Promise<undefined> {
  const made = await (await session.api()).createRestorePoint(name);
  session.answer(made, [
    `Restore point ${made.name} at ${made.lsn}, known to ${made.targets.join(', ')}`,
    `Back to it, once the log up to here has arrived (a second or two): sluice restore --to point:${made.name}`,
  ]);
}

export async function points(session: Session): Promise<undefined> {
  const found = await (await session.api()).restorePoints();
  const { style, width } = session.terminal;
  const columns = ['name', 'at', 'log', 'targets'].map((title) => ({ title, shrink: title === 'targets' }));
  const rows = found.map((one) => [one.name, formatTime(one.at), one.lsn, one.targets.join(', ')]);
  const lines =
    rows.length === 0 ? ['No restore points yet: sluice backup point NAME'] : renderTable(columns, rows, style, width);
  session.answer({ points: found }, lines);
}
