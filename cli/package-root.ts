import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of the package: one level up in development, two in a build (dist/cli). */
export function packageRoot(): string {
  const here = dirname(fileURLToPath(import.meta.url));
  const candidates = [dirname(here), dirname(dirname(here))];
  return candidates.find((folder) => existsSync(join(folder, 'package.json'))) ?? dirname(here);
}

export function packageVersion(): string {
  const content = JSON.parse(readFileSync(join(packageRoot(), 'package.json'), 'utf8')) as { version: string };
  return content.version;
}
