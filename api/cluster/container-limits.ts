import { readFileSync } from 'node:fs';
import { availableParallelism, totalmem } from 'node:os';
import { join } from 'node:path';

/** What this container, or else this machine, may use. */
export interface ContainerLimits {
  /** Cores; may be a fraction. */
  readonly cpus: number;
  readonly memoryBytes: number;
  /** False: nothing but the machine itself limits the memory. */
  readonly memoryLimited: boolean;
}

const ROOT = '/sys/fs/cgroup';
/** Of cgroup v1: a limit near 2^63 says that there is none. */
const NO_LIMIT_BYTES = 2 ** 60;

/**
 * Reads the limits of the control group (v2: `cpu.max`, `memory.max`; v1: `cpu.cfs_quota_us`, `memory.limit_in_bytes`).
 * Inside a container the group's own files are at the root; elsewhere at the path that `/proc/self/cgroup` names, where
 * the limits of the groups above hold too.
 */
export function readContainerLimits(readText: (path: string) => string | null = readOrNull): ContainerLimits {
  const folders = groupFolders(readText('/proc/self/cgroup') ?? '');
  const cpus = Math.min(availableParallelism(), ...folders.map((folder) => cpusOf(folder, readText)));
  const memory = Math.min(...folders.map((folder) => memoryOf(folder, readText)));
  const memoryLimited = memory < totalmem();
  return { cpus, memoryBytes: memoryLimited ? memory : totalmem(), memoryLimited };
}

/** The root and every folder on the way to the own group. */
function groupFolders(groups: string): readonly string[] {
  const own = /^0::(\/.*)$/m.exec(groups)?.[1] ?? '/';
  const folders = [ROOT, join(ROOT, 'cpu'), join(ROOT, 'memory')];
  let folder = ROOT;
  for (const part of own.split('/').filter((p) => p !== '' && p !== '..')) folders.push((folder = join(folder, part)));
  return folders;
}

function cpusOf(folder: string, readText: (path: string) => string | null): number {
  const [quota, period] = (readText(join(folder, 'cpu.max')) ?? '').trim().split(' ');
  const quotaUs = Number(quota === '' ? undefined : quota);
  if (quotaUs > 0) return quotaUs / Number(period ?? 100_000);
  const oldQuotaUs = Number(readText(join(folder, 'cpu.cfs_quota_us')) ?? '-1');
  const oldPeriodUs = Number(readText(join(folder, 'cpu.cfs_period_us')) ?? '100000');
  return oldQuotaUs > 0 ? oldQuotaUs / oldPeriodUs : Infinity;
}

function memoryOf(folder: string, readText: (path: string) => string | null): number {
  const text = readText(join(folder, 'memory.max')) ?? readText(join(folder, 'memory.limit_in_bytes')) ?? 'max';
  const bytes = Number(text.trim());
  return bytes > 0 && bytes < NO_LIMIT_BYTES ? bytes : Infinity;
}

function readOrNull(path: string): string | null {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return null;
  }
}
