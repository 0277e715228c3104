import type { ActivityOptions } from '@temporalio/workflow';

/**
 * Named timeouts and retries. Failures are bounded by attempts, not by time from the first schedule: time in which
 * neither Temporal nor a worker runs (a restart, a night switched off) must not fail what is waiting. Whatever a killed
 * worker was doing is done again after `startToCloseTimeout`: so long a way back may be late.
 */
export const PROFILES = {
  /** One question to the registry: about two minutes of trying. */
  quick: {
    startToCloseTimeout: '10s',
    retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '15s', maximumAttempts: 14 },
    priority: { priorityKey: 3 },
  },
  /** A look at the counters: about ten minutes of trying, then the traffic goes back. */
  watch: {
    startToCloseTimeout: '10s',
    retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '15s', maximumAttempts: 45 },
    priority: { priorityKey: 2 },
  },
  /** What must happen in the end, such as the way back: tried until it does. */
  insistent: {
    startToCloseTimeout: '10s',
    retry: { initialInterval: '500ms', backoffCoefficient: 2, maximumInterval: '15s' },
    priority: { priorityKey: 1 },
  },
  /** What helps and must not hold anything up: one try. The limit covers the longest wait such an activity is asked for. */
  passing: {
    scheduleToCloseTimeout: '15s',
    retry: { maximumAttempts: 1 },
    priority: { priorityKey: 1 },
  },
  /** Asked before the way back, which must not wait: an answer within a second, or none. */
  probe: {
    scheduleToCloseTimeout: '1s',
    retry: { maximumAttempts: 1 },
    priority: { priorityKey: 1 },
  },
  /** A word to a webhook: about a day of trying. */
  notice: {
    startToCloseTimeout: '1m',
    retry: { initialInterval: '2s', backoffCoefficient: 2, maximumInterval: '1h', maximumAttempts: 35 },
    priority: { priorityKey: 4 },
  },
  /** Reads whole data sets or runs a model over one; a dead worker is noticed after the heartbeat timeout. */
  heavy: {
    startToCloseTimeout: '2h',
    heartbeatTimeout: '20s',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m', maximumAttempts: 6 },
    priority: { priorityKey: 5 },
  },
  /** Training goes on from its checkpoints, so one more attempt costs little. */
  training: {
    startToCloseTimeout: '24h',
    heartbeatTimeout: '20s',
    retry: { initialInterval: '1s', backoffCoefficient: 2, maximumInterval: '1m', maximumAttempts: 10 },
    priority: { priorityKey: 5 },
  },
} as const satisfies Record<string, ActivityOptions>;
