import { describe, expect, test } from 'vitest';
import { ByteWriter } from '../base/bytes.ts';
import { DAY_MS } from '../base/time.ts';
import { NO_TIMER, Rejection } from '../runtime/contract.ts';
import { type ActivityOptions, companyActivity } from './company-activity.ts';
import { type CompanyState, tombstone } from './company-state.ts';
import type { ActivityInput, CompanyProfile, CompanyRecord, JobEvent } from './events.ts';
import type { EnrichedCompany } from './rows.ts';

/** Times count in days and ms from 1970-01-01. */
const at = (day: number, ms = 0): number => day * DAY_MS + ms;
const profileOf = (job30: number, job90: number, monthlyFee = 10): CompanyProfile => ({
  companyID: 'a',
  industry: 'IT',
  revenu: 1,
  employees: 2,
  job30,
  job90,
  monthlyFee,
  totalFee: 120,
});
const record = (time: number, job30: number, job90: number, monthlyFee = 10): CompanyRecord => ({
  kind: 'company',
  companyID: 'a',
  time,
  profile: profileOf(job30, job90, monthlyFee),
});
const deletion = (time: number): CompanyRecord => ({ kind: 'company', companyID: 'a', time, profile: null });
const job = (time: number, nbJobs: number): JobEvent => ({
  kind: 'job',
  companyID: 'a',
  userID: 'u',
  nbJobs,
  time,
  dataSize: 7,
  eventID: `e-${time}`,
});

/** One company: what each call hands on, and the state it leaves. */
class Probe {
  readonly stage;
  state: CompanyState | undefined;
  rows: EnrichedCompany[] = [];
  rejections: Rejection[] = [];
  counts: string[] = [];

  constructor(options: Partial<ActivityOptions> = {}) {
    this.stage = companyActivity(['in'], { counting: 'rolling', decay: true, scoreStatus: 'off', ...options });
  }

  readonly #out = {
    emit: (row: EnrichedCompany) => this.rows.push(row),
    reject: (rejection: Rejection) => this.rejections.push(rejection),
    count: (counter: string) => this.counts.push(counter),
  };

  /** What this one input made of it. */
  send(...inputs: ActivityInput[]): { rows: EnrichedCompany[]; rejections: Rejection[]; counts: string[] } {
    this.#forget();
    for (const input of inputs) this.state = this.stage.onEvent(this.state, input, this.#out);
    return { rows: this.rows, rejections: this.rejections, counts: this.counts };
  }

  /** Fires the state's own timer. */
  fire(): EnrichedCompany[] {
    this.#forget();
    const state = this.known;
    this.state = this.stage.onTimer(state, this.stage.nextTimer(state), this.#out);
    return this.rows;
  }

  get known(): CompanyState {
    return this.state ?? expect.fail('the company has no state');
  }

  get nextTimer(): number {
    return this.stage.nextTimer(this.known);
  }

  /** The state as bytes, buckets and all, to be held against those after the next call. */
  get bytes(): Uint8Array {
    const to = new ByteWriter();
    this.stage.state.encode(this.known, to);
    return to.take();
  }

  #forget(): void {
    [this.rows, this.rejections, this.counts] = [[], [], []];
  }
}

const nothing = { rows: [], rejections: [], counts: [] };

