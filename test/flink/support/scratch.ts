import { mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, onTestFinished } from 'vitest';

/** A folder for the tests of a file; what lies in it is gone after them, and what a failed test wrote before it is tried again. */
export async function scratchFolder(): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'flink-test-'));
  beforeEach(async () => {
    const before = new Set(await readdir(folder));
    // The first to be registered is the last to be called: jobs that the test started write nothing any more.
    onTestFinished(async ({ task }) => {
      if (task.result?.state !== 'fail') return;
      const own = (await readdir(folder)).filter((name) => !before.has(name));
      await Promise.all(own.map((name) => rm(join(folder, name), { recursive: true, force: true, maxRetries: 10 })));
    });
  });
  afterAll(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }));
  return folder;
}
