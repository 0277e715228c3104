import { execFile } from 'node:child_process';
import { cp, mkdir, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

const ROOT = fileURLToPath(new URL('..', import.meta.url));

/**
 * Builds the platform into a folder, laid out as in the image: what is measured is what runs in production.
 * @returns the API's entry
 */
export async function buildForProduction(folder: string): Promise<URL> {
  await mkdir(folder, { recursive: true });
  const tsc = [
    join(ROOT, 'node_modules/typescript/bin/tsc'),
    '-p',
    'tsconfig.build.json',
    '--outDir',
    join(folder, 'dist'),
  ];
  await promisify(execFile)(process.execPath, tsc, { cwd: ROOT }).catch((error: unknown) => {
    throw new Error(`the build failed:\n${(error as { stdout: string }).stdout}`);
  });
  await cp(join(ROOT, 'package.json'), join(folder, 'package.json'));
  await symlink(join(ROOT, 'node_modules'), join(folder, 'node_modules'));
  return pathToFileURL(join(folder, 'dist/api/main.js'));
}
