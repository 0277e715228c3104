import { readFileSync, existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import type { ArtefactStore } from '../../domain/artefacts.ts';
import { createFolderArtefactStore } from '../../adapters/folder-artefact-store.ts';
import { createDatabase } from '../../db/connect.ts';
import { migrate } from '../../db/migrate.ts';
import { createRecoveryStore, type NewEpoch } from '../../db/recovery-store.ts';
import { createRegionStore } from '../../db/region-store.ts';
import { DomainError, type Problem } from '../../domain/errors.ts';
import type { ArtefactManifest } from '../../models/manifest.ts';
import { parseLsn } from '../postgres/lsn.ts';
import { checkRestored, referencedArtefacts, type CheckReport } from '../restore/check-restored.ts';
import { fetchArtefacts } from '../restore/fetch-artefacts.ts';
import { restoreSealingKey, setPassword } from '../restore/restore-platform.ts';
import type { RestoreTarget } from '../restore/restore-target.ts';
import { readRegionHome, writeRegionHome } from './region-home.ts';
import type { PromotedDatabase, Standby } from './standby.ts';

/** The platform of a home has to start: database, API, models. */
const SERVING_TIMEOUT_MS = 300_000;
const SERVING_POLL_MS = 250;
const REQUEST_TIMEOUT_MS = 10_000;
/** A graph computes the same number in each run, up to the last bits of its sums. */
const PROBABILITY_TOLERANCE = 1e-6;

export interface RegionPromotion {
  readonly epoch: number;
  readonly reachedLsn: string;
  /** Where the region before stopped, when it said so. */
  readonly releasedLsn: string | null;
  /** Bytes of its log that did not arrive; `null`: it did not say where it ended. */
  readonly missingBytes: number | null;
  readonly rollouts: NewEpoch['rollouts'];
  readonly checks: CheckReport;
  /** Artefacts that rows name and the target does not have; none of a version that serves. */
  readonly missingArtefacts: readonly string[];
}

export interface PromoteOptions {
  readonly home: string;
  readonly artefactDir: string;
  readonly region: string;
  readonly standby: Standby;
  readonly openTarget: () => Promise<RestoreTarget>;
  readonly epoch: number;
  readonly releasedLsn: string | null;
  readonly by: string;
  readonly signal: AbortSignal;
}

const fileOf = (home: string): string => join(home, 'region', 'promoted.json');

/**
 * Makes the standby of a home its platform: all of the log replayed, opened, settled in the epoch, checked, and put where
 * the supervisor starts it. A second call, also after a kill, goes on or returns what the first one did.
 * @throws DomainError `artefactCorrupt` when what serves cannot be proven: the epoch stays claimed, and nobody writes
 */
export async function promoteRegion(options: PromoteOptions): Promise<RegionPromotion> {
  const { home, standby, epoch, releasedLsn, signal } = options;
  const before = readPromotion(home, epoch);
  if (before === null && readRegionHome(home)?.role === 'active')
    throw new DomainError('refused', `Region ${options.region} serves already: there is no standby to promote`);
  const promotion = before ?? (await promote(options));
  if (before === null) {
    writeFileSync(`${fileOf(home)}.draft`, JSON.stringify(promotion), { mode: 0o600, flush: true });
    renameSync(`${fileOf(home)}.draft`, fileOf(home));
  }
  signal.throwIfAborted();
  const state = readRegionHome(home);
  if (state === null) throw new DomainError('internal', 'This home has no part in a group of regions');
  if (state.role === 'active') return promotion;
  await standby.handOver();
  writeRegionHome(home, { ...state, role: 'active' });
  return { ...promotion, releasedLsn };
}

async function promote(options: PromoteOptions): Promise<RegionPromotion> {
  const { standby, signal, releasedLsn, epoch, artefactDir } = options;
  const untilLsn = releasedLsn === null ? null : parseLsn(releasedLsn);
  const promoted = await standby.promote(untilLsn, signal);
  const rollouts = await settle(options, promoted.databaseUrl);
  await setPassword(options.home, promoted.databaseUrl);
  const target = await options.openTarget();
  await restoreSealingKey({ target, home: options.home }, promoted.set);
  const artefacts = createFolderArtefactStore(artefactDir);
  const missingArtefacts = await fetchRest(options, target, promoted, artefacts);
  const referenced = await referencedArtefacts(promoted.databaseUrl);
  const there = referenced.digests.filter((digest) => !missingArtefacts.includes(digest));
  const checks = await checkRestored(promoted.databaseUrl, artefacts, promoted.set, { ...referenced, digests: there });
  const reached = parseLsn(promoted.reachedLsn);
  const missingBytes = untilLsn === null ? null : Number(untilLsn > reached ? untilLsn - reached : 0n);
  return { epoch, reachedLsn: promoted.reachedLsn, releasedLsn, missingBytes, rollouts, checks, missingArtefacts };
}

/** Open rollouts come to a safe end; no generation that the region before can name is in force. */
async function settle({ region, epoch, by }: PromoteOptions, databaseUrl: string): Promise<NewEpoch['rollouts']> {
  await migrate(databaseUrl);
  const database = createDatabase(databaseUrl, { applicationName: 'sluice-failover' });
  try {
    await createRegionStore(database).join(region);
    const begin = { above: epoch - 1, by, reason: `region ${region} took over`, changeId: `region/${epoch}` };
    return (await createRecoveryStore(database).beginEpoch(begin)).rollouts;
  } finally {
    await database.close();
  }
}

async function fetchRest(
  { home, signal }: PromoteOptions,
  target: RestoreTarget,
  { set, databaseUrl }: PromotedDatabase,
  store: ArtefactStore,
): Promise<readonly string[]> {
  const referenced = await referencedArtefacts(databaseUrl);
  const scratchDir = join(home, 'region', 'artefacts');
  try {
    await fetchArtefacts({ target, set, store, referenced, manifests: referenced.manifests, scratchDir, signal });
    return [];
  } catch (error) {
    if (!(error instanceof DomainError) || error.code !== 'artefactCorrupt') throw error;
    return error.problems.map(({ field }) => field);
  }
}

function readPromotion(home: string, epoch: number): RegionPromotion | null {
  if (!existsSync(fileOf(home))) return null;
  const found = JSON.parse(readFileSync(fileOf(home), 'utf8')) as RegionPromotion;
  return found.epoch === epoch ? found : null;
}

export interface RegionProof {
  readonly api: string;
  readonly models: readonly { readonly model: string; readonly version: number; readonly rows: number }[];
}

export interface ProveOptions {
  readonly home: string;
  readonly artefactDir: string;
  readonly databaseUrl: () => string | null;
  readonly signal: AbortSignal;
}

/** Asks the API of this home the stored rows of every version that serves. @throws DomainError `artefactCorrupt` */
export async function proveServing({ home, artefactDir, databaseUrl, signal }: ProveOptions): Promise<RegionProof> {
  const api = await untilServing(home, signal);
  const key = readFileSync(join(home, 'first-key'), 'utf8').trim();
  const url = databaseUrl();
  if (url === null) throw new DomainError('unavailable', 'The database of this region does not run yet');
  const { serving } = await referencedArtefacts(url);
  const artefacts = createFolderArtefactStore(artefactDir);
  const models: { model: string; version: number; rows: number }[] = [];
  const problems: Problem[] = [];
  for (const { model, version, manifestDigest } of serving) {
    const manifest = JSON.parse(new TextDecoder().decode(await artefacts.read(manifestDigest))) as ArtefactManifest;
    for (const { features, probability } of manifest.golden) {
      signal.throwIfAborted();
      const answer = await predict(api, key, model, features);
      const same =
        answer.model_version === version && Math.abs(answer.probability - probability) <= PROBABILITY_TOLERANCE;
      const found = `answers ${answer.probability} by version ${answer.model_version} instead of ${probability} by ${version}`;
      if (!same) problems.push({ field: model, message: found });
    }
    models.push({ model, version, rows: manifest.golden.length });
  }
  if (problems.length > 0) throw new DomainError('artefactCorrupt', 'The region does not answer as it did', problems);
  return { api, models };
}

async function untilServing(home: string, signal: AbortSignal): Promise<string> {
  const deadline = Date.now() + SERVING_TIMEOUT_MS;
  for (;;) {
    signal.throwIfAborted();
    const api = apiOf(home);
    const ready = api === '' ? false : await isReady(api);
    if (ready) return api;
    if (Date.now() > deadline) throw new DomainError('unavailable', 'The API of this region does not get ready');
    await sleep(SERVING_POLL_MS);
  }
}

function apiOf(home: string): string {
  try {
    const state = JSON.parse(readFileSync(join(home, 'run', 'platform.json'), 'utf8')) as { api?: { url?: string } };
    return state.api?.url ?? '';
  } catch {
    return '';
  }
}

async function isReady(api: string): Promise<boolean> {
  return fetch(`${api}/ready`, { signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS) }).then(
    (response) => response.ok,
    () => false,
  );
}

async function predict(api: string, key: string, model: string, features: object) {
  const response = await fetch(`${api}/models/${encodeURIComponent(model)}/predict`, {
    method: 'POST',
    headers: { 'content-type': 'application/json', 'x-api-key': key },
    body: JSON.stringify({ features }),
    signal: AbortSignal.timeout(REQUEST_TIMEOUT_MS),
  }).catch((error: unknown) => {
    throw new DomainError('unavailable', `The API of this region does not answer: ${String(error)}`);
  });
  if (!response.ok) throw new DomainError('unavailable', `The API of this region answers ${response.status}`);
  return (await response.json()) as { readonly probability: number; readonly model_version: number };
}
