/** A home with a real database and an encrypted folder target beside it, for the recovery bench. */
import { chmodSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createFolderArtefactStore } from '../../adapters/folder-artefact-store.ts';
import { migrate } from '../../db/migrate.ts';
import type { BackupManifest } from '../../domain/recovery/manifest.ts';
import { startPostgres, type EmbeddedPostgres } from '../../infra/embedded/postgres.ts';
import { createWalShipper, type WalShipper } from '../../recovery/postgres/ship-wal.ts';
import { query } from '../../test/support/query.ts';
import { backUpTo, createVaultHome, type VaultHome } from '../../test/support/vault-home.ts';

export interface BenchHome extends VaultHome {
  readonly home: string;
  readonly postgres: EmbeddedPostgres;
  query<T extends Record<string, unknown>>(text: string): Promise<readonly T[]>;
  stop(): Promise<void>;
}

export async function createBenchHome(): Promise<BenchHome> {
  const folder = mkdtempSync(join(tmpdir(), 'sluice-bench-recovery-'));
  chmodSync(folder, 0o755);
  const home = join(folder, 'home');
  mkdirSync(home);
  const postgres = await startPostgres({ home, keeper: null, port: 0 });
  await migrate(postgres.databaseUrl);
  return {
    ...(await createVaultHome(folder)),
    home,
    postgres,
    query: (text) => query(postgres.databaseUrl, text),
    stop: async () => {
      await postgres.process.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** Ships the log until it is stopped. */
export function shipLog({ postgres, target }: BenchHome): { shipper: WalShipper; stop: () => Promise<void> } {
  const halt = new AbortController();
  const quiet = { info: () => undefined, warn: () => undefined, error: () => undefined };
  const shipper = createWalShipper({
    databaseUrl: postgres.databaseUrl,
    slot: 'sluice_bench',
    openStore: (systemId) => target.wal(systemId),
    log: quiet,
  });
  const running = shipper.run(halt.signal);
  return {
    shipper,
    stop: async () => {
      halt.abort();
      await running;
    },
  };
}

const PARTS = 10;
export const ROWS_PER_GB = 1_000_000;

/** 1 GB of digests in the table `bench_rows`: half of their bits are new, so that packing cannot make them go away. */
export async function fillOneGb(run: (text: string) => Promise<unknown>): Promise<void> {
  await run('create table bench_rows(id bigint, body text)');
  await run('alter table bench_rows alter column body set storage external');
  for (let part = 0; part < PARTS; part += 1) {
    await run(
      `insert into bench_rows select i, (select string_agg(encode(sha512((i || '/' || j)::bytea), 'hex'), '')
       from generate_series(1, 8) j) from generate_series(${String((part * ROWS_PER_GB) / PARTS + 1)}, ${String(((part + 1) * ROWS_PER_GB) / PARTS)}) i`,
    );
  }
}

/** A complete, signed set of the database as it is. */
export const backUp = (home: BenchHome): Promise<BackupManifest> =>
  backUpTo(home, home.postgres.databaseUrl, join(home.folder, 'artefacts'));

export function artefactsOf(home: string) {
  return createFolderArtefactStore(join(home, 'artefacts'));
}
