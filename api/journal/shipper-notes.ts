import { DomainError } from '../../domain/errors.ts';
import type { ServingLog } from '../serving/ports.ts';
import { createRareLog } from '../serving/rare-log.ts';
import type { Segment } from './inventory.ts';
import type { Bounds } from './journal-bounds.ts';
import { putAside } from './put-aside.ts';
import type { BrokenPart } from './segment-reader.ts';

/** One line a minute of each kind: an outage must not become one of the log. */
const LOG_EVERY_MS = 60_000;

/** The code alone: the server's sentence may quote what a client sent. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof DomainError)) return 'internal';
  return /\((\w{5}):/.exec(cause.message)?.[1] ?? cause.code;
}

/** What a shipper has done and could not do: counted, and said in the log. */
export class ShipperNotes {
  readonly #dir: string;
  readonly #log: ServingLog;
  readonly #rarely = createRareLog(LOG_EVERY_MS);
  shipped = 0;
  dropped = 0;
  rejected = 0;

  constructor(dir: string, log: ServingLog) {
    this.#dir = dir;
    this.#log = log;
  }

  waiting(error: unknown, { bytes, waiting }: { readonly bytes: number; readonly waiting: number }): void {
    this.#rarely('waiting', () =>
      this.#log.warn({ err: error, bytes, waiting }, 'prediction records wait in the journal for the database'),
    );
  }

  recovered(waiting: number): void {
    this.#log.info({ waiting }, 'the journal is shipped again');
  }

  notWatched(error: unknown): void {
    this.#rarely('watch', () => this.#log.error({ err: error }, 'the journal folder cannot be looked at'));
  }

  drop(records: number, bytes: number, bounds: Bounds): void {
    if (records === 0) return;
    this.dropped += records;
    this.#rarely('dropped', () =>
      this.#log.error(
        { dropped: this.dropped, bytes, ...bounds },
        'the journal is at its bound: the oldest prediction records are dropped',
      ),
    );
  }

  async reject(lines: readonly string[], cause: unknown): Promise<void> {
    this.rejected += lines.length;
    const kept = await putAside(this.#dir, 'records.jsonl', `${lines.join('\n')}\n`);
    this.#rarely('rejected', () =>
      this.#log.error(
        { why: reasonOf(cause), rejected: this.rejected, kept },
        'the database refuses prediction records: they are put aside in the folder rejected of the journal',
      ),
    );
  }

  async broken({ instance, segment }: Segment, part: BrokenPart): Promise<void> {
    const details = { instance, segment, atBytes: part.atBytes, bytes: part.bytes.length };
    if (part.isTail) {
      this.#log.warn(details, 'the last write to a journal segment was cut short: it is passed over');
      return;
    }
    this.rejected += 1;
    const kept = await putAside(this.#dir, `${instance}-${segment}-${part.atBytes}.damaged`, part.bytes);
    this.#log.error({ ...details, kept }, 'a part of the journal is damaged and was put aside');
  }
}
