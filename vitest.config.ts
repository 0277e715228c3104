import { defineConfig } from 'vitest/config';

const project = (name: string, testTimeout: number, extra: object = {}) => ({
  test: { name, include: [`test/${name}/**/*.test.ts`], testTimeout, hookTimeout: 120_000, ...extra },
});

export default defineConfig({
  test: {
    pool: 'forks',
    reporters: ['default', './test/setup/counts-reporter.ts'],
    projects: [
      project('unit', 20_000),
      project('workflow', 60_000),
      project('replay', 60_000),
      project('integration', 60_000, { globalSetup: ['test/setup/services.ts'] }),
      project('e2e', 300_000, { fileParallelism: false }),
    ],
  },
});
