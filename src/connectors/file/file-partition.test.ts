import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ChunkReader } from './chunk-reader.ts';
import { FilePartition } from './file-partition.ts';
import type { FilePosition } from './first-line.ts';

/** What a partition hands on: a record, or the head of one that is too long and its whole size. */
interface Delivered {
  readonly line: number;
  readonly bytes: string;
  readonly tooLong?: number;
}

const LIMIT = 12;
const options = {
  path: '/not/opened',
  baseName: 'jobs.jsonl',
  sourceID: 'jobs',
  gzip: false,
  size: 1000,
  arrivalTime: 1_750_000_000_000,
  columns: null,
  maxRecordBytes: LIMIT,
};

/** Hands out the content in pieces that end where `cuts` says; a piece is only lent until the next. */
function piecesOf(content: Uint8Array, cuts: readonly number[]): (offset: number) => Promise<ChunkReader> {
  return async (offset) => {
    let at = offset;
    let index = 0;
    let lent = new Uint8Array(0);
    return {
      consumed: 0,
      close: async () => undefined,
      read: async () => {
        lent.fill(0x0a);
        if (at >= content.length) return undefined;
        const size = Math.max(1, cuts[index++ % Math.max(1, cuts.length)] ?? content.length);
        lent = content.slice(at, at + size);
        at += lent.length;
        return lent;
      },
    };
  };
}

/** The same by splitting the whole text, one character being one byte. */
function expectedOf(content: string, max = LIMIT): Delivered[] {
  const lines = content.split('\n');
  if (lines.at(-1) === '') lines.pop();
  return lines.flatMap((raw, index): Delivered[] => {
    const bytes = raw.endsWith('\r') ? raw.slice(0, -1) : raw;
    if (bytes.length > max) return [{ line: index + 1, bytes: bytes.slice(0, max), tooLong: raw.length }];
    return /^[ \t\r]*$/.test(bytes) ? [] : [{ line: index + 1, bytes }];
  });
}

interface Read {
  readonly delivered: Delivered[];
  /** Where reading would go on after each of them. */
  readonly positions: FilePosition[];
}

/** Reads to the end; the engine pauses after each record that `pauses` says. */
async function readAll(partition: FilePartition, pauses: readonly boolean[] = []): Promise<Read> {
  const read: Read = { delivered: [], positions: [] };
  const take = (delivered: Delivered): boolean => {
    read.delivered.push(delivered);
    read.positions.push(partition.position() as unknown as FilePosition);
    return pauses[read.delivered.length % Math.max(1, pauses.length)] !== true;
  };
  for (let status = 'empty'; status !== 'ended'; ) {
    status = partition.deliver(
      (bytes, from, to, { sequenceNumber }) =>
        take({ line: Number(sequenceNumber), bytes: Buffer.from(bytes.subarray(from, to)).toString('latin1') }),
      (head, size, { sequenceNumber }) =>
        take({ line: Number(sequenceNumber), bytes: Buffer.from(head).toString('latin1'), tooLong: size }),
    );
    if (status === 'empty') await partition.fill();
  }
  await partition.close();
  return read;
}

const start: FilePosition = { offset: 0, line: 0 };
function open(content: string, cuts: readonly number[], from = start, max = LIMIT): FilePartition {
  const pieces = piecesOf(Buffer.from(content, 'latin1'), cuts);
  return new FilePartition({ ...options, size: content.length, maxRecordBytes: max, open: pieces }, from);
}

const anyPiece = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom('\n', '\r\n', '\r', ' ', '\t', 'a', '\n\n', '\u00e9') },
  {
    weight: 4,
    arbitrary: fc.integer({ min: 0, max: 2 * LIMIT }).map((length) => 'abcdefghijklmnopqrstuvwxyz'.slice(0, length)),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('x'.repeat(LIMIT - 1), 'x'.repeat(LIMIT), 'x'.repeat(LIMIT + 1), 'x'.repeat(100)),
  },
);
const anyContent = fc.array(anyPiece, { maxLength: 25 }).map((pieces) => pieces.join(''));
const anyCuts = fc.array(fc.integer({ min: 1, max: 30 }), { maxLength: 10 });

