import type { Bench } from './bench.ts';

/** The benches by name; each is loaded only when it runs. */
export const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  explain: async () => (await import('./explain.ts')).explain,
  serving: async () => (await import('./serving.ts')).serving,
  training: async () => (await import('./training.ts')).training,
};
