import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  type ModelCompany,
  type ModelJob,
  type ModelOptions,
  type ModelResult,
  type ModelStep,
  obviousModel,
  obviousModelOfSteps,
} from './obvious-model.ts';

const DAY_MS = 86_400_000;
const HOUR_MS = 3_600_000;
const LATER_THAN_EVERY_EVENT = Date.UTC(2100, 0, 1);
const rolling: ModelOptions = { decay: true, counting: 'rolling', outOfOrderness: 60_000 };

/** Times count in days and ms from 1970-01-01, so that the figures below can be checked by hand. */
const at = (day: number, ms = 0): number => day * DAY_MS + ms;
const company = (companyID: string, job30: number, job90: number, time: number): ModelCompany => ({
  companyID,
  job30,
  job90,
  time,
});
const deleted = (companyID: string, time: number): ModelCompany => ({
  ...company(companyID, 0, 0, time),
  deleted: true,
});
const jobsOf = (...jobs: [companyID: string, nbJobs: number, time: number][]): ModelJob[] =>
  jobs.map(([companyID, nbJobs, time], index) => ({ companyID, userID: 'u', nbJobs, time, line: index + 1 }));
const decay = (day: number, job30: number, job90: number, version: number): string =>
  `decay,a,${at(day)},,0,${job30},${job90},${version}`;
const job = (time: number, nbJobs: number, job30: number, job90: number, version: number): string =>
  `job,a,${time},u,${nbJobs},${job30},${job90},${version}`;
/** The rows of company `a` in the order they were made. */
const historyOf = ({ canonical }: ModelResult): string[] => {
  const version = (line: string): number => Number(line.split(',').at(-1));
  return canonical.filter((line) => line.split(',')[1] === 'a').sort((a, b) => version(a) - version(b));
};

describe('the conformance data', () => {
  const lines = (path: string): string[] =>
    readFileSync(new URL(`../../conformance/${path}`, import.meta.url), 'utf8')
      .trimEnd()
      .split('\n');
  const records = (path: string): Record<string, unknown>[] => lines(path).map((line) => JSON.parse(line));
  const undated = (path: string): ModelCompany[] =>
    lines(path).map((line) => {
      const [id, , , , job30, job90] = line.split(',');
      return company(String(id), Number(job30), Number(job90), LATER_THAN_EVERY_EVENT);
    });
  const jobs = (): ModelJob[] =>
    records('rolling/jobs.jsonl').map((job, index) => ({
      companyID: String(job.companyID),
      userID: String(job.userID),
      nbJobs: Number(job.nbJobs),
      time: Number(job.creationDate),
      line: index + 1,
    }));

  test('undated companies give expected-undated.csv', () => {
    const { canonical } = obviousModel(undated('rolling/companies.csv'), jobs(), rolling);
    expect(canonical).toEqual(lines('rolling/expected-undated.csv'));
  });

  test('dated companies give expected-dated.csv', () => {
    const companies = records('rolling/companies.jsonl').map((record) => ({
      ...company(String(record.companyID), Number(record.job30), Number(record.job90), Number(record.updatedAt)),
      deleted: record.deleted === true,
    }));
    const { canonical } = obviousModel(companies, jobs(), rolling);
    expect(canonical).toEqual(lines('rolling/expected-dated.csv'));
  });

  test('counting per event gives the output of the first version', () => {
    const events = jobsOf(
      ...lines('first-version/jobs.csv').map((line): [string, number, number] => {
        const [id, , nbJobs] = line.split(',');
        return [String(id), Number(nbJobs), 0];
      }),
    );
    const { canonical } = obviousModel(undated('first-version/companies.csv'), events, {
      ...rolling,
      counting: 'per-event',
    });
    const columns = (fields: string[], ...wanted: number[]): string => wanted.map((index) => fields[index]).join(' ');
    const got = canonical.map((line) => columns(line.split(','), 1, 5, 6));
    const expected = lines('first-version/output.txt').map((line) => columns(line.split(' '), 0, 4, 5));
    expect(got.sort()).toEqual(expected.sort());
  });
});

