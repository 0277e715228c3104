import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DefaultLogger } from '@temporalio/worker';
import { describe, expect, it, onTestFinished } from 'vitest';
import { workflowBundle } from '../../../workers/workflow-bundle.ts';

const logger = new DefaultLogger('ERROR');

describe('the workflow bundle', () => {
  it('is made once per state of the sources, and older ones go', async () => {
    const cacheDir = await mkdtemp(join(tmpdir(), 'sluice-bundle-'));
    onTestFinished(() => rm(cacheDir, { recursive: true, force: true }));
    await writeFile(join(cacheDir, 'workflow-bundle-old.js'), 'old');
    await writeFile(join(cacheDir, 'temporal'), 'not mine');
    const made = (await workflowBundle(cacheDir, logger)) as { code: string };
    expect(made.code).toContain('rolloutModel');
    const files = (await readdir(cacheDir)).sort();
    expect(files).toEqual(['temporal', expect.stringMatching(/^workflow-bundle-[0-9a-f]{32}\.js$/)]);
    // What is there is taken as it is: a second start bundles nothing.
    await writeFile(join(cacheDir, files[1]!), 'cached');
    expect(await workflowBundle(cacheDir, logger)).toEqual({ code: 'cached' });
  });

  it('is made all the same where it cannot be kept', async () => {
    const made = (await workflowBundle('/dev/null/nowhere', new DefaultLogger('ERROR'))) as { code: string };
    expect(made.code).toContain('trainModel');
  });
});
