import type { Bench } from './bench.ts';

/** The benches by name; each is loaded only when it runs. */
export const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  training: async () => (await import('./training.ts')).training,
};
