import fc from 'fast-check';
import { expect, test } from 'vitest';
import { VirtualTime } from '../../../test/support/virtual-time.ts';
import { DAY_MS } from '../../base/time.ts';
import { jobDecoder } from '../../core/decode-job.ts';
import type { JobEvent } from '../../core/events.ts';
import { Rejection } from '../../runtime/contract.ts';
import { seedCompanies } from '../tenant-manager/seed-companies.ts';
import { SHAPES } from './shape.ts';
import { SIMULATOR_DEFAULTS, type SimulatorOptions, simulate } from './simulate.ts';
import { tenantLife } from './tenant-life.ts';

const SINCE = Date.UTC(2026, 0, 1);
const companies = seedCompanies(60, 1, SINCE);
const decode = jobDecoder(3_600_000);

interface Sent {
  readonly stream: string;
  readonly partitionKey: string;
  readonly text: string;
  readonly at: number;
}

function begun(options: Partial<SimulatorOptions> = {}, putMs = 0, now = SINCE) {
  const time = new VirtualTime(now);
  const stop = new AbortController();
  const sent: Sent[] = [];
  const decoder = new TextDecoder();
  let underWay = 0;
  let mostUnderWay = 0;
  const put = async (stream: string, partitionKey: string, data: Uint8Array) => {
    sent.push({ stream, partitionKey, text: decoder.decode(data), at: time.now });
    mostUnderWay = Math.max(mostUnderWay, ++underWay);
    if (putMs > 0) await time.after(putMs);
    underWay--;
  };
  const all: SimulatorOptions = {
    ...SIMULATOR_DEFAULTS,
    companies,
    jobsStream: 'bigdatajobs',
    companiesStream: 'companies',
    since: SINCE,
    isFirstStart: true,
    ...options,
  };
  const world = { now: () => time.now, sleep: time.sleep };
  const result = simulate(all, { put }, world, stop.signal);
  const jobs = () => sent.filter(({ stream }) => stream === 'bigdatajobs');
  return { time, stop, sent, jobs, result, mostUnderWay: () => mostUnderWay };
}

function decoded({ text, at }: Sent): JobEvent | Rejection {
  const bytes = new TextEncoder().encode(text);
  return decode(bytes, 0, bytes.length, {
    source: 'jobs',
    shardId: 's',
    sequenceNumber: '1',
    subSequence: null,
    arrivalTime: at,
    live: true,
    columns: null,
  });
}

test('all companies are sent once at the first start, before any job event, and never again', async () => {
  const first = begun();
  await first.time.advance(5000);
  first.stop.abort();
  expect(await first.result).toEqual({ companies: 60, jobs: 10, broken: 0, skippedMs: 0 });
  expect(first.sent.slice(0, 60).map(({ text }) => JSON.parse(text))).toEqual(companies);
  expect(first.sent.slice(0, 60).map(({ stream, partitionKey }) => `${stream} ${partitionKey}`)).toEqual(
    companies.map(({ companyID }) => `companies ${companyID}`),
  );
  expect(first.sent.slice(60).every(({ stream }) => stream === 'bigdatajobs')).toBe(true);

  const again = begun({ isFirstStart: false, historyDays: 5 });
  await again.time.advance(5000);
  again.stop.abort();
  expect(await again.result).toEqual({ companies: 0, jobs: 10, broken: 0, skippedMs: 0 });
});

test('the same seed sends the same events at the same times, another seed others', async () => {
  const runs = [];
  for (const seed of [1, 1, 2]) {
    const run = begun({ seed, historyDays: 3, csvShare: 0.3, brokenShare: 0.1 });
    await run.time.advance(60_000);
    run.stop.abort();
    await run.result;
    runs.push(run.jobs());
  }
  expect(runs[1]).toEqual(runs[0]);
  expect(runs[2]).not.toEqual(runs[0]);
});

