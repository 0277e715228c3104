import type { Config } from '../adapters/config.ts';
import { deferControlPlane, type DeferredControlPlane } from './deferred-control-plane.ts';

/** The durable side, over Temporal: its client is loaded, and connects, with the first call. */
export function connectControlPlane(config: Config): DeferredControlPlane {
  return deferControlPlane(async () => {
    const [{ connectTemporal }, { createTemporalControlPlane }] = await Promise.all([
      import('../adapters/temporal-client.ts'),
      import('./temporal-control-plane.ts'),
    ]);
    const temporal = connectTemporal(config);
    const control = createTemporalControlPlane({ temporal, taskQueue: config.taskQueue, now: Date.now });
    return { control, close: () => temporal.close() };
  });
}
