import { availableParallelism, totalmem } from 'node:os';
import { describe, expect, it } from 'vitest';
import { readContainerLimits } from '../../../../api/cluster/container-limits.ts';
import { planProcesses } from '../../../../api/cluster/plan-processes.ts';

const MIB = 1024 * 1024;
const from = (files: Readonly<Record<string, string>>) => readContainerLimits((path) => files[path] ?? null);

describe('the limits of the container', () => {
  it('are the machine where there is no group', () => {
    expect(from({})).toEqual({ cpus: availableParallelism(), memoryBytes: totalmem(), memoryLimited: false });
    const unlimited = { '/sys/fs/cgroup/cpu.max': 'max 100000\n', '/sys/fs/cgroup/memory.max': 'max\n' };
    expect(from(unlimited)).toEqual(from({}));
  });

  it('are read from version 2, at the root and on the way to the own group', () => {
    const files = {
      '/proc/self/cgroup': '0::/pod/container\n',
      '/sys/fs/cgroup/pod/cpu.max': '50000 100000\n',
      '/sys/fs/cgroup/pod/container/cpu.max': '100000 100000\n',
      '/sys/fs/cgroup/pod/container/memory.max': String(512 * MIB),
    };
    expect(from(files)).toEqual({ cpus: 0.5, memoryBytes: 512 * MIB, memoryLimited: true });
    const inside = { '/proc/self/cgroup': '0::/\n', '/sys/fs/cgroup/cpu.max': '70000 100000' };
    expect(from(inside).cpus).toBe(0.7);
  });

  it('are read from version 1', () => {
    const files = {
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '25000\n',
      '/sys/fs/cgroup/cpu/cpu.cfs_period_us': '50000\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': String(256 * MIB),
    };
    expect(from(files)).toMatchObject({ cpus: 0.5, memoryBytes: 256 * MIB });
    const none = {
      '/sys/fs/cgroup/cpu/cpu.cfs_quota_us': '-1\n',
      '/sys/fs/cgroup/memory/memory.limit_in_bytes': '9223372036854771712',
    };
    expect(from(none)).toEqual(from({}));
  });
});

describe('the plan', () => {
  const machine = { memoryBytes: 16_384 * MIB, memoryLimited: false };

  it.each([
    [2, 2],
    [8, 8],
    [2.9, 2],
    [0.5, 1],
    [128, 32],
  ])('for %d cores is %d processes', (cpus, processes) => {
    expect(planProcesses({ ...machine, cpus }, null).processes).toBe(processes);
  });

  it('is as many as wanted, whatever there is', () => {
    expect(planProcesses({ ...machine, cpus: 1 }, 6).processes).toBe(6);
  });

  it('has fewer processes and smaller heaps where memory is short', () => {
    const small = { cpus: 8, memoryBytes: 1024 * MIB, memoryLimited: true };
    const { processes, heapMb } = planProcesses(small, null);
    expect(processes).toBe(3);
    expect((processes + 1) * (heapMb + 120)).toBeLessThanOrEqual(1024);
    expect(planProcesses({ ...small, memoryBytes: 256 * MIB }, null)).toEqual({
      processes: 1,
      heapMb: 64,
      memoryLimitMb: 192,
    });
  });

  it('limits the memory of a process by its share, and never to less than it may need', () => {
    const limits = { cpus: 2, memoryLimited: true };
    const limitOf = (mib: number) => planProcesses({ ...limits, memoryBytes: mib * MIB }, 2).memoryLimitMb;
    expect([256, 1024, 2048, 65_536].map(limitOf)).toEqual([192, 307, 614, 1024]);
  });
});
