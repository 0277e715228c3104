/** Program of the keeper, started by keeper-client.ts. */
import { createStopList, type KeptProcess } from './stop-list.ts';

export type KeeperMessage =
  | { readonly type: 'keep'; readonly process: KeptProcess }
  | { readonly type: 'forget'; readonly pid: number }
  | { readonly type: 'release' };

/** Processes with a channel to the supervisor see its end too and leave by themselves, with their work written down. */
const BY_ITSELF_MS = 1_000;

const list = createStopList();
const say = (text: string): void => console.log(`${new Date().toISOString()} ${text}`);

process.on('message', (message: KeeperMessage) => {
  if (message.type === 'keep') list.keep(message.process);
  else if (message.type === 'forget') list.forget(message.pid);
  else process.exit(0);
});
process.on('disconnect', () => {
  say('the supervisor is gone; stopping what it left');
  const onStopped = (kept: KeptProcess, how: string): void => say(`${kept.name} ${String(kept.pid)}: ${how}`);
  list.stopAll({ byItselfMs: BY_ITSELF_MS, onStopped }).then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
// Only the end of the supervisor ends the keeper.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.send?.('ready');
