import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import type { HttpLimits, HttpResponse } from '../runtime/contract.ts';
import { churnScoring, rowCodec } from './churn-scoring.ts';
import type { CompanyProfile, JobEvent } from './events.ts';
import { decayRow, type EnrichedCompany, jobRow, type Score, scoredRow } from './rows.ts';

const limits: HttpLimits = {
  concurrency: 100,
  timeoutMs: 5000,
  retries: 5,
  breakerFailures: 20,
  breakerResetMs: 10_000,
  cacheEntries: 1000,
  cacheTtlMs: 3_600_000,
  negativeTtlMs: 0,
  askAgainCapacity: 10_000,
};
const profile: CompanyProfile = {
  companyID: 'comp_4',
  industry: 'retail',
  revenu: 1000,
  employees: 12,
  job30: 3,
  job90: 9,
  monthlyFee: 400,
  totalFee: 4800,
};
const event: JobEvent = {
  kind: 'job',
  companyID: 'comp_4',
  userID: 'user_1',
  nbJobs: 4,
  time: 1_750_000_000_000,
  dataSize: null,
  eventID: 'e-1',
};
const row = jobRow(profile, 7, 13, 2, event, true, 'unavailable');
const endpoint = 'https://api.local/prod/assessChurn';
const stage = churnScoring(['company-activity'], endpoint, '', limits);
const response = (status: number, body: unknown): HttpResponse => ({
  status,
  headers: {},
  body: typeof body === 'string' ? body : JSON.stringify(body),
  receivedAt: 0,
});

describe('the question', () => {
  test('is a POST of the company with its current counts, not those of its record', () => {
    const { body, ...request } = stage.request(row);
    const headers = { 'content-type': 'application/json', accept: 'application/json', 'x-correlation-id': 'e-1' };
    expect(request).toEqual({ method: 'POST', url: endpoint, headers });
    expect(JSON.parse(body ?? '')).toEqual({ ...profile, job30: 7, job90: 13 });
  });

  test('carries x-api-key only when there is a key', () => {
    expect(stage.request(row).headers).not.toHaveProperty('x-api-key');
    expect(churnScoring([], endpoint, 'k3y', limits).request(row).headers).toMatchObject({ 'x-api-key': 'k3y' });
  });

  test('names the event it is asked for, which changes nothing about what is asked once', () => {
    const other = jobRow(profile, 7, 13, 2, { ...event, eventID: 'e-2' }, true, 'unavailable');
    expect(stage.request(other).headers['x-correlation-id']).toBe('e-2');
    expect(stage.cacheKey(other)).toBe(stage.cacheKey(row));
  });

  test('is one for all rows with the same features, whoever asks, and another when one of them differs', () => {
    const keyOf = (change: Partial<CompanyProfile>, job30 = 7, job90 = 13): string | null =>
      stage.cacheKey({ ...row, profile: { ...profile, ...change }, job30, job90 });
    const key = stage.cacheKey(row);
    expect(stage.cacheKey(decayRow(profile, 7, 13, 9, 20_000, '2024-10-04', 'unavailable'))).toBe(key);
    expect([keyOf({ companyID: 'other' }), keyOf({ job30: 50, job90: 50 })]).toEqual([key, key]);
    const others = [
      ...[keyOf({ industry: 'IT' }), keyOf({ revenu: 1 }), keyOf({ employees: 1 }), keyOf({ monthlyFee: 1 })],
      ...[keyOf({ totalFee: 1 }), keyOf({}, 8), keyOf({}, 7, 14), keyOf({}, 13, 7)],
    ];
    expect(new Set([key, ...others]).size).toBe(9);
  });

  test('is asked in the order of the rows of a company', () => {
    expect(stage.orderKey(row)).toBe('comp_4');
    expect(stage).toMatchObject({ kind: 'http', service: 'churn-scoring', inputs: ['company-activity'], limits });
  });
});

