/**
 * `node fetch-lightgbm.js FOLDER`: puts LightGBM's native library there, out of the Python wheel whose digest
 * adapters/pinned-wheels.ts holds. Part of the image build, so that a container downloads nothing when it runs.
 */
import { copyFile, mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { findLightgbmLibrary } from '../../adapters/lightgbm-library.ts';

const [, , folder] = process.argv;
if (folder === undefined) throw new Error('usage: fetch-lightgbm FOLDER');
const library = await findLightgbmLibrary({ override: null, cacheDir: join(folder, 'cache') });
if (library.path === null) throw new Error(`LightGBM's library cannot be had: ${library.reason}`);
await mkdir(folder, { recursive: true });
await copyFile(library.path, join(folder, basename(library.path)));
