/** Starts one PostgreSQL and one Temporal dev server for the integration tests. */
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { TestProject } from 'vitest/node';
import { startPostgres } from '../../infra/embedded/postgres.ts';
import { startTemporal } from '../../infra/embedded/temporal.ts';
import { startKeeper } from '../../infra/processes/keeper-client.ts';
import { testCacheDir } from './temporal-binaries.ts';

declare module 'vitest' {
  interface ProvidedContext {
    /** Address of a PostgreSQL server with an owner's rights. Tests make databases of their own in it. */
    DATABASE_URL: string;
    /** host:port of a Temporal dev server. */
    TEMPORAL_ADDRESS: string;
  }
}

const HOMES = fileURLToPath(new URL('../../.sluice-test/', import.meta.url));

export default async function services(project: TestProject): Promise<() => Promise<void>> {
  const home = join(HOMES, `services-${project.name}-${String(process.pid)}`);
  await rm(home, { recursive: true, force: true });
  await mkdir(home, { recursive: true });
  const keeper = startKeeper(join(home, 'logs', 'keeper.log'));
  // Port 0 is never free to take: a free one is picked, away from a platform that runs on this machine.
  const starts = await Promise.allSettled([
    startPostgres({ home, keeper, port: 0 }),
    startTemporal({ home, keeper, cacheDir: testCacheDir(), port: 0, uiPort: 0 }),
  ]);
  const [postgres, temporal] = starts;
  const stop = async (): Promise<void> => {
    await Promise.all(starts.map(async (s) => (s.status === 'fulfilled' ? s.value.process.stop() : undefined)));
    await keeper.release();
    await rm(home, { recursive: true, force: true });
  };
  if (postgres.status === 'rejected' || temporal.status === 'rejected') {
    await stop();
    throw new AggregateError(
      starts.flatMap((s): unknown[] => (s.status === 'rejected' ? [s.reason] : [])),
      'The services of the integration tests could not be started',
    );
  }
  project.provide('DATABASE_URL', postgres.value.databaseUrl);
  project.provide('TEMPORAL_ADDRESS', temporal.value.address);
  return stop;
}
