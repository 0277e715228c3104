import type { Bench } from './bench.ts';

/** The benches by name; each is loaded only when it runs. */
export const benches: Readonly<Record<string, () => Promise<Bench>>> = {
  explain: async () => (await import('./explain.ts')).explain,
  faults: async () => (await import('./faults.ts')).faults,
  overload: async () => (await import('./overload.ts')).overload,
  rollout: async () => (await import('./rollout.ts')).rollout,
  recovery: async () => (await import('./recovery.ts')).recovery,
  'rollout-kills': async () => (await import('./rollout-kills.ts')).rolloutKills,
  'rollout-live': async () => (await import('./rollout-live.ts')).rolloutLive,
  serving: async () => (await import('./serving.ts')).serving,
  training: async () => (await import('./training.ts')).training,
};