describe('a job event', () => {
  test('leaves one row with the event and the counts as of it', () => {
    const probe = new Probe({ scoreStatus: 'unavailable' });
    expect(probe.send(record(at(100), 3, 9))).toEqual(nothing);
    const { profile } = probe.known;
    expect(probe.send(job(at(101, 5), 4))).toEqual({
      ...nothing,
      rows: [
        {
          profile,
          job30: 7,
          job90: 13,
          ...{ score: null, scoreStatus: 'unavailable', riskChanged: null },
          trigger: 'job',
          eventID: `e-${at(101, 5)}`,
          eventTime: at(101, 5),
          userID: 'u',
          nbJobs: 4,
          dataSize: 7,
          version: 1,
          companyStale: false,
        },
      ],
    });
    expect(probe.known).toMatchObject({ version: 1, baseDay: 100, settled: 101, stated30: 7, stated90: 13 });
    expect(probe.nextTimer).toBe(at(130)); // The base leaves the 30 days.
  });

  test('of no jobs leaves a row too', () => {
    const probe = new Probe();
    probe.send(record(at(100), 0, 0));
    expect(probe.send(job(at(101), 0)).rows).toMatchObject([{ nbJobs: 0, job30: 0, job90: 0, version: 1 }]);
    expect(probe.nextTimer).toBe(NO_TIMER);
  });

  test('of a company that is not known is a dead letter, and makes no state', () => {
    const probe = new Probe();
    const rejection = new Rejection('unknown-company', 'companyID: expected a known company, got "a"');
    expect(probe.send(job(at(100), 1))).toEqual({ ...nothing, rejections: [rejection] });
    expect(probe.state).toBeUndefined();
    probe.send(deletion(at(99)));
    expect(probe.send(job(at(100), 1))).toEqual({ ...nothing, rejections: [rejection] });
    expect(probe.state).toEqual(tombstone(at(99), 0));
  });

  test("is late from 90 days before the day of the company's clock on, and then changes nothing", () => {
    const probe = new Probe();
    probe.send(record(at(5), 0, 0), job(at(100, 1000), 1));
    const before = probe.bytes;
    expect(probe.send(job(at(11) - 1, 2)).rejections).toEqual([
      new Rejection(
        'late',
        "creationDate: expected less than 90 days before the company's latest event, got 90 days before",
      ),
    ]);
    expect(probe.rows).toEqual([]);
    expect(probe.bytes).toEqual(before);
    expect(probe.send(job(at(11), 4)).rows).toMatchObject([{ job30: 1, job90: 5, version: 2, eventTime: at(11) }]);
    expect(probe.send(job(at(71) - 1, 4)).rows).toMatchObject([{ job30: 1, job90: 9 }]);
    expect(probe.send(job(at(71), 4)).rows).toMatchObject([{ job30: 5, job90: 13, version: 4 }]);
  });

  test('that would take a count beyond 2^53 - 1 is invalid, and counts nothing', () => {
    const most = Number.MAX_SAFE_INTEGER;
    for (const [job30, job90] of [
      [0, most - 10],
      [most - 10, 0],
    ] as const) {
      const probe = new Probe();
      probe.send(record(at(100), job30, job90), job(at(100), 10));
      const before = probe.bytes;
      const message = 'nbJobs: expected a count that stays below 2^53, got 1 more';
      expect(probe.send(job(at(100), 1))).toEqual({ ...nothing, rejections: [new Rejection('invalid', message)] });
      expect(probe.bytes).toEqual(before);
      expect(probe.send(job(at(100), 0)).rows).toMatchObject([{ job30: job30 + 10, job90: job90 + 10, version: 2 }]);
      expect(probe.send(job(at(101), most)).rejections).toMatchObject([{ reason: 'invalid' }]);
      expect(probe.send(job(at(101), 0)).rows).toMatchObject([{ job30: job30 + 10, job90: job90 + 10, version: 3 }]);
    }
  });
});

describe('silence', () => {
  test('is settled by the timer at midnight, with a row of its own', () => {
    const probe = new Probe();
    probe.send(record(at(99), 0, 0), job(at(100, 5), 4));
    expect(probe.nextTimer).toBe(at(130));
    const { profile } = probe.known;
    expect(probe.fire()).toEqual([
      {
        profile,
        job30: 0,
        job90: 4,
        ...{ score: null, scoreStatus: 'off', riskChanged: null },
        trigger: 'decay',
        eventID: 'decay:a:1970-05-11',
        eventTime: at(130),
        userID: null,
        nbJobs: 0,
        dataSize: null,
        version: 2,
        companyStale: false,
      },
    ]);
    expect(probe.known).toMatchObject({ version: 2, settled: 130, stated30: 0, stated90: 4 });
    expect(probe.known.buckets?.day).toBe(100); // Settling does not move the clock.
    expect(probe.nextTimer).toBe(at(190));
    expect(probe.fire()).toMatchObject([{ job30: 0, job90: 0, eventTime: at(190), version: 3 }]);
    expect(probe.nextTimer).toBe(NO_TIMER);
  });

  test('of a company that never submitted ends its base', () => {
    const probe = new Probe();
    probe.send(record(at(100, 7), 4, 9));
    expect(probe.fire()).toMatchObject([{ trigger: 'decay', job30: 0, job90: 9, eventTime: at(130), version: 1 }]);
    expect(probe.fire()).toMatchObject([{ trigger: 'decay', job30: 0, job90: 0, eventTime: at(190), version: 2 }]);
    expect(probe.nextTimer).toBe(NO_TIMER);
  });

  test('is told of no more once decay is off', () => {
    const probe = new Probe({ decay: false });
    probe.send(record(at(100), 4, 9), job(at(101), 1));
    expect(probe.nextTimer).toBe(NO_TIMER);
    expect(probe.send(job(at(131), 1)).rows).toMatchObject([{ trigger: 'job', job30: 1, job90: 11, version: 2 }]);
  });
});

