import type { ArtefactStore, Digest } from '../../domain/artefacts.ts';
import { DomainError } from '../../domain/errors.ts';
import type { BackupManifest, GoldenPrediction, PostgresFacts } from '../../domain/recovery/manifest.ts';
import type { ArtefactManifest } from '../../models/manifest.ts';
import { LOGICAL_PREFIX } from '../logical/logical-index.ts';
import { stageLogical } from '../logical/stage-logical.ts';
import { takeBaseBackup } from '../postgres/base-backup.ts';
import { formatLsn } from '../postgres/lsn.ts';
import { isForbidden } from '../postgres/slot-owner.ts';
import { countRows, referencedArtefacts, withClient, type ReferencedArtefacts } from '../restore/check-restored.ts';
import type { SetSink } from './set-sink.ts';
import type { StagedSet } from './stage-set.ts';

/** What is known of the copy, for the manifest. */
export type DatabaseFacts = Pick<
  BackupManifest,
  'setKind' | 'finishedAt' | 'schemaVersion' | 'postgres' | 'rowCounts' | 'golden'
> & {
  /** Every artefact that a row names, and those that manifests of versions name. */
  readonly digests: readonly Digest[];
};

export interface StageDatabaseOptions {
  readonly databaseUrl: string;
  readonly artefacts: Pick<ArtefactStore, 'read'>;
  /** Bytes of a physical copy that are read in a second at most. Default: as many as can be. */
  readonly rateMaxBytes?: number;
  /** Hears why the copy is a logical one. */
  readonly onLogical?: (reason: string) => void;
}

/** Bytes of all databases of the server that this user may look at; a managed one hides its own. */
export function databaseBytes(databaseUrl: string): Promise<number> {
  return withClient(databaseUrl, async (client) => {
    const { rows } = await client.query<{ bytes: string }>(
      `select sum(pg_database_size(oid)) as bytes from pg_database where has_database_privilege(oid, 'connect')`,
    );
    return Number(rows[0]?.bytes ?? 0);
  });
}

/**
 * Takes a copy into the set, unless an earlier attempt did; then reads what it refers to. Physical where the server
 * allows a replication connection; else the rows of one snapshot.
 */
export async function stageDatabase(set: StagedSet, sink: SetSink, options: StageDatabaseOptions): Promise<void> {
  if ((await set.recall('database')) !== null) return;
  // A half copy is of no use: files of one attempt belong together, so all are taken anew.
  for (const prefix of ['postgres/', LOGICAL_PREFIX]) await set.drop(prefix);
  const copied = await copyPhysical(set, sink, options).catch(async (error: unknown) => {
    if (!(error instanceof DomainError && isForbidden(error))) throw error;
    options.onLogical?.(error.message);
    await set.drop('postgres/');
    return copyLogical(sink, options);
  });
  // Read after the copy: whatever a row of it names was stored before that row.
  const references = await readReferences(options);
  const facts: DatabaseFacts = {
    ...copied,
    digests: references.digests,
    golden: goldenOf(references.referenced, references.manifests),
  };
  await set.remember('database', facts);
}

type CopiedDatabase = Omit<DatabaseFacts, 'digests' | 'golden'>;

async function copyPhysical(
  set: StagedSet,
  sink: SetSink,
  { databaseUrl, rateMaxBytes }: StageDatabaseOptions,
): Promise<CopiedDatabase> {
  const rateMaxKb = rateMaxBytes === undefined ? null : rateMaxBytes / 1024;
  const taken = await takeBaseBackup(
    { databaseUrl, label: set.setId, rateMaxKb, signal: sink.signal },
    async ({ name, stream }) => {
      await sink.add(`postgres/${name}`, stream);
    },
  );
  const [rowCounts, server] = await Promise.all([countRows(databaseUrl), describeServer(databaseUrl)]);
  const postgres: PostgresFacts = {
    major: server.major,
    systemIdentifier: taken.systemId,
    timeline: taken.timeline,
    startLsn: formatLsn(taken.startLsn),
    endLsn: formatLsn(taken.stopLsn),
  };
  const finishedAt = new Date().toISOString();
  return { setKind: 'physical', finishedAt, schemaVersion: server.schemaVersion, postgres, rowCounts };
}

async function copyLogical(sink: SetSink, { databaseUrl }: StageDatabaseOptions): Promise<CopiedDatabase> {
  const { snapshotAt, ...copied } = await stageLogical(databaseUrl, sink);
  // The moment that it brings back: what came later is not in it, however long the copy took.
  return { setKind: 'logical', finishedAt: snapshotAt, ...copied };
}

export interface References {
  readonly referenced: ReferencedArtefacts;
  readonly manifests: ReadonlyMap<Digest, ArtefactManifest>;
  /** Everything that a row names, or a manifest that a row names; each once, sorted. */
  readonly digests: readonly Digest[];
}

/** Which artefacts the registry needs now. */
export async function readReferences({
  databaseUrl,
  artefacts,
}: Pick<StageDatabaseOptions, 'databaseUrl' | 'artefacts'>): Promise<References> {
  const referenced = await referencedArtefacts(databaseUrl);
  const manifests = await readManifests(artefacts, referenced);
  const files = filesOf([...manifests.values()]);
  return { referenced, manifests, digests: [...new Set([...referenced.digests, ...files])].sort() };
}

function describeServer(databaseUrl: string): Promise<{ readonly major: number; readonly schemaVersion: string }> {
  return withClient(databaseUrl, async (client) => {
    const version = await client.query<{ major: number }>(
      `select current_setting('server_version_num')::int / 10000 as major`,
    );
    const newest = await client
      .query<{ hash: string; at: string }>(
        'select hash, created_at as at from drizzle.__drizzle_migrations order by id desc limit 1',
      )
      .catch(() => ({ rows: [] }));
    const row = newest.rows[0];
    return {
      major: version.rows[0]?.major ?? 0,
      schemaVersion: row === undefined ? 'unknown' : `${row.at}-${row.hash.slice(0, 12)}`,
    };
  });
}

async function readManifests(
  artefacts: Pick<ArtefactStore, 'read'>,
  { manifests }: ReferencedArtefacts,
): Promise<ReadonlyMap<Digest, ArtefactManifest>> {
  const found = new Map<Digest, ArtefactManifest>();
  for (const digest of manifests) {
    found.set(digest, JSON.parse(new TextDecoder().decode(await artefacts.read(digest))) as ArtefactManifest);
  }
  return found;
}

function filesOf(manifests: readonly ArtefactManifest[]): readonly Digest[] {
  return manifests.flatMap(({ onnx, holdout }) => [onnx.digest, holdout.digest]);
}

function goldenOf(
  { serving }: ReferencedArtefacts,
  manifests: ReadonlyMap<Digest, ArtefactManifest>,
): readonly GoldenPrediction[] {
  return serving.flatMap(({ model, version, manifestDigest }) => {
    const manifest = manifests.get(manifestDigest);
    const row = manifest?.golden[0];
    if (manifest === undefined || row === undefined) return [];
    const { features, probability } = row;
    return [{ model, version, artefactDigest: manifest.onnx.digest, features, probability }];
  });
}