test('same seed and shape, same events, however the clock, the writer and the machine stutter', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.nat(),
      fc.constantFrom(...SHAPES),
      fc.double({ min: 0, max: 1, noNaN: true }),
      fc.array(fc.integer({ min: 1, max: 900 }), { minLength: 1, maxLength: 20 }),
      async (seed, shape, fading, late) => {
        const runs: string[][] = [];
        for (const lateness of [[0], late]) {
          let now = SINCE;
          let slept = 0;
          const texts: string[] = [];
          const sleep = async (ms: number) => {
            now += ms + (lateness[slept++ % lateness.length] ?? 0);
          };
          const put = async (_stream: string, key: string, data: Uint8Array) => {
            texts.push(`${key} ${Buffer.from(data)}`);
          };
          const life = { companies, jobsStream: 'j', companiesStream: 'c', since: SINCE, isFirstStart: true };
          const options = {
            ...SIMULATOR_DEFAULTS,
            ...life,
            seed,
            shape,
            fading,
            perSecond: 20,
            withCreationDate: true,
          };
          const { signal } = new AbortController();
          const sent = await simulate({ ...options, mostJobs: 200 }, { put }, { now: () => now, sleep }, signal);
          expect(sent).toMatchObject({ companies: 60, jobs: 200, skippedMs: 0 });
          runs.push(texts);
        }
        expect(runs[1]).toEqual(runs[0]);
      },
    ),
    { numRuns: 40 },
  );
});

test.each([0, 0.3, 0.5, 1])('of the tenants a share of %d fades away, whatever the seed', (share) => {
  const lives = Array.from({ length: 4000 }, (_, seed) => tenantLife(`comp_${seed}`, seed, share));
  const faded = lives.filter((life) => life.activity(60) < life.activity(0)).length;
  expect(faded / lives.length).toBeGreaterThan(share - 0.03);
  expect(faded / lives.length).toBeLessThan(share + 0.03);
});

test('once all tenants are gone it ends', async () => {
  const run = begun({ fading: 1, dayMs: 1000, perSecond: 10 });
  await run.time.advance(120_000);
  const { jobs } = await run.result;
  expect(jobs).toBeGreaterThan(100);
  expect(jobs).toBeLessThan(1000);
});

test('it ends after as many job events as asked for, past days included', async () => {
  for (const [historyDays, mostJobs] of [
    [0, 7],
    [3, 7],
    [3, 500],
  ] as const) {
    const run = begun({ historyDays, mostJobs, perSecond: 100 });
    await run.time.advance(10_000);
    expect((await run.result).jobs).toBe(mostJobs);
  }
});

test.each([0.5, 2, 40, 1000])('job events leave at %d per second', async (perSecond) => {
  const run = begun({ perSecond });
  await run.time.advance(10_000);
  run.stop.abort();
  const { jobs } = await run.result;
  expect(jobs).toBeGreaterThanOrEqual(perSecond * 10 * 0.99 - 1);
  expect(jobs).toBeLessThanOrEqual(perSecond * 10);
});

test('a writer that is slow is not flooded, then or afterwards', async () => {
  const run = begun({ perSecond: 2000, isFirstStart: false }, 10_000);
  await run.time.advance(45_000);
  run.stop.abort();
  await run.time.advance(60_000);
  const { jobs } = await run.result;
  expect(run.mostUnderWay()).toBe(500);
  expect(jobs).toBeLessThanOrEqual(2500);
  expect((await run.result).skippedMs).toBeGreaterThan(5000);
});

test('after a sleep of the machine it goes on at its rate, with at most a second made up for', async () => {
  const stop = new AbortController();
  let now = SINCE;
  const perMinute = new Map<number, number>();
  const put = async () => {
    const minute = Math.floor((now - SINCE) / 60_000);
    perMinute.set(minute, (perMinute.get(minute) ?? 0) + 1);
  };
  const sleep = async (ms: number) => {
    now += ms;
    // The night: from the first minute's end to the 500th's begin.
    if (now === SINCE + 60_000) now = SINCE + 500 * 60_000;
    if (now >= SINCE + 501 * 60_000) stop.abort();
  };
  const options = { ...SIMULATOR_DEFAULTS, companies, jobsStream: 'j', companiesStream: 'c', since: SINCE };
  await simulate({ ...options, perSecond: 100, isFirstStart: false }, { put }, { now: () => now, sleep }, stop.signal);
  expect([...perMinute.keys()]).toEqual([0, 500]);
  const [first = 0, after = 0] = perMinute.values();
  expect(first).toBeGreaterThan(5980);
  expect(after).toBeGreaterThan(5980);
  expect(after).toBeLessThanOrEqual(6000 + 100 + 5);
});

test('every event can be decoded, JSON and CSV, and is of a company that was sent', async () => {
  const run = begun({ csvShare: 0.5, historyDays: 2, withCreationDate: true });
  await run.time.advance(300_000);
  run.stop.abort();
  const { jobs, broken } = await run.result;
  expect(broken).toBe(0);
  const known = new Set(companies.map(({ companyID }) => companyID));
  const events = run.jobs().map(decoded);
  expect(events).toHaveLength(jobs);
  for (const event of events)
    expect(event instanceof Rejection ? event.message : known.has(event.companyID)).toBe(true);
  expect(run.jobs().some(({ text }) => text.startsWith('{'))).toBe(true);
  expect(run.jobs().some(({ text }) => text.startsWith('comp_'))).toBe(true);
});

