import { appendFile, cp, readdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeCheckpoint } from '../../src/runtime/checkpoint-format.ts';
import { checkpointFolder, checkpoints, partsInCheckpoint, snapshot, temporaryFolder } from './folders.ts';
import { input } from './inputs.ts';
import { parts, type Result, resultDifference, resultOf, unfinished } from './outputs.ts';
import { completeReplay, oneLine, type Replay, runReplay, runToCrash } from './program.ts';

const LOCK = ['.state/lock'];

let folder: string;
let expected: Result;

const replayInto = (output: string): Replay => ({
  companies: `${folder}/companies.jsonl`,
  jobs: `${folder}/jobs.jsonl`,
  output: `${folder}/${output}`,
  settings: ['checkpoint.interval=1ms', 'sink.roll.size=16KiB'],
});

/** A copy of the replay that was killed in the middle. */
async function killed(output: string): Promise<Replay> {
  const replay = replayInto(output);
  await cp(`${folder}/killed`, replay.output, { recursive: true });
  return replay;
}

async function flipByte(path: string, at: number): Promise<void> {
  const bytes = await readFile(path);
  const index = (at + bytes.length) % bytes.length;
  bytes[index] = (bytes[index] ?? 0) ^ 0x10;
  await writeFile(path, bytes);
}

const half = async (path: string) => truncate(path, Math.floor((await readFile(path)).length / 2));

const damages: readonly (readonly [string, (path: string) => Promise<void>])[] = [
  ['cut in half', half],
  ['cut by its last byte', async (path) => truncate(path, (await readFile(path)).length - 1)],
  ['empty', (path) => truncate(path, 0)],
  ['one with a changed byte in its middle', async (path) => flipByte(path, (await readFile(path)).length >> 1)],
  ['one with a changed byte in its version', (path) => flipByte(path, 7)],
  ['one with a changed byte in its checksum', (path) => flipByte(path, -1)],
  ['one with bytes after its end', (path) => appendFile(path, 'more')],
  ['one of zeros', async (path) => writeFile(path, new Uint8Array((await readFile(path)).length))],
];

/** Killed once the newest checkpoint has made parts visible that the one before it does not know. */
async function killInTheMiddle(): Promise<void> {
  const replay = replayInto('killed');
  for (let occurrence = 10; occurrence < 20; occurrence++) {
    await rm(replay.output, { recursive: true, force: true });
    await runToCrash(replay, { point: 'checkpoint:barrier-taken', occurrence, compact: false });
    const { nextSequence } = await partsInCheckpoint(replay.output, (await checkpoints(replay.output)).at(-2));
    const visible = await parts(replay.output);
    if (visible.some((path) => Number(/-(\d+)\.jsonl$/.exec(path)?.[1]) >= nextSequence)) return;
  }
  throw new Error('expected a checkpoint that makes parts visible which the one before it does not know');
}

beforeAll(async () => {
  folder = await temporaryFolder();
  const made = input(21, { companies: 40, jobs: 4000, days: 40, padding: 100 });
  await writeFile(`${folder}/companies.jsonl`, made.companies);
  await writeFile(`${folder}/jobs.jsonl`, made.jobs);
  await completeReplay(replayInto('alone'));
  expected = await resultOf(`${folder}/alone`);
  await killInTheMiddle();
  await runToCrash(replayInto('compacted'), { point: 'checkpoint:barrier-taken', occurrence: 12 });
});

