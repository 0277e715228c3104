import type { ProtectionMetrics } from '../../adapters/protection-metrics.ts';
import type { Channel } from '../cluster/link.ts';
import { LeasedLimiter } from './leased-limiter.ts';

/** The limits of a serving process: its primary owns the buckets and lends from them over the channel between the two. */
export function createFleetLimiter(channel: Channel, metrics: Pick<ProtectionMetrics, 'rateUnchecked'>): LeasedLimiter {
  return new LeasedLimiter({
    send: (message) => {
      if (!channel.send(message)) throw new Error('the primary is gone');
    },
    listen: (listener) => channel.onMessage(listener),
    nowMs: () => performance.now(),
    onUnchecked: (tier) => metrics.rateUnchecked(tier),
  });
}
