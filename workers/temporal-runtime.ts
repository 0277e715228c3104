import { DefaultLogger, makeTelemetryFilterString, Runtime, type LogEntry, type Logger } from '@temporalio/worker';
import type { Config } from '../adapters/config.ts';
import type { Logger as Log } from '../adapters/logger.ts';

const METHODS = { TRACE: 'trace', DEBUG: 'debug', INFO: 'info', WARN: 'warn', ERROR: 'error' } as const;

/** Temporal's own log lines, native ones included, become lines of ours. Once per process, before any worker. */
export function installTemporalRuntime(log: Log, { workerMetricsPort }: Pick<Config, 'workerMetricsPort'>): Logger {
  const write = ({ level, message, meta }: LogEntry): void => {
    const { error, ...rest } = meta ?? {};
    log[METHODS[level]]({ ...rest, ...(error === undefined ? {} : { err: error as unknown }) }, message);
  };
  const logger = new DefaultLogger('INFO', write);
  const bindAddress = workerMetricsPort === null ? null : `127.0.0.1:${workerMetricsPort}`;
  Runtime.install({
    logger,
    // Signals are handled by this process, which lets go of everything in its own order.
    shutdownSignals: [],
    telemetryOptions: {
      logging: { filter: makeTelemetryFilterString({ core: 'WARN', other: 'ERROR' }), forward: {} },
      ...(bindAddress === null ? {} : { metrics: { prometheus: { bindAddress } } }),
    },
  });
  return logger;
}
