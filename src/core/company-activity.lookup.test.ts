import { describe, expect, test } from 'vitest';
import { DAY_MS } from '../base/time.ts';
import type { Rejection } from '../runtime/contract.ts';
import { companyActivity } from './company-activity.ts';
import { type CompanyState, tombstone } from './company-state.ts';
import type { ActivityInput, CompanyRecord, JobEvent, LookedUpJob } from './events.ts';
import type { EnrichedCompany } from './rows.ts';

const at = (day: number, ms = 0): number => day * DAY_MS + ms;
const record = (time: number, job30: number, job90: number): CompanyRecord => ({
  kind: 'company',
  companyID: 'a',
  time,
  profile: { companyID: 'a', industry: 'IT', revenu: 1, employees: 2, job30, job90, monthlyFee: 10, totalFee: 120 },
});
const deletion = (time: number): CompanyRecord => ({ kind: 'company', companyID: 'a', time, profile: null });
const job = (time: number, nbJobs: number): JobEvent => ({
  kind: 'job',
  companyID: 'a',
  userID: 'u',
  nbJobs,
  time,
  dataSize: null,
  eventID: 'e',
});
const lookedUp = (time: number, nbJobs: number, answer: LookedUpJob['answer'], stale = false): LookedUpJob => ({
  kind: 'looked-up',
  job: job(time, nbJobs),
  answer,
  stale,
});
const stage = companyActivity(['in'], { counting: 'rolling', decay: true, scoreStatus: 'off' });

/** All that these inputs hand on, and the state they leave. */
function played(...inputs: ActivityInput[]) {
  const rows: EnrichedCompany[] = [];
  const rejections: Rejection[] = [];
  const counts: string[] = [];
  let state: CompanyState | undefined;
  const out = {
    emit: (row: EnrichedCompany) => rows.push(row),
    reject: (rejection: Rejection) => rejections.push(rejection),
    count: (counter: string) => counts.push(counter),
  };
  for (const input of inputs) state = stage.onEvent(state, input, out);
  return { rows, reasons: rejections.map(({ reason }) => reason), counts, state };
}

describe('a job whose company was looked up', () => {
  test('has the key of its company', () => {
    const inputs = [lookedUp(at(1), 1, null), lookedUp(at(1), 1, 'unknown'), job(at(1), 1), deletion(at(1))];
    expect(inputs.map((input) => stage.key(input))).toEqual(['a', 'a', 'a', 'a']);
  });

  test('is counted on the record that was answered', () => {
    const { rows, counts, state } = played(lookedUp(at(101), 4, record(at(100), 3, 9)));
    expect(rows).toMatchObject([{ trigger: 'job', job30: 7, job90: 13, version: 1, companyStale: false }]);
    expect(counts).toEqual([]);
    expect(state).toMatchObject({ profile: { job30: 3, job90: 9 }, time: at(100), stated30: 7, stated90: 13 });
  });

  test('takes over counts that were restated', () => {
    const { rows } = played(record(at(100), 3, 9), job(at(100), 1), lookedUp(at(101), 1, record(at(101), 30, 90)));
    expect(rows.at(-1)).toMatchObject({ job30: 31, job90: 91, version: 2 });
  });

  test('keeps the record in state when the answer is older', () => {
    const { rows, counts } = played(record(at(100), 3, 9), lookedUp(at(101), 4, record(at(99), 50, 50)));
    expect(rows).toMatchObject([{ job30: 7, job90: 13 }]);
    expect(counts).toEqual(['stale-company-records']);
  });

  test.each(['unknown', null] as const)('with the answer %s goes on with the record in state', (answer) => {
    const { rows, reasons } = played(record(at(100), 3, 9), lookedUp(at(101), 4, answer));
    expect(rows).toMatchObject([{ job30: 7, job90: 13, companyStale: false }]);
    expect(reasons).toEqual([]);
  });

  test.each(['unknown', null] as const)('with the answer %s and no record in state is a dead letter', (answer) => {
    const unknown = { rows: [], reasons: ['unknown-company'], counts: [] };
    expect(played(lookedUp(at(101), 4, answer))).toEqual({ ...unknown, state: undefined });
    const deleted = played(deletion(at(100)), lookedUp(at(101), 4, answer));
    expect(deleted).toEqual({ ...unknown, state: tombstone(at(100), 0) });
  });

  test('of a company that was deleted meanwhile is a dead letter, and the deletion is kept', () => {
    const { rows, reasons, state } = played(record(at(100), 3, 9), lookedUp(at(101), 4, deletion(at(101))));
    expect([rows, reasons]).toEqual([[], ['unknown-company']]);
    expect(state).toEqual(tombstone(at(101), 0));
  });

  test('says so when the answer is an old one that was held; the decay rows do not', () => {
    const first = lookedUp(at(101), 4, record(at(100), 3, 9), true);
    const { rows } = played(first, lookedUp(at(131), 4, null, true), lookedUp(at(131), 4, null));
    const shown = rows.map(({ trigger, version, companyStale }) => `${version} ${trigger} ${companyStale}`);
    expect(shown).toEqual(['1 job true', '2 decay false', '3 decay false', '4 job true', '5 job false']);
  });
});
