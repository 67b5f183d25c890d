import { defineConfig } from 'vitest/config';
import { CountReporter } from './test/support/count-reporter.ts';

/** What is run by default, and by CI; all of it: `npm run test:flink -- --all`. */
const BY_DEFAULT = ['java-host', 'parity', 'faults', 'live', 'managed', 'managed-jar'].map(
  (name) => `test/flink/${name}.test.ts`,
);

/** Tests on clusters of several JVMs: one after the other, each wait as long as a busy machine may need. */
export default defineConfig({
  test: {
    include: process.env.FLINK_TESTS === 'all' ? ['test/flink/**/*.test.ts'] : BY_DEFAULT,
    setupFiles: ['test/integration/setup.ts'],
    maxWorkers: 1,
    testTimeout: 600_000,
    hookTimeout: 600_000,
    expect: { poll: { timeout: 120_000, interval: 200 } },
    // As of other tests of programs (docs/decisions/0022-a-second-try-that-is-told.md).
    retry: process.env.CI === 'true' ? 1 : 0,
    reporters: ['default', new CountReporter()],
  },
});
