/** Program of the keeper, started by keeper-client.ts. */
import { createInterface } from 'node:readline';
import { createStopList, type KeptProcess } from './stop-list.ts';

export type KeeperMessage =
  | { readonly type: 'keep'; readonly process: KeptProcess }
  | { readonly type: 'forget'; readonly pid: number }
  | { readonly type: 'release' };

/** Processes with a channel to the supervisor see its end too and leave by themselves, with their work written down. */
const BY_ITSELF_MS = 1_000;

const list = createStopList();
const say = (text: string): void => console.log(`${new Date().toISOString()} ${text}`);

function obey(message: KeeperMessage): void {
  if (message.type === 'keep') list.keep(message.process);
  else if (message.type === 'forget') list.forget(message.pid);
  else process.exit(0);
}

async function stopLeft(): Promise<void> {
  say('the supervisor is gone; stopping what it left');
  await list.stopAll({
    byItselfMs: BY_ITSELF_MS,
    onStopped: (kept: KeptProcess, how: string): void => say(`${kept.name} ${String(kept.pid)}: ${how}`),
  });
}

// Only the end of the supervisor ends the keeper.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
for await (const line of createInterface({ input: process.stdin })) obey(JSON.parse(line) as KeeperMessage);
await stopLeft();
process.exit(0);
