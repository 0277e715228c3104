import { existsSync } from 'node:fs';
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import koffi from 'koffi';
import { LIGHTGBM } from './pinned-wheels.ts';
import { cachedWheelMember, pythonWheel } from './python-wheel.ts';

export type LightgbmLibrary =
  { readonly path: string } | { readonly path: null; /** One sentence for a person. */ readonly reason: string };

export interface LightgbmLibraryOptions {
  /** Path given by configuration; nothing else is tried then. */
  readonly override: string | null;
  readonly cacheDir: string;
  readonly timeoutMs?: number;
  readonly python?: string;
  readonly signal?: AbortSignal;
}

/** Each training asks; where the library could not be fetched, it is not tried again for this long. */
const RETRY_AFTER_MS = 10 * 60_000;
const DOWNLOAD_TIMEOUT_MS = 120_000;

/**
 * Finds LightGBM's native library: the configured one, else the cached one, else out of its Python wheel. Loads it once
 * to know that it can be used. Never throws: without it, training goes on with the other algorithms.
 */
export async function findLightgbmLibrary(options: LightgbmLibraryOptions): Promise<LightgbmLibrary> {
  try {
    if (options.override !== null) {
      if (!existsSync(options.override))
        return { path: null, reason: `LIGHTGBM_LIBRARY names ${options.override}, which does not exist` };
      return loadable(options.override);
    }
    if (existsSync(cachedWheelMember(LIGHTGBM, options))) return loadable(cachedWheelMember(LIGHTGBM, options));
    return await fetchOnce(options);
  } catch (error) {
    return { path: null, reason: error instanceof Error ? error.message : String(error) };
  }
}

async function fetchOnce(options: LightgbmLibraryOptions): Promise<LightgbmLibrary> {
  const marker = join(options.cacheDir, 'lightgbm-unavailable.json');
  const earlier = await readMarker(marker);
  if (earlier !== null) return { path: null, reason: earlier };
  try {
    const path = await pythonWheel(LIGHTGBM, { timeoutMs: DOWNLOAD_TIMEOUT_MS, ...options });
    await rm(marker, { force: true });
    return loadable(path);
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    if (options.signal?.aborted === true) return { path: null, reason };
    await mkdir(options.cacheDir, { recursive: true });
    await writeFile(marker, JSON.stringify({ reason, atMs: Date.now() }));
    return { path: null, reason };
  }
}

async function readMarker(file: string): Promise<string | null> {
  try {
    const { reason, atMs } = JSON.parse(await readFile(file, 'utf8')) as { reason?: unknown; atMs?: unknown };
    const fresh = typeof atMs === 'number' && Math.abs(Date.now() - atMs) < RETRY_AFTER_MS;
    return fresh && typeof reason === 'string' ? reason : null;
  } catch {
    return null;
  }
}

function loadable(path: string): LightgbmLibrary {
  try {
    koffi.load(path).unload();
    return { path };
  } catch (error) {
    return { path: null, reason: explainLoadError(path, error instanceof Error ? error.message : String(error)) };
  }
}

/** Says what to install when it is the OpenMP runtime that is missing, which the wheel does not bring. */
export function explainLoadError(path: string, message: string): string {
  if (message.includes('libgomp'))
    return `${path} needs the OpenMP runtime libgomp.so.1 (Debian: apt-get install libgomp1; Fedora: dnf install libgomp)`;
  if (message.includes('libomp')) return `${path} needs the OpenMP runtime libomp.dylib (brew install libomp)`;
  return `${path} cannot be loaded: ${message}`;
}
