import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { ByteWriter } from '../../base/bytes.ts';
import { encodeDeadLetter } from '../../core/dead-letter.ts';
import type { RejectionReason } from '../../runtime/contract.ts';
import { listDeadLetters, type StoredDeadLetter } from './dead-letters.ts';

let folder = '';
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dead-letters-'));
});
afterEach(() => rm(folder, { recursive: true }));

async function write(path: string, content: string | Uint8Array): Promise<void> {
  await mkdir(dirname(join(folder, path)), { recursive: true });
  await writeFile(join(folder, path), content);
}

/** Lines as the program writes them. */
function linesOf(...letters: [sequenceNumber: number, reason: RejectionReason][]): Uint8Array {
  const to = new ByteWriter();
  for (const [sequenceNumber, reason] of letters) {
    const origin = { source: 'jobs.csv', shardId: null, sequenceNumber: String(sequenceNumber), arrivalTime: 5 };
    encodeDeadLetter({ ...origin, reason, message: 'why', payload: Buffer.from('the, record') }, to);
  }
  return to.take();
}

async function listed(path = folder, reason?: string): Promise<StoredDeadLetter[]> {
  const letters: StoredDeadLetter[] = [];
  for await (const letter of listDeadLetters(path, reason)) letters.push(letter);
  return letters;
}

describe('dead letters are listed', () => {
  test('with all that the program wrote of them, in the order of their files', async () => {
    await write('_dead-letters/dt=1970-01-02/part-a-000001.jsonl', linesOf([3, 'late']));
    await write('_dead-letters/dt=1970-01-01/part-a-000000.jsonl', linesOf([1, 'malformed'], [2, 'oversized']));
    const letters = await listed();
    expect(letters.map(({ sequenceNumber, reason }) => [sequenceNumber, reason])).toEqual([
      ['1', 'malformed'],
      ['2', 'oversized'],
      ['3', 'late'],
    ]);
    expect(letters[0]).toEqual({
      ...{ source: 'jobs.csv', shardId: null, sequenceNumber: '1', arrivalTime: 5 },
      ...{ reason: 'malformed', message: 'why', payload: Buffer.from('the, record').toString('base64') },
    });
  });

  test.each([
    ['finished', 'part-a-000001.jsonl', ['1', '2']],
    ['gone', '../elsewhere', ['1']],
  ])('also of a part that is %s by the time its turn comes', async (_, name, expected) => {
    const open = '_dead-letters/dt=1970-01-02/.part-a-000001.jsonl.inprogress';
    await write('_dead-letters/dt=1970-01-01/part-a-000000.jsonl', linesOf([1, 'malformed']));
    await write(open, linesOf([2, 'malformed']));
    const found: string[] = [];
    for await (const { sequenceNumber } of listDeadLetters(folder, undefined)) {
      found.push(sequenceNumber);
      if (found.length === 1) await rename(join(folder, open), join(folder, dirname(open), name));
    }
    expect(found).toEqual(expected);
  });

  test('of one reason, when it is named', async () => {
    await write(
      '_dead-letters/dt=1/part.jsonl',
      linesOf([1, 'late'], [2, 'invalid'], [3, 'late'], [4, 'unknown-company']),
    );
    expect((await listed(folder, 'late')).map(({ sequenceNumber }) => sequenceNumber)).toEqual(['1', '3']);
    expect(await listed(folder, 'oversized')).toEqual([]);
  });

  test('from the folder of dead letters itself, and not the rows beside them', async () => {
    await write('_dead-letters/dt=1/part.jsonl', linesOf([1, 'late']));
    await write('_dead-letters/dt=1/.part.jsonl.inprogress', linesOf([2, 'late']));
    await write('dt=1/part.jsonl', '{"companyID":"a"}\n');
    expect(await listed(join(folder, '_dead-letters'))).toHaveLength(1);
    expect(await listed()).toHaveLength(1);
  });

  test('are none where there are none', async () => {
    expect(await listed()).toEqual([]);
  });
});

describe('what cannot be listed is told', () => {
  test('a reason that there is not, with those there are', async () => {
    const message = '--reason: expected malformed, invalid, oversized, late, unknown-company, got lost.';
    await expect(listed(folder, 'lost')).rejects.toThrow(expect.objectContaining({ code: 'USAGE', message }));
  });

  test('a line that is no dead letter, with its file and line', async () => {
    await write('_dead-letters/dt=1/part.jsonl', `${Buffer.from(linesOf([1, 'late']))}{"reason":"lost"}\n`);
    const message = expect.stringMatching(/part\.jsonl:2: expected a dead letter, got another record \(/);
    await expect(listed()).rejects.toThrow(expect.objectContaining({ code: 'INPUT_CORRUPT', message }));
  });

  test('a folder that is not there', async () => {
    await expect(listed(join(folder, 'none'))).rejects.toThrow(expect.objectContaining({ code: 'INPUT_UNREADABLE' }));
  });
});

describe('what is still written to', () => {
  test('is listed as far as it is whole: a letter shows soon after it came, and half a line is none', async () => {
    const open = '_dead-letters/dt=1970-01-01/.part-a-000002.jsonl.inprogress';
    await write('_dead-letters/dt=1970-01-01/part-a-000001.jsonl', linesOf([1, 'late']));
    await write(open, `${Buffer.from(linesOf([2, 'invalid']))}{"source":"jobs.csv","sha`);
    expect((await listed()).map(({ sequenceNumber }) => sequenceNumber).sort()).toEqual(['1', '2']);
  });
});

test('an output with rows and no dead letters yet has none', async () => {
  await write('dt=1970-01-01/part-a-000001.jsonl', '{"companyID":"a","trigger":"job","version":1}\n');
  expect(await listed()).toEqual([]);
});
