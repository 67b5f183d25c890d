import { appendFileSync } from 'node:fs';
import type { Reporter, TestModule, TestRunEndReason } from 'vitest/node';

/**
 * Ends the run with what passed at the second try only, what was skipped, and the count. With `CI=true` a skip is a failure: nothing may pass by not running.
 * The count goes to the file that `TEST_COUNTS` names, too.
 */
export class CountReporter implements Reporter {
  onTestRunEnd(modules: readonly TestModule[], errors: readonly unknown[], _reason: TestRunEndReason): void {
    const tests = modules.flatMap((module) => [...module.children.allTests()]);
    const count = (state: string) => tests.filter((test) => test.result().state === state).length;
    const broken = modules.filter((module) => module.state() === 'failed' && module.errors().length > 0).length;
    const skipped = tests.filter((test) => test.result().state === 'skipped');
    const result = {
      passed: count('passed'),
      failed: count('failed') + broken + errors.length,
      skipped: skipped.length,
    };
    for (const test of tests.filter((one) => one.diagnostic()?.flaky === true)) {
      process.stdout.write(`passed at the second try: ${test.fullName}\n`);
    }
    for (const test of skipped) process.stdout.write(`skipped: ${test.fullName}\n`);
    if (process.env.CI === 'true' && skipped.length > 0) {
      process.stdout.write('With CI=true a skipped test is a failure: install what it names.\n');
      process.exitCode = 1;
      result.failed += skipped.length;
    }
    const { TEST_COUNTS } = process.env;
    if (TEST_COUNTS !== undefined) appendFileSync(TEST_COUNTS, `${result.passed} ${result.failed}\n`);
    process.stdout.write(`${result.passed} passed, ${result.failed} failed, ${result.skipped} skipped\n`);
  }
}
