import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runSchemathesis, schemathesisMissing } from '../../setup/schemathesis.ts';
import { INSTALL_LIMIT_MS } from '../../setup/python-environment.ts';
import { startApi } from '../api/api-process.ts';
import type { ApiProcess } from '../api/api-process.ts';

const missing = await schemathesisMissing();
if (missing !== null) console.warn(`Skipped: ${missing}`);

const CONFIG = fileURLToPath(new URL('schemathesis.toml', import.meta.url));
const RUN_LIMIT_MS = 300_000;
/** Per operation, beside those that the document makes certain (examples, limits, missing and wrong parts). */
const EXAMPLES = 4;

describe.skipIf(missing !== null)('the OpenAPI document', () => {
  let api: ApiProcess;
  beforeAll(async () => {
    // Nobody works: what is started is accepted, and stays where it is.
    api = await startApi({ SLUICE_TASK_QUEUE: `nobody-works-here-${Date.now()}` });
  });
  afterAll(() => api.remove());

  it(
    'is what a running API does, with data that fits it and data that does not',
    { timeout: INSTALL_LIMIT_MS + RUN_LIMIT_MS },
    async () => {
      const { code, output, cases } = await runSchemathesis(
        `${api.url}/openapi.json`,
        {
          key: api.key,
          configPath: CONFIG,
          arguments: [
            ...['--phases', 'examples,coverage,fuzzing', '--max-examples', String(EXAMPLES), '--seed', '1'],
            ...['--continue-on-failure', '--no-shrink', '--request-timeout', '30'],
          ],
        },
        RUN_LIMIT_MS,
      );
      expect(code, output).toBe(0);
      expect(cases).toBeGreaterThan(1_000);
      // No process was replaced behind its back.
      const health = (await (await api.call('GET', '/health/detailed')).json()) as { process_crashes: number };
      expect(health.process_crashes).toBe(0);
    },
  );
});
