import { describe, expect, test } from 'vitest';
import { arrivedRow, LiveTable } from './live-table.ts';

const ROW = {
  ...{ companyID: 'comp_1', industry: 'retail', job30: 3, job90: 4, riskOfChurn: true, churnProbability: 0.75 },
  ...{ scoreStatus: 'scored', trigger: 'job', version: 7 },
};
const rowOf = (value: unknown) => arrivedRow(Buffer.from(JSON.stringify(value)));

describe('the table of rows that arrive', () => {
  test('has a line for a row, without a terminal', () => {
    const written: string[] = [];
    const out = { isTTY: false, write: (text: string) => written.push(text) } as unknown as NodeJS.WriteStream;
    const table = new LiveTable(out, { now: () => 10_000 });
    const row = rowOf(ROW);
    if (row === undefined) throw new Error('it is a row');
    table.arrived(row);
    expect(written).toEqual(['comp_1 v7 (retail): 3 jobs in 30 days, 4 in 90; churn at risk 0.75 [job]\n']);
  });

  test.each([
    ['a probability that is none', { ...ROW, churnProbability: null }],
    ['a probability as text', { ...ROW, churnProbability: '0.5' }],
    ['counts as text', { ...ROW, job30: '3' }],
    ['no company', { ...ROW, companyID: undefined }],
    ['a list', [ROW]],
    ['nothing', null],
  ])('leaves out a record with %s', (_, value) => {
    expect(rowOf(value)).toBeUndefined();
  });

  test('leaves out what is no JSON', () => {
    expect(arrivedRow(Buffer.from('a row'))).toBeUndefined();
  });
});