describe('when the newest checkpoint is damaged', () => {
  test.each(damages)('%s, the one before it is used, loudly, and no row is lost or doubled', async (how, damage) => {
    const replay = await killed(`newest-${how}`);
    const newest = (await checkpoints(replay.output)).at(-1) ?? '';
    await damage(`${checkpointFolder(replay.output)}/${newest}`);

    const { stderr } = await completeReplay(replay);
    const [warning, ...others] = stderr.trimEnd().split('\n');
    expect(warning).toMatch(
      new RegExp(`^Checkpoint ${newest} cannot be used \\(.+\\); falling back to the one before it`),
    );
    expect(others).toEqual(['Going on from the last checkpoint.']);
    expect(resultDifference(await resultOf(replay.output), expected)).toBeUndefined();
    expect(await unfinished(replay.output)).toEqual([]);
  });

  test('and the one before it too, the one before those is used', async () => {
    const replay = await killed('newest-two');
    const damaged = (await checkpoints(replay.output)).slice(-2);
    for (const name of damaged) await half(`${checkpointFolder(replay.output)}/${name}`);
    const { stderr } = await completeReplay(replay);
    for (const name of damaged) expect(stderr).toContain(`Checkpoint ${name} cannot be used`);
    expect(resultDifference(await resultOf(replay.output), expected)).toBeUndefined();
  });

  test('and the process is killed while it goes on from the one before, the result is still the same', async () => {
    const replay = await killed('newest-and-kill');
    await half(`${checkpointFolder(replay.output)}/${(await checkpoints(replay.output)).at(-1)}`);
    expect((await runToCrash(replay, { point: 'recovery:leftovers-removed', occurrence: 1 })).signal).toBe('SIGKILL');
    expect((await runToCrash(replay, { point: 'checkpoint:committed', occurrence: 1 })).signal).toBe('SIGKILL');
    await completeReplay(replay);
    expect(resultDifference(await resultOf(replay.output), expected)).toBeUndefined();
  });

  test('after the end, the last steps are made again and the result is the same', async () => {
    const replay = replayInto('ended');
    await cp(`${folder}/alone`, replay.output, { recursive: true });
    const newest = (await checkpoints(replay.output)).at(-1);
    await half(`${checkpointFolder(replay.output)}/${newest}`);
    expect((await completeReplay(replay)).stderr).toContain(`Checkpoint ${newest} cannot be used`);
    expect(resultDifference(await resultOf(replay.output), expected)).toBeUndefined();
    expect((await completeReplay(replay)).stdout).toMatch(/^Nothing to do/);
  });
});

describe('when parts are closed at other moments than they were before the crash', () => {
  const ROLL_AGE_MS = 1000;

  test.each(['whole', 'damaged'])('and the newest checkpoint is %s, no row is lost or doubled', async (state) => {
    const replay = replayInto(`aged-${state}`);
    const settings = [...(replay.settings ?? []), `sink.roll.age=${ROLL_AGE_MS}ms`];
    const order = { point: 'checkpoint:barrier-taken', occurrence: 12, compact: false } as const;
    expect((await runToCrash({ ...replay, settings }, order)).signal).toBe('SIGKILL');
    if (state === 'damaged')
      await half(`${checkpointFolder(replay.output)}/${(await checkpoints(replay.output)).at(-1)}`);
    await sleep(ROLL_AGE_MS);
    await completeReplay({ ...replay, settings });
    expect(resultDifference(await resultOf(replay.output), expected)).toBeUndefined();
    expect(await unfinished(replay.output)).toEqual([]);
  });
});

test('when the base that state was compacted into is damaged, what it was made of is used', async () => {
  const replay = replayInto('compacted-damaged');
  await cp(`${folder}/compacted`, replay.output, { recursive: true });
  const newest = (await checkpoints(replay.output)).at(-1);
  const bytes = await readFile(`${checkpointFolder(replay.output)}/${newest}`);
  const [base = ''] = decodeCheckpoint(bytes).meta.chain;
  expect(base).toMatch(/^base-/);
  await half(`${checkpointFolder(replay.output)}/${base}`);

  const { stderr } = await completeReplay(replay);
  expect(stderr).toContain(`Checkpoint ${newest} cannot be used (${base}: expected`);
  expect(resultDifference(await resultOf(replay.output), expected)).toBeUndefined();
});

