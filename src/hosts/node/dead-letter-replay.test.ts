import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { SimulatedKinesis } from '../../../test/support/simulated-kinesis.ts';
import { VirtualTime } from '../../../test/support/virtual-time.ts';
import { KinesisFailure } from '../../connectors/kinesis/kinesis-api.ts';
import type { World } from '../../runtime/ports.ts';
import { type DeadLetterReplayRequest, replayDeadLetters } from './dead-letter-replay.ts';
import type { StoredDeadLetter } from './dead-letters.ts';

let folder = '';
let kinesis: SimulatedKinesis;
let world: World;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'dead-letter-replay-'));
  const time = new VirtualTime(1_750_000_000_000);
  kinesis = new SimulatedKinesis({ clock: time.clock, sleep: (ms, signal) => time.after(ms, signal) });
  for (const stream of ['bigdatajobs', 'companies']) kinesis.createStream(stream);
  const nothing = () => undefined;
  const { clock, sleep } = time;
  world = { files: {} as World['files'], clock, sleep, probe: nothing, warn: nothing, random: () => 0 };
});
afterEach(() => rm(folder, { recursive: true }));

function letter(sequenceNumber: string, record: string, more: Partial<StoredDeadLetter> = {}): StoredDeadLetter {
  return {
    ...{ source: 'bigdatajobs', shardId: 'shardId-000000000000', sequenceNumber, arrivalTime: 5 },
    ...{ reason: 'malformed', message: 'why', payload: Buffer.from(record).toString('base64'), ...more },
  };
}

/** Written to the output of a run, or to a file of that name. */
async function write(letters: readonly StoredDeadLetter[], file?: string): Promise<string> {
  const path = join(folder, file ?? '_dead-letters/dt=1970-01-01/part-a-000000.jsonl');
  await mkdir(join(path, '..'), { recursive: true });
  await writeFile(path, letters.map((each) => `${JSON.stringify(each)}\n`).join(''));
  return file === undefined ? folder : path;
}

const replayed = (place: string, more: Partial<DeadLetterReplayRequest> = {}) =>
  replayDeadLetters(
    { place, reason: undefined, stream: undefined, again: false, dryRun: false, ...more },
    kinesis,
    world,
  );

const arrived = (stream = 'bigdatajobs') =>
  kinesis.arrived(stream).map(({ data, partitionKey }) => `${partitionKey} ${Buffer.from(data)}`);

