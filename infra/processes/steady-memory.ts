/**
 * Settings of glibc's allocator, read by it when a process starts. Left alone it takes freed blocks of up to 32 MB into
 * its heap, where what lives on between them keeps them. Held at a size, blocks above 64 KB go back to the system when
 * they are freed. Other C libraries do not know the names.
 */
export const STEADY_MEMORY = {
  MALLOC_MMAP_THRESHOLD_: '65536',
  MALLOC_TRIM_THRESHOLD_: '131072',
  MALLOC_ARENA_MAX: '2',
} as const;

/** For children, which end soon and must be fast: what this process started with stays in force for itself. */
export function keepSteadyMemoryToOneself(env: NodeJS.ProcessEnv): void {
  for (const [name, value] of Object.entries(STEADY_MEMORY)) if (env[name] === value) Reflect.deleteProperty(env, name);
}
