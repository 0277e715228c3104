import { createHash } from 'node:crypto';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { extname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';
import { bundleWorkflowCode, type Logger, type WorkflowBundleOption } from '@temporalio/worker';

/** Made by the build beside this file (under a name that no compiled module has); sources are bundled at a start. */
export const PREBUILT_BUNDLE = 'prebuilt-workflows.js';
/** Rooms whose code is in the bundle: a change in them makes a new one. */
const ROOMS = ['workflows', 'domain'];
const CACHED_PREFIX = 'workflow-bundle-';

/**
 * The workflows as one script: the one of the build, else one cached from an earlier start on the same sources, else
 * made now (some seconds) and cached.
 */
export async function workflowBundle(cacheDir: string, logger: Logger): Promise<WorkflowBundleOption> {
  const prebuilt = fileURLToPath(new URL(`./${PREBUILT_BUNDLE}`, import.meta.url));
  const built = await readOrNull(prebuilt);
  if (built !== null) return { code: built };
  const name = `${CACHED_PREFIX}${await digestOfSources()}.js`;
  const cached = await readOrNull(join(cacheDir, name));
  if (cached !== null) return { code: cached };
  const code = await bundleWorkflows(logger);
  await keep(cacheDir, name, code).catch((error: unknown) => {
    logger.warn('the workflow bundle cannot be cached, the next start makes it again', { error });
  });
  return { code };
}

/** Makes the bundle anew. */
export async function bundleWorkflows(logger: Logger): Promise<string> {
  const workflowsPath = fileURLToPath(new URL(`../workflows/index${extname(import.meta.url)}`, import.meta.url));
  const { code } = await bundleWorkflowCode({ workflowsPath, logger });
  return code;
}

async function digestOfSources(): Promise<string> {
  const root = fileURLToPath(new URL('..', import.meta.url));
  const hash = createHash('sha256');
  const sdk = createRequire(import.meta.url).resolve('@temporalio/worker/package.json');
  hash.update(await readFile(sdk));
  for (const room of ROOMS) {
    const files = await readdir(join(root, room), { recursive: true });
    const paths = files.filter((f) => ['.ts', '.js'].includes(extname(f))).map((f) => join(root, room, f));
    for (const path of paths.sort()) {
      hash.update(`${relative(root, path)}\0`);
      hash.update(await readFile(path));
    }
  }
  return hash.digest('hex').slice(0, 32);
}

/** Written to the side and renamed: a killed start leaves no half bundle. Bundles of other sources go. */
async function keep(cacheDir: string, name: string, code: string): Promise<void> {
  await mkdir(cacheDir, { recursive: true });
  const aside = join(cacheDir, `${name}.${process.pid}`);
  await writeFile(aside, code);
  await rename(aside, join(cacheDir, name));
  const old = (await readdir(cacheDir)).filter((f) => f.startsWith(CACHED_PREFIX) && f !== name);
  for (const file of old) await rm(join(cacheDir, file), { force: true });
}

async function readOrNull(path: string): Promise<string | null> {
  return readFile(path, 'utf8').catch(() => null);
}
