import { writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { checkpointReached, checkpoints, temporaryFolder } from './folders.ts';
import { type Input, input, modelOf } from './inputs.ts';
import {
  canonical,
  deadLetters,
  difference,
  lineAndReason,
  type Result,
  resultDifference,
  resultOf,
  textLines,
  unfinished,
} from './outputs.ts';
import { completeReplay, type Replay, startReplay } from './program.ts';

/** Set SEED to see a failed run again; the moments still depend on the machine. */
const SEED = Number(process.env.SEED ?? Date.now() % 1_000_000);

let folder: string;
let made: Input;
const replayInto = (output: string, ...settings: string[]): Replay => ({
  companies: `${folder}/companies.jsonl`,
  jobs: `${folder}/jobs.jsonl`,
  output: `${folder}/${output}`,
  settings: ['checkpoint.interval=20ms', ...settings],
});

beforeAll(async () => {
  folder = await temporaryFolder();
  made = input(1, { companies: 200, jobs: 120_000, days: 8 });
  await writeFile(`${folder}/companies.jsonl`, made.companies);
  await writeFile(`${folder}/jobs.jsonl`, made.jobs);
  await writeFile(`${folder}/jobs.jsonl.gz`, gzipSync(made.jobs, { level: 1 }));
});

describe(`killed with SIGKILL again and again at random moments (seed ${SEED})`, () => {
  test('a replay makes the rows and dead letters of one that was left alone, and the right ones', async () => {
    const alone = replayInto('alone');
    await completeReplay(alone);
    const expected = modelOf(made);
    expect(difference(textLines(await canonical(alone.output)), expected.canonical)).toBeUndefined();
    const malformed = made.broken.map((line) => ({ line, reason: 'malformed' }));
    expect((await deadLetters(alone.output)).map(lineAndReason)).toEqual(
      [...expected.deadLetters, ...malformed].sort((a, b) => a.line - b.line),
    );
    await survivesKills(20, (round) => replayInto(`killed-${round}`), await resultOf(alone.output));
  });

  test('a replay with CSV rows, small parts and gzip input makes those of one that was left alone', async () => {
    const settings = ['S3SinkFormat=csv', 'sink.roll.size=64KiB', 'sink.roll.age=100ms'];
    const csvInto = (output: string) => ({ ...replayInto(output, ...settings), jobs: `${folder}/jobs.jsonl.gz` });
    const alone = csvInto('alone-csv');
    await completeReplay(alone);
    const expected = await resultOf(alone.output);
    expect(expected.rows.length).toBeGreaterThan(100_000);
    await survivesKills(10, (round) => csvInto(`killed-csv-${round}`), expected);
  });
});

/**
 * Rounds of kills, each ended by a run to the end, until enough kills have hit a running process, and enough of them
 * one that had gone on from a checkpoint and made another. On a quick machine a replay ends after few kills: then it
 * takes more rounds, but a program that never goes on does not come through.
 */
async function survivesKills(kills: number, replayOf: (round: number) => Replay, expected: Result): Promise<void> {
  const random = seededRandom(SEED);
  const enough = kills / 5;
  let killed = 0;
  let wentOn = 0;
  for (let round = 1; round <= kills && (killed < kills || wentOn < enough); round++) {
    const replay = replayOf(round);
    for (let attempt = 1; attempt <= kills; attempt++) {
      const before = await newestCheckpoint(replay.output);
      const program = startReplay(replay);
      // Half of the kills hit anywhere, also the start; the others wait for progress, so that a round comes to its end.
      if (random() < 0.5) await sleep(400 * random());
      else {
        await checkpointReached(replay.output, before + 1 + Math.floor(2 * random()), program);
        await sleep(50 * random());
      }
      program.send('SIGKILL');
      const { signal, code, stderr } = await program.ended;
      if (signal !== 'SIGKILL') {
        expect({ code, stderr }).toMatchObject({ code: 0 });
        break;
      }
      killed++;
      if (stderr.includes('Going on from the last checkpoint') && (await newestCheckpoint(replay.output)) > before)
        wentOn++;
    }
    await completeReplay(replay);
    const what = `round ${round} of seed ${SEED}, after ${killed} kills`;
    expect(resultDifference(await resultOf(replay.output), expected), what).toBeUndefined();
    expect(await unfinished(replay.output), what).toEqual([]);
  }
  expect(killed, 'kills of a running process').toBeGreaterThanOrEqual(kills);
  expect(wentOn, 'kills of a run that had gone on from a checkpoint and made another').toBeGreaterThanOrEqual(enough);
}

async function newestCheckpoint(output: string): Promise<number> {
  return Number((await checkpoints(output)).at(-1)?.slice(4) ?? 0);
}