describe('when no checkpoint is whole, nothing is changed and the program never starts empty:', () => {
  const all = async (replay: Replay, change: (path: string) => Promise<void>) => {
    for (const name of await readdir(checkpointFolder(replay.output))) {
      await change(`${checkpointFolder(replay.output)}/${name}`);
    }
  };

  test.each(damages)('all %s', async (how, damage) => {
    const replay = await killed(`all-${how}`);
    await all(replay, damage);
    const before = await snapshot(replay.output, LOCK);
    for (let attempt = 1; attempt <= 2; attempt++) {
      const refused = await runReplay(replay);
      expect(refused).toMatchObject({ code: 1, stdout: '' });
      expect(refused.stderr).toMatch(/^tenant-analytics: No checkpoint in .* is whole: .*\[CHECKPOINT_CORRUPT\]$/m);
      for (const name of await checkpoints(replay.output)) expect(refused.stderr).toContain(name);
      expect(await snapshot(replay.output, LOCK)).toEqual(before);
    }
  });

  test('all but the file that the others build on', async () => {
    const replay = await killed('first-only');
    const [first] = await checkpoints(replay.output);
    await rm(`${checkpointFolder(replay.output)}/${first}`);
    const before = await snapshot(replay.output, LOCK);
    const refused = await runReplay(replay);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toMatch(/\[CHECKPOINT_CORRUPT\]\n$/);
    expect(await snapshot(replay.output, LOCK)).toEqual(before);
  });

  test('none there, but a base', async () => {
    const replay = await killed('base-only');
    await all(replay, (path) =>
      path.endsWith('chk-000000000001') ? rename(path, path.replace('chk-', 'base-')) : rm(path),
    );
    const before = await snapshot(replay.output, LOCK);
    const refused = await runReplay(replay);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(oneLine(refused.stderr)).toMatch(/\[CHECKPOINT_CORRUPT\]$/);
    expect(await snapshot(replay.output, LOCK)).toEqual(before);
  });
});

describe('when state is gone and output is there, the program refuses to add to it:', () => {
  test.each(['.state/checkpoints', '.state'])('%s removed', async (name) => {
    const replay = await killed(`without-${name.replace('/', '-')}`);
    await rm(`${replay.output}/${name}`, { recursive: true });
    const before = await resultOf(replay.output);
    const refused = await runReplay(replay);
    expect(refused).toMatchObject({ code: 2, stdout: '' });
    expect(oneLine(refused.stderr)).toMatch(/holds rows .* but no state.*\[OUTPUT_OCCUPIED\]$/);
    expect(resultDifference(await resultOf(replay.output), before)).toBeUndefined();
  });

  test('.state removed, where the output is dead letters alone', async () => {
    await writeFile(`${folder}/none.jsonl`, '');
    const replay = { ...replayInto('only-dead-letters'), companies: `${folder}/none.jsonl` };
    await completeReplay(replay);
    const before = await resultOf(replay.output);
    expect([before.rows.length, before.deadLetters.length]).toEqual([0, 4000]);
    await rm(`${replay.output}/.state`, { recursive: true });
    const refused = await runReplay(replay);
    expect(resultDifference(await resultOf(replay.output), before)).toBeUndefined();
    expect(refused).toMatchObject({ code: 2, stdout: '' });
  });
});

describe('when rows that the checkpoint counts on were changed by something else, the program stops:', () => {
  const firstOpenPart = async (replay: Replay) => {
    const { runID, open } = await partsInCheckpoint(replay.output);
    const part = open.find(({ bytes }) => bytes > 1);
    const name = `.part-${runID}-${String(part?.sequence).padStart(6, '0')}.jsonl.inprogress`;
    return `${replay.output}/${part?.partition}/${name}`;
  };

  test.each<[string, (path: string) => Promise<void>]>([
    ['removed', (path) => rm(path)],
    ['cut', (path) => truncate(path, 1)],
  ])('a part that is written to was %s', async (how, change) => {
    const replay = await killed(`part-${how}`);
    const path = await firstOpenPart(replay);
    await change(path);
    const refused = await runReplay(replay);
    expect(refused).toMatchObject({ code: 1, stdout: '' });
    expect(refused.stderr).toContain(path);
    expect(refused.stderr).toMatch(/\[OUTPUT_LOST\]\n$/);
  });
});