describe('silence', () => {
  test('a silent tenant decays 30 and 90 days after its last job', () => {
    const jobs = jobsOf(['a', 5, at(100, HOUR_MS)], ['other', 1, at(200)]);
    const rows = historyOf(obviousModel([company('a', 0, 0, at(99))], jobs, rolling));
    expect(rows).toEqual([job(at(100, HOUR_MS), 5, 5, 5, 1), decay(130, 0, 5, 2), decay(190, 0, 0, 3)]);
  });

  test('a base expires without any job of its company', () => {
    const jobs = jobsOf(['other', 1, at(900)]);
    const rows = historyOf(obviousModel([company('a', 4, 9, at(100, HOUR_MS))], jobs, rolling));
    expect(rows).toEqual([decay(130, 0, 9, 1), decay(190, 0, 0, 2)]);
  });

  test('a boundary at which the counts are what was last stated makes no row', () => {
    const jobs = jobsOf(['other', 1, at(900)]);
    expect(historyOf(obviousModel([company('a', 0, 9, at(100))], jobs, rolling))).toEqual([decay(190, 0, 0, 1)]);
    expect(historyOf(obviousModel([company('a', 0, 0, at(100))], jobs, rolling))).toEqual([]);
  });

  test("a tenant's own next job settles the boundaries before it is counted", () => {
    const jobs = jobsOf(['a', 5, at(100)], ['a', 2, at(190)]);
    const rows = historyOf(obviousModel([company('a', 0, 0, at(99))], jobs, rolling));
    expect(rows).toEqual([
      job(at(100), 5, 5, 5, 1),
      decay(130, 0, 5, 2),
      decay(190, 0, 0, 3),
      job(at(190), 2, 2, 2, 4),
    ]);
  });

  test('a base that begins after the first job expires by its own day', () => {
    const jobs = jobsOf(['a', 5, at(100)], ['other', 1, at(210)]);
    const rows = historyOf(obviousModel([company('a', 4, 9, at(110))], jobs, rolling));
    expect(rows).toEqual([
      job(at(100), 5, 9, 14, 1),
      decay(130, 4, 14, 2),
      decay(140, 0, 14, 3),
      decay(190, 0, 9, 4),
      decay(200, 0, 0, 5),
    ]);
  });

  test('a base that began long before the first job has expired by then', () => {
    const rows = historyOf(obviousModel([company('a', 4, 9, at(100))], jobsOf(['a', 1, at(250)]), rolling));
    expect(rows).toEqual([decay(130, 0, 9, 1), decay(190, 0, 0, 2), job(at(250), 1, 1, 1, 3)]);
  });

  test('nothing fires beyond the watermark of the last job', () => {
    const rows = historyOf(obviousModel([company('a', 4, 9, at(100))], jobsOf(['a', 1, at(101)]), rolling));
    expect(rows).toEqual([job(at(101), 1, 5, 10, 1)]);
  });

  test('nothing decays with activity.decay off', () => {
    const jobs = jobsOf(['a', 5, at(100)], ['a', 2, at(130)]);
    const rows = historyOf(obviousModel([company('a', 0, 0, at(99))], jobs, { ...rolling, decay: false }));
    expect(rows).toEqual([job(at(100), 5, 5, 5, 1), job(at(130), 2, 2, 7, 2)]);
  });
});

describe('midnight', () => {
  test('a boundary is settled once the watermark stands exactly on it, and not 1 ms sooner', () => {
    const rowsAfter = (otherTime: number): string[] =>
      historyOf(obviousModel([company('a', 4, 4, at(100))], jobsOf(['other', 1, otherTime]), rolling));
    expect(rowsAfter(at(130, 60_000))).toEqual([decay(130, 0, 4, 1)]);
    expect(rowsAfter(at(130, 59_999))).toEqual([]);
  });

  test.each([
    ['1 ms before', -1, 129],
    ['at', 0, 130],
    ['1 ms after', 1, 130],
  ])('a job %s midnight is counted on its own day', (_, ms, decayDay) => {
    const jobs = jobsOf(['a', 5, at(100, ms)], ['other', 1, at(140)]);
    const rows = historyOf(obviousModel([company('a', 0, 0, at(90))], jobs, rolling));
    expect(rows).toEqual([job(at(100, ms), 5, 5, 5, 1), decay(decayDay, 0, 5, 2)]);
  });

  test('a job at the very ms of a boundary comes after the decay row of that boundary', () => {
    const jobs = jobsOf(['a', 5, at(100)], ['a', 1, at(130)]);
    const rows = historyOf(obviousModel([company('a', 0, 0, at(90))], jobs, rolling));
    expect(rows).toEqual([job(at(100), 5, 5, 5, 1), decay(130, 0, 5, 2), job(at(130), 1, 1, 6, 3)]);
  });

  test('a job 60 s behind the newest, on the day before, is counted as of the new day', () => {
    const jobs = jobsOf(['a', 5, at(100, 30_000)], ['a', 1, at(100, -30_000)], ['other', 1, at(140)]);
    const rows = historyOf(obviousModel([company('a', 0, 0, at(90))], jobs, rolling));
    expect(rows).toEqual([
      job(at(100, 30_000), 5, 5, 5, 1),
      job(at(100, -30_000), 1, 6, 6, 2),
      decay(129, 5, 6, 3),
      decay(130, 0, 6, 4),
    ]);
  });
});

