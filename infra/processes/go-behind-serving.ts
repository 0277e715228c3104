import { readFileSync, writeFileSync } from 'node:fs';
import { setPriority } from 'node:os';

/**
 * Nice values, from -20 to 19. On the cores that all share predictions go first: they wait for nothing that is stored or
 * trained, and both can wait for them. The worker also packs backups and trains, so it is behind its database.
 */
export const NICENESS = { database: 5, worker: 10 } as const;

/** Also of all that the process starts from now on: threads, connections, children. */
export function goBehindServing({ pid }: { readonly pid: number }, niceness: number): void {
  try {
    setPriority(pid, niceness);
    lowerSession(pid, niceness);
  } catch {
    // It has ended, which whoever waits for it is told; or the system has no such thing.
  }
}

/**
 * Where Linux groups processes by session (`sched_autogroup_enabled`, the default of most distributions), nice values
 * count within a session alone; what counts between sessions is the value of the group (sched(7)).
 */
function lowerSession(pid: number, niceness: number): void {
  const groupOf = (who: string): string => readFileSync(`/proc/${who}/autogroup`, 'utf8').split(' ')[0] ?? '';
  // One that shares our session would take us with it.
  if (groupOf(String(pid)) !== groupOf('self')) writeFileSync(`/proc/${String(pid)}/autogroup`, String(niceness));
}