describe('a company record', () => {
  test('is stale when older than the known one, and applied when equally old', () => {
    const probe = new Probe();
    probe.send(record(at(100), 3, 9));
    const before = probe.bytes;
    expect(probe.send(record(at(100) - 1, 5, 5), deletion(at(99)))).toEqual({
      ...nothing,
      counts: ['stale-company-records', 'stale-company-records'],
    });
    expect(probe.bytes).toEqual(before);
    expect(probe.send(record(at(100), 5, 6))).toEqual(nothing);
    expect(probe.known).toMatchObject({ profile: { job30: 5, job90: 6 }, stated30: 5, stated90: 6 });
  });

  test('that restates the counts is a new base, and the jobs before it count no more', () => {
    const probe = new Probe();
    probe.send(record(at(100), 3, 9), job(at(101), 4));
    expect(probe.send(record(at(102), 20, 30))).toEqual(nothing);
    expect(probe.known).toMatchObject({ baseDay: 102, version: 1, settled: 101, stated30: 20, stated90: 30 });
    expect(probe.send(job(at(102), 1)).rows).toMatchObject([{ job30: 21, job90: 31, version: 2 }]);
  });

  test('with the same counts changes the profile alone', () => {
    const probe = new Probe();
    probe.send(record(at(100), 3, 9), job(at(101), 4));
    probe.send(record(at(120), 3, 9, 99));
    expect(probe.known).toMatchObject({
      time: at(120),
      baseDay: 100,
      version: 1,
      settled: 101,
      stated30: 7,
      stated90: 13,
    });
    expect(probe.send(job(at(121), 1)).rows).toMatchObject([{ profile: { monthlyFee: 99 }, job30: 8, version: 2 }]);
  });

  test('that deletes leaves a tombstone; only a newer one brings the company back, and its versions go on', () => {
    const probe = new Probe();
    probe.send(record(at(100), 3, 9), job(at(101), 4), job(at(101), 4));
    expect(probe.send(deletion(at(102)))).toEqual(nothing);
    expect(probe.state).toEqual(tombstone(at(102), 2));
    expect(probe.nextTimer).toBe(NO_TIMER);
    expect(probe.send(record(at(102), 3, 9), deletion(at(102)), record(at(101), 1, 1)).counts).toHaveLength(3);
    expect(probe.state).toEqual(tombstone(at(102), 2));
    probe.send(deletion(at(103)));
    expect(probe.state).toEqual(tombstone(at(103), 2));
    probe.send(record(at(103, 1), 1, 2));
    expect(probe.send(job(at(20), 1)).rows).toMatchObject([{ job30: 2, job90: 3, version: 3 }]); // Its clock is new, too.
  });
});

test('counts per event are those of the record and the one event, whenever it comes', () => {
  const probe = new Probe({ counting: 'per-event' });
  probe.send(record(at(100), 3, 9));
  expect(probe.send(job(at(300), 4), job(at(1), 1), job(at(600), 2)).rows).toMatchObject([
    { job30: 7, job90: 13, version: 1, companyStale: false },
    { job30: 4, job90: 10, version: 2 },
    { job30: 5, job90: 11, version: 3 },
  ]);
  expect(probe.state).toMatchObject({ version: 3, buckets: null, stated30: 3, stated90: 9 });
  expect(probe.nextTimer).toBe(NO_TIMER);
  const tooMany = probe.send(job(at(300), Number.MAX_SAFE_INTEGER - 8));
  expect(tooMany).toMatchObject({ rows: [], rejections: [{ reason: 'invalid' }] });
  expect(probe.known.version).toBe(3);
});
