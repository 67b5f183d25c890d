import { availableParallelism } from 'node:os';
import { configDefaults, defineConfig } from 'vitest/config';
import { CountReporter } from './test/support/count-reporter.ts';

// Of programs and browsers, by the clock of a machine that others use, too.
const OF_PROGRAMS = '**/*.int.test.ts';
// npm run test:flink
const ELSEWHERE = [...configDefaults.exclude, 'test/flink/**'];

export default defineConfig({
  test: {
    projects: [
      {
        extends: true,
        test: {
          name: 'parts',
          include: ['src/**/*.test.ts', 'test/**/*.test.ts', 'bench/**/*.test.ts', 'infra/**/*.test.ts'],
          exclude: [...ELSEWHERE, OF_PROGRAMS],
        },
      },
      {
        extends: true,
        test: {
          name: 'programs',
          include: [OF_PROGRAMS],
          exclude: ELSEWHERE,
          setupFiles: ['test/integration/setup.ts'],
          // One that passed at the second try is named at the end (docs/decisions/0022-a-second-try-that-is-told.md).
          retry: process.env.CI === 'true' ? 1 : 0,
        },
      },
    ],
    // A process for each worker, not for each file: all take a fifth less time (measured). So modules outlive a file, and so would
    // what it changes in the process: hooks that several files need are in the set-up, which is run for each.
    isolate: false,
    setupFiles: ['test/setup.ts'],
    // Many tests wait for a program or a clock: on two cores, two at a time take little more than half as long.
    maxWorkers: Math.max(2, availableParallelism()),
    testTimeout: 120_000,
    hookTimeout: 60_000,
    // How long a state that must come may take on a machine that is busy; a test that waits for it ends as soon as it is there.
    expect: { poll: { timeout: 20_000 } },
    reporters: ['default', new CountReporter()],
  },
});
