/** What the primary and the serving processes ask of each other. */
import type { JournalGauges } from '../../adapters/metrics.ts';
import type { MetricsSnapshot } from '../../adapters/metrics-snapshot.ts';
import type { ServedModel } from '../serving/contract.ts';

/** How a serving process is, as shown to operators. */
export interface ProcessState {
  readonly pid: number;
  readonly uptimeS: number;
  readonly memoryMb: number;
  readonly connections: number;
  readonly ready: boolean;
  readonly reasons: readonly string[];
  readonly recordsQueued: number;
  readonly recordsDropped: number;
  /** Records that the journal could not take, and whether it can now. */
  readonly journal: { readonly spilled: number; readonly notWritable: boolean } | null;
  readonly models: readonly (Pick<ServedModel, 'model' | 'generation'> & {
    readonly routes: readonly Omit<ServedModel['routes'][number], 'signature'>[];
  })[];
}

/** The journals of all processes; counts are since the start. */
export interface JournalHealth extends JournalGauges {
  /** Records in the journals that wait for the database; an estimate. */
  readonly waiting: number;
  /** Records of a process cannot be journalled just now. */
  readonly notWritable: boolean;
}

/** The API as a whole. */
export interface FleetOverview {
  readonly processes: readonly ProcessState[];
  /** Serving processes that ended by themselves since the start. */
  readonly crashes: number;
  /** Serving processes replaced since the start because they had grown. Absent: not watched. */
  readonly recycled?: number;
  /** Records given up by processes, those that are gone included. Absent: as the processes say. */
  readonly recordsLost?: number;
  /** `null` where predictions are not journalled. */
  readonly journal: JournalHealth | null;
}

/** What a process is to do. */
export interface Assignment {
  readonly port: number;
  /**
   * False at the start of all: probes are answered while models load. True for a replacement: the others answer
   * meanwhile, and a connection given to it would be refused what they can do.
   */
  readonly listenWhenReady: boolean;
}

/** Asked by the primary, answered by a serving process. */
export interface ProcessCalls {
  readonly state: { readonly body: null; readonly reply: ProcessState };
  readonly metrics: { readonly body: null; readonly reply: MetricsSnapshot };
  readonly refreshKeys: { readonly body: null; readonly reply: null };
  /** Close so many connections, each behind an answer that says so. */
  readonly shed: { readonly body: number; readonly reply: null };
  /** Close the port, answer what is in flight, and end. Replies as soon as the port is closed. */
  readonly drain: { readonly body: null; readonly reply: null };
  readonly [topic: string]: { readonly body: unknown; readonly reply: unknown };
}

/** Asked by a serving process, answered by the primary. */
export interface PrimaryCalls {
  readonly assignment: { readonly body: null; readonly reply: Assignment };
  /** The port is open and the models are loaded as far as they can be. */
  readonly ready: { readonly body: { readonly port: number }; readonly reply: null };
  /** A signal came to this process alone or to all of them: the primary decides the order. */
  readonly mayStop: { readonly body: null; readonly reply: null };
  readonly overview: { readonly body: null; readonly reply: FleetOverview };
  /** Over all processes. */
  readonly metricsText: { readonly body: null; readonly reply: string };
  /** Every process but the one that asks reads the keys again. */
  readonly keysChanged: { readonly body: null; readonly reply: null };
  readonly [topic: string]: { readonly body: unknown; readonly reply: unknown };
}
