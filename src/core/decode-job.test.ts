import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { MAX_TIME } from '../base/time.ts';
import { type RecordMeta, Rejection } from '../runtime/contract.ts';
import { decodeJob, jobDecoder } from './decode-job.ts';
import type { JobEvent } from './events.ts';

const HOUR_MS = 3_600_000;
const ARRIVAL = Date.UTC(2025, 4, 6, 7, 8, 9, 10);
const fromFile: RecordMeta = {
  source: 'jobs.jsonl',
  shardId: null,
  sequenceNumber: 7,
  subSequence: null,
  arrivalTime: ARRIVAL,
  live: false,
  columns: null,
};
const fromShard: RecordMeta = {
  ...fromFile,
  source: 'bigdatajobs',
  shardId: 'shardId-000000000002',
  sequenceNumber: '49590338271490256608559692538361571095921575989136588898',
  live: true,
};
const decodeLive = jobDecoder(HOUR_MS);

/** By the whole decoder and by the one with the shortcut, which must say the same. */
function decodeBytes(bytes: Uint8Array, meta: RecordMeta): JobEvent | Rejection {
  const decoded = decodeJob(bytes, 0, bytes.length, meta);
  expect(decodeLive(bytes, 0, bytes.length, { ...meta, live: false })).toEqual(decoded);
  return decoded;
}

function decode(record: string | object, meta = fromFile): JobEvent | Rejection {
  return decodeBytes(Buffer.from(typeof record === 'string' ? record : JSON.stringify(record)), meta);
}

const plain = { companyID: 'comp_4', userID: 'user_1', nbJobs: 1 };

describe('a job event in JSON', () => {
  test('needs a company, a user and a number of jobs; the rest is filled in', () => {
    expect(decode('{"companyID":"comp_4","userID":"user_1","nbJobs":1}')).toEqual({
      kind: 'job',
      companyID: 'comp_4',
      userID: 'user_1',
      nbJobs: 1,
      time: ARRIVAL,
      dataSize: null,
      eventID: 'jobs.jsonl:7',
    });
  });

  test('may carry its time, its size and its id', () => {
    expect(decode({ ...plain, creationDate: 1_700_000_000_000, dataSize: 2048, eventID: 'e-1' })).toMatchObject({
      time: 1_700_000_000_000,
      dataSize: 2048,
      eventID: 'e-1',
    });
  });

  test.each<[string, string | object, Partial<JobEvent>]>([
    ['company_id names the company', { company_id: 'a', userID: 'u', nbJobs: 1 }, { companyID: 'a' }],
    ['tenantID names the company', { tenantID: 'a', userID: 'u', nbJobs: 1 }, { companyID: 'a' }],
    ['companyID stands over its other names', { company_id: 'x', ...plain, tenantID: 'y' }, { companyID: 'comp_4' }],
    ['a null companyID gives way to another name', { ...plain, companyID: null, tenantID: 'y' }, { companyID: 'y' }],
    ['the last of two equal names counts', '{"companyID":"a","userID":"u","nbJobs":1,"nbJobs":2}', { nbJobs: 2 }],
    [
      'null is absent',
      { ...plain, creationDate: null, dataSize: null, eventID: null },
      { time: ARRIVAL, dataSize: null },
    ],
    ['unknown fields are passed over', { ...plain, job: { deep: [1, null] }, CompanyID: 'x', userid: 7 }, plain],
    [
      'fields may come in any order, with blanks',
      ' \t{ "nbJobs" : 1 ,\r\n"userID":"user_1", "companyID":"comp_4"} ',
      plain,
    ],
    [
      'escapes are read',
      '{"companyID":"\\u0061\\n\\"","userID":"\\ud83d\\ude80","nbJobs":1}',
      { companyID: 'a\n"', userID: '🚀' },
    ],
    ['text is kept as it came', { ...plain, companyID: ' padded ', userID: 'Žluťoučký 🐎' }, { companyID: ' padded ' }],
    ['a user may have an empty name', { ...plain, userID: '' }, { userID: '' }],
    ['no jobs are a number of jobs', { ...plain, nbJobs: 0 }, { nbJobs: 0 }],
    [
      '-0 is 0',
      '{"companyID":"c","userID":"u","nbJobs":-0,"dataSize":-0,"creationDate":-0}',
      { nbJobs: 0, dataSize: 0, time: 0 },
    ],
    [
      'the most that stays exact is taken',
      { ...plain, nbJobs: 2 ** 53 - 1, dataSize: 2 ** 53 - 1 },
      { nbJobs: 2 ** 53 - 1 },
    ],
    ['a whole number may be written otherwise', '{"companyID":"c","userID":"u","nbJobs":1.2e1}', { nbJobs: 12 }],
    ['a size of 0 is a size', { ...plain, dataSize: 0 }, { dataSize: 0 }],
    [
      'creationDate may be ISO 8601',
      { ...plain, creationDate: '2025-01-02T03:04:05+01:00' },
      { time: Date.UTC(2025, 0, 2, 2, 4, 5) },
    ],
    [
      '… without an offset it is UTC',
      { ...plain, creationDate: '2025-01-02 03:04' },
      { time: Date.UTC(2025, 0, 2, 3, 4) },
    ],
    ['… or epoch ms as text', { ...plain, creationDate: ' 1700000000000 ' }, { time: 1_700_000_000_000 }],
    ['the first and the last time are taken', { ...plain, creationDate: MAX_TIME }, { time: MAX_TIME }],
    [
      '__proto__ is a name like others',
      '{"__proto__":{"nbJobs":5},"companyID":"__proto__","userID":"u","nbJobs":1}',
      { companyID: '__proto__', nbJobs: 1 },
    ],
  ])('%s', (_, record, expected) => {
    expect(decode(record)).toMatchObject({ kind: 'job', ...expected });
  });

  test('company ids have 1 to 128 characters, counted as a person counts them', () => {
    for (const companyID of ['x', 'x'.repeat(128), '🚀'.repeat(128), 'é'.repeat(128)]) {
      expect(decode({ ...plain, companyID })).toMatchObject({ companyID });
    }
    for (const [companyID, came] of [
      ['', 0],
      ['x'.repeat(129), 129],
      ['🚀'.repeat(129), 129],
    ] as const) {
      const message = `companyID: expected 1 to 128 characters, got ${came}`;
      expect(decode({ ...plain, companyID })).toEqual(new Rejection('invalid', message));
    }
  });
});

