/** Part of the build: bundles the workflows beside the worker, so that production starts without a bundler's seconds. */
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { DefaultLogger } from '@temporalio/worker';
import { bundleWorkflows, PREBUILT_BUNDLE } from './workflow-bundle.ts';

const code = await bundleWorkflows(new DefaultLogger('WARN'));
await writeFile(fileURLToPath(new URL(`./${PREBUILT_BUNDLE}`, import.meta.url)), code);
