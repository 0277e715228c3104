import { pino, stdTimeFunctions, type DestinationStream, type Logger as PinoLogger } from 'pino';
import type { Config } from './config.ts';
import { scrub, scrubText } from './scrub-secrets.ts';

export type Logger = PinoLogger;

interface LoggerOptions {
  readonly level: Config['logLevel'];
  /** The process: `api`, `worker`. */
  readonly name: string;
  /** Default: standard output. */
  readonly destination?: DestinationStream;
}

/**
 * JSON lines with ISO times. Secrets never reach the stream: fields are scrubbed by key at any depth and by looks,
 * messages and finished lines by looks. Errors go under `err`.
 */
export function createLogger({ level, name, destination }: LoggerOptions): Logger {
  const options = {
    level,
    base: { name, pid: process.pid },
    timestamp: stdTimeFunctions.isoTime,
    formatters: {
      level: (label: string) => ({ level: label }),
      bindings: scrubObject,
      log: scrubObject,
    },
    // Errors are plain objects already when the serialisers see them.
    serializers: { err: (value: unknown) => value },
    hooks: {
      logMethod(this: Logger, args: Parameters<Logger['info']>, method: (...a: Parameters<Logger['info']>) => void) {
        // Values for %s and %o in a message never pass the formatters.
        const [first, ...rest] = args as [unknown, ...unknown[]];
        const scrubbed = [typeof first === 'string' ? scrubText(first) : first, ...rest.map((a) => scrub(a))];
        method.apply(this, scrubbed as Parameters<Logger['info']>);
      },
      // The last fence, for what a secret split over fields or added by a library might slip past.
      streamWrite: scrubText,
    },
  };
  return destination === undefined ? pino(options) : pino(options, destination);
}

const scrubObject = (fields: object): Record<string, unknown> => scrub(fields) as Record<string, unknown>;
