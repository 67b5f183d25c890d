import { csvParseRows } from 'd3-dsv';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../base/bytes.ts';
import { DAY_MS, MAX_TIME } from '../base/time.ts';
import type { CompanyProfile, JobEvent } from './events.ts';
import {
  csvCell,
  decayRow,
  type EnrichedCompany,
  encodeCsvRow,
  encodeJsonRow,
  jobRow,
  rowPartitions,
  type Score,
  scoredRow,
} from './rows.ts';

/** A new object each time: encoders keep bytes by it. */
const profileOf = (changes: Partial<CompanyProfile> = {}): CompanyProfile => ({
  companyID: 'comp_4',
  industry: 'retail',
  revenu: 100_000.5,
  employees: 12,
  job30: 1,
  job90: 2,
  monthlyFee: 400,
  totalFee: 4800.25,
  ...changes,
});
const profile = profileOf();
const event: JobEvent = {
  kind: 'job',
  companyID: 'comp_4',
  userID: 'user_1',
  nbJobs: 3,
  time: Date.UTC(2025, 0, 2, 23, 59, 59, 999),
  dataSize: 2048,
  eventID: 'jobs.jsonl:7',
};
const score: Score = { churn: true, probability: 0.75, reasons: ['few jobs', { job30: -0.5 }], modelVersion: 'm-1' };
const plainRow = jobRow(profile, 7, 11, 1, event, false, 'off');
const riskRow = scoredRow(plainRow, score, 'scored', 'at-risk');

const json = encodeJsonRow;
const csv = encodeCsvRow;
const partition = rowPartitions();
const lineOf = (encode: (row: EnrichedCompany, to: ByteWriter) => void, row: EnrichedCompany): string => {
  const to = new ByteWriter(1);
  encode(row, to);
  return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(to.take());
};

/** The record as a reader of it would write it down: absent fields are left out, riskOfChurn never is. */
function recordOf(row: EnrichedCompany): object {
  const { companyID, industry, revenu, employees, monthlyFee, totalFee } = row.profile;
  return {
    ...{ companyID, industry, revenu, employees, job30: row.job30, job90: row.job90, monthlyFee, totalFee },
    riskOfChurn: row.score?.churn ?? null,
    churnProbability: row.score?.probability ?? undefined,
    reasons: row.score?.reasons ?? undefined,
    modelVersion: row.score?.modelVersion ?? undefined,
    scoreStatus: row.scoreStatus,
    riskChanged: row.riskChanged ?? undefined,
    trigger: row.trigger,
    eventID: row.eventID,
    eventTime: row.eventTime,
    userID: row.userID ?? undefined,
    nbJobs: row.nbJobs,
    dataSize: row.dataSize ?? undefined,
    version: row.version,
    companyStale: row.companyStale,
  };
}

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 12 }),
  fc.string({ unit: fc.constantFrom('"', ',', '\n', '\r', '\\', 'a', '\u2028', '🚀'), maxLength: 8 }),
);
const anyNumber = fc.oneof(fc.nat(5000), fc.double({ noNaN: true, noDefaultInfinity: true })).map((value) => value + 0);
const anyCount = fc.oneof(fc.nat(200), fc.nat(20_000_000), fc.maxSafeNat());
const anyScore: fc.Arbitrary<Score> = fc.record({
  churn: fc.boolean(),
  probability: fc.option(fc.double({ min: 0, max: 1, noNaN: true }).map((value) => value + 0)),
  reasons: fc.option(fc.jsonValue().map((value): unknown => JSON.parse(JSON.stringify(value)))),
  modelVersion: fc.option(anyText),
});
const anyRow: fc.Arbitrary<EnrichedCompany> = fc.record({
  profile: fc.record({
    companyID: anyText,
    industry: anyText,
    revenu: anyNumber,
    employees: anyNumber,
    job30: anyCount,
    job90: anyCount,
    monthlyFee: anyNumber,
    totalFee: anyNumber,
  }),
  job30: anyCount,
  job90: anyCount,
  score: fc.option(anyScore),
  scoreStatus: fc.constantFrom('scored', 'unavailable', 'off'),
  riskChanged: fc.constantFrom('at-risk', 'recovered', null),
  trigger: fc.constantFrom('job', 'decay'),
  eventID: anyText,
  eventTime: fc.integer({ min: 0, max: MAX_TIME }),
  userID: fc.option(anyText),
  nbJobs: anyCount,
  dataSize: fc.option(anyCount),
  version: fc.maxSafeNat(),
  companyStale: fc.boolean(),
});

