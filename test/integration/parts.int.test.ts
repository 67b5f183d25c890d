import { readFile, stat, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { checkpoints, temporaryFolder } from './folders.ts';
import { input } from './inputs.ts';
import { deadLetters, lines, parts, type Result, resultDifference, resultOf } from './outputs.ts';
import { completeReplay, type Replay, runToCrash } from './program.ts';

const KIBIBYTE = 1024;

let folder: string;
let expected: Result;
const replayInto = (output: string, ...settings: string[]): Replay => ({
  companies: `${folder}/companies.jsonl`,
  jobs: `${folder}/jobs.jsonl`,
  output: `${folder}/${output}`,
  settings,
});

/** The parts of each day, in the order they were begun, with their sizes in bytes. */
async function partsByDay(output: string): Promise<Map<string, number[]>> {
  const days = new Map<string, number[]>();
  for (const path of await parts(output)) {
    const day = path.split('/')[0] ?? '';
    days.set(day, [...(days.get(day) ?? []), (await stat(`${output}/${path}`)).size]);
  }
  return days;
}

beforeAll(async () => {
  folder = await temporaryFolder();
  const made = input(31, { companies: 40, jobs: 10_000, days: 5, padding: 60 });
  await writeFile(`${folder}/companies.jsonl`, made.companies);
  await writeFile(`${folder}/jobs.jsonl`, made.jobs);
  await completeReplay(replayInto('alone', 'checkpoint.interval=10ms'));
  expected = await resultOf(`${folder}/alone`);
});

test('each row lies in the folder of the UTC day of its event, in exactly one part', async () => {
  const rows = new Set<string>();
  let count = 0;
  for (const path of await parts(`${folder}/alone`)) {
    const text = await readFile(`${folder}/alone/${path}`, 'utf8');
    expect(text.endsWith('\n'), path).toBe(true);
    for (const line of text.trimEnd().split('\n')) {
      const { companyID, version, eventTime } = JSON.parse(line);
      expect(path.split('/')[0]).toBe(`dt=${new Date(eventTime).toISOString().slice(0, 10)}`);
      rows.add(JSON.stringify([companyID, version]));
      count++;
    }
  }
  expect(count).toBeGreaterThan(9000);
  expect(rows.size).toBe(count);
});

describe('parts are not one per checkpoint:', () => {
  test('a day has one part, however many checkpoints there were', async () => {
    const byDay = await partsByDay(`${folder}/alone`);
    expect((await checkpoints(`${folder}/alone`)).length).toBeGreaterThanOrEqual(3);
    expect(Math.max(...[...byDay.values()].map((sizes) => sizes.length))).toBe(1);
  });

  test('also when the replay was killed again and again', async () => {
    const replay = replayInto('killed', 'checkpoint.interval=1ms');
    for (const occurrence of [8, 8, 8]) {
      const { signal } = await runToCrash(replay, { point: 'checkpoint:committed', occurrence, compact: false });
      expect(signal).toBe('SIGKILL');
    }
    await completeReplay(replay);
    expect(resultDifference(await resultOf(replay.output), expected)).toBeUndefined();
    const byDay = await partsByDay(replay.output);
    expect((await checkpoints(replay.output)).length).toBeGreaterThan(24);
    expect([...byDay.values()].map((sizes) => sizes.length)).toEqual([...byDay].map(() => 1));
  });
});

test('a part is closed at sink.roll.size, and the next one of its day is begun', async () => {
  const replay = replayInto('rolled', 'sink.roll.size=64KiB', 'checkpoint.interval=10ms');
  await completeReplay(replay);
  expect(resultDifference(await resultOf(replay.output), expected)).toBeUndefined();
  const longestRow = Math.max(...expected.rows.map((row) => Buffer.byteLength(row))) + 1;
  let closed = 0;
  for (const [day, sizes] of await partsByDay(replay.output)) {
    for (const size of sizes.slice(0, -1)) {
      expect(size, day).toBeGreaterThanOrEqual(64 * KIBIBYTE);
      closed++;
    }
    for (const size of sizes) expect(size, day).toBeLessThan(64 * KIBIBYTE + longestRow);
  }
  expect(closed).toBeGreaterThan(20);
});

test('a part is closed at sink.roll.age', async () => {
  const replay = replayInto('aged', 'sink.roll.age=1ms', 'checkpoint.interval=1ms');
  // A run that passes many checkpoints, and then the rest.
  await runToCrash(replay, { point: 'checkpoint:committed', occurrence: 30, compact: false });
  await completeReplay(replay);
  expect(resultDifference(await resultOf(replay.output), expected)).toBeUndefined();
  const counts = [...(await partsByDay(replay.output)).values()].map((sizes) => sizes.length);
  expect(Math.max(...counts)).toBeGreaterThan(3);
});

test('dead letters lie by the day their record arrived, wherever deadLetterPath says', async () => {
  const elsewhere = `${await temporaryFolder()}/letters`;
  const replay = replayInto('elsewhere', `deadLetterPath=file://${elsewhere}`);
  await completeReplay(replay);
  expect(await parts(replay.output, 'dead-letters')).toEqual([]);
  expect(await lines(replay.output)).toEqual(expected.rows);
  const arrival = (await stat(replay.jobs)).mtime.toISOString().slice(0, 10);
  const found = await parts(elsewhere);
  expect(found).toEqual([expect.stringMatching(new RegExp(`^dt=${arrival}/part-`))]);
  expect(await lines(elsewhere)).toEqual(expected.deadLetters);
  expect((await deadLetters(`${folder}/alone`)).length).toBeGreaterThan(10);
});
