import { cp, mkdir, readFile, rename, rm, stat, utimes, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { checkpointReached, partsInCheckpoint, rowsBegun, snapshot, temporaryFolder } from './folders.ts';
import { input } from './inputs.ts';
import { deadLetters, lines, type Result, resultDifference, resultOf, unfinished } from './outputs.ts';
import { completeReplay, oneLine, type Replay, runReplay, runToCrash, startReplay } from './program.ts';

/** It holds the number of the process that used the folder last, whatever that did. */
const LOCK = ['.state/lock'];

const replayIn = (folder: string, output: string, ...settings: string[]): Replay => ({
  companies: `${folder}/companies.jsonl`,
  jobs: `${folder}/jobs.jsonl`,
  output: `${folder}/${output}`,
  settings: ['checkpoint.interval=20ms', ...settings],
});

/** Again from the begin while the replay has ended before it was struck, as on a machine that is quick, or stood still here. */
async function untilStruck<T>({ output }: Replay, strike: () => Promise<T | undefined>): Promise<T> {
  for (let tries = 0; tries < 10; tries++) {
    const struck = await strike();
    if (struck !== undefined) return struck;
    await rm(output, { recursive: true });
  }
  throw new Error('the replay had always ended before it was struck: give it more to do');
}

describe('while a replay runs', () => {
  let folder: string;
  let expected: Result;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const made = input(11, { companies: 100, jobs: 100_000, days: 5, padding: 100 });
    await writeFile(`${folder}/companies.jsonl`, made.companies);
    await writeFile(`${folder}/jobs.jsonl`, made.jobs);
    const alone = replayIn(folder, 'alone');
    await completeReplay(alone);
    expected = await resultOf(alone.output);
  });

  test('a second process on its folder is refused, and one after its death is not', async () => {
    const replay = replayIn(folder, 'locked');
    const [first, second] = await untilStruck(replay, async () => {
      const first = startReplay(replay);
      await checkpointReached(replay.output, 1, first);
      first.send('SIGSTOP');
      const second = await runReplay(replay);
      return first.hasEnded() ? undefined : ([first, second] as const);
    });
    expect(second).toMatchObject({ code: 1, stdout: '' });
    expect(oneLine(second.stderr)).toMatch(new RegExp(`process ${first.pid}\\b.*\\[LOCKED\\]$`));

    first.send('SIGKILL');
    expect((await first.ended).signal).toBe('SIGKILL');
    await completeReplay(replay);
    expect(resultDifference(await resultOf(replay.output), expected)).toBeUndefined();
  });

  test.each(['SIGINT', 'SIGTERM'] as const)('%s stops it with a checkpoint, from which it goes on', async (signal) => {
    const replay = replayIn(folder, signal);
    const stopped = await untilStruck(replay, async () => {
      const program = startReplay(replay);
      await rowsBegun(replay.output, program);
      program.send(signal);
      const ended = await program.ended;
      return ended.code === 0 ? undefined : ended;
    });
    expect(stopped).toMatchObject({ code: 1, signal: null, stdout: '' });
    expect(stopped.stderr).toMatch(/^tenant-analytics: Stopped before .* Run the same command again.* \[STOPPED\]$/m);

    const { runID, open } = await partsInCheckpoint(replay.output);
    expect(open.length).toBeGreaterThan(0);
    for (const { partition, sequence, bytes } of open) {
      const name = `.part-${runID}-${String(sequence).padStart(6, '0')}.jsonl.inprogress`;
      expect((await stat(`${replay.output}/${partition}/${name}`)).size, 'no row is made again').toBe(bytes);
    }
    const goneOn = await completeReplay(replay);
    expect(goneOn.stderr).toBe('Going on from the last checkpoint.\n');
    expect(resultDifference(await resultOf(replay.output), expected)).toBeUndefined();
    expect(await unfinished(replay.output)).toEqual([]);
  });
});

