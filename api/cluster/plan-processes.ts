import type { ContainerLimits } from './container-limits.ts';

const MEGABYTE = 1024 * 1024;
/** What a process is reckoned to need: 150 MB with one model, and room for bursts and a second version. */
const PROCESS_BYTES = 256 * MEGABYTE;
/** More on one port gain nothing: the system's network path is the limit long before. */
const PROCESSES_MAX = 32;
/** Outside the JavaScript heap: Node itself, onnxruntime, models, buffers. */
const NATIVE_BYTES = 120 * MEGABYTE;
const HEAP_MB_MIN = 64;
/** A serving process holds little; a larger heap would only hide a leak. */
const HEAP_MB_MAX = 1_024;

/** Of a process's share of the memory: replaced before the container's limit kills it. */
const MEMORY_LIMIT_SHARE = 0.9;
/** What a process with one model may need. */
const MEMORY_LIMIT_MB_MIN = 192;
/** Many times what a process with some models needs, so that whoever gets there leaks. */
const MEMORY_LIMIT_MB_MAX = 1_024;

export interface ProcessPlan {
  readonly processes: number;
  /** Limit of each process's JavaScript heap, MB. */
  readonly heapMb: number;
  /** Resident memory above which a process that has grown is replaced, MB. */
  readonly memoryLimitMb: number;
}

/** One serving process per core that the container has, fewer where its memory does not hold as many. */
export function planProcesses(limits: ContainerLimits, wanted: number | null): ProcessPlan {
  const processes = wanted ?? defaultProcesses(limits);
  // The primary takes a share as well.
  const share = limits.memoryBytes / (processes + 1);
  const heapMb = Math.floor((share - NATIVE_BYTES) / MEGABYTE);
  const memoryLimitMb = Math.floor((share * MEMORY_LIMIT_SHARE) / MEGABYTE);
  return {
    processes,
    heapMb: Math.min(HEAP_MB_MAX, Math.max(HEAP_MB_MIN, heapMb)),
    memoryLimitMb: Math.min(MEMORY_LIMIT_MB_MAX, Math.max(MEMORY_LIMIT_MB_MIN, memoryLimitMb)),
  };
}

function defaultProcesses({ cpus, memoryBytes, memoryLimited }: ContainerLimits): number {
  const byMemory = memoryLimited ? Math.floor(memoryBytes / PROCESS_BYTES) - 1 : PROCESSES_MAX;
  return Math.max(1, Math.min(Math.floor(cpus), byMemory, PROCESSES_MAX));
}
