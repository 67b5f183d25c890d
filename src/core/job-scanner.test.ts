import fc from 'fast-check';
import { expect, test } from 'vitest';
import { MAX_TIME } from '../base/time.ts';
import { type RecordMeta, Rejection } from '../runtime/contract.ts';
import { decodeJob, jobDecoder } from './decode-job.ts';
import { JobScanner } from './job-scanner.ts';

const meta: RecordMeta = {
  source: 'jobs.jsonl',
  shardId: null,
  sequenceNumber: 12,
  subSequence: null,
  arrivalTime: 1_750_000_000_000,
  live: false,
  columns: null,
};

const tokenOf = (value: unknown): string => JSON.stringify(value);
const digits = (length: number): string => '123456789012345678901234567890'.slice(0, length);
const oddTexts = [
  ...[
    '',
    'x'.repeat(128),
    'x'.repeat(129),
    'é'.repeat(65),
    'tab\there',
    '\u007f',
    '\u0000',
    '\u2028',
    '🚀',
    'a,b',
    '{',
    '}',
  ],
].map(tokenOf);
const oddTokens = [
  ...['"\\u0041"', '"\\/"', '"\\ud800"', '"half', "'x'", 'null', 'true', '{}', '[1]', '7', 'undefined'],
  ...['"\t"', '"\\"', '""x'],
];
const anyText = fc.oneof(
  { weight: 12, arbitrary: fc.string({ unit: 'grapheme-ascii', maxLength: 12 }).map(tokenOf) },
  { weight: 6, arbitrary: fc.nat(20).map((n) => `"comp_${n}"`) },
  { weight: 2, arbitrary: fc.string({ unit: 'grapheme', maxLength: 6 }).map(tokenOf) },
  { weight: 1, arbitrary: fc.constantFrom(...oddTexts, ...oddTokens) },
);
const oddNumbers = [
  ...[
    '0',
    '00',
    '01',
    '-0',
    '-1',
    '+1',
    '1.0',
    '1.5',
    '1e3',
    '1E400',
    '.5',
    '5.',
    '0x1',
    'NaN',
    'null',
    '"5"',
    '',
    '1 2',
  ],
  ...[15, 16, 17, 30].map(digits),
  ...[2 ** 53 - 1, 2 ** 53, MAX_TIME, MAX_TIME + 1].map(String),
  ...['"2025-01-02T03:04:05Z"', '"1700000000000"', '"soon"', '0000000000000005'],
];
const anyNumber = fc.oneof(
  { weight: 16, arbitrary: fc.nat(100).map(String) },
  { weight: 8, arbitrary: fc.integer({ min: 1_600_000_000_000, max: 1_800_000_000_000 }).map(String) },
  { weight: 1, arbitrary: fc.constantFrom(...oddNumbers) },
);
const anyBlank = fc.oneof(
  { weight: 60, arbitrary: fc.constant('') },
  { weight: 8, arbitrary: fc.constantFrom(' ', '  ') },
  { weight: 2, arbitrary: fc.constantFrom('\t', '\r', ' \r\t ') },
  { weight: 1, arbitrary: fc.constantFrom('\n', '\u00a0', '\u000b', '\ufeff') },
);

const textNames = ['companyID', 'userID', 'eventID', 'company_id', 'tenantID', 'note', '__proto__'] as const;
const numberNames = ['nbJobs', 'creationDate', 'dataSize', 'nbjobs', 'creationdate'] as const;
const anyField = (name: string): fc.Arbitrary<string> => {
  const value = numberNames.some((other) => other === name) ? anyNumber : anyText;
  return fc.tuple(anyBlank, anyBlank, value).map(([before, after, token]) => `"${name}"${before}:${after}${token}`);
};
const optional = (name: string): fc.Arbitrary<string | null> => fc.option(anyField(name), { freq: 2 });
const rare = (names: readonly string[]): fc.Arbitrary<string | null> =>
  fc.oneof(
    { weight: 6, arbitrary: fc.constant(null) },
    { weight: 1, arbitrary: fc.constantFrom(...names).chain(anyField) },
  );
const often = (name: string): fc.Arbitrary<string | null> => fc.option(anyField(name), { freq: 30 });

const anyRecord = fc
  .tuple(
    fc.tuple(often('companyID'), often('userID'), often('nbJobs')),
    fc.tuple(optional('creationDate'), optional('dataSize'), optional('eventID')),
    rare([...textNames, ...numberNames]),
    fc.array(fc.nat(1000), { minLength: 7, maxLength: 7 }),
    fc.array(anyBlank, { minLength: 4, maxLength: 4 }),
  )
  .map(([required, others, extra, order, [a = '', b = '', c = '', d = '']]) => {
    const fields = [...required, ...others, extra].filter((field) => field !== null);
    const shuffled = fields.map((field, index) => ({ field, at: order[index] ?? 0 })).sort((x, y) => x.at - y.at);
    return `${a}{${b}${shuffled.map(({ field }) => field).join(`${c},${b}`)}${c}}${d}`;
  });

