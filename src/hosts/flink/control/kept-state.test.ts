import { mkdir, mkdtemp, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import * as z from 'zod';
import { keep, kept, latestState, newestState } from './kept-state.ts';

const JOB = '0123456789abcdef0123456789abcdef';
const schema = z.object({ count: z.number() });
let scratch: string;
let folder: string;
let next = 0;

beforeAll(async () => {
  scratch = await mkdtemp(join(tmpdir(), 'kept-state-'));
});
afterAll(() => rm(scratch, { recursive: true, force: true }));
beforeEach(async () => {
  folder = join(scratch, String(next++));
  await mkdir(folder);
});

/** A state as Flink leaves it; whole when it has its `_metadata`. */
async function leave(path: string, second: number, content: string | undefined): Promise<string> {
  const at = join(folder, path);
  await mkdir(at, { recursive: true });
  if (content === undefined) return at;
  await writeFile(join(at, '_metadata'), content);
  await utimes(join(at, '_metadata'), second, second);
  return `file://${at}`;
}

test('what was kept is there again, and nothing else', async () => {
  expect(await kept(`${folder}/a.json`, schema)).toBeUndefined();
  await keep(`${folder}/a.json`, { count: 1 });
  await keep(`${folder}/a.json`, { count: 2 });
  expect(await kept(`${folder}/a.json`, schema)).toEqual({ count: 2 });
  expect(await readdir(folder)).toEqual(['a.json']);
});

test.each(['', '{"count"', '{"count":"x"}', 'null'])(
  '%j in its place is refused, not taken for nothing',
  async (text) => {
    await writeFile(`${folder}/a.json`, text);
    await expect(kept(`${folder}/a.json`, schema)).rejects.toMatchObject({ code: 'CHECKPOINT_CORRUPT' });
  },
);

test('the newest whole checkpoint of a job is found, by time and not by its name', async () => {
  expect(await newestState(folder, JOB)).toBeUndefined();
  await leave(`checkpoints/${JOB}/chk-9`, 100, 'x');
  const newest = await leave(`checkpoints/${JOB}/chk-10`, 200, 'x');
  await leave(`checkpoints/${JOB}/chk-11`, 300, undefined);
  await leave(`checkpoints/${JOB}/chk-12`, 300, '');
  await leave(`checkpoints/${JOB}/shared`, 400, 'x');
  await leave('checkpoints/ffffffffffffffffffffffffffffffff/chk-99', 500, 'x');
  expect(await newestState(folder, JOB)).toBe(newest);
});

test('a savepoint that is later than the last checkpoint is found: its stop was cut short', async () => {
  await leave(`checkpoints/${JOB}/chk-3`, 100, 'x');
  const savepoint = await leave('savepoints/savepoint-012345-aaaa', 200, 'x');
  await leave('savepoints/savepoint-999999-bbbb', 300, 'x');
  expect(await newestState(folder, JOB)).toBe(savepoint);
});

describe('where a job came to, as its cluster tells it', () => {
  const of = (id: number, kind: string) => ({
    ...{ id, external_path: `file:/${kind}-${id}` },
    ...{ end_to_end_duration: 1, state_size: 1, latest_ack_timestamp: 1 },
  });
  test.each([
    ['nothing', {}, undefined],
    ['a checkpoint', { completed: of(40, 'chk'), savepoint: null }, 'file:/chk-40'],
    ['a savepoint', { savepoint: of(3, 'savepoint') }, 'file:/savepoint-3'],
    ['the checkpoint after a savepoint', { completed: of(41, 'chk'), savepoint: of(7, 'savepoint') }, 'file:/chk-41'],
    [
      'the savepoint it was stopped with',
      { completed: of(40, 'chk'), savepoint: of(41, 'savepoint') },
      'file:/savepoint-41',
    ],
  ])('%s', (_, latest, path) => {
    expect(latestState({ latest })).toBe(path);
  });
});
