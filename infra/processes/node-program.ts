import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';

/**
 * Arguments for `node` that run a module of this platform: TypeScript sources through tsx, built files as they are.
 * tsx is found from here, not from the working directory of whoever starts us.
 */
export function nodeProgram(module: URL): string[] {
  const path = fileURLToPath(module);
  return path.endsWith('.ts') ? [...tsxArguments(), path] : [path];
}

/** The module at `path` relative to `from`, with the extension that `from` itself has (`.ts` or, once built, `.js`). */
export function siblingModule(path: string, from: string): URL {
  return new URL(from.endsWith('.ts') ? path : path.replace(/\.ts$/, '.js'), from);
}

function tsxArguments(): string[] {
  const home = dirname(createRequire(import.meta.url).resolve('tsx/package.json'));
  const loader = pathToFileURL(join(home, 'dist', 'loader.mjs')).href;
  const preflight = join(home, 'dist', 'preflight.cjs');
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  // `--import` can register a loader from Node 20.6 on.
  const registers = major > 20 || (major === 20 && minor >= 6);
  return registers
    ? ['--require', preflight, '--import', loader]
    : ['--no-warnings', '--require', preflight, '--loader', loader];
}