describe('one event', () => {
  test('of zero jobs leaves a row and a version', () => {
    const rows = historyOf(obviousModel([company('a', 4, 9, at(100))], jobsOf(['a', 0, at(100)]), rolling));
    expect(rows).toEqual([job(at(100), 0, 4, 9, 1)]);
  });

  test("is late 90 days behind the day of its company's clock, and counted 89 days behind it", () => {
    const lastMsOfDay10 = at(11) - 1;
    const jobs = jobsOf(['a', 1, at(100, HOUR_MS)], ['a', 2, lastMsOfDay10], ['a', 4, at(11)]);
    const result = obviousModel([company('a', 0, 0, at(9))], jobs, rolling);
    expect(result.deadLetters).toEqual([{ line: 2, reason: 'late' }]);
    expect(historyOf(result)).toEqual([job(at(100, HOUR_MS), 1, 1, 1, 1), job(at(11), 4, 1, 5, 2)]);
  });

  test('that is late settles nothing a second time', () => {
    const jobs = jobsOf(['a', 5, at(100)], ['other', 1, at(131)], ['a', 1, at(9)], ['other', 1, at(132)]);
    const rows = historyOf(obviousModel([company('a', 0, 0, at(99))], jobs, rolling));
    expect(rows).toEqual([job(at(100), 5, 5, 5, 1), decay(130, 0, 5, 2)]);
  });

  test('of an unknown or deleted company is a dead letter, and moves the watermark', () => {
    const companies = [company('a', 4, 4, at(100)), company('gone', 4, 4, at(50)), deleted('gone', at(60))];
    const result = obviousModel(companies, jobsOf(['x', 1, at(131)], ['gone', 1, at(191)]), rolling);
    expect(result.deadLetters).toEqual([
      { line: 1, reason: 'unknown-company' },
      { line: 2, reason: 'unknown-company' },
    ]);
    expect(result.canonical).toEqual([decay(130, 0, 4, 1), decay(190, 0, 0, 2)]);
  });

  test('later than the watermark is counted as of the clock, and settles nothing anew', () => {
    const jobs = jobsOf(['a', 5, at(100)], ['other', 1, at(131)], ['a', 2, at(112)], ['other', 1, at(133)]);
    const rows = historyOf(obviousModel([company('a', 0, 0, at(99))], jobs, rolling));
    expect(rows).toEqual([
      job(at(100), 5, 5, 5, 1),
      decay(130, 0, 5, 2),
      job(at(112), 2, 7, 7, 3), // As of day 112, at which the 5 still count; boundary 130 is not settled again.
      decay(131, 2, 7, 4),
    ]);
  });

  test('per event adds to the counts of the record and to nothing else', () => {
    const jobs = jobsOf(['a', 5, at(300)], ['a', 2, at(100)], ['a', 1, at(600)]);
    const result = obviousModel([company('a', 4, 9, at(9))], jobs, { ...rolling, counting: 'per-event' });
    expect(result.deadLetters).toEqual([]);
    expect(historyOf(result)).toEqual([
      job(at(300), 5, 9, 14, 1),
      job(at(100), 2, 6, 11, 2),
      job(at(600), 1, 5, 10, 3),
    ]);
  });
});

