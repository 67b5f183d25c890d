import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { DuckDBConnection } from '@duckdb/node-api';
import fc from 'fast-check';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import {
  bytes,
  companyRows,
  dayText,
  jobsOf,
  lastJobOf,
  NOW,
  newestOf,
  type Row,
  row,
  scored,
  sum,
  sumsBy,
  TODAY,
} from '../../../test/support/dashboard-rows.ts';
import { DAY_MS, isoDate } from '../../base/time.ts';
import type { RowFile } from './catch-up.ts';
import { Dashboard } from './dashboard.ts';
import { INSIGHTS, type InsightName, type InsightQuery } from './insights-schema.ts';

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/tenant-analytics-`);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const opened: Dashboard[] = [];
afterEach(async () => {
  for (const dashboard of opened.splice(0)) await dashboard.close();
});

async function dashboardOf(rows: readonly unknown[] = [], now = () => NOW) {
  const warnings: string[] = [];
  const dashboard = await Dashboard.open({ now, warn: (message) => void warnings.push(message) });
  opened.push(dashboard);
  for (const one of rows) dashboard.ingest(bytes(one));
  await dashboard.applied();
  return { dashboard, warnings };
}

/** Asked as by HTTP, with defaults; the answer must be as its schema says. */
async function asked<N extends InsightName>(dashboard: Dashboard, name: N, query: Partial<InsightQuery<N>> = {}) {
  const found = await dashboard.answer(name, INSIGHTS[name].query.parse(query) as InsightQuery<N>);
  if (found === undefined) throw new Error(`expected an answer to ${name}`);
  INSIGHTS[name].answer.parse(found);
  return found;
}

let files = 0;
async function written(lines: readonly string[]) {
  const path = `${folder}/part-${files++}.jsonl`;
  await writeFile(path, lines.map((line) => `${line}\n`).join(''));
  return fileAt(path, 1);
}

function fileAt(path: string, bytes: number): RowFile {
  return { name: path, bytes, open: async () => ({ path, release: async () => {} }) };
}

test('rows that come while others are applied, however long that takes, are seen, and those after them too', async () => {
  const { dashboard } = await dashboardOf();
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const collected = () => vi.advanceTimersByTime(1000);
    dashboard.ingest(bytes(row({ companyID: 'a' })));
    collected();
    // It is under way: this one's time comes before that is done.
    dashboard.ingest(bytes(row({ companyID: 'b' })));
    collected();
    await dashboard.applied();
    dashboard.ingest(bytes(row({ companyID: 'c' })));
    collected();
  } finally {
    vi.useRealTimers();
  }
  await expect.poll(() => dashboard.status().then(({ rows }) => rows)).toBe(3);
});

const MOST = { limit: 10_000 };

/** Rows in any order, some again, in batches that come from files or from the stream. */
const deliveries = companyRows.chain((rows) =>
  fc.record({
    rows: fc.constant(rows),
    batches: fc
      .tuple(
        fc.shuffledSubarray(rows as Row[], { minLength: rows.length, maxLength: rows.length }),
        fc.shuffledSubarray(rows as Row[]),
        fc.integer({ min: 1, max: 6 }),
      )
      .map(([all, again, size]) => {
        const order = [...all, ...again];
        const batches: Row[][] = [];
        for (let from = 0; from < order.length; from += size) batches.push(order.slice(from, from + size));
        return batches;
      }),
    fromFiles: fc.integer({ min: 0, max: 3 }),
  }),
);

test('each (companyID, version) counts once, whatever comes again, late, or with its score, from files or the stream', async () => {
  await fc.assert(
    fc.asyncProperty(deliveries, async ({ rows, batches, fromFiles }) => {
      const { dashboard } = await dashboardOf();
      for (const [index, batch] of batches.entries()) {
        if (index < fromFiles) {
          const file = await written(batch.map((one) => JSON.stringify(one)));
          await dashboard.catchUp([file], new AbortController().signal);
        } else {
          for (const one of batch) dashboard.ingest(bytes(one));
          await dashboard.applied();
        }
      }
      await expectNumbersOf(dashboard, rows);
      await dashboard.close();
      opened.splice(opened.indexOf(dashboard), 1);
    }),
    { numRuns: 25 },
  );
});

async function expectNumbersOf(dashboard: Dashboard, rows: readonly Row[]): Promise<void> {
  const newest = [...newestOf(rows).values()];
  const jobs = jobsOf(rows);
  const versions = new Set(rows.map(({ companyID, version }) => JSON.stringify([companyID, version])));
  const { rows: companies, asOf } = await asked(dashboard, 'companies', MOST);
  expect(asOf.rows).toBe(versions.size);
  expect(asOf.eventTime).toBe(new Date(Math.max(...rows.map(({ eventTime }) => eventTime))).toISOString());
  expect(byID(companies)).toEqual(
    byID(
      newest.map((one) => {
        const last = lastJobOf(rows, one.companyID);
        return {
          companyID: one.companyID,
          industry: one.industry,
          revenue: one.revenu,
          employees: one.employees,
          job30: one.job30,
          job90: one.job90,
          monthlyFee: one.monthlyFee,
          totalFee: one.totalFee,
          riskOfChurn: one.riskOfChurn,
          churnProbability: one.churnProbability ?? null,
          scoreStatus: one.scoreStatus,
          lastJobAt: last === null ? null : new Date(last).toISOString(),
          idleDays: last === null ? null : TODAY - Math.floor(last / DAY_MS),
          version: one.version,
          eventTime: new Date(one.eventTime).toISOString(),
        };
      }),
    ),
  );
  const byDay = sumsBy(jobs, ({ eventTime }) => dayText(eventTime));
  const perDay = await asked(dashboard, 'batches-per-day', { days: 121 });
  expect(new Map(perDay.rows.filter(({ batches }) => batches > 0).map(({ day, ...sums }) => [day, sums]))).toEqual(
    byDay,
  );
  const byMonth = await asked(dashboard, 'submissions-by-month');
  expect(new Map(byMonth.rows.map(({ month, isOver: _, ...sums }) => [month, sums]))).toEqual(
    sumsBy(jobs, ({ eventTime }) => dayText(eventTime).slice(0, 7)),
  );
  const flips = new Map(
    rows
      .filter(({ riskChanged }) => riskChanged !== undefined)
      .map((one) => [JSON.stringify([one.companyID, one.version]), one.riskChanged]),
  );
  const changes = await asked(dashboard, 'risk-changes', { days: 400, limit: 10_000 });
  expect(
    new Map(changes.rows.map(({ companyID, version, change }) => [JSON.stringify([companyID, version]), change])),
  ).toEqual(flips);
  expect(changes.rows.length).toBe(flips.size);
  const atRisk = newest.filter(({ riskOfChurn }) => riskOfChurn === true);
  expect((await asked(dashboard, 'revenue-at-risk')).totals).toMatchObject({
    atRisk: atRisk.length,
    monthlyFeeAtRisk: sum(atRisk.map(({ monthlyFee }) => monthlyFee)),
  });
  const silent = newest.filter(({ companyID }) => (lastJobOf(rows, companyID) ?? 0) < (TODAY - 6) * DAY_MS);
  expect((await asked(dashboard, 'silent', { days: 7 })).totals.silent).toBe(silent.length);
  for (const { companyID } of newest.slice(0, 2)) await expectCompany(dashboard, rows, companyID);
}

async function expectCompany(dashboard: Dashboard, rows: readonly Row[], companyID: string): Promise<void> {
  const its = jobsOf(rows).filter((one) => one.companyID === companyID);
  const users = await asked(dashboard, 'company-users', { companyID, days: 400, limit: 1000 });
  const expectedUsers = sumsBy(its, ({ userID = '' }) => userID);
  expect(new Map(users.rows.map(({ userID, jobs, batches }) => [userID, { jobs, batches }]))).toEqual(
    new Map([...expectedUsers].map(([userID, { jobs, batches }]) => [userID, { jobs, batches }])),
  );
  expect(users.totals.activeUsers).toBe(expectedUsers.size);
  const perDay = await asked(dashboard, 'company-jobs', { companyID, days: 121 });
  expect(sum(perDay.rows.map(({ jobs }) => jobs))).toBe(sum(its.map(({ nbJobs }) => nbJobs)));
  expect(perDay.rows.length).toBe(121);
  const lastOfDay = new Map<string, Row>();
  for (const one of rows) {
    if (one.companyID !== companyID || one.riskOfChurn === null) continue;
    const known = lastOfDay.get(dayText(one.eventTime));
    if (known === undefined || one.version > known.version) lastOfDay.set(dayText(one.eventTime), one);
  }
  const trend = await asked(dashboard, 'company-score', { companyID, days: 400 });
  expect(new Map(trend.rows.map(({ day, churnProbability }) => [day, churnProbability]))).toEqual(
    new Map([...lastOfDay].map(([day, { churnProbability }]) => [day, churnProbability])),
  );
}

function byID<R extends { readonly companyID: string }>(rows: readonly R[]): readonly R[] {
  return [...rows].sort((a, b) => (a.companyID < b.companyID ? -1 : 1));
}

test('numbers stay the same when the store folds what was appended', async () => {
  const days = Array.from({ length: 30 }, (_, ago) => NOW - ago * DAY_MS);
  const rows = days.flatMap((eventTime, index) => {
    const made = row({ eventTime, version: index + 1, userID: `user_${index % 7}`, dataSize: index });
    return [made, scored(made, index / 30, index % 5 === 0 ? { riskChanged: 'at-risk' } : {})];
  });
  const { dashboard } = await dashboardOf(rows);
  const before = await asked(dashboard, 'company-users', { companyID: 'comp_1' });
  await dashboard.fold();
  await dashboard.fold();
  for (const one of rows) dashboard.ingest(bytes(one));
  await dashboard.applied();
  await expectNumbersOf(dashboard, rows);
  expect((await asked(dashboard, 'company-users', { companyID: 'comp_1' })).rows).toEqual(before.rows);
});

test('days before the quarter that began over a year ago are forgotten, companies are not, and a day of the future hides nothing', async () => {
  const times = [Date.UTC(2025, 8, 30), Date.UTC(2025, 9, 1), NOW, Date.UTC(9999, 0, 1)];
  const { dashboard } = await dashboardOf(times.map((eventTime, index) => row({ eventTime, version: index + 1 })));
  await dashboard.fold();
  const { rows } = await asked(dashboard, 'submissions-by-quarter');
  expect(rows.map(({ quarter, isOver, jobs }) => [quarter, isOver, jobs])).toEqual([
    ['2025-Q4', true, 1],
    ['2026-Q4', false, 1],
    ['9999-Q1', false, 1],
  ]);
  expect((await asked(dashboard, 'overview')).totals.tenants).toBe(1);
});

test('a company with very many users keeps those with the latest jobs, and says that there are more', async () => {
  const rows = Array.from({ length: 250 }, (_, index) =>
    row({ version: index + 1, userID: `user_${index}`, eventTime: NOW - (index < 50 ? 5 : 1) * DAY_MS }),
  );
  const { dashboard } = await dashboardOf(rows);
  await dashboard.fold();
  const { rows: users, totals } = await asked(dashboard, 'company-users', { companyID: 'comp_1', limit: 1000 });
  expect(totals).toMatchObject({ activeUsers: 200, isAtLeast: true });
  expect(new Set(users.map(({ lastDay }) => lastDay))).toEqual(new Set([isoDate(TODAY - 1)]));
});

test('a company stands against the others of its industry, however many more are asked about', async () => {
  const counts = [5, 9, 9, 1, 3];
  const { dashboard } = await dashboardOf([
    ...counts.map((job90, index) => row({ companyID: `comp_${index}`, job90, job30: 1 })),
    row({ companyID: 'x', industry: 'travel' }),
  ]);
  const { totals, rows } = await asked(dashboard, 'company-peers', { companyID: 'comp_3', limit: 2 });
  expect(totals).toMatchObject({ companies: 5, rank30: 1, rank90: 5, othersMedian90: 7, othersMean90: 6.5 });
  expect(rows.map(({ companyID, rank90, isChosen }) => [companyID, rank90, isChosen])).toEqual([
    ['comp_1', 1, false],
    ['comp_3', 5, true],
  ]);
  const alone = await asked(dashboard, 'company-peers', { companyID: 'x' });
  expect(alone.totals).toMatchObject({ companies: 1, othersMedian30: null, othersMean90: null });
});

test('the least active companies come first, equals share a rank', async () => {
  const counts = [4, 2, 2, 8];
  const { dashboard } = await dashboardOf(
    counts.map((job30, index) => row({ companyID: `comp_${index}`, job30, job90: 100 - job30 })),
  );
  const bottom = await asked(dashboard, 'least-active', { limit: 3 });
  expect(bottom.rows.map(({ companyID, rank }) => [companyID, rank])).toEqual([
    ['comp_1', 1],
    ['comp_2', 1],
    ['comp_0', 3],
  ]);
  expect((await asked(dashboard, 'least-active', { by: 'job90', limit: 1 })).rows[0]?.companyID).toBe('comp_3');
});

test('a tenant goes silent as days pass without a job event, and decay rows do not wake it', async () => {
  let now = NOW;
  const { dashboard } = await dashboardOf([row({ eventTime: NOW })], () => now);
  const silent = async () => (await asked(dashboard, 'silent', { days: 7 })).rows.map(({ silentDays }) => silentDays);
  now = NOW + 6 * DAY_MS;
  expect(await silent()).toEqual([]);
  now = NOW + 7 * DAY_MS;
  const { userID: _, ...decay } = row({ trigger: 'decay', version: 2, eventTime: now, nbJobs: 0 });
  dashboard.ingest(bytes(decay));
  await dashboard.applied();
  expect(await silent()).toEqual([7]);
  expect((await asked(dashboard, 'idle')).rows[0]).toMatchObject({
    idleDays: 7,
    lastJobAt: new Date(NOW).toISOString(),
  });
});

test('tenants at risk are told with their reasons in words, whatever a model gives as reasons', async () => {
  const { dashboard } = await dashboardOf([
    scored(row({ companyID: 'a' }), 0.9),
    scored(row({ companyID: 'b' }), 0.8, { reasons: 'few jobs' }),
    scored(row({ companyID: 'c' }), 0.7, { reasons: [{ why: 1 }] }),
    scored(row({ companyID: 'd' }), 0.1, { reasons: null }),
    row({ companyID: 'e' }),
  ]);
  const { rows, totals } = await asked(dashboard, 'churn-risk');
  expect(rows.map(({ companyID, reasons }) => [companyID, reasons])).toEqual([
    ['a', ['3 jobs in 30 days, typical 120']],
    ['b', ['few jobs']],
    ['c', ['{"why":1}']],
    ['d', []],
  ]);
  expect(totals).toEqual({ scored: 4, atRisk: 3, monthlyFeeAtRisk: 3 * 461 });
  expect((await asked(dashboard, 'scoring')).totals).toEqual({ tenants: 5, unscored: 1, unscoredShare: 0.2 });
  expect((await asked(dashboard, 'churn-risk', { only: 'at-risk' })).rows.length).toBe(3);
});

test('records of the stream that are no rows are left out, told once, and stop nothing', async () => {
  const strange = [
    '{',
    '[]',
    'null',
    '{}',
    JSON.stringify({ ...row(), version: 0 }),
    JSON.stringify({ ...row(), eventTime: 1e20 }),
  ];
  const { dashboard, warnings } = await dashboardOf();
  for (const text of [...strange, JSON.stringify(row())]) dashboard.ingest(Buffer.from(text));
  await dashboard.applied();
  expect((await dashboard.status()).rows).toBe(1);
  expect(warnings.length).toBe(1);
});

test('a row that the database does not take keeps out no other: half an emoji in its reasons', async () => {
  const { dashboard, warnings } = await dashboardOf();
  const half = JSON.stringify({ ...row(), companyID: 'half', reasons: ['REASON'] }).replace('REASON', '\\ud83d');
  const texts = [JSON.stringify({ ...row(), companyID: 'a' }), half, JSON.stringify({ ...row(), companyID: 'b' })];
  for (const text of texts) dashboard.ingest(Buffer.from(text));
  await dashboard.applied();
  const tenants = (await asked(dashboard, 'companies', {})).rows.map(({ companyID }) => companyID).sort();
  expect(tenants.filter((companyID) => companyID !== 'half')).toEqual(['a', 'b']);
  expect(warnings.length).toBe(tenants.includes('half') ? 0 : 1);
  dashboard.ingest(Buffer.from(JSON.stringify({ ...row(), companyID: 'c' })));
  await dashboard.applied();
  expect((await dashboard.status()).tenants).toBe(tenants.length + 1);
});

/** DuckDB fails with such an error at each statement that begins so, while `isIll`. */
function illDuckDB(begin: string, message: string) {
  const state = { isIll: true };
  const run = DuckDBConnection.prototype.run;
  const spy = vi.spyOn(DuckDBConnection.prototype, 'run').mockImplementation(function (
    this: DuckDBConnection,
    ...args: Parameters<typeof run>
  ) {
    return state.isIll && args[0].startsWith(begin) ? Promise.reject(new Error(message)) : run.apply(this, args);
  });
  return Object.assign(state, { end: () => spy.mockRestore() });
}

test('a database that can take no rows fails the dashboard: no row is called wrong for it', async () => {
  const { dashboard, warnings } = await dashboardOf();
  const ill = illDuckDB('CREATE OR REPLACE TEMP TABLE came', 'IO Error: No space left on device');
  try {
    for (const companyID of ['a', 'b', 'c']) dashboard.ingest(bytes(row({ companyID })));
    expect(String(await dashboard.failed)).toContain('No space left');
    expect([dashboard.progress.unusable, warnings]).toEqual([0, []]);
  } finally {
    ill.end();
  }
});

test('flips are told also while the tables cannot be made small, and that is told once', async () => {
  const flips: string[] = [];
  const warnings: string[] = [];
  const world = { now: () => NOW, warn: (message: string) => void warnings.push(message) };
  const dashboard = await Dashboard.open({
    ...world,
    flipped: (news) => flips.push(...news.map(({ companyID }) => companyID)),
  });
  opened.push(dashboard);
  const ill = illDuckDB('CREATE OR REPLACE TABLE', 'Out of Memory Error: failed to allocate');
  try {
    const many = 20_500;
    for (let index = 0; index < many; index++) {
      if (index === many - 200) ill.isIll = false;
      dashboard.ingest(bytes(scored(row({ companyID: `comp_${index}` }), 0.9, { riskChanged: 'at-risk' })));
      if (index % (index < 20_000 ? 5000 : 100) === 99) await dashboard.applied();
    }
    await dashboard.applied();
    expect(new Set(flips).size).toBe(many);
    expect(dashboard.progress).toMatchObject({ rows: many, unusable: 0 });
    expect(warnings).toEqual([expect.stringContaining('could not make its tables small (Out of Memory Error')]);
  } finally {
    ill.end();
  }
});

test('lines of files that are no rows are left out and counted, and a file that is gone is told', async () => {
  const { dashboard, warnings } = await dashboardOf();
  const lines = [
    JSON.stringify(row()),
    '{"companyID":',
    '[1]',
    '{"companyID":"x"}',
    JSON.stringify(row({ version: 2 })),
  ];
  const gone = fileAt(`${folder}/gone-[1]*.jsonl`, 1);
  await dashboard.catchUp([await written(lines), gone], new AbortController().signal);
  expect((await dashboard.status()).rows).toBe(2);
  expect(warnings[0]).toContain('gone-');
  expect(warnings[1]).toContain('3 lines');
});

test('before the first row every question about all has an answer, and one about a company has none', async () => {
  const { dashboard } = await dashboardOf();
  for (const name of Object.keys(INSIGHTS) as InsightName[]) {
    if ('companyID' in INSIGHTS[name].query.shape) {
      const query = INSIGHTS[name].query.parse({ companyID: 'nobody' }) as never;
      expect(await dashboard.answer(name, query)).toBeUndefined();
    } else {
      expect((await asked(dashboard, name)).asOf).toMatchObject({ rows: 0, appliedAt: null, eventTime: null });
    }
  }
});