describe('a row as JSON', () => {
  test('has the fields of the record in their order, those that say nothing left out', () => {
    expect(lineOf(json, plainRow)).toBe(
      '{"companyID":"comp_4","industry":"retail","revenu":100000.5,"employees":12,"job30":7,"job90":11,' +
        '"monthlyFee":400,"totalFee":4800.25,"riskOfChurn":null,"scoreStatus":"off","trigger":"job",' +
        '"eventID":"jobs.jsonl:7","eventTime":1735862399999,"userID":"user_1","nbJobs":3,"dataSize":2048,' +
        '"version":1,"companyStale":false}\n',
    );
    expect(Object.keys(JSON.parse(lineOf(json, riskRow)))).toEqual([
      ...['companyID', 'industry', 'revenu', 'employees', 'job30', 'job90', 'monthlyFee', 'totalFee', 'riskOfChurn'],
      ...['churnProbability', 'reasons', 'modelVersion', 'scoreStatus', 'riskChanged', 'trigger'],
      ...['eventID', 'eventTime', 'userID', 'nbJobs', 'dataSize', 'version', 'companyStale'],
    ]);
  });

  test('is one line that parses to the record, whatever it holds', () => {
    fc.assert(
      fc.property(anyRow, (row) => {
        const line = lineOf(json, row);
        expect(line.indexOf('\n')).toBe(line.length - 1);
        expect(line).toBe(`${JSON.stringify(recordOf(row))}\n`);
        expect(JSON.parse(line)).toEqual(JSON.parse(JSON.stringify(recordOf(row))));
      }),
      { numRuns: 1000 },
    );
  });

  test('of a silent tenant has no user and no size, and the midnight as its time', () => {
    const line = lineOf(json, decayRow(profile, 0, 4, 9, 20_000, '2024-10-04', 'unavailable'));
    const row = JSON.parse(line);
    expect(row).toMatchObject({ trigger: 'decay', eventID: 'decay:comp_4:2024-10-04', eventTime: 20_000 * DAY_MS });
    expect(row).toMatchObject({
      nbJobs: 0,
      version: 9,
      companyStale: false,
      riskOfChurn: null,
      scoreStatus: 'unavailable',
    });
    expect(row).not.toHaveProperty('userID');
    expect(row).not.toHaveProperty('dataSize');
  });
});

describe('a row as CSV', () => {
  test('is the nine columns, no score being an empty one, never false', () => {
    const nine = 'comp_4,retail,100000.5,12,7,11,400,4800.25,';
    expect(lineOf(csv, plainRow)).toBe(`${nine}\n`);
    expect(lineOf(csv, scoredRow(plainRow, null, 'unavailable', null))).toBe(`${nine}\n`);
    expect(lineOf(csv, riskRow)).toBe(`${nine}true\n`);
    expect(lineOf(csv, scoredRow(plainRow, { ...score, churn: false }, 'scored', null))).toBe(`${nine}false\n`);
  });

  test('is read back by any reader of RFC 4180, whatever it holds', () => {
    fc.assert(
      fc.property(fc.array(anyRow, { minLength: 1, maxLength: 3 }), (rows) => {
        const text = rows.map((row) => lineOf(csv, row)).join('');
        const expected = rows.map((row) =>
          Object.values(recordOf(row))
            .slice(0, 9)
            .map((value) => String(value ?? '')),
        );
        expect(csvParseRows(text)).toEqual(expected);
      }),
      { numRuns: 1000 },
    );
  });

  test('cells are quoted only where they must be', () => {
    const cells = ['plain', 'a b', 'a,b', 'say "hi"', 'two\nlines', 'cr\rhere', '', '🚀'].map(csvCell);
    expect(cells).toEqual(['plain', 'a b', '"a,b"', '"say ""hi"""', '"two\nlines"', '"cr\rhere"', '', '🚀']);
  });
});

describe('encoders keep what they have met', () => {
  test('and write each profile as it is, also when two share a company', () => {
    const changed = { ...plainRow, profile: profileOf({ monthlyFee: 500, industry: 'IT' }) };
    for (const encode of [json, csv]) {
      const [first, second] = [lineOf(encode, plainRow), lineOf(encode, changed)];
      expect(second).toBe(first.replace('400', '500').replace('retail', 'IT'));
      expect(lineOf(encode, plainRow)).toBe(first);
    }
  });

  test('and write rows one after the other without touching those before', () => {
    const to = new ByteWriter(1);
    const rows = [plainRow, riskRow, decayRow(profile, 0, 4, 9, 20_000, '2024-10-04', 'off')];
    for (const row of rows) json(row, to);
    expect(new TextDecoder().decode(to.take())).toBe(rows.map((row) => lineOf(json, row)).join(''));
  });
});

test('rows lie by the UTC date of their event', () => {
  const at = (eventTime: number): string => partition({ ...plainRow, eventTime });
  const midnight = Date.UTC(2025, 0, 3);
  expect([midnight - 1, midnight, midnight + 1, midnight - 1, 0, MAX_TIME].map(at)).toEqual([
    ...['dt=2025-01-02', 'dt=2025-01-03', 'dt=2025-01-03', 'dt=2025-01-02', 'dt=1970-01-01', 'dt=9999-12-31'],
  ]);
  fc.assert(
    fc.property(anyRow, (row) => partition(row) === `dt=${new Date(row.eventTime).toISOString().slice(0, 10)}`),
  );
});

test('a scored row keeps all but what is known of its score', () => {
  fc.assert(
    fc.property(anyRow, anyScore, (row, newScore) => {
      const scored = scoredRow(row, newScore, 'scored', 'recovered');
      expect(scored).toEqual({ ...row, score: newScore, scoreStatus: 'scored', riskChanged: 'recovered' });
    }),
  );
});
