/** Program: fetches the Temporal CLI into the folder given as argument by the SDK's own download, then leaves. */
import { mkdir } from 'node:fs/promises';
import { TestWorkflowEnvironment } from '@temporalio/testing';

const folder = process.argv[2];
if (folder === undefined) throw new Error('usage: temporal-download FOLDER');
await mkdir(folder, { recursive: true });
// The SDK has no call that only downloads: it starts the server it fetched.
const environment = await TestWorkflowEnvironment.createLocal({
  server: { executable: { type: 'cached-download', downloadDir: folder } },
});
await environment.teardown();
process.exit(0);