/** What a broken producer, or a broken line, makes of a record. Positions wrap around. */
const anyHarm = fc.oneof(
  fc.record({ kind: fc.constant('flip' as const), at: fc.nat(300), byte: fc.nat(255) }),
  fc.record({
    kind: fc.constant('put' as const),
    at: fc.nat(300),
    byte: fc.constantFrom(...Buffer.from('"{}\\,: 0-.e')),
  }),
  fc.record({ kind: fc.constant('cut' as const), at: fc.nat(300), byte: fc.nat(20) }),
);
const anyHarms = fc.oneof(
  { weight: 2, arbitrary: fc.constant([]) },
  { weight: 1, arbitrary: fc.array(anyHarm, { minLength: 1, maxLength: 2 }) },
);

function harmed(record: string, harms: readonly { kind: 'flip' | 'put' | 'cut'; at: number; byte: number }[]): Buffer {
  let bytes = Buffer.from(record);
  for (const { kind, at: anywhere, byte } of harms) {
    const at = anywhere % Math.max(1, bytes.length);
    const rest = bytes.subarray(kind === 'put' ? at : kind === 'flip' ? at + 1 : at + byte);
    bytes = Buffer.concat([bytes.subarray(0, at), kind === 'cut' ? Buffer.of() : Buffer.of(byte), rest]);
  }
  return bytes;
}

const whole = '{"companyID":"other","userID":"other","nbJobs":99}';
const surroundings = [
  '',
  ' ',
  '\n',
  `\n${whole}\n`,
  whole,
  '}',
  '"}',
  '0',
  '0}',
  '\\',
  ',"eventID":"x"}',
  '\r\n{"compan',
];

test('the shortcut reads any record as the whole decoder does, whatever stands around it in the buffer', () => {
  const decode = jobDecoder(0); // One for all runs: what it keeps from earlier records must not show.
  const seen = { short: 0, decoded: 0, rejected: 0 };
  const scanner = new JobScanner();
  fc.assert(
    fc.property(
      anyRecord,
      anyHarms,
      fc.constantFrom(...surroundings),
      fc.constantFrom(...surroundings),
      (record, harms, before, after) => {
        const inside = harmed(record, harms);
        const bytes = Buffer.concat([Buffer.from(before), inside, Buffer.from(after)]);
        const [from, to] = [Buffer.byteLength(before), Buffer.byteLength(before) + inside.length];
        const expected = decodeJob(inside, 0, inside.length, meta);
        expect(decode(bytes, from, to, meta)).toEqual(expected);
        if (scanner.scan(bytes, from, to)) seen.short++;
        if (expected instanceof Rejection) seen.rejected++;
        else seen.decoded++;
      },
    ),
    { numRuns: 25_000 },
  );
  // All three ways were walked, or the test says little.
  expect(Math.min(seen.short, seen.decoded - seen.short, seen.rejected)).toBeGreaterThan(2000);
}, 60_000);

test('what producers send today takes the shortcut, in any order of fields', () => {
  const scanner = new JobScanner();
  const records = [
    whole,
    '{"companyID":"comp_4","userID":"user_1","nbJobs":1,"creationDate":1736935200000}',
    '{"creationDate": 1736935200000, "nbJobs": 0, "userID": "", "companyID": "comp 4", "eventID": "e", "dataSize": 2048}',
    ' {"companyID":"c","userID":"u","nbJobs":1}'.slice(1),
    '{ "companyID":"c" ,\t"userID":"u" , "nbJobs":123456789012345 }',
  ];
  for (const record of records) {
    for (const lineEnd of ['', '\n', '\r\n', `\n${whole}`]) {
      const bytes = Buffer.from(record + lineEnd);
      expect(scanner.scan(bytes, 0, record.length), record + lineEnd).toBe(true);
    }
  }
});

test('a record that ends before `to`, or goes on beyond it, does not take the shortcut', () => {
  const scanner = new JobScanner();
  const bytes = Buffer.from(`${whole}${whole}`);
  for (let to = 0; to <= bytes.length; to++) expect(scanner.scan(bytes, 0, to)).toBe(to === whole.length);
});

test('one record leaves nothing behind for the next', () => {
  const decode = jobDecoder(0);
  const read = (text: string) => decode(Buffer.from(text), 0, text.length, meta);
  read('{"companyID":"a","userID":"b","nbJobs":9,"creationDate":5,"dataSize":6,"eventID":"e"}');
  expect(read('{"companyID":"c","userID":"","nbJobs":0}')).toEqual({
    kind: 'job',
    companyID: 'c',
    userID: '',
    nbJobs: 0,
    time: meta.arrivalTime,
    dataSize: null,
    eventID: 'jobs.jsonl:12',
  });
  read('{"companyID":"a","userID":"b","nbJobs":9,"dataSize":6');
  expect(read('{"userID":"b","nbJobs":9}')).toMatchObject({ reason: 'invalid' });
});
