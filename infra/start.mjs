#!/usr/bin/env node
// Starts the platform from a fresh clone: plain JavaScript without dependencies, because it installs them.
//   node infra/start.mjs install | test [vitest arguments] | <command of sluice, for example up>
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = dirname(dirname(fileURLToPath(import.meta.url)));
const STAMP = join(ROOT, 'node_modules', '.sluice-install');
const PROGRESS_EVERY_MS = 5_000;

requireNode(20, 3);
const [command = 'up', ...args] = process.argv.slice(2);
await installIfNeeded();
if (command === 'test') {
  process.exitCode = await run(process.execPath, [join(ROOT, 'node_modules/vitest/vitest.mjs'), 'run', ...args]);
} else if (command !== 'install') {
  process.argv.splice(1, process.argv.length, join(ROOT, 'cli', 'sluice.mjs'), command, ...args);
  await import('../cli/sluice.mjs');
}

/** @param {number} major @param {number} minor */
function requireNode(major, minor) {
  const [have = 0, haveMinor = 0] = process.versions.node.split('.').map(Number);
  if (have > major || (have === major && haveMinor >= minor)) return;
  console.error(`Sluice needs Node ${major}.${minor} or newer; this is ${process.versions.node}.`);
  process.exit(1);
}

/** Installs when there is no node_modules, or when it was made from another lock file or for another Node. */
async function installIfNeeded() {
  const lock = readFileSync(join(ROOT, 'package-lock.json'));
  const platform = `${process.platform}-${process.arch}`;
  const stamp = `${createHash('sha256').update(lock).digest('hex')} ${platform}\n`;
  if (existsSync(STAMP) && readFileSync(STAMP, 'utf8') === stamp) return;
  // npm keeps its own record beside the packages; when it agrees with the lock file, there is nothing to do.
  if (isInstalled(lock)) {
    tryWrite(STAMP, stamp);
    return;
  }
  console.log('Installing what Sluice needs (npm ci), about a minute with an empty cache');
  const startedAt = Date.now();
  const seconds = () => Math.round((Date.now() - startedAt) / 1000);
  const timer = setInterval(() => console.log(`  npm ci is running, ${seconds()} s`), PROGRESS_EVERY_MS);
  const code = await run(process.platform === 'win32' ? 'npm.cmd' : 'npm', ['ci', '--no-audit', '--no-fund']);
  clearInterval(timer);
  if (code !== 0) {
    console.error(`npm ci ended with ${code}. Nothing was started; run it again when the cause above is gone.`);
    process.exit(code);
  }
  console.log(`Installed in ${seconds()} s`);
  tryWrite(STAMP, stamp);
}

/** @param {Buffer} lock */
function isInstalled(lock) {
  try {
    const wanted = JSON.parse(lock.toString()).packages;
    const found = JSON.parse(readFileSync(join(ROOT, 'node_modules', '.package-lock.json'), 'utf8')).packages;
    return Object.entries(wanted).every(
      ([path, entry]) => path === '' || entry.optional === true || found[path]?.version === entry.version,
    );
  } catch {
    return false;
  }
}

/** @param {string} file @param {string} text */
function tryWrite(file, text) {
  try {
    writeFileSync(file, text);
  } catch {
    // Installed by another user: the next start compares again.
  }
}

/**
 * Runs a program to its end, with our terminal; signals are passed on.
 * @param {string} program @param {string[]} programArgs
 * @returns {Promise<number>} exit code; 128 + n after signal n
 */
function run(program, programArgs) {
  return new Promise((resolve) => {
    const child = spawn(program, programArgs, { cwd: ROOT, stdio: 'inherit' });
    const pass = (signal) => child.kill(signal);
    const signals = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };
    for (const signal of Object.keys(signals)) process.on(signal, pass);
    child.once('error', (error) => {
      console.error(`${program} could not be started: ${error.message}`);
      resolve(127);
    });
    child.once('exit', (code, signal) => {
      for (const name of Object.keys(signals)) process.off(name, pass);
      resolve(code ?? 128 + (signals[signal] ?? 0));
    });
  });
}
