import { defineConfig } from 'vitest/config';
import { CountReporter } from './test/support/count-reporter.ts';

/** Tests on clusters of several JVMs: one after the other, each wait as long as a busy machine may need. */
export default defineConfig({
  test: {
    include: ['test/flink/**/*.test.ts'],
    maxWorkers: 1,
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 120_000, interval: 200 } },
    reporters: ['default', new CountReporter()],
  },
});
