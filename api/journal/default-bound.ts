import { mkdirSync, statfsSync } from 'node:fs';

const GIB = 1024 ** 3;
const MIB = 1024 ** 2;
/** Five minutes without a database at 35,000 predictions/s, three hours at 1,000/s (0.7 kB a record). */
const BYTES_MAX = 8 * GIB;
/** Of what the disk has free: records must not be what fills it. */
const FREE_SHARE = 0.2;
const BYTES_MIN = 64 * MIB;

/** Bytes of records on disk at most where nobody has said: 8 GiB, less on a disk that has little free. */
export function defaultBound(dir: string): number {
  mkdirSync(dir, { recursive: true });
  const { bavail, bsize } = statfsSync(dir);
  return boundFor(bavail * bsize);
}

export function boundFor(freeBytes: number): number {
  return Math.max(BYTES_MIN, Math.min(BYTES_MAX, Math.floor(freeBytes * FREE_SHARE)));
}
