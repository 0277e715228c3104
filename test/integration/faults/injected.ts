/**
 * Loaded into an API before its own modules. While the file `disk-full` lies in its home, appending to the journal fails
 * as on a full disk: no root is needed for that, and nobody else's disk. The serving process whose number is in the file
 * `leak` takes memory that it never gives back.
 */
import fs from 'node:fs';
import { syncBuiltinESMExports } from 'node:module';
import { join } from 'node:path';

const flag = join(process.env['SLUICE_HOME'] ?? '', 'disk-full');
const journal = new Set<number>();
const { openSync, writeSync } = fs;

const full = () => Object.assign(new Error('ENOSPC: no space left on device, write'), { code: 'ENOSPC', errno: -28 });

fs.openSync = (path, ...rest) => {
  const fd = openSync(path, ...rest);
  if (String(path).endsWith('.jnl')) journal.add(fd);
  return fd;
};
fs.writeSync = (fd: number, ...rest: unknown[]) => {
  if (journal.has(fd) && fs.existsSync(flag)) throw full();
  return (writeSync as (...all: unknown[]) => number)(fd, ...rest);
};
syncBuiltinESMExports();

const leak = join(process.env['SLUICE_HOME'] ?? '', 'leak');
const LEAK_BYTES = 120 * 1024 * 1024;
const taken: Buffer[] = [];
setInterval(() => {
  if (taken.length > 0 || !fs.existsSync(leak)) return;
  if (fs.readFileSync(leak, 'utf8') === String(process.pid)) taken.push(Buffer.alloc(LEAK_BYTES, 1));
}, 200).unref();
