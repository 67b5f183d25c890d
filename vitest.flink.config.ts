import { defineConfig } from 'vitest/config';
import { CountReporter } from './test/support/count-reporter.ts';

/** What is run by default, and by CI: the graph on a cluster. All of it: `npm run test:flink:all`. */
const BY_DEFAULT = ['test/flink/parity.test.ts', 'test/flink/live.test.ts'];

/** Tests on clusters of several JVMs: one after the other, each wait as long as a busy machine may need. */
export default defineConfig({
  test: {
    include: process.env.FLINK_TESTS === 'all' ? ['test/flink/**/*.test.ts'] : BY_DEFAULT,
    maxWorkers: 1,
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 120_000, interval: 200 } },
    reporters: ['default', new CountReporter()],
  },
});
