import { writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import type { CrashPoint } from '../../src/runtime/ports.ts';
import { temporaryFolder } from './folders.ts';
import { input, modelOf } from './inputs.ts';
import {
  canonical,
  difference,
  type Result,
  resultDifference,
  resultOf,
  shownTooEarly,
  textLines,
  unfinished,
} from './outputs.ts';
import { completeReplay, type Replay, runToCrash } from './program.ts';

/** At which passings of each point a process is killed. A new point does not compile until it stands here. */
const OCCURRENCES: Record<CrashPoint, readonly number[]> = {
  'checkpoint:barrier-taken': [1, 2, 6],
  'checkpoint:parts-synced': [1, 2, 9],
  'checkpoint:file-written': [1, 2, 5],
  'checkpoint:file-synced': [1, 4],
  'checkpoint:file-renamed': [1, 2, 7],
  'checkpoint:committed': [1, 2, 6],
  'compaction:base-renamed': [1, 2, 3],
  'compaction:old-removed': [1, 2],
  'sink:part-opened': [1, 2, 20],
  'sink:part-written': [1, 2, 300],
  'sink:part-renamed': [1, 2, 10],
  'sink:commit-synced': [1, 3],
  'recovery:leftovers-removed': [1, 2],
  'recovery:parts-restored': [1, 2],
};
const POINTS = Object.entries(OCCURRENCES) as [CrashPoint, readonly number[]][];

describe('killed at a named point', () => {
  let folder: string;
  let expected: Result;
  let expectedSummary: string;
  const replayInto = (output: string): Replay => ({
    companies: `${folder}/companies.jsonl`,
    jobs: `${folder}/jobs.jsonl`,
    output: `${folder}/${output}`,
    settings: ['checkpoint.interval=1ms', 'sink.roll.size=32KiB'],
  });

  beforeAll(async () => {
    folder = await temporaryFolder();
    const made = input(3, { companies: 50, jobs: 4000, days: 12, padding: 150 });
    await writeFile(`${folder}/companies.jsonl`, made.companies);
    await writeFile(`${folder}/jobs.jsonl`, made.jobs);
    const alone = replayInto('alone');
    expectedSummary = summary((await completeReplay(alone)).stdout, alone);
    expect(difference(textLines(await canonical(alone.output)), modelOf(made).canonical)).toBeUndefined();
    expected = await resultOf(alone.output);
  });

  test.each(POINTS)('a replay loses and doubles nothing: %s', async (point, occurrences) => {
    const each = occurrences.map(async (occurrence) => {
      const what = `${point} ${occurrence}`;
      const replay = replayInto(`${point.replace(':', '-')}-${occurrence}`);
      if (point.startsWith('recovery:')) {
        const first = await runToCrash(replay, { point: 'sink:commit-synced', occurrence: 3 });
        expect(first.signal, `${what}, before`).toBe('SIGKILL');
      }
      expect(await runToCrash(replay, { point, occurrence }), what).toMatchObject({ signal: 'SIGKILL' });
      expect(await shownTooEarly(replay.output), what).toEqual([]);
      await endsWell(replay, what);
    });
    // All of them to their end: what still runs would be in the way of a second try.
    const failed = (await Promise.allSettled(each)).find((one) => one.status === 'rejected');
    if (failed !== undefined) throw failed.reason;
  });

  test('a replay loses and doubles nothing when each start is killed at another point', async () => {
    const replay = replayInto('each-start');
    let kills = 0;
    for (const [point, [, occurrence = 1]] of POINTS) {
      const { signal } = await runToCrash(replay, { point, occurrence });
      if (signal === 'SIGKILL') kills++;
      else break;
    }
    expect(kills).toBeGreaterThanOrEqual(5);
    await endsWell(replay, `after ${kills} kills`);
  });

  /** The real program goes on and comes to the right result, and to the same counts of what it did. */
  async function endsWell(replay: Replay, what: string): Promise<void> {
    const { stdout } = await completeReplay(replay);
    expect(summary(stdout, replay), what).toBe(expectedSummary);
    expect(resultDifference(await resultOf(replay.output), expected), what).toBeUndefined();
    expect(await unfinished(replay.output), what).toEqual([]);
  }
});

/** What the program says it has done over all its calls, without how long the last one took. */
function summary(stdout: string, { output }: Replay): string {
  return stdout.replace(/^[^:]+: /, '').replaceAll(output, 'OUTPUT');
}
