import { randomBytes } from 'node:crypto';
import { chmodSync, chownSync, existsSync, mkdirSync, readdirSync } from 'node:fs';
import { DomainError } from '../../domain/errors.ts';
import { DATABASE_USER, initialise } from '../../infra/embedded/postgres-cluster.ts';
import { postgresPrograms } from '../../infra/embedded/postgres-programs.ts';
import { postgresUser } from '../../infra/embedded/postgres-user.ts';
import { loadLogical } from '../logical/load-logical.ts';
import type { SetSource } from '../vault/set-sink.ts';
import { withClient } from './check-restored.ts';
import type { RestorePlan } from './plan-restore.ts';
import { serveScratch } from './recover-server.ts';
import type { RestoredDatabase, RestorePhase } from './restore-database.ts';

const DATABASE = 'sluice';
const PASSWORD_BYTES = 24;

export interface RestoreLogicalOptions {
  readonly plan: RestorePlan;
  readonly source: SetSource;
  /** Empty or absent; becomes the folder of a new database. PostgreSQL's user must be able to reach it. */
  readonly dataDir: string;
  readonly scratchDir: string;
  readonly onProgress?: (phase: RestorePhase, doneBytes: number) => void;
  readonly signal?: AbortSignal;
}

/**
 * Makes a new database server and fills it from a logical set. Like `restoreDatabase`, it leaves the server open for
 * this machine's owner alone; its log begins anew.
 * @throws DomainError `refused`, `artefactCorrupt`, `unavailable`
 */
export async function restoreLogical(options: RestoreLogicalOptions): Promise<RestoredDatabase> {
  const { plan, source, dataDir, scratchDir, onProgress } = options;
  if (existsSync(dataDir) && readdirSync(dataDir).length > 0)
    throw new DomainError('refused', `${dataDir} is not empty: nothing is written over what is there`);
  const user = postgresUser();
  mkdirSync(scratchDir, { recursive: true });
  chmodSync(scratchDir, 0o711);
  if (user !== null) chownSync(scratchDir, user.uid, user.gid);
  const programs = postgresPrograms(user, scratchDir, () => undefined);
  // Whoever takes the database over gives it the password of its home.
  await initialise(programs, dataDir, randomBytes(PASSWORD_BYTES).toString('base64url'), user, options.signal);
  const server = await serveScratch({
    dataDir,
    walDir: scratchDir,
    scratchDir,
    databaseUser: DATABASE_USER,
    database: 'postgres',
    ...(options.signal === undefined ? {} : { signal: options.signal }),
  });
  try {
    await withClient(server.databaseUrl, (client) => client.query(`create database ${DATABASE}`));
    const databaseUrl = server.databaseUrl.replace('@/postgres?', `@/${DATABASE}?`);
    let done = 0;
    onProgress?.('unpack', 0);
    await loadLogical({
      databaseUrl,
      source,
      onBytes: (bytes) => onProgress?.('unpack', (done += bytes)),
      ...(options.signal === undefined ? {} : { signal: options.signal }),
    });
    return {
      reachedLsn: plan.endLsn,
      readTimeline: plan.timeline,
      timeline: 1,
      ranToEnd: true,
      cutOffBytes: 0,
      databaseUrl,
      stop: () => server.stop(),
    };
  } catch (error) {
    await server.stop();
    throw error;
  }
}
