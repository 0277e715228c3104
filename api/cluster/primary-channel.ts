import type { Channel } from './link.ts';

/** The channel of a serving process to its primary. */
export function createPrimaryChannel(): Channel {
  return {
    send: (message) => {
      if (!process.connected || process.send === undefined) return false;
      // The primary may go in this moment: that ends this process by itself.
      process.send(message, undefined, undefined, () => undefined);
      return true;
    },
    onMessage: (listener) => void process.on('message', listener),
  };
}
