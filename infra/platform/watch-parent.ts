import { commandLine, parentOf } from '../processes/identity.ts';

const LOOK_EVERY_MS = 1_000;

/**
 * Calls back when the `npm` that started this process is gone (killed, so that it passed nothing on): whoever typed
 * `npm start` takes the platform for ended. Does nothing when npm did not start it: a process that was put in the
 * background on purpose outlives its parent.
 * @returns stops looking
 */
export function watchParent(onGone: () => void, env: NodeJS.ProcessEnv = process.env): () => void {
  if (env['npm_lifecycle_event'] === undefined) return () => undefined;
  const chain = npmChain();
  if (chain.length === 0) return () => undefined;
  const timer = setInterval(() => {
    if (chain.every(({ child, parent }) => parentOf(child) === parent)) return;
    clearInterval(timer);
    onGone();
  }, LOOK_EVERY_MS);
  timer.unref();
  return () => clearInterval(timer);
}

/** npm starts a script through a shell, which may or may not be replaced by the script. */
function npmChain(): { child: number; parent: number }[] {
  const parent = process.ppid;
  const own = { child: process.pid, parent };
  if (isNpm(parent)) return [own];
  const grandparent = parentOf(parent);
  return grandparent !== null && isNpm(grandparent) ? [own, { child: parent, parent: grandparent }] : [];
}

const isNpm = (pid: number): boolean => /\bnpm\b/.test(commandLine(pid));
