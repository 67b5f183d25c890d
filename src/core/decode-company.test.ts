import { describe, expect, test } from 'vitest';
import { type Columns, type RecordMeta, Rejection } from '../runtime/contract.ts';
import { companyFromJson, companyHeader, decodeCompany } from './decode-company.ts';
import type { CompanyRecord } from './events.ts';

const ARRIVAL = Date.UTC(2025, 4, 6);
const meta: RecordMeta = {
  source: 'companies.jsonl',
  shardId: null,
  sequenceNumber: 1,
  subSequence: null,
  arrivalTime: ARRIVAL,
  live: false,
  columns: null,
};
const profile = {
  companyID: 'comp_4',
  industry: 'retail',
  revenu: 100_000.5,
  employees: 12,
  job30: 3,
  job90: 9,
  monthlyFee: 400,
  totalFee: 4800.25,
};
const csv = 'comp_4,retail,100000.5,12,3,9,400,4800.25';

function decode(record: string | object, columns: Columns | null = null): CompanyRecord | Rejection {
  const text = typeof record === 'string' ? record : JSON.stringify(record);
  const bytes = Buffer.from(`##${text}##`);
  return decodeCompany(bytes, 2, bytes.length - 2, { ...meta, columns });
}

describe('a company record in JSON', () => {
  test('holds the eight fields, and is as old as its arrival unless it says otherwise', () => {
    expect(decode(profile)).toEqual({ kind: 'company', companyID: 'comp_4', time: ARRIVAL, profile });
    expect(decode({ ...profile, updatedAt: '2025-01-02T03:00' })).toMatchObject({ time: Date.UTC(2025, 0, 2, 3) });
    expect(decode({ ...profile, updatedAt: 0 })).toMatchObject({ time: 0 });
    expect(decode({ ...profile, updatedAt: null })).toMatchObject({ time: ARRIVAL });
  });

  test('company_id, tenantID and employee are other names, and give way to the right ones', () => {
    const { companyID: _, employees: __, ...rest } = profile;
    expect(decode({ ...rest, company_id: 'a', employee: 5 })).toMatchObject({
      profile: { companyID: 'a', employees: 5 },
    });
    expect(decode({ ...rest, tenantID: 'b', employee: 5 })).toMatchObject({ companyID: 'b' });
    expect(decode({ employee: 5, tenantID: 'b', ...profile })).toMatchObject({ companyID: 'comp_4', profile });
    expect(decode({ ...profile, employee: 5, company_id: 'b' })).toMatchObject({ companyID: 'comp_4', profile });
    expect(decode({ ...profile, employees: null, employee: 5 })).toMatchObject({ profile: { employees: 5 } });
  });

  test('riskOfChurn is ours and not read; fields that are not known are passed over', () => {
    const more = { riskOfChurn: true, plan: { name: 'gold' }, Revenue: 1, '#job30': 1 };
    expect(decode({ ...profile, ...more })).toEqual({ kind: 'company', companyID: 'comp_4', time: ARRIVAL, profile });
  });

  test('deleted needs no other field than the company', () => {
    const gone = { kind: 'company', companyID: 'comp_4', time: ARRIVAL, profile: null };
    expect(decode({ companyID: 'comp_4', deleted: true })).toEqual(gone);
    expect(decode({ tenantID: 'comp_4', deleted: true, updatedAt: 5, job30: 'x' })).toEqual({ ...gone, time: 5 });
    expect(decode({ ...profile, deleted: true })).toEqual(gone);
    for (const deleted of [false, null]) expect(decode({ ...profile, deleted })).toMatchObject({ profile });
  });

  test.each<[string, unknown, string]>([
    ['companyID', '', 'companyID: expected 1 to 128 characters, got 0'],
    ['companyID', 'x'.repeat(129), 'companyID: expected 1 to 128 characters, got 129'],
    ['companyID', 4, 'companyID: expected a text of 1 to 128 characters, got 4'],
    ['industry', undefined, 'industry: expected a text, got nothing'],
    ['industry', 7, 'industry: expected a text, got 7'],
    ['revenu', undefined, 'revenu: expected a number, got nothing'],
    ['revenu', '100000', 'revenu: expected a number, got "100000"'],
    ['employees', null, 'employees: expected a number, got nothing'],
    ['job30', -1, 'job30: expected an integer of at least 0, got -1'],
    ['job30', 1.5, 'job30: expected an integer of at least 0, got 1.5'],
    ['job90', 2 ** 53, 'job90: expected an integer of at least 0, got 9007199254740992'],
    ['job90', '9', 'job90: expected an integer of at least 0, got "9"'],
    ['monthlyFee', {}, 'monthlyFee: expected a number, got an object'],
    ['totalFee', true, 'totalFee: expected a number, got true'],
    ['updatedAt', 'now', 'updatedAt: expected epoch milliseconds or ISO 8601, from 1970 to 9999, got "now"'],
    ['updatedAt', -1, 'updatedAt: expected epoch milliseconds or ISO 8601, from 1970 to 9999, got -1'],
    ['deleted', 'true', 'deleted: expected true or false, got "true"'],
    ['deleted', 1, 'deleted: expected true or false, got 1'],
  ])('%s of %j is invalid', (name, value, message) => {
    expect(decode({ ...profile, [name]: value })).toEqual(new Rejection('invalid', message));
  });

  test('revenue, employees and fees are any numbers, -0 being 0', () => {
    const odd = { ...profile, revenu: -1.5, employees: 0.5, monthlyFee: 1e300, totalFee: 0 };
    expect(decode(odd)).toMatchObject({ profile: odd });
    const minus = JSON.stringify(odd).replace('"totalFee":0', '"totalFee":-0');
    expect(decode(minus)).toEqual(decode(odd));
  });

  test.each(['{', '{"companyID":"comp_4"', '{}{}', '{"companyID":"comp_4",}'])('%s is malformed', (text) => {
    const message = expect.stringMatching(/^expected a company record as a JSON object: ./);
    expect(decode(text)).toMatchObject({ reason: 'malformed', message });
  });

  test('bytes that are not UTF-8 are malformed', () => {
    const bytes = Buffer.from(JSON.stringify(profile));
    bytes[20] = 0xc0;
    const rejection = new Rejection('malformed', 'expected a company record in UTF-8, got other bytes');
    expect(decodeCompany(bytes, 0, bytes.length, meta)).toEqual(rejection);
  });
});

