/**
 * What a backup set is: a JSON file written last, once and signed. A set without one does not exist. Readers refuse a
 * format version they do not know (see `read-manifest.ts`).
 */
import type { Digest } from '../artefacts.ts';
import type { FeatureValue } from '../signature.ts';

/** Raised when a reader of the old version would misread a new manifest. */
export const MANIFEST_FORMAT_VERSION = 1;
/** Tells our manifests from other JSON that may lie in a bucket. */
export const MANIFEST_KIND = 'sluice-backup-set';

/** `physical`: files of the server, replayable with WAL to any moment. `logical`: rows of one snapshot. */
export const SET_KINDS = ['physical', 'logical'] as const;
export type SetKind = (typeof SET_KINDS)[number];

export interface BackupManifest {
  readonly kind: typeof MANIFEST_KIND;
  readonly formatVersion: typeof MANIFEST_FORMAT_VERSION;
  /** See `newSetId`: sorts by the time the set was begun. */
  readonly setId: string;
  readonly setKind: SetKind;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  /** When the copy of the database was complete; of a logical set the moment of its snapshot, which it brings back. */
  readonly finishedAt: string;
  /** What began it: a schedule, or who asked. */
  readonly requestedBy: string;
  /** Name of a restore point that a person gave it. */
  readonly label: string | null;
  /** Of the platform that wrote it. */
  readonly softwareVersion: string;
  /** Newest migration that the database had, by its name. */
  readonly schemaVersion: string;
  readonly postgres: PostgresFacts;
  /** Rows by table (`schema.table`), counted when the copy was complete. A physical set holds at least these. */
  readonly rowCounts: Readonly<Record<string, number>>;
  readonly files: readonly SetFile[];
  /** Every artefact that a row of the set names. Lies once per target, shared by sets. */
  readonly artefacts: readonly ArtefactEntry[];
  /** Folder of the artefacts in the target: those sealed for the same recipients lie together. */
  readonly artefactGroup: string;
  readonly temporal: TemporalFacts;
  /** `definitions` lists models with the digest of their definition; the content is an artefact or a file of the set. */
  readonly configuration: ConfigurationFacts;
  readonly encryption: SetEncryption | null;
  readonly compression: Compression;
  /** Per model in production: one row and the probability its version gave. Proves a restored model. */
  readonly golden: readonly GoldenPrediction[];
}

export interface PostgresFacts {
  readonly major: number;
  /** 64-bit number as text; the same server line always, also after a restore. */
  readonly systemIdentifier: string;
  readonly timeline: number;
  /** As Postgres writes it, for example `0/3000028`. A restore needs WAL from here... */
  readonly startLsn: string;
  /** ...at least to here. Equal to `startLsn` in a logical set. */
  readonly endLsn: string;
}

export interface SetFile {
  /** Inside the set, `/` between folders, for example `postgres/base.tar`. */
  readonly name: string;
  /** Of the content, before compression and encryption. */
  readonly bytes: number;
  readonly sha256: Digest;
  /** As it lies in the target. */
  readonly storedBytes: number;
  readonly storedSha256: Digest;
}

export interface ArtefactEntry {
  readonly digest: Digest;
  readonly bytes: number;
}

export interface TemporalFacts {
  readonly namespace: string;
  readonly schedules: readonly ScheduleFacts[];
  /** What should be running, from which a restore decides; never a copy of a history. */
  readonly running: readonly DesiredWorkflow[];
}

export interface ScheduleFacts {
  readonly id: string;
  readonly paused: boolean;
  readonly note: string;
  /** What makes it again: workflow type, input, calendar, policies; plain JSON. */
  readonly description: Readonly<Record<string, unknown>>;
}

export interface DesiredWorkflow {
  readonly workflowId: string;
  readonly runId: string;
  readonly type: string;
  /** ISO 8601. */
  readonly startedAt: string;
}

export interface ConfigurationFacts {
  readonly definitions: readonly { readonly model: string; readonly digest: Digest }[];
  /** Settings of the platform without secrets. */
  readonly settings: Readonly<Record<string, string | number | boolean | null>>;
  /** Names of the set's log files. */
  readonly logs: readonly string[];
}

export interface SetEncryption {
  readonly scheme: 'aes-256-gcm-chunked-v1';
  /** Public keys (`age1...`) that can open it. */
  readonly recipients: readonly string[];
  /** The set's key, wrapped for the recipients: one age file, base64. */
  readonly wrappedKey: string;
}

export const COMPRESSIONS = ['zstd', 'gzip', 'none'] as const;
export type Compression = (typeof COMPRESSIONS)[number];

export interface GoldenPrediction {
  readonly model: string;
  readonly version: number;
  readonly artefactDigest: Digest;
  readonly features: Readonly<Record<string, FeatureValue>>;
  readonly probability: number;
}

/** Ed25519 over the manifest's bytes; both lie in one file so that one conditional write publishes them. */
export interface SignedManifest {
  /** Base64 of the manifest's UTF-8 JSON: signed as bytes, so that no re-encoding can matter. */
  readonly manifest: string;
  /** Base64 of the 64-byte signature. */
  readonly signature: string;
  /** Public key, base64 of its 32 bytes. Proves nothing until it is one that the reader trusts. */
  readonly signer: string;
}

const SET_ID = /^\d{8}T\d{6}Z-[0-9a-f]{8}$/;

/** `20300131T120000Z-0f3a9c1b`: text order is time order; the random part tells sets of one second apart. */
export function newSetId(startedAtMs: number, random: string): string {
  const stamp = new Date(startedAtMs).toISOString().replaceAll(/[-:]|\.\d+/g, '');
  return `${stamp}-${random.replaceAll('-', '').toLowerCase().slice(0, 8)}`;
}

export function isSetId(text: string): boolean {
  return SET_ID.test(text) && !Number.isNaN(setTimeMs(text));
}

/** Epoch ms at which the set was begun. */
export function setTimeMs(setId: string): number {
  const [date, time] = [setId.slice(0, 8), setId.slice(9, 15)];
  const part = (text: string, from: number): string => text.slice(from, from + 2);
  return Date.parse(
    `${date.slice(0, 4)}-${part(date, 4)}-${part(date, 6)}T${part(time, 0)}:${part(time, 2)}:${part(time, 4)}Z`,
  );
}
