import { readdirSync } from 'node:fs';
import { cp, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from 'vitest';
import { decodeCheckpoint, encodeCheckpoint } from '../../src/runtime/checkpoint-format.ts';
import { checkpointFolder, checkpoints, temporaryFolder } from './folders.ts';
import { GOLDEN } from './golden-state.ts';
import { canonical, deadLetters, lineAndReason, parts, unfinished } from './outputs.ts';
import { completeReplay, oneLine, type Replay, runReplay } from './program.ts';

const FIXTURES = fileURLToPath(new URL('../fixtures/', import.meta.url));
const formats = readdirSync(FIXTURES).filter((name) => name.startsWith('replay-format-'));

test('there is state of the first format', () => {
  expect(formats).toContain('replay-format-1');
});

const replayIn = (folder: string): Replay => ({
  companies: `${folder}/${GOLDEN.companies}`,
  jobs: `${folder}/${GOLDEN.jobs}`,
  output: `${folder}/${GOLDEN.output}`,
  settings: GOLDEN.settings,
});

describe.each(formats)('a replay that an older program was killed in: %s', (format) => {
  test('goes on to the right result, and leaves what was visible as it was', async () => {
    const folder = await temporaryFolder();
    await cp(`${FIXTURES}${format}`, folder, { recursive: true });
    const replay = replayIn(folder);
    const visible = await parts(replay.output);
    expect(visible.length).toBeGreaterThan(0);

    expect((await completeReplay(replay)).stderr).toBe('Going on from the last checkpoint.\n');
    expect(await canonical(replay.output)).toBe(await readFile(`${folder}/${GOLDEN.canonical}`, 'utf8'));
    const letters = await deadLetters(replay.output);
    expect(letters.map(lineAndReason).map(({ line, reason }) => `${line},${reason}\n`)).toEqual(
      (await readFile(`${folder}/${GOLDEN.deadLetters}`, 'utf8')).split(/(?<=\n)/),
    );
    expect(new Set(letters.map((letter) => letter.arrivalTime))).toEqual(new Set([GOLDEN.arrivalTime]));
    expect(await unfinished(replay.output)).toEqual([]);
    for (const path of visible) {
      const before = await readFile(`${FIXTURES}${format}/${GOLDEN.output}/${path}`);
      expect((await readFile(`${replay.output}/${path}`)).equals(before), path).toBe(true);
    }
  });

  test('goes on when it did not know a parameter that is at its default, and refuses when that is another', async () => {
    const folder = await temporaryFolder();
    await cp(`${FIXTURES}${format}`, folder, { recursive: true });
    const replay = replayIn(folder);
    for (const name of await checkpoints(replay.output))
      await forgetParameter(`${checkpointFolder(replay.output)}/${name}`);

    const refused = await runReplay({ ...replay, settings: [...GOLDEN.settings, 'event.maxFuture=2 h'] });
    expect(refused.code).toBe(2);
    expect(oneLine(refused.stderr)).toMatch(/event\.maxFuture.*\[INPUT_CHANGED\]$/);

    expect((await runReplay(replay)).stderr).toBe('Going on from the last checkpoint.\n');
    expect(await canonical(replay.output)).toBe(await readFile(`${folder}/${GOLDEN.canonical}`, 'utf8'));
  });
});

/** Makes a checkpoint as a program would have written it that had no `event.maxFuture` yet. */
async function forgetParameter(path: string): Promise<void> {
  const { meta, stages } = decodeCheckpoint(await readFile(path));
  const body = JSON.parse(JSON.stringify(meta.body));
  expect(body.identity.parameters).toHaveProperty(['event.maxFuture']);
  delete body.identity.parameters['event.maxFuture'];
  await writeFile(path, encodeCheckpoint({ meta: { ...meta, body }, stages }));
}
