import { Client } from 'pg';
import type { ArtefactStore, Digest } from '../../domain/artefacts.ts';
import { DomainError, type Problem } from '../../domain/errors.ts';
import type { BackupManifest } from '../../domain/recovery/manifest.ts';
import type { ArtefactManifest } from '../../models/manifest.ts';
import { loadModel } from '../../models/serving/load-model.ts';

/** Rows are only ever added to these: fewer than in the set is a loss, not a clean-up. */
const GROWING_TABLES = ['public.models', 'public.model_versions', 'public.audit_log', 'public.gate_reports'];
const DIGEST = /^[0-9a-f]{64}$/;
/** A question of the checks, over a database that nobody else uses. */
const STATEMENT_TIMEOUT_MS = 600_000;

export interface ReferencedArtefacts {
  /** Every digest that a row names. */
  readonly digests: readonly Digest[];
  /** Those among them that are manifests of versions, and name files of their own. */
  readonly manifests: readonly Digest[];
  /** Versions that serve, by their routing: each is proven. */
  readonly serving: readonly { readonly model: string; readonly version: number; readonly manifestDigest: Digest }[];
}

export interface CheckReport {
  readonly tables: number;
  readonly rows: Readonly<Record<string, number>>;
  readonly artefacts: number;
  /** Models in production whose stored answers came out again. */
  readonly golden: readonly { readonly model: string; readonly version: number; readonly rows: number }[];
}

export async function withClient<T>(databaseUrl: string, work: (client: Client) => Promise<T>): Promise<T> {
  const client = new Client({ connectionString: databaseUrl, statement_timeout: STATEMENT_TIMEOUT_MS });
  client.on('error', () => undefined);
  await client.connect();
  try {
    return await work(client);
  } finally {
    await client.end().catch(() => undefined);
  }
}

/** What the rows of a restored registry name in the artefact store. */
export function referencedArtefacts(databaseUrl: string): Promise<ReferencedArtefacts> {
  return withClient(databaseUrl, async (client) => {
    const found = await client.query<{ digest: string | null; manifest: boolean }>(`
      select artefact_digest as digest, false as manifest from model_versions
      union select manifest_digest, true from model_versions
      union select lineage ->> 'definitionDigest', false from model_versions
      union select lineage ->> 'dataDigest', false from model_versions`);
    const serving = await client.query<{ model: string; version: number; manifestDigest: string }>(`
      select distinct r.model, v.version, v.manifest_digest as "manifestDigest"
      from routing r cross join jsonb_array_elements(r.routes) route
      join model_versions v on v.model = r.model and v.version = (route ->> 'version')::int`);
    const named = found.rows.flatMap(({ digest, manifest }) =>
      digest !== null && DIGEST.test(digest) ? [{ digest, manifest }] : [],
    );
    return {
      digests: [...new Set(named.map((n) => n.digest))],
      manifests: named.filter((n) => n.manifest).map((n) => n.digest),
      serving: serving.rows,
    };
  });
}

/**
 * Holds a restored platform against what it must be: tables and rows of the set, every artefact that a row names, and
 * the golden answers of every version that serves, computed anew.
 * @throws DomainError `artefactCorrupt` with everything that is wrong
 */
export async function checkRestored(
  databaseUrl: string,
  artefacts: Pick<ArtefactStore, 'has' | 'read'>,
  set: Pick<BackupManifest, 'rowCounts'>,
  referenced: ReferencedArtefacts,
): Promise<CheckReport> {
  const rows = await countRows(databaseUrl);
  const problems: Problem[] = [...missingRows(set.rowCounts, rows)];
  for (const digest of referenced.digests) {
    if (!(await artefacts.has(digest)))
      problems.push({ field: digest, message: 'a row names it, and it is not there' });
  }
  const golden: { model: string; version: number; rows: number }[] = [];
  for (const { model, version, manifestDigest } of referenced.serving) {
    try {
      golden.push({ model, version, rows: await proveVersion(artefacts, manifestDigest) });
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      problems.push({ field: `${model} version ${String(version)}`, message });
    }
  }
  if (problems.length > 0) throw new DomainError('artefactCorrupt', 'The restored platform is not whole', problems);
  return { tables: Object.keys(rows).length, rows, artefacts: referenced.digests.length, golden };
}

export function countRows(databaseUrl: string): Promise<Readonly<Record<string, number>>> {
  return withClient(databaseUrl, async (client) => {
    const tables = await client.query<{ name: string; quoted: string }>(`
      select n.nspname || '.' || c.relname as name, quote_ident(n.nspname) || '.' || quote_ident(c.relname) as quoted
      from pg_class c join pg_namespace n on n.oid = c.relnamespace
      where c.relkind = 'r' and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') order by 1`);
    const counts: Record<string, number> = {};
    for (const { name, quoted } of tables.rows) {
      const found = await client.query<{ n: string }>(`select count(*) as n from ${quoted}`);
      counts[name] = Number(found.rows[0]?.n);
    }
    return counts;
  });
}

function missingRows(expected: Readonly<Record<string, number>>, found: Readonly<Record<string, number>>): Problem[] {
  return GROWING_TABLES.flatMap((table) => {
    const [had, has] = [expected[table], found[table]];
    if (had === undefined) return [];
    if (has === undefined) return [{ field: table, message: 'the table is missing' }];
    return has >= had ? [] : [{ field: table, message: `has ${String(has)} rows, the set had ${String(had)}` }];
  });
}

/** Loading proves the golden rows: their stored answers against the graph, in both of its forms. */
async function proveVersion(artefacts: Pick<ArtefactStore, 'read'>, manifestDigest: Digest): Promise<number> {
  const manifest = JSON.parse(new TextDecoder().decode(await artefacts.read(manifestDigest))) as ArtefactManifest;
  const loaded = await loadModel({ onnx: await artefacts.read(manifest.onnx.digest), manifest });
  await loaded.close();
  return manifest.golden.length;
}