describe('the answer', () => {
  test.each<[unknown, Score]>([
    [{ churn: true }, { churn: true, probability: null, reasons: null, modelVersion: null }],
    [
      { churn: false, more: 1 },
      { churn: false, probability: null, reasons: null, modelVersion: null },
    ],
    [
      { churn: true, probability: 0, reasons: ['few jobs'], modelVersion: 'm-1' },
      { churn: true, probability: 0, reasons: ['few jobs'], modelVersion: 'm-1' },
    ],
    [
      { churn: false, probability: '0.5', reasons: null, modelVersion: 3 },
      { churn: false, probability: null, reasons: null, modelVersion: null },
    ],
  ])('200 with %j is a score', (body, value) => {
    expect(stage.respond(row, response(200, body))).toEqual({ kind: 'answer', value, negative: false });
  });

  test.each([
    '',
    '<html>',
    'null',
    'true',
    '[]',
    '{}',
    '{"churn":"true"}',
    '{"churn":1}',
    '{"churn":null}',
    '{"churn":tr',
  ])('200 with %j is no answer', (body) => {
    const message = expect.stringMatching(/^expected \{"churn":true\|false\}[,:] /);
    expect(stage.respond(row, response(200, body))).toEqual({ kind: 'not-an-answer', status: 200, message });
  });

  test('a long one is cut in the message', () => {
    const failure = stage.respond(row, response(200, { oops: 'x'.repeat(100_000) }));
    expect(failure.kind === 'not-an-answer' ? failure.message.length : 0).toBeLessThan(200);
  });

  test.each([201, 400, 403, 404, 413])('%i is a failure with its status', (status) => {
    const failure = { kind: 'status', status, message: `expected 200, got ${status}` };
    expect(stage.respond(row, response(status, { churn: true }))).toEqual(failure);
  });
});

describe('the row', () => {
  const score: Score = { churn: true, probability: 0.9, reasons: null, modelVersion: 'm-1' };

  test('goes on with its score, the same version and event', () => {
    expect(stage.complete(row, score, false)).toEqual({ ...row, score, scoreStatus: 'scored' });
    expect(stage.complete(row, null, false)).toEqual({ ...row, score: null, scoreStatus: 'unavailable' });
  });

  const output = { ...row, score: null, scoreStatus: 'unavailable', riskChanged: null };

  test.each([
    ['timeout', null],
    ['connection', null],
    ['breaker-open', null],
    ['not-an-answer', 200],
    ['status', 503],
    ['status', 429],
  ] as const)('leaves as unavailable after %s %s, and is asked again', (kind, status) => {
    expect(stage.fail(row, { kind, status, message: '' })).toEqual({ kind: 'emit-and-ask-again', output });
  });

  test.each([400, 403, 404])(
    'leaves as unavailable after %i, and is not asked again: the answer would be the same',
    (status) => {
      expect(stage.fail(row, { kind: 'status', status, message: '' })).toEqual({ kind: 'emit', output });
    },
  );
});

test('a row that waits for its score comes back from a checkpoint as it was', () => {
  const text = fc.string({ unit: 'binary', maxLength: 20 });
  const number = fc.oneof(fc.nat(), fc.double({ noNaN: true, noDefaultInfinity: true }));
  const names = { companyID: text, industry: text };
  const numbers = { revenu: number, employees: number, monthlyFee: number, totalFee: number };
  const count = fc.maxSafeNat();
  const anyWaiting: fc.Arbitrary<EnrichedCompany> = fc.record({
    profile: fc.record({ ...names, ...numbers, job30: count, job90: count }),
    job30: count,
    job90: count,
    score: fc.constant(null),
    scoreStatus: fc.constant('unavailable' as const),
    riskChanged: fc.constant(null),
    trigger: fc.constantFrom('job', 'decay'),
    eventID: text,
    eventTime: count,
    userID: fc.option(text),
    nbJobs: count,
    dataSize: fc.option(count),
    version: count,
    companyStale: fc.boolean(),
  });
  fc.assert(
    fc.property(anyWaiting, (waiting) => {
      const to = new ByteWriter(8);
      rowCodec.encode(waiting, to);
      const from = new ByteReader(to.take());
      expect(rowCodec.decode(from, rowCodec.version)).toEqual(waiting);
      expect(from.remaining).toBe(0);
    }),
  );
  expect(scoredRow(row, null, 'unavailable', null)).toEqual(row); // What waits has no score yet.
});