describe('a company record in CSV', () => {
  test('is the eight fields in order, and may end with a riskOfChurn that is not read', () => {
    const record = { kind: 'company', companyID: 'comp_4', time: ARRIVAL, profile };
    for (const line of [csv, `${csv}\r`, `${csv},`, `${csv},true`]) expect(decode(line)).toEqual(record);
  });

  test('numbers may stand between blanks, with a sign, a fraction or an exponent; counts are digits', () => {
    const read = decode('"a, Inc",x,-1.5e3, +12 ,3,9,.5,4.') as CompanyRecord;
    const { companyID, revenu, employees, monthlyFee, totalFee } = read.profile ?? profile;
    expect([companyID, revenu, employees, monthlyFee, totalFee]).toEqual(['a, Inc', -1500, 12, 0.5, 4]);
    for (const bad of ['1,5', '1_000', '$5', 'NaN', 'Infinity', '0x10', '', '1e999', '.', 'e5']) {
      const rejection = decode(`c,x,"${bad}",1,2,3,4,5`);
      expect(rejection, bad).toEqual(new Rejection('invalid', `revenu: expected a number, got "${bad}"`));
    }
    expect(decode('c,x,1,1,2.0,3,4,5')).toMatchObject({
      reason: 'invalid',
      message: expect.stringMatching(/^job30: /),
    });
  });

  test('with too few or too many columns is malformed', () => {
    for (const [line, came] of [
      ['comp_4', 1],
      ['c,x,1,1,2,3,4', 7],
      [`${csv},,`, 10],
    ] as const) {
      const columns = 'companyID,industry,revenu,employees,job30,job90,monthlyFee,totalFee,riskOfChurn';
      const message = `expected a company record as JSON or as 8 to 9 columns (${columns}), got ${came}`;
      expect(decode(line)).toEqual(new Rejection('malformed', message));
    }
    expect(decode('"comp_4,retail')).toMatchObject({ reason: 'malformed', message: expect.stringContaining('quote') });
  });

  test('a header names its columns in any order, case and quotes, under both names', () => {
    const inOrder = {
      companyID: 0,
      industry: 1,
      revenu: 2,
      employees: 3,
      job30: 4,
      job90: 5,
      monthlyFee: 6,
      totalFee: 7,
    };
    expect(companyHeader('Company,Industry,Revenue,Employees,#job30,#job90,MonthlyCharge,TotalCharge')).toEqual(
      inOrder,
    );
    expect(companyHeader('companyID,industry,revenu,employees,job30,job90,monthlyFee,totalFee')).toEqual(inOrder);
    expect(companyHeader('"COMPANY_ID",industry,REVENUE,employee,#JOB30,job90,"monthly_fee",totalcharge')).toEqual(
      inOrder,
    );
    expect(companyHeader(csv)).toBeUndefined();
    expect(companyHeader(JSON.stringify(profile))).toBeUndefined();
    expect(companyHeader('Company,Industry')).toMatchObject({
      reason: 'malformed',
      message: expect.stringContaining('no column for revenu or Revenue, nor for employees or employee, nor for job30'),
    });
  });

  test('under a header also updatedAt and deleted are read', () => {
    const columns = companyHeader(
      'deleted,TotalCharge,MonthlyCharge,#job90,#job30,Employees,Revenue,Industry,Company,updatedAt',
    ) as Columns;
    const values = '4800.25,400,9,3,12,100000.5,retail,comp_4';
    const record = { kind: 'company', companyID: 'comp_4', time: ARRIVAL, profile };
    expect(decode(`,${values},`, columns)).toEqual(record);
    expect(decode(`FALSE,${values},2025-01-02`, columns)).toEqual({ ...record, time: Date.UTC(2025, 0, 2) });
    expect(decode(' true ,,,,,,,,comp_4,7', columns)).toEqual({ ...record, time: 7, profile: null });
    expect(decode(`yes,${values},`, columns)).toEqual(
      new Rejection('invalid', 'deleted: expected true or false, got "yes"'),
    );
    expect(decode('true,,', columns)).toMatchObject({ reason: 'malformed' });
  });
});

test('a record as TenantManager answers it is read by the same rules', () => {
  expect(companyFromJson(JSON.stringify({ ...profile, updatedAt: 5 }), 9)).toMatchObject({ time: 5, profile });
  expect(companyFromJson(JSON.stringify(profile), 9)).toMatchObject({ time: 9, profile });
  expect(companyFromJson('{"companyID":"c","deleted":true}', 9)).toMatchObject({ companyID: 'c', profile: null });
  for (const text of ['', 'null', '[]', '5', '"x"', csv, '<html>']) {
    expect(companyFromJson(text, 9), text).toMatchObject({ reason: 'malformed' });
  }
});
