import { randomUUID } from 'node:crypto';
import type { JournalStore } from '../../db/ports.ts';
import type { ServingLog } from '../serving/ports.ts';
import type { RecordSink } from '../serving/record-sink.ts';
import { createJournalShipper } from './journal-shipper.ts';
import { createJournalWriter } from './journal-writer.ts';

export interface JournalDeps {
  readonly dir: string;
  readonly bytesMax: number;
  readonly ageMaxMs: number;
  readonly store: JournalStore;
  /** Takes the records that the journal cannot. */
  readonly fallback: RecordSink;
  readonly log: ServingLog;
}

/** Writer and shipper of an API that is one process. */
export function openJournal({ dir, bytesMax, ageMaxMs, store, fallback, log }: JournalDeps) {
  const writer = createJournalWriter({ dir, instance: randomUUID(), fallback, log });
  const shipper = createJournalShipper({ dir, store, bounds: { bytesMax, ageMaxMs }, log });
  return {
    sink: writer satisfies RecordSink,
    status: () => {
      const { spilled, failing } = writer.status();
      return { ...shipper.status(), spilled, notWritable: failing };
    },
    /** After the sink: ships what it wrote last. */
    close: (limitMs: number) => shipper.close(limitMs),
  };
}