describe('company records', () => {
  const resultOf = (...companies: ModelCompany[]): ModelResult =>
    obviousModel(companies, jobsOf(['a', 1, at(101)]), rolling);
  const stepsOf = (...steps: (ModelCompany | ModelJob)[]): ModelStep[] =>
    steps.map((step) => ('line' in step ? { job: step } : { company: step }));

  test('a newer or equally old record restates the counts, an older one is stale', () => {
    const restated = resultOf(company('a', 1, 2, at(100)), company('a', 3, 4, at(100)));
    expect(restated).toEqual({ canonical: [job(at(101), 1, 4, 5, 1)], deadLetters: [], staleRecords: 0 });
    const stale = resultOf(company('a', 1, 2, at(100)), company('a', 3, 4, at(100) - 1), deleted('a', at(99)));
    expect(stale).toEqual({ canonical: [job(at(101), 1, 2, 3, 1)], deadLetters: [], staleRecords: 2 });
  });

  test('a record that only changes the profile keeps the day of the base', () => {
    const rows = historyOf(resultOf(company('a', 7, 8, at(71)), company('a', 7, 8, at(90))));
    expect(rows).toEqual([decay(101, 0, 8, 1), job(at(101), 1, 1, 9, 2)]);
  });

  test('over a tombstone only a strictly newer record counts, and a newer deletion moves it on', () => {
    const known = [company('a', 7, 8, at(90)), deleted('a', at(91))];
    expect(resultOf(...known, company('a', 1, 2, at(91)))).toMatchObject({ canonical: [], staleRecords: 1 });
    expect(resultOf(...known, deleted('a', at(93)), company('a', 1, 2, at(92)))).toMatchObject({ staleRecords: 1 });
    expect(historyOf(resultOf(...known, company('a', 1, 2, at(91, 1))))).toEqual([job(at(101), 1, 2, 3, 1)]);
    expect(resultOf(deleted('a', at(91)), company('a', 1, 2, at(91)))).toMatchObject({ staleRecords: 1 });
  });

  test('a deletion as old as the record it ends is applied', () => {
    const result = resultOf(company('a', 7, 8, at(90)), deleted('a', at(90)));
    expect(result).toEqual({ canonical: [], deadLetters: [{ line: 1, reason: 'unknown-company' }], staleRecords: 0 });
  });

  test('a company that returns starts anew, and its versions go on', () => {
    const result = obviousModelOfSteps(
      stepsOf(
        company('a', 0, 0, at(99)),
        ...jobsOf(['a', 5, at(100)]),
        deleted('a', at(101)),
        company('a', 2, 3, at(102)),
        ...jobsOf(['a', 1, at(10)]), // 90 days behind the clock that went with the first life.
      ),
      rolling,
    );
    expect(result.deadLetters).toEqual([]);
    expect(historyOf(result)).toEqual([job(at(100), 5, 5, 5, 1), job(at(10), 1, 3, 4, 2), decay(40, 2, 4, 3)]);
  });

  test('a restated count clears what was counted; clock, settled day and version stay', () => {
    const steps = stepsOf(
      company('a', 0, 0, at(99)),
      ...jobsOf(['a', 5, at(100)]),
      company('a', 20, 30, at(100)),
      ...jobsOf(['a', 1, at(99)], ['a', 1, at(10)], ['other', 1, at(131)]),
    );
    const result = obviousModelOfSteps(steps, rolling);
    expect(result.deadLetters.map(({ reason }) => reason)).toEqual(['late', 'unknown-company']);
    expect(historyOf(result)).toEqual([
      job(at(100), 5, 5, 5, 1),
      job(at(99), 1, 21, 31, 2),
      decay(129, 20, 31, 3),
      decay(130, 0, 31, 4),
    ]);
  });
});

test('fields with a comma, a quote or a line break are quoted, and rows sort by their UTF-8 bytes', () => {
  const ids = ['\u{1F680}', '\uFF01', 'two\nlines', 'say "hi"', 'a,b'];
  const jobs = jobsOf(...ids.map((id): [string, number, number] => [id, 1, at(9)]));
  const { canonical } = obviousModel(
    ids.map((id) => company(id, 0, 0, at(9))),
    jobs,
    rolling,
  );
  const quoted = ['"a,b"', '"say ""hi"""', '"two\nlines"', '\uFF01', '\u{1F680}'];
  expect(canonical).toEqual(quoted.map((id) => `job,${id},${at(9)},u,1,1,1,1`));
});
