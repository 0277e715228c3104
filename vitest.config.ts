import { defineConfig } from 'vitest/config';

/**
 * Groups run one after the other. What computes and what waits for real services shares two cores well; what overloads,
 * times and starves real services has the machine to itself.
 */
const GROUPS = {
  computing: { groupOrder: 0, maxWorkers: 2 },
  sharing: { groupOrder: 1, maxWorkers: 2 },
  alone: { groupOrder: 2, maxWorkers: 1 },
} as const;

/** Rooms of the integration tests whose answers hang on the time that they take. */
const TIMED = ['api', 'faults', 'infra', 'journal', 'limits', 'rollouts', 'serving'].map(
  (room) => `test/integration/${room}/**/*.test.ts`,
);

const project = (name: string, testTimeout: number, group: keyof typeof GROUPS, extra: object = {}) => {
  const { groupOrder, maxWorkers } = GROUPS[group];
  const include = [`test/${name}/**/*.test.ts`];
  return {
    test: { name, include, testTimeout, hookTimeout: 120_000, maxWorkers, sequence: { groupOrder }, ...extra },
  };
};
const globalSetup = ['test/setup/services.ts'];

export default defineConfig({
  test: {
    pool: 'forks',
    reporters: ['default', './test/setup/counts-reporter.ts'],
    projects: [
      project('unit', 20_000, 'computing'),
      project('workflow', 60_000, 'computing'),
      project('replay', 60_000, 'computing'),
      project('integration', 60_000, 'sharing', { globalSetup, exclude: TIMED }),
      project('integration-timed', 60_000, 'alone', { globalSetup, include: TIMED }),
      project('e2e', 300_000, 'alone', { fileParallelism: false }),
    ],
  },
});
