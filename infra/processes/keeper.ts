/** Program of the keeper, started by keeper-client.ts. */
import { goneWithin, stopProcess, type StopOptions } from './stop.ts';

export interface KeptProcess {
  readonly name: string;
  readonly pid: number;
  readonly identity: string;
  /** Lower stops earlier; equal ones together. */
  readonly order: number;
  readonly stop: StopOptions;
}

export type KeeperMessage =
  | { readonly type: 'keep'; readonly process: KeptProcess }
  | { readonly type: 'forget'; readonly pid: number }
  | { readonly type: 'release' };

const kept = new Map<number, KeptProcess>();

/** Processes with a channel of their own leave by themselves; they get this long before they are told to. */
const BY_ITSELF_MS = 1_000;

async function stopAll(): Promise<void> {
  const orders = [...new Set([...kept.values()].map((k) => k.order))].sort((a, b) => a - b);
  for (const order of orders) {
    const group = [...kept.values()].filter((k) => k.order === order);
    await Promise.all(
      group.map(async (k) => {
        if (order === orders[0]) await goneWithin(k.pid, k.identity, BY_ITSELF_MS);
        const how = await stopProcess(k.pid, k.identity, k.stop);
        console.log(`${new Date().toISOString()} ${k.name} (${k.pid}): ${how}`);
      }),
    );
  }
}

process.on('message', (message: KeeperMessage) => {
  if (message.type === 'keep') kept.set(message.process.pid, message.process);
  else if (message.type === 'forget') kept.delete(message.pid);
  else process.exit(0);
});
process.on('disconnect', () => {
  console.log(`${new Date().toISOString()} the supervisor is gone; stopping what it left`);
  stopAll().then(
    () => process.exit(0),
    () => process.exit(1),
  );
});
// Only the end of the supervisor ends the keeper.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => undefined);
process.send?.('ready');
