import { cp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { decodeCheckpoint } from '../../src/runtime/checkpoint-format.ts';
import { checkpointFolder, checkpoints, temporaryFolder } from './folders.ts';
import { input } from './inputs.ts';
import { type Result, resultDifference, resultOf, unfinished } from './outputs.ts';
import { completeReplay, type Replay, runToCrash } from './program.ts';

/** State of more than the 4 MiB from which checkpoints are compacted, compacted when the program does so. */
describe('a replay with large state, killed once that was compacted,', () => {
  let folder: string;
  let expected: Result;
  const replayInto = (output: string): Replay => ({
    companies: `${folder}/companies.jsonl`,
    jobs: `${folder}/jobs.jsonl`,
    output: `${folder}/${output}`,
    settings: ['checkpoint.interval=20ms', 'activity.decay=off'],
  });
  const killedOnce = async (output: string): Promise<Replay> => {
    const replay = replayInto(output);
    await rm(replay.output, { recursive: true, force: true });
    await cp(`${folder}/killed`, replay.output, { recursive: true });
    return replay;
  };

  beforeAll(async () => {
    folder = await temporaryFolder();
    const made = input(81, { companies: 80_000, jobs: 60_000, days: 2, padding: 250 });
    await writeFile(`${folder}/companies.jsonl`, made.companies);
    await writeFile(`${folder}/jobs.jsonl`, made.jobs);
    await completeReplay(replayInto('alone'));
    expected = await resultOf(`${folder}/alone`);

    const killed = replayInto('killed');
    // Half-way through: checkpoints build on a base one or two after it came to be.
    const order = {
      after: 'compaction:base-renamed',
      point: 'checkpoint:committed',
      occurrence: 3,
      compact: false,
    } as const;
    expect(await runToCrash(killed, order)).toMatchObject({ signal: 'SIGKILL' });
    expect(await baseInUse(killed.output)).toBeDefined();
  });

  test('goes on from it to the right result', async () => {
    const replay = await killedOnce('goes-on');
    expect((await completeReplay(replay)).stderr).toBe('Going on from the last checkpoint.\n');
    expect(resultDifference(await resultOf(replay.output), expected)).toBeUndefined();
    expect(await unfinished(replay.output)).toEqual([]);
  });

  test('and whose compacted state was then torn, comes to the right result from what it was made of', async () => {
    const replay = await killedOnce('torn');
    const base = await baseInUse(replay.output);
    await truncate(`${checkpointFolder(replay.output)}/${base}`, 1_000_000);
    expect((await completeReplay(replay)).stderr).toContain(`cannot be used (${base}: expected`);
    expect(resultDifference(await resultOf(replay.output), expected)).toBeUndefined();
  });
});

/** The base that the newest checkpoint builds on. */
async function baseInUse(output: string): Promise<string | undefined> {
  const newest = (await checkpoints(output)).at(-1);
  if (newest === undefined) return undefined;
  const { meta } = decodeCheckpoint(await readFile(`${checkpointFolder(output)}/${newest}`));
  return meta.chain.find((name) => name.startsWith('base-'));
}
