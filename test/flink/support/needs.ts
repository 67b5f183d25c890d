import { spawnSync } from 'node:child_process';

/** What tests on Flink need and this machine lacks; null when it is all there. */
export const missing: string | null =
  ['java', 'javac', 'mvn'].find((name) => spawnSync(name, ['-version']).error) ?? null;

/** For the name of what is skipped: it says why. */
export const needs = missing === null ? '' : ` (needs a JDK and Maven: there is no ${missing})`;
