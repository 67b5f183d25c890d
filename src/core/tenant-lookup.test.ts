import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import type { HttpLimits, HttpResponse } from '../runtime/contract.ts';
import type { JobEvent } from './events.ts';
import { jobEventCodec, tenantLookup } from './tenant-lookup.ts';

const limits: HttpLimits = {
  concurrency: 100,
  timeoutMs: 5000,
  retries: 5,
  breakerFailures: 20,
  breakerResetMs: 10_000,
  cacheEntries: 1000,
  cacheTtlMs: 300_000,
  negativeTtlMs: 30_000,
  askAgainCapacity: 0,
};
const job: JobEvent = {
  kind: 'job',
  companyID: 'comp_4',
  userID: 'user_1',
  nbJobs: 1,
  time: 1_750_000_000_000,
  dataSize: null,
  eventID: 'shardId-0:1',
};
const profile = {
  companyID: 'comp_4',
  industry: 'retail',
  revenu: 1000,
  employees: 12,
  job30: 3,
  job90: 9,
  monthlyFee: 400,
  totalFee: 4800,
};
const stage = tenantLookup(['jobs'], 'http://tenants.local:8080', '', limits);
const response = (status: number, body: unknown): HttpResponse => ({
  status,
  headers: {},
  body: typeof body === 'string' ? body : JSON.stringify(body),
  receivedAt: 1_750_000_000_500,
});

describe('the question', () => {
  test('is a GET of the tenant, its id as one segment of the path', () => {
    const headers = { accept: 'application/json', 'x-correlation-id': 'shardId-0:1' };
    const asked = { method: 'GET', url: 'http://tenants.local:8080/api/v1/tenants/comp_4', headers, body: null };
    expect(stage.request(job)).toEqual(asked);
    const odd = stage.request({ ...job, companyID: '../a/b?c=d #e%é🚀' }).url;
    expect(odd).toBe('http://tenants.local:8080/api/v1/tenants/..%2Fa%2Fb%3Fc%3Dd%20%23e%25%C3%A9%F0%9F%9A%80');
  });

  test('carries the bearer token when there is one, and takes an endpoint with a slash at its end', () => {
    const { url, headers } = tenantLookup(['jobs'], 'https://tenants.local/base//', 's3cr3t', limits).request(job);
    expect(url).toBe('https://tenants.local/base/api/v1/tenants/comp_4');
    expect(headers).toMatchObject({ accept: 'application/json', authorization: 'Bearer s3cr3t' });
  });

  test('is asked once for each company, in the order of its events', () => {
    expect([stage.cacheKey(job), stage.orderKey(job)]).toEqual(['comp_4', 'comp_4']);
    for (const companyID of ['.', '..']) expect(stage.cacheKey({ ...job, companyID })).toBeNull();
    expect(stage.limits).toBe(limits);
    expect(stage).toMatchObject({ kind: 'http', service: 'tenant-manager', inputs: ['jobs'] });
  });
});

describe('the answer', () => {
  test('200 is the record, as old as it says, else as the answer', () => {
    const record = { kind: 'company', companyID: 'comp_4', profile };
    const answer = (time: number) => ({ kind: 'answer', value: { ...record, time }, negative: false });
    expect(stage.respond(job, response(200, { ...profile, updatedAt: 7 }))).toEqual(answer(7));
    expect(stage.respond(job, response(200, profile))).toEqual(answer(1_750_000_000_500));
    expect(stage.respond(job, response(200, { ...profile, companyID: undefined, tenantID: 'comp_4' }))).toEqual(
      answer(1_750_000_000_500),
    );
  });

  test('200 with a deleted company is its deletion', () => {
    const value = { kind: 'company', companyID: 'comp_4', time: 7, profile: null };
    const gone = { companyID: 'comp_4', deleted: true, updatedAt: 7 };
    expect(stage.respond(job, response(200, gone))).toEqual({ kind: 'answer', value, negative: false });
  });

  test.each([404, 400, 410, 414, 422])(
    '%i says that there is no such company, to be remembered for a while: its events hold up no others',
    (status) => {
      const unknown = { kind: 'answer', value: 'unknown', negative: true };
      expect(stage.respond(job, response(status, 'nothing'))).toEqual(unknown);
    },
  );

  test.each([201, 204, 301, 401, 403, 451])('%i is a failure with its status, and names the company', (status) => {
    const failure = { kind: 'status', status, message: `expected 200 or 404 for comp_4, got ${status}` };
    expect(stage.respond(job, response(status, profile))).toEqual(failure);
  });

  test.each<[string, unknown, string]>([
    ['HTML', '<html></html>', 'expected a company record as a JSON object: '],
    ['nothing', '', 'expected a company record as a JSON object: '],
    ['a list', [profile], 'expected a company record as a JSON object, got an array'],
    ['null', 'null', 'expected a company record as a JSON object, got null'],
    ['a record that breaks a rule', { ...profile, job30: -1 }, 'job30: expected an integer of at least 0, got -1'],
    ['an error in a 200', { message: 'oops' }, 'companyID: expected a text of 1 to 128 characters, got nothing'],
    ['another company', { ...profile, companyID: 'comp_5' }, 'expected company comp_4, got comp_5'],
  ])('200 with %s is no answer', (_, body, message) => {
    const failure = { kind: 'not-an-answer', status: 200, message: expect.stringContaining(message) };
    expect(stage.respond(job, response(200, body))).toEqual(failure);
  });
});

test('the job goes on with the answer, and with whether it is an old one', () => {
  expect(stage.complete(job, 'unknown', false)).toEqual({ kind: 'looked-up', job, answer: 'unknown', stale: false });
  expect(stage.complete(job, null, false)).toEqual({ kind: 'looked-up', job, answer: null, stale: false });
  const record = { kind: 'company', companyID: 'comp_4', time: 5, profile } as const;
  expect(stage.complete(job, record, true)).toEqual({ kind: 'looked-up', job, answer: record, stale: true });
});

test('while TenantManager cannot be asked the job is held, never a dead letter', () => {
  for (const kind of ['timeout', 'connection', 'status', 'breaker-open', 'not-an-answer'] as const) {
    expect(stage.fail(job, { kind, status: null, message: '' })).toEqual({ kind: 'hold' });
  }
});

test('a job in flight comes back from a checkpoint as it was', () => {
  const text = fc.string({ unit: 'binary', maxLength: 20 });
  const anyJob: fc.Arbitrary<JobEvent> = fc.record({
    kind: fc.constant('job' as const),
    companyID: text,
    userID: text,
    nbJobs: fc.maxSafeNat(),
    time: fc.maxSafeNat(),
    dataSize: fc.option(fc.maxSafeNat()),
    eventID: text,
  });
  fc.assert(
    fc.property(anyJob, (event) => {
      const to = new ByteWriter(8);
      jobEventCodec.encode(event, to);
      const from = new ByteReader(to.take());
      expect(jobEventCodec.decode(from, jobEventCodec.version)).toEqual(event);
      expect(from.remaining).toBe(0);
    }),
  );
});