describe('a replay that has ended, or was killed in the middle,', () => {
  let folder: string;
  let expected: Result;

  beforeAll(async () => {
    folder = await temporaryFolder();
    const made = input(12, { companies: 30, jobs: 3000, days: 6 });
    await writeFile(`${folder}/companies.jsonl`, made.companies);
    await writeFile(`${folder}/jobs.jsonl`, made.jobs);
    await completeReplay(replayIn(folder, 'ended'));
    expected = await resultOf(`${folder}/ended`);
    const killed = { ...replayIn(folder, 'killed'), settings: ['checkpoint.interval=0ms'] };
    expect((await runToCrash(killed, { point: 'checkpoint:committed', occurrence: 6 })).signal).toBe('SIGKILL');
    expect(resultDifference(await resultOf(`${folder}/killed`), expected)).toBeDefined();
  });

  test('says that it has ended, and changes nothing', async () => {
    const before = await snapshot(`${folder}/ended`, LOCK);
    const again = await runReplay(replayIn(folder, 'ended'));
    expect(again).toMatchObject({ code: 0, stderr: '' });
    expect(again.stdout).toMatch(/^Nothing to do, this replay has ended before: 3,000 job events, /);
    expect(await snapshot(`${folder}/ended`, LOCK)).toEqual(before);
  });

  describe.each(['ended', 'killed'])('with another input or parameter: %s', (output) => {
    const other = async (name: string, from: string, change: (text: string) => string) => {
      const elsewhere = await temporaryFolder();
      await writeFile(`${elsewhere}/${name}`, change(await readFile(`${folder}/${from}`, 'utf8')));
      return `${elsewhere}/${name}`;
    };
    const oneDigitMore = (text: string) => text.replace(/"nbJobs":1,/, '"nbJobs":2,');

    test.each<[string, () => Promise<Partial<Replay>>, RegExp]>([
      [
        'longer jobs',
        async () => ({ jobs: await other('jobs.jsonl', 'jobs.jsonl', (text) => `${text}\n`) }),
        /jobs:jobs\.jsonl had \d+ bytes, now \d+/,
      ],
      [
        'other jobs of the same length',
        async () => ({ jobs: await other('jobs.jsonl', 'jobs.jsonl', oneDigitMore) }),
        /jobs:jobs\.jsonl has other content/,
      ],
      [
        'jobs of another name',
        async () => ({ jobs: await other('other.jsonl', 'jobs.jsonl', (text) => text) }),
        /jobs:jobs\.jsonl is missing; jobs:other\.jsonl is a new input/,
      ],
      [
        'other companies',
        async () => ({
          companies: await other('companies.jsonl', 'companies.jsonl', (text) => text.replace('retail', 'detail')),
        }),
        /companies:companies\.jsonl has other content/,
      ],
      [
        'a parameter of the rules',
        async () => ({ settings: ['activity.decay=off'] }),
        /activity\.decay was "on", now "off"/,
      ],
      [
        'a parameter of the rows',
        async () => ({ settings: ['S3SinkFormat=csv'] }),
        /S3SinkFormat was "json", now "csv"/,
      ],
    ])('it refuses %s, and changes nothing', async (_, change, difference) => {
      const path = `${folder}/${output}`;
      const before = await snapshot(path, LOCK);
      const refused = await runReplay({ ...replayIn(folder, output), ...(await change()) });
      expect(refused).toMatchObject({ code: 2, stdout: '' });
      expect(oneLine(refused.stderr)).toMatch(difference);
      expect(refused.stderr).toMatch(/\[INPUT_CHANGED\]\n$/);
      expect(await snapshot(path, LOCK)).toEqual(before);
    });
  });

  test('goes on when inputs and output were moved and the checkpoint interval is another', async () => {
    const elsewhere = await temporaryFolder();
    await cp(`${folder}/killed`, `${elsewhere}/moved`, { recursive: true });
    await mkdir(`${elsewhere}/inputs`);
    for (const name of ['companies.jsonl', 'jobs.jsonl']) await cp(`${folder}/${name}`, `${elsewhere}/inputs/${name}`);
    await rename(`${elsewhere}/moved`, `${elsewhere}/output`);
    const goneOn = await completeReplay({
      ...replayIn(`${elsewhere}/inputs`, '../output'),
      settings: ['checkpoint.interval=3 s'],
    });
    expect(goneOn.stderr).toBe('Going on from the last checkpoint.\n');
    expect(resultDifference(await resultOf(`${elsewhere}/output`), expected)).toBeUndefined();
  });
});

test('records without a date keep the arrival time of the first start, also when a file is touched', async () => {
  const folder = await temporaryFolder();
  const replay: Replay = {
    companies: `${folder}/companies.csv`,
    jobs: `${folder}/jobs.csv`,
    output: `${folder}/out`,
    settings: ['checkpoint.interval=1ms'],
  };
  const arrival = new Date('2025-03-01T12:00:00Z');
  await writeFile(`${folder}/companies.csv`, 'comp_1,retail,1000,10,3,8,5,50\n');
  await writeFile(`${folder}/jobs.csv`, 'comp_1,user_1,1\ncomp_2,user_1,1\n'.repeat(2000));
  for (const file of [`${folder}/companies.csv`, `${folder}/jobs.csv`]) await utimes(file, arrival, arrival);

  const often = { ...replay, settings: ['checkpoint.interval=0ms'] };
  const killed = await runToCrash(often, { point: 'checkpoint:committed', occurrence: 4 });
  expect(killed.signal).toBe('SIGKILL');
  const later = new Date('2025-06-01T00:00:00Z');
  for (const file of [`${folder}/companies.csv`, `${folder}/jobs.csv`]) await utimes(file, later, later);
  expect((await completeReplay(replay)).stderr).toBe('Going on from the last checkpoint.\n');

  const rows = (await lines(replay.output)).map((line) => JSON.parse(line));
  expect(rows.length).toBe(2000);
  expect(new Set(rows.map((row) => row.eventTime))).toEqual(new Set([arrival.getTime()]));
  expect(Math.max(...rows.map((row) => row.job30))).toBe(2003);
  const letters = await deadLetters(replay.output);
  expect(letters.length).toBe(2000);
  expect(new Set(letters.map((letter) => letter.arrivalTime))).toEqual(new Set([arrival.getTime()]));
});