test('an event carries its time only when asked to', async () => {
  for (const withCreationDate of [false, true]) {
    const run = begun({ withCreationDate, csvShare: 0, isFirstStart: false });
    await run.time.advance(5000);
    run.stop.abort();
    await run.result;
    for (const { text, at } of run.jobs()) {
      expect((JSON.parse(text) as { creationDate?: number }).creationDate).toSatisfy((time) =>
        withCreationDate ? typeof time === 'number' && time <= at && time > at - 100 : time === undefined,
      );
    }
  }
});

test('history comes first, in order of time, over all its days, one event for a tenant and day at most', async () => {
  const run = begun({ historyDays: 40, csvShare: 0.2, perSecond: 0 });
  const { jobs } = await run.result;
  const events = run.jobs().map(decoded) as JobEvent[];
  const times = events.map(({ time }) => time);
  expect(times).toEqual([...times].sort((one, other) => one - other));
  expect(times.every((time) => time >= SINCE - 40 * DAY_MS && time < SINCE)).toBe(true);
  expect(new Set(times.map((time) => Math.floor(time / DAY_MS))).size).toBe(40);
  expect(new Set(events.map(({ companyID, time }) => `${companyID} ${Math.floor(time / DAY_MS)}`)).size).toBe(jobs);
  expect(jobs).toBeGreaterThan(600);
});

test('a share of records is broken when asked for, each of them one that is refused or of nobody', async () => {
  const run = begun({ brokenShare: 0.25, csvShare: 0.2, perSecond: 20, isFirstStart: false });
  await run.time.advance(100_000);
  run.stop.abort();
  const { jobs, broken } = await run.result;
  const refused = run.jobs().filter((sent) => {
    const event = decoded(sent);
    return event instanceof Rejection || event.companyID.endsWith('_that_nobody_knows');
  });
  expect(refused).toHaveLength(broken);
  expect(broken / jobs).toBeGreaterThan(0.2);
  expect(broken / jobs).toBeLessThan(0.3);
});

test('some tenants fade away until they are silent, most go on, and lives go on after a restart', async () => {
  const lives = companies.map(({ companyID }, index) => tenantLife(companyID, index));
  const gone = lives.filter((life) => life.activity(0) > 0 && life.activity(60) === 0);
  expect(gone.length).toBeGreaterThan(8);
  expect(gone.length).toBeLessThan(30);

  const tenantsAt = async (now: number) => {
    const run = begun({ isFirstStart: false, perSecond: 1000, dayMs: 1000 }, 0, now);
    await run.time.advance(5000);
    run.stop.abort();
    await run.result;
    return new Set(run.jobs().map(({ partitionKey }) => partitionKey)).size;
  };
  const [atFirst, later] = [await tenantsAt(SINCE), await tenantsAt(SINCE + 60_000)];
  expect(later).toBeLessThan(atFirst * 0.85);
  expect(later).toBeGreaterThan(atFirst * 0.5);
});

test('a writer that gives up ends it at once, also while the next event is long away', async () => {
  const time = new VirtualTime(SINCE);
  const options = { ...SIMULATOR_DEFAULTS, companies, jobsStream: 'j', companiesStream: 'c', since: SINCE };
  const put = async () => {
    await time.after(100);
    throw new Error('the stream is gone');
  };
  const world = { now: () => time.now, sleep: time.sleep };
  const life = { ...options, isFirstStart: false, perSecond: 0.01 };
  const ended = expect(simulate(life, { put }, world, new AbortController().signal)).rejects.toThrow('is gone');
  await time.advance(100_000);
  await time.advance(200);
  await ended;
  expect(time.now).toBe(SINCE + 100_200);
});

test('a writer that gives up ends it with that error', async () => {
  const time = new VirtualTime(SINCE);
  const { signal } = new AbortController();
  const options = { ...SIMULATOR_DEFAULTS, companies, jobsStream: 'j', companiesStream: 'c', since: SINCE };
  const put = async () => {
    throw new Error('the stream is gone');
  };
  const world = { now: () => time.now, sleep: time.sleep };
  await expect(simulate({ ...options, isFirstStart: true }, { put }, world, signal)).rejects.toThrow(
    'the stream is gone',
  );
});
