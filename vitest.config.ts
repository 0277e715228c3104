import { defineConfig } from 'vitest/config';

/**
 * Groups run one after the other. What computes shares two cores well; what stops, kills and measures real services has
 * the machine to itself.
 */
const GROUPS = { computing: { groupOrder: 0, maxWorkers: 2 }, services: { groupOrder: 1, maxWorkers: 1 } } as const;

const project = (name: string, testTimeout: number, group: keyof typeof GROUPS, extra: object = {}) => {
  const { groupOrder, maxWorkers } = GROUPS[group];
  const include = [`test/${name}/**/*.test.ts`];
  return {
    test: { name, include, testTimeout, hookTimeout: 120_000, maxWorkers, sequence: { groupOrder }, ...extra },
  };
};

export default defineConfig({
  test: {
    pool: 'forks',
    reporters: ['default', './test/setup/counts-reporter.ts'],
    projects: [
      project('unit', 20_000, 'computing'),
      project('workflow', 60_000, 'computing'),
      project('replay', 60_000, 'computing'),
      project('integration', 60_000, 'services', { globalSetup: ['test/setup/services.ts'] }),
      project('e2e', 300_000, 'services', { fileParallelism: false }),
    ],
  },
});
