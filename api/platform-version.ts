import { existsSync, readFileSync } from 'node:fs';

/** The package's version; the file is one level up in the sources and two in a build. */
export function platformVersion(): string {
  const candidates = ['../package.json', '../../package.json'].map((path) => new URL(path, import.meta.url));
  for (const url of candidates) {
    if (!existsSync(url)) continue;
    const { version } = JSON.parse(readFileSync(url, 'utf8')) as { version?: string };
    if (version !== undefined) return version;
  }
  return '0.0.0';
}