describe('the lines of a file', () => {
  test('are the same wherever the pieces that were read end, and whenever the engine pauses', async () => {
    await fc.assert(
      fc.asyncProperty(anyContent, anyCuts, fc.array(fc.boolean(), { maxLength: 5 }), async (content, cuts, pauses) => {
        const { delivered } = await readAll(open(content, cuts), pauses);
        expect(delivered).toEqual(expectedOf(content));
      }),
      { numRuns: 1500 },
    );
  });

  test('go on from every position as if reading had not stopped', async () => {
    await fc.assert(
      fc.asyncProperty(anyContent, anyCuts, async (content, cuts) => {
        const whole = await readAll(open(content, cuts));
        for (const [index, position] of whole.positions.entries()) {
          const rest = await readAll(open(content, [...cuts].reverse(), position));
          expect(rest.delivered).toEqual(whole.delivered.slice(index + 1));
          expect(rest.positions).toEqual(whole.positions.slice(index + 1));
        }
      }),
      { numRuns: 300 },
    );
  });

  test.each<[string, string, Delivered[]]>([
    [
      'end with a line feed, or with CR LF',
      'a\nb\r\n',
      [
        { line: 1, bytes: 'a' },
        { line: 2, bytes: 'b' },
      ],
    ],
    [
      'may miss it at the end of the file',
      'a\nb',
      [
        { line: 1, bytes: 'a' },
        { line: 2, bytes: 'b' },
      ],
    ],
    [
      'may miss it after a CR',
      'a\nb\r',
      [
        { line: 1, bytes: 'a' },
        { line: 2, bytes: 'b' },
      ],
    ],
    ['keep a CR inside', 'a\rb\n', [{ line: 1, bytes: 'a\rb' }]],
    ['lose one CR of two', 'a\r\r\n', [{ line: 1, bytes: 'a\r' }]],
    ['keep blanks around', ' a \n', [{ line: 1, bytes: ' a ' }]],
    ['that are blank are counted and passed over', '\n\r\n \t\r\r\n\nlast', [{ line: 5, bytes: 'last' }]],
    ['are none in an empty file', '', []],
    ['are none in a file of blank lines', '\n\n \n', []],
  ])('%s', async (_, content, expected) => {
    for (const cuts of [[], [1], [2]]) expect((await readAll(open(content, cuts))).delivered).toEqual(expected);
  });
});

describe('a record at the size limit', () => {
  const exact = 'x'.repeat(LIMIT);

  test('is delivered, its line end not counted', async () => {
    for (const content of [exact, `${exact}\n`, `${exact}\r\n`, `${exact}\r`]) {
      for (const cuts of [[], [1], [LIMIT], [LIMIT + 1]]) {
        expect((await readAll(open(content, cuts))).delivered).toEqual([{ line: 1, bytes: exact }]);
      }
    }
  });

  test('and one byte more is told as too long, with its head and its whole size', async () => {
    for (const cuts of [[], [1], [LIMIT], [LIMIT + 1], [LIMIT + 2]]) {
      const { delivered, positions } = await readAll(open(`${exact}y\nnext\n`, cuts));
      expect(delivered).toEqual([
        { line: 1, bytes: exact, tooLong: LIMIT + 1 },
        { line: 2, bytes: 'next' },
      ]);
      expect(positions).toEqual([
        { offset: LIMIT + 2, line: 1 },
        { offset: LIMIT + 7, line: 2 },
      ]);
    }
  });

  test('however long a line is, only its head is held', async () => {
    const long = 'z'.repeat(3_000_000);
    const { delivered } = await readAll(open(`${long}\n${long}`, [64 * 1024]));
    expect(delivered).toEqual([
      { line: 1, bytes: 'z'.repeat(LIMIT), tooLong: 3_000_000 },
      { line: 2, bytes: 'z'.repeat(LIMIT), tooLong: 3_000_000 },
    ]);
  });
});

describe('what a record is told to come from', () => {
  test('is its file, its physical line, and the arrival of the file', async () => {
    const partition = open('a\n\nb\n', [], { offset: 0, line: 4 });
    const metas: object[] = [];
    await partition.fill();
    const note = (_bytes: Uint8Array, _from: number, _to: number, meta: object): boolean => metas.push({ ...meta }) > 0;
    partition.deliver(note, () => expect.fail('nothing is too long'));
    const meta = {
      source: 'jobs.jsonl',
      shardId: null,
      subSequence: null,
      arrivalTime: 1_750_000_000_000,
      live: false,
    };
    expect(metas).toEqual([
      { ...meta, sequenceNumber: 5, columns: null },
      { ...meta, sequenceNumber: 7, columns: null },
    ]);
    expect([partition.id, partition.sourceID]).toEqual(['jobs:jobs.jsonl', 'jobs']);
  });

  test('nothing is delivered after the end, and the position stays', async () => {
    const partition = open('a', []);
    await readAll(partition);
    const fail = (): boolean => expect.fail('delivered after the end');
    expect(partition.deliver(fail, fail)).toBe('ended');
    expect(partition.position()).toEqual({ offset: 1, line: 1 });
  });
});
