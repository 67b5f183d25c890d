import { mkdir, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from './folders.ts';
import { input } from './inputs.ts';
import { type Result, resultDifference, resultOf, unfinished } from './outputs.ts';
import { completeReplay, type Ended, type Replay, runCommand, runReplay, runReplayWithin } from './program.ts';

let folder: string;
let expected: Result;
const replayInto = (output: string, ...settings: string[]): Replay => ({
  companies: `${folder}/companies.jsonl`,
  jobs: `${folder}/jobs.jsonl`,
  output: output.startsWith('/') ? output : `${folder}/${output}`,
  settings: ['checkpoint.interval=20ms', ...settings],
});

beforeAll(async () => {
  folder = await temporaryFolder();
  const made = input(51, { companies: 6000, jobs: 20_000, days: 4, padding: 60 });
  await writeFile(`${folder}/companies.jsonl`, made.companies);
  await writeFile(`${folder}/jobs.jsonl`, made.jobs);
  await completeReplay(replayInto('alone'));
  expected = await resultOf(`${folder}/alone`);
});

/** Its last words are one line that says what is wrong and what to do. */
function expectFull({ code, signal, stdout, stderr }: Ended, what: RegExp): void {
  expect({ code, signal, stdout }).toEqual({ code: 1, signal: null, stdout: '' });
  const [line = '', ...more] = stderr.split('\n').filter((text) => text !== 'Going on from the last checkpoint.');
  expect(line).toMatch(what);
  expect(line).toMatch(/: no space left \(\w+\)\. Free some space and run the same command again.* \[STORAGE_FULL\]$/);
  expect(more).toEqual(['']);
}

describe('when a write fails for want of space, a replay says so, stops, and goes on once there is space:', () => {
  test('rows', async () => {
    const replay = replayInto('rows');
    const what = /^tenant-analytics: Cannot write .*\/\.part-[0-9a-f]{8}-\d{6}\.jsonl\.inprogress: .*EFBIG/;
    expectFull(await runReplayWithin(600, replay), what);
    expectFull(await runReplayWithin(600, replay), what);
    expectFull(await runReplayWithin(1200, replay), what);
    expect(resultDifference(await resultOf(replay.output), expected)).toBeDefined();

    await completeReplay(replay);
    expect(resultDifference(await resultOf(replay.output), expected)).toBeUndefined();
    expect(await unfinished(replay.output)).toEqual([]);
  });

  test('a checkpoint', async () => {
    const replay = replayInto('checkpoint', 'sink.roll.size=32KiB');
    const what = /^tenant-analytics: Cannot write checkpoint .*\/chk-\d{12}: .*EFBIG/;
    expectFull(await runReplayWithin(100, replay), what);
    expectFull(await runReplayWithin(100, replay), what);
    await completeReplay(replay);
    expect(resultDifference(await resultOf(replay.output), expected)).toBeUndefined();
    expect(await unfinished(replay.output)).toEqual([]);
  });
});

describe('on a disk of its own, where the machine lets us have one (where not, the tests above stand alone),', () => {
  async function onDisk(size: string, work: (disk: string) => Promise<void>): Promise<void> {
    const disk = `${await temporaryFolder()}/disk`;
    await mkdir(disk);
    const mounted = await runCommand('mount', '-t', 'tmpfs', '-o', `size=${size}`, 'tmpfs', disk).catch(
      () => undefined,
    );
    if (mounted?.code !== 0) return;
    try {
      await work(disk);
    } finally {
      await runCommand('umount', disk);
    }
  }
  const fill = (disk: string) => writeFile(`${disk}/filler`, new Uint8Array(8 * 1024 * 1024)).catch(() => undefined);

  test('a replay that fills it stops, and goes on once the disk is larger', async () => {
    await onDisk('2m', async (disk) => {
      const replay = replayInto(`${disk}/out`);
      expectFull(await runReplay(replay), /^tenant-analytics: Cannot write .*ENOSPC/);
      await fill(disk);
      expectFull(await runReplay(replay), /^tenant-analytics: Cannot write .*ENOSPC/);
      await runCommand('mount', '-o', 'remount,size=64m', disk);
      await completeReplay(replay);
      expect(resultDifference(await resultOf(replay.output), expected)).toBeUndefined();
      expect(await unfinished(replay.output)).toEqual([]);
    });
  });

  test('a replay that finds it full stops at its start', async () => {
    await onDisk('2m', async (disk) => {
      await fill(disk);
      expectFull(await runReplay(replayInto(`${disk}/out`)), /^tenant-analytics: .*ENOSPC/);
    });
  });
});
