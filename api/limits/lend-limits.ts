import type { ServingProcess } from '../cluster/fleet.ts';
import { LeaseOwner } from './lease-owner.ts';
import type { LeaseChannel } from './lease-owner.ts';

/** The primary's side of the limits: one owner of the buckets, and a line to each serving process. */
export function lendLimits(): {
  lendTo(process: ServingProcess): void;
  forget(process: ServingProcess): void;
  close(): void;
} {
  const owner = new LeaseOwner(() => performance.now());
  const lines = new Map<ServingProcess, LeaseChannel>();
  return {
    lendTo: (process) => {
      const { channel } = process;
      const line = owner.attach((message) => void channel.send(message));
      lines.set(process, line);
      channel.onMessage((message) => line.receive(message));
    },
    forget: (process) => {
      lines.get(process)?.detach();
      lines.delete(process);
    },
    close: () => owner.close(),
  };
}
