#!/usr/bin/env node
// The command line: the built one where there is a build, else the sources through tsx.
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import * as nodeModule from 'node:module';
import { fileURLToPath, pathToFileURL } from 'node:url';

const built = new URL('../dist/cli/main.js', import.meta.url);
const source = new URL('./main.ts', import.meta.url);
const require = nodeModule.createRequire(import.meta.url);

if (existsSync(source)) await runSource();
else await import(built.href);

async function runSource() {
  const tsx = findTsx();
  if (tsx === null) {
    console.error('Sluice is not installed yet: run `npm start`, or `npm ci`.');
    process.exit(1);
  }
  if (typeof nodeModule.register === 'function') {
    const { register } = await import('tsx/esm/api');
    register();
    await import(source.href);
    return;
  }
  // Node before 20.6 takes a loader on its command line only.
  const loader = ['--no-warnings', '--loader', new URL('loader.mjs', tsx).href];
  const args = [...loader, fileURLToPath(source), ...process.argv.slice(2)];
  const child = spawn(process.execPath, args, { stdio: 'inherit' });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.once('exit', (code, signal) => {
    process.exitCode = code ?? (signal === 'SIGINT' ? 130 : 143);
  });
}

/** Folder of tsx's programs, `null` when it is not installed. */
function findTsx() {
  try {
    return new URL('dist/', pathToFileURL(require.resolve('tsx/package.json')));
  } catch {
    return null;
  }
}