describe('a job event that cannot be used says what was expected and what came', () => {
  const without = (name: keyof typeof plain): object => ({ ...plain, [name]: undefined });
  const integer = 'expected an integer of at least 0';
  const time = 'expected epoch milliseconds or ISO 8601, from 1970 to 9999';
  test.each<[string | object, string]>([
    [without('companyID'), 'companyID: expected a text of 1 to 128 characters, got nothing'],
    [without('userID'), 'userID: expected a text, got nothing'],
    [without('nbJobs'), `nbJobs: ${integer}, got nothing`],
    [{ ...plain, companyID: 4 }, 'companyID: expected a text of 1 to 128 characters, got 4'],
    [{ ...plain, companyID: ['a'] }, 'companyID: expected a text of 1 to 128 characters, got an array'],
    [{ ...plain, userID: 1 }, 'userID: expected a text, got 1'],
    [{ ...plain, userID: null }, 'userID: expected a text, got nothing'],
    [{ ...plain, nbJobs: -1 }, `nbJobs: ${integer}, got -1`],
    [{ ...plain, nbJobs: 1.5 }, `nbJobs: ${integer}, got 1.5`],
    [{ ...plain, nbJobs: '1' }, `nbJobs: ${integer}, got "1"`],
    [{ ...plain, nbJobs: 2 ** 53 }, `nbJobs: ${integer}, got 9007199254740992`],
    [{ ...plain, nbJobs: true }, `nbJobs: ${integer}, got true`],
    [{ ...plain, dataSize: -1 }, `dataSize: ${integer}, got -1`],
    [{ ...plain, dataSize: 0.5 }, `dataSize: ${integer}, got 0.5`],
    [{ ...plain, dataSize: '12' }, `dataSize: ${integer}, got "12"`],
    [{ ...plain, creationDate: '2025-02-29' }, `creationDate: ${time}, got "2025-02-29"`],
    [{ ...plain, creationDate: '' }, `creationDate: ${time}, got ""`],
    [{ ...plain, creationDate: -1 }, `creationDate: ${time}, got -1`],
    [{ ...plain, creationDate: 1.5 }, `creationDate: ${time}, got 1.5`],
    [{ ...plain, creationDate: MAX_TIME + 1 }, `creationDate: ${time}, got ${MAX_TIME + 1}`],
    [{ ...plain, creationDate: false }, `creationDate: ${time}, got false`],
    [{ ...plain, eventID: '' }, 'eventID: expected a text that is not empty, got ""'],
    [{ ...plain, eventID: 9 }, 'eventID: expected a text, got 9'],
    [
      '{"companyID":"\\ud800","userID":"u","nbJobs":1}',
      'companyID: expected a text of 1 to 128 characters, got "\\ud800"',
    ],
    ['{"companyID":"c","userID":"a\\udc00","nbJobs":1}', 'userID: expected a text, got "a\\udc00"'],
    ['{"companyID":"c","userID":"u","nbJobs":1,"eventID":"\\udead"}', 'eventID: expected a text, got "\\udead"'],
  ])('%j is invalid', (record, message) => {
    expect(decode(record)).toEqual(new Rejection('invalid', message));
  });

  test('a value nested deeper than any stack is no harm', () => {
    const nested = `${'['.repeat(200_000)}${']'.repeat(200_000)}`;
    expect(decode(`{"companyID":${nested},"userID":"u","nbJobs":1}`)).toMatchObject({ reason: 'invalid' });
  });

  test('a long value is cut in the message', () => {
    const rejection = decode({ ...plain, nbJobs: 'x'.repeat(1000) });
    expect(rejection).toMatchObject({ reason: 'invalid', message: `nbJobs: ${integer}, got "${'x'.repeat(59)}…` });
  });

  test.each([
    ['{', /^expected a job event as a JSON object: ./],
    ['{"companyID":"comp_4","userID":"user_1","nbJobs":1', /^expected a job event as a JSON object: ./],
    ['{"companyID":"comp_4","userID":"user_1","nbJobs":01}', /^expected a job event as a JSON object: ./],
    ['{"companyID":"comp_4","userID":"user_1","nbJobs":1}x', /^expected a job event as a JSON object: ./],
    ["{'companyID':'comp_4'}", /^expected a job event as a JSON object: ./],
    ['[{"companyID":"comp_4"}]', /^expected a job event as a CSV line: ./],
    ['[]', /^expected a job event as JSON or as 3 to 4 columns .*, got 1$/],
    ['null', /, got 1$/],
    ['"text"', /, got 1$/],
  ])('%s is malformed', (record, message) => {
    expect(decode(record)).toMatchObject({ reason: 'malformed', message: expect.stringMatching(message) });
  });

  test('every cut of a record is malformed', () => {
    const whole = JSON.stringify({ ...plain, creationDate: 5, dataSize: 6, eventID: 'é' });
    for (let length = 0; length < whole.length; length++) {
      expect(decode(whole.slice(0, length)), whole.slice(0, length)).toMatchObject({ reason: 'malformed' });
    }
  });

  test('bytes that are not UTF-8 are malformed, wherever they stand', () => {
    const record = Buffer.from('{"companyID":"comp_4","userID":"user_1","nbJobs":1,"note":"x"}');
    const message = 'expected a job event in UTF-8, got other bytes';
    for (const at of [0, 14, 32, record.length - 3, record.length - 1]) {
      const bytes = Uint8Array.from(record);
      bytes[at] = 0xff;
      expect(decodeBytes(bytes, fromFile)).toEqual(new Rejection('malformed', message));
    }
  });

  test('nothing that arrives is thrown at the program', () => {
    const anyBytes = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => Buffer.from(text)),
    );
    fc.assert(
      fc.property(anyBytes, (bytes) => {
        const decoded = decodeBytes(bytes, fromFile);
        expect(decoded instanceof Rejection || decoded.kind === 'job').toBe(true);
      }),
    );
  });
});

