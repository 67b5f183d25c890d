import { expect, test } from 'vitest';
import { lastWords, rootCause } from './log-text.ts';

const TRACE = `org.apache.flink.runtime.JobException: Recovery is suppressed by NoRestartBackoffTimeStrategy
\tat org.apache.flink.A.b(A.java:180)
Caused by: java.util.concurrent.CompletionException: java.io.IOException: wrapped
\tat java.base/java.util.C.d(C.java:1)
\t... 5 more
Caused by: java.io.FileNotFoundException: /x/y (No such file
  or directory).
\tat java.base/java.io.E.f(E.java:2)
Suppressed: java.lang.Exception: unimportant
`;

test.each([
  ['the innermost cause of a trace, over its lines', TRACE, 'FileNotFoundException: /x/y (No such file or directory)'],
  [
    'a trace without a cause',
    'java.lang.OutOfMemoryError: Java heap space\n\tat a.B.c(D.java)',
    'OutOfMemoryError: Java heap space',
  ],
  [
    'a trace as the REST API wraps it',
    '<Exception on server side:\norg.x.Bad: why\n\tat a.b\nEnd of exception on server side>',
    'Bad: why',
  ],
  ['no trace', '', ''],
])('the reason in %s', (_, text, reason) => {
  expect(rootCause(text)).toBe(reason);
});

test('a reason is cut to what a person reads', () => {
  expect(rootCause(`x.Bad: ${'w'.repeat(10_000)}`).length).toBeLessThan(510);
});

test('what a log says last is its last error, with the cause beneath it', () => {
  const log = `2026-11-22 21:00:00,000 INFO  a.B [main] - fine
2026-11-22 21:00:00,001 ERROR a.B                                [main] - Could not start.
${TRACE}2026-11-22 21:00:00,002 INFO  a.B [main] - closing
`;
  expect(lastWords(log, 'noise')).toBe('Could not start: FileNotFoundException: /x/y (No such file or directory)');
});

test('without an error in the log, the output of the JVM tells, else the last line of the log', () => {
  const out =
    'WARNING: fine\nError: Could not find or load main class a.B\nCaused by: java.lang.ClassNotFoundException: a.B\n';
  expect(lastWords('', out)).toBe('Error: Could not find or load main class a.B');
  expect(lastWords('one\ntwo\n', '')).toBe('two');
  expect(lastWords('', '')).toBe('');
});