describe('dead letters are sent again', () => {
  test('each to the stream it came from, byte by byte, in their order, with the company as partition key', async () => {
    const bytes = Buffer.from([0xff, 0x00, 0x7b]);
    const place = await write([
      letter('1', '{"companyID":"a","nbJobs":1"}'),
      letter('2', '', { payload: bytes.toString('base64') }),
      letter('3', '{"companyID":"a"}', { source: 'companies' }),
    ]);
    expect(await replayed(place)).toEqual({ sent: 3, before: 0, cut: 0, tooLarge: 0 });
    expect(arrived()[0]).toBe('a {"companyID":"a","nbJobs":1"}');
    expect(Buffer.from(kinesis.arrived('bigdatajobs')[1]?.data ?? [])).toEqual(bytes);
    expect(arrived('companies')).toEqual(['a {"companyID":"a"}']);
  });

  test('once: a second call sends what came since', async () => {
    const first = [letter('1', 'one'), letter('2:0', 'two'), letter('2:1', 'three')];
    const place = await write(first);
    expect(await replayed(place)).toEqual({ sent: 3, before: 0, cut: 0, tooLarge: 0 });
    await write([...first, letter('4', 'four')]);
    expect(await replayed(place)).toEqual({ sent: 1, before: 3, cut: 0, tooLarge: 0 });
    expect(await replayed(place)).toEqual({ sent: 0, before: 4, cut: 0, tooLarge: 0 });
    expect(arrived()).toHaveLength(4);
    expect(await replayed(place, { again: true })).toEqual({ sent: 4, before: 0, cut: 0, tooLarge: 0 });
  });

  test('those before one that cannot be sent are not sent again when it can', async () => {
    const place = await write([letter('1', 'one'), letter('2', 'two'), letter('3', 'three', { shardId: null })]);
    await expect(replayed(place)).rejects.toMatchObject({ code: 'USAGE' });
    expect(await replayed(place, { stream: 'bigdatajobs' })).toEqual({ sent: 1, before: 2, cut: 0, tooLarge: 0 });
    expect(arrived().map((each) => each.split(' ')[1])).toEqual(['one', 'two', 'three']);
  });

  test('as someone mended them, from a file', async () => {
    const place = await write(
      [letter('1', '{"nbJobs":1"}', { record: '{"companyID":"ä","nbJobs":1}' })],
      'mended.jsonl',
    );
    await replayed(place);
    expect(arrived()).toEqual(['ä {"companyID":"ä","nbJobs":1}']);
    expect(await readFile(`${place}.replayed`, 'utf8')).toContain('"bigdatajobs"');
    expect(await replayed(place)).toEqual({ sent: 0, before: 1, cut: 0, tooLarge: 0 });
  });

  test('of one reason, or to another stream, when that is asked for', async () => {
    const place = await write([letter('1', 'one'), letter('2', 'two', { reason: 'unknown-company' })]);
    expect(await replayed(place, { reason: 'unknown-company', stream: 'companies' })).toMatchObject({ sent: 1 });
    expect([arrived(), arrived('companies')]).toEqual([[], ['2 two']]);
  });

  test('but not when only the head of a record was kept, unless the whole is given', async () => {
    const cut = letter('1', 'head', { reason: 'oversized' });
    expect(await replayed(await write([cut]))).toEqual({ sent: 0, before: 0, cut: 1, tooLarge: 0 });
    expect(await replayed(await write([{ ...cut, record: 'whole' }]))).toEqual({
      sent: 1,
      before: 0,
      cut: 0,
      tooLarge: 0,
    });
    expect(arrived()).toEqual(['1 whole']);
  });

  test('but not one that was mended to more than a stream takes: it is told, and does not count as sent', async () => {
    const large = letter('1', 'head', { reason: 'oversized', record: 'x'.repeat(1024 * 1024 + 1) });
    const place = await write([large, letter('2', 'two')]);
    expect(await replayed(place)).toEqual({ sent: 1, before: 0, cut: 0, tooLarge: 1 });
    expect(await replayed(place)).toEqual({ sent: 0, before: 1, cut: 0, tooLarge: 1 });
  });

  test('in more than one request, all of them', async () => {
    const many = Array.from({ length: 1201 }, (_, index) => letter(`${index}`, `{"companyID":"c${index % 7}"}`));
    expect(await replayed(await write(many))).toMatchObject({ sent: 1201 });
    expect(arrived()).toHaveLength(1201);
  });

  test('not at all in a dry run', async () => {
    const place = await write([letter('1', 'one')]);
    expect(await replayed(place, { dryRun: true })).toEqual({ sent: 1, before: 0, cut: 0, tooLarge: 0 });
    expect(arrived()).toEqual([]);
    expect(await replayed(place)).toMatchObject({ sent: 1 });
  });
});

describe('what keeps them from being sent is told', () => {
  test('letters of a file belong to no stream', async () => {
    const place = await write([letter('7', 'x', { source: 'jobs.csv', shardId: null })]);
    await expect(replayed(place)).rejects.toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringContaining('jobs.csv:7 came from a file') }),
    );
    expect(await replayed(place, { stream: 'bigdatajobs' })).toMatchObject({ sent: 1 });
  });

  test('a stream that is not there, and then nothing counts as sent', async () => {
    const place = await write([letter('1', 'x', { source: 'gone' })]);
    await expect(replayed(place)).rejects.toThrow(expect.objectContaining({ code: 'STREAM_NOT_FOUND' }));
    kinesis.createStream('gone');
    expect(await replayed(place)).toMatchObject({ sent: 1, before: 0 });
  });

  test('a refusal', async () => {
    kinesis.faults = { fault: () => new KinesisFailure('refused', 'AccessDeniedException', 'not allowed') };
    const refused = expect.objectContaining({ code: 'KINESIS_REFUSED' });
    await expect(replayed(await write([letter('1', 'x')]))).rejects.toThrow(refused);
  });

  test('a place on S3, with how to get it here', async () => {
    const message = expect.stringContaining('aws s3 sync s3://bucket/rows');
    await expect(replayed('s3://bucket/rows')).rejects.toThrow(
      expect.objectContaining({ code: 'INPUT_UNREADABLE', message }),
    );
  });
});
