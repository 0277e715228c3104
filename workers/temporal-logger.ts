import { DefaultLogger } from '@temporalio/worker';
import type { Logger } from '../adapters/logger.ts';

/** Lines of Temporal's runtime, through our logger and its scrubbing. */
export function temporalLogger(log: Logger): DefaultLogger {
  return new DefaultLogger('INFO', ({ level, message, meta }) => {
    const fields = { ...meta, source: 'temporal' };
    if (level === 'ERROR') log.error(fields, message);
    else if (level === 'WARN') log.warn(fields, message);
    else if (level === 'INFO') log.info(fields, message);
    else log.debug(fields, message);
  });
}
