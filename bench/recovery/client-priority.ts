import { spawnSync } from 'node:child_process';

/** A real client has a machine of its own; this one must not wait for the cores of those whom it measures. */
const REAL_TIME = ['--rr', '--pid', '1'] as const;
const AS_OTHERS = ['--other', '--pid', '0'] as const;

/**
 * Runs `work` with this process ahead of all others, where the system allows it (Linux, root or CAP_SYS_NICE). Nothing
 * may be started meanwhile: it would inherit the priority.
 */
export async function asClientElsewhere<T>(log: (line: string) => void, work: () => Promise<T>): Promise<T> {
  if (!schedule(REAL_TIME)) log('the client may not go first (chrt): the times include its own waits for a core');
  try {
    return await work();
  } finally {
    schedule(AS_OTHERS);
  }
}

function schedule(how: readonly string[]): boolean {
  return spawnSync('chrt', ['--all-tasks', ...how, String(process.pid)], { stdio: 'ignore' }).status === 0;
}
