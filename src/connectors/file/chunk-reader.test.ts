import { mkdtemp, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { LIMITS } from '../../base/limits.ts';
import { type ChunkReader, isGzip, openChunks } from './chunk-reader.ts';
import { FilePartition } from './file-partition.ts';
import type { FilePosition } from './first-line.ts';

let folder = '';
let files = 0;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'chunk-reader-'));
});
afterAll(() => rm(folder, { recursive: true }));

async function fileOf(content: Uint8Array): Promise<string> {
  const path = join(folder, `file-${files++}`);
  await writeFile(path, content);
  return path;
}

async function rest(reader: ChunkReader): Promise<Buffer> {
  const pieces: Buffer[] = [];
  for (let piece = await reader.read(); piece !== undefined; piece = await reader.read())
    pieces.push(Buffer.from(piece));
  await reader.close();
  return Buffer.concat(pieces);
}

/** Lines of many lengths; one of them lies over each end of a piece. */
const lines = Array.from({ length: 30_000 }, (_, n) => `${n}:${'é'.repeat((n * 7919) % 41)}`);
const content = Buffer.from(lines.join('\n'));
const forms = [
  ['a plain file', false, (bytes: Uint8Array) => bytes],
  ['a gzip file', true, (bytes: Uint8Array) => gzipSync(bytes)],
] as const;

describe.each(forms)('%s', (_, gzip, formOf) => {
  const open = async (bytes: Uint8Array, offset: number): Promise<ChunkReader> => {
    const form = formOf(bytes);
    return openChunks(await fileOf(form), gzip, form.length, offset);
  };

  test('gives all its bytes, piece by piece, and counts them', async () => {
    expect(content.length).toBeGreaterThan(2 * LIMITS.readBytes);
    const form = formOf(content);
    const reader = await openChunks(await fileOf(form), gzip, form.length, 0);
    expect((await rest(reader)).equals(content)).toBe(true);
    expect(reader.consumed).toBe(form.length);
  });

  test('goes on from any offset', async () => {
    const edge = LIMITS.readBytes;
    for (const offset of [1, 1000, edge - 1, edge, edge + 1, 2 * edge, content.length - 1, content.length]) {
      expect((await rest(await open(content, offset))).equals(content.subarray(offset)), `from ${offset}`).toBe(true);
    }
  });

  test('may be empty, and may be left before its end', async () => {
    expect((await rest(await open(new Uint8Array(0), 0))).length).toBe(0);
    const reader = await open(content, 0);
    await reader.read();
    await reader.close();
    const untouched = await open(content, 0);
    await untouched.close();
  });

  test('has its lines over the ends of pieces, also when reading stops and goes on', async () => {
    const form = formOf(content);
    const path = await fileOf(form);
    let position: FilePosition = { offset: 0, line: 0 };
    const read: string[] = [];
    for (const most of [1, 10_000, 20, 1, 100_000]) {
      const partition = new FilePartition(
        {
          path,
          baseName: 'f',
          sourceID: 's',
          gzip,
          size: form.length,
          arrivalTime: 0,
          columns: null,
          maxRecordBytes: 1000,
        },
        position,
      );
      const until = read.length + most;
      const visit = (bytes: Uint8Array, from: number, to: number): boolean =>
        read.push(Buffer.from(bytes.subarray(from, to)).toString()) < until;
      let status = partition.deliver(visit, () => expect.fail('nothing is too long'));
      while (status === 'empty') {
        await partition.fill();
        status = partition.deliver(visit, () => expect.fail('nothing is too long'));
      }
      position = partition.position() as unknown as FilePosition;
      const progress = partition.progress();
      expect(progress.total).toBe(form.length);
      expect(progress.read).toBeLessThanOrEqual(form.length);
      await partition.close();
    }
    expect(read).toEqual(lines);
    expect(position).toEqual({ offset: content.length, line: lines.length });
  });
});

describe('a file that is not what it was', () => {
  const corrupt = (message: string) =>
    expect.objectContaining({ code: 'INPUT_CORRUPT', message: expect.stringContaining(message) });

  test('a gzip file cut short is corrupt, however much of it is there', async () => {
    const whole = gzipSync(content);
    for (const length of [2, 9, 10, 1000, whole.length >> 1, whole.length - 9, whole.length - 1]) {
      const reader = await openChunks(await fileOf(whole.subarray(0, length)), true, length, 0);
      await expect(rest(reader), `cut at ${length}`).rejects.toThrow(corrupt('expected a whole gzip file'));
      await reader.close();
    }
  });

  test('a gzip file with a changed byte is corrupt', async () => {
    const changed = gzipSync(content);
    changed[changed.length >> 1] = (changed[changed.length >> 1] ?? 0) ^ 0xff;
    const reader = await openChunks(await fileOf(changed), true, changed.length, 0);
    await expect(rest(reader)).rejects.toThrow(corrupt('breaks off or was changed'));
    await reader.close();
  });

  test('a plain file that became shorter is corrupt, with both sizes', async () => {
    const path = await fileOf(content);
    const reader = await openChunks(path, false, content.length, 0);
    await truncate(path, LIMITS.readBytes);
    await expect(rest(reader)).rejects.toThrow(corrupt(`expected ${content.length} bytes, got ${LIMITS.readBytes}`));
    await reader.close();
  });

  test('what was appended meanwhile is not read', async () => {
    const path = await fileOf(Buffer.from('first\nmore\n'));
    expect((await rest(await openChunks(path, false, 6, 0))).toString()).toBe('first\n');
  });

  test('gzip files one after the other are read as one', async () => {
    const both = Buffer.concat([gzipSync('first\n'), gzipSync(''), gzipSync('second\n')]);
    const reader = await openChunks(await fileOf(both), true, both.length, 3);
    expect((await rest(reader)).toString()).toBe('st\nsecond\n');
  });
});

test('gzip is known by its first two bytes', () => {
  expect(isGzip(gzipSync(''))).toBe(true);
  for (const bytes of [[], [0x1f], [0x8b, 0x1f], [0x7b, 0x22]]) expect(isGzip(Uint8Array.from(bytes))).toBe(false);
});
