/**
 * Loaded into an API before its own modules: while the file `disk-full` lies in its home, appending to the journal
 * fails as on a full disk. No root is needed for that, and nobody else's disk.
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