describe('the id of an event that carries none', () => {
  test('is its file and physical line', () => {
    expect(decode(plain, { ...fromFile, sequenceNumber: 1 })).toMatchObject({ eventID: 'jobs.jsonl:1' });
  });

  test('is its shard and sequence number, and its place inside a KPL aggregate', () => {
    const id = `${fromShard.shardId}:${fromShard.sequenceNumber}`;
    expect(decode(plain, fromShard)).toMatchObject({ eventID: id });
    expect(decode(plain, { ...fromShard, subSequence: 0 })).toMatchObject({ eventID: `${id}:0` });
    expect(decode(plain, { ...fromShard, subSequence: 12 })).toMatchObject({ eventID: `${id}:12` });
  });

  test('never replaces the one that it carries', () => {
    expect(decode({ ...plain, eventID: 'mine' }, { ...fromShard, subSequence: 3 })).toMatchObject({ eventID: 'mine' });
  });
});

describe('a clock that runs ahead', () => {
  const live = (record: object): JobEvent | Rejection => {
    const bytes = Buffer.from(JSON.stringify(record));
    return decodeLive(bytes, 0, bytes.length, fromShard);
  };

  test('is refused on a live source by more than event.maxFuture, and taken exactly at it', () => {
    const limit = ARRIVAL + HOUR_MS;
    expect(live({ ...plain, creationDate: limit })).toMatchObject({ time: limit });
    for (const record of [
      { ...plain, creationDate: limit + 1 },
      { ...plain, creationDate: String(limit + 1), x: 0 },
    ]) {
      expect(live(record)).toEqual(
        new Rejection(
          'invalid',
          `creationDate: expected at most 3600000 ms after the arrival at ${ARRIVAL}, got ${limit + 1}`,
        ),
      );
    }
  });

  test('is not refused in a file, whose records may lie in any year', () => {
    expect(decode({ ...plain, creationDate: MAX_TIME })).toMatchObject({ time: MAX_TIME });
  });

  test('an event without a time is never ahead of its arrival', () => {
    const bytes = Buffer.from(JSON.stringify(plain));
    expect(jobDecoder(0)(bytes, 0, bytes.length, fromShard)).toMatchObject({ time: ARRIVAL });
  });
});
