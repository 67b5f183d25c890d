import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';
import { CountReporter } from './test/support/count-reporter.ts';

export default defineConfig({
  test: {
    include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts', 'infra/**/*.test.ts'],
    // npm run test:flink
    exclude: [...configDefaults.exclude, 'test/flink/**'],
    // Many tests wait for a program or a clock: on two cores, two at a time take little more than half as long.
    maxWorkers: Math.max(2, availableParallelism()),
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // How long a state that must come may take on a machine that is busy; a test that waits for it ends as soon as it is there.
    expect: { poll: { timeout: 20_000 } },
    reporters: ['default', new CountReporter()],
  },
});
