// The dashboard over rows that the real program wrote, and over a real stream; its numbers against slow ones of `canonical`.
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { DAY_MS, isoDate } from '../../src/base/time.ts';
import { insightsCommand } from '../../src/cli/insights.ts';
import { awsKinesis } from '../../src/connectors/kinesis/aws-kinesis.ts';
import type { KinesisApi } from '../../src/connectors/kinesis/kinesis-api.ts';
import { openDashboard, type RunningDashboard } from '../../src/hosts/node/dashboard.ts';
import { nodeWorld } from '../../src/hosts/node/node-world.ts';
import { INSIGHTS, type InsightAnswer, type InsightName } from '../../src/services/dashboard/insights-schema.ts';
import { row, scored, sum } from '../support/dashboard-rows.ts';
import { LOCAL_REGION, type LocalKinesis, startLocalKinesis } from '../support/local-kinesis.ts';
import { put } from '../support/stream-contents.ts';
import { temporaryFolder } from './folders.ts';
import { canonical, parts } from './outputs.ts';
import { completeReplay } from './program.ts';

/** A line of `canonical`. */
interface Counted {
  readonly trigger: string;
  readonly companyID: string;
  readonly eventTime: number;
  readonly userID: string;
  readonly nbJobs: number;
  readonly job30: number;
  readonly job90: number;
  readonly version: number;
}

let output: string;
let rows: readonly Counted[];
let kinesis: LocalKinesis;
let api: KinesisApi;
let now: number;
beforeAll(async () => {
  output = `${await temporaryFolder()}/out`;
  const [companies, jobs] = ['conformance/rolling/companies.jsonl', 'conformance/rolling/jobs.jsonl'];
  await completeReplay({ companies, jobs, output });
  rows = (await canonical(output)).trimEnd().split('\n').map(countedOf);
  now = Math.max(...rows.map(({ eventTime }) => eventTime)) + 2 * DAY_MS;
  kinesis = await startLocalKinesis();
  api = awsKinesis({ region: LOCAL_REGION, endpoint: kinesis.endpoint });
});
afterAll(async () => {
  api?.close();
  await kinesis?.stop();
});

function countedOf(line: string): Counted {
  const [trigger = '', companyID = '', eventTime, userID = '', nbJobs, job30, job90, version] = line.split(',');
  const [time, jobs, in30, in90, number] = [eventTime, nbJobs, job30, job90, version].map(Number);
  return {
    trigger,
    companyID,
    userID,
    eventTime: time ?? 0,
    nbJobs: jobs ?? 0,
    job30: in30 ?? 0,
    job90: in90 ?? 0,
    version: number ?? 0,
  };
}

const running: RunningDashboard[] = [];
afterEach(async () => {
  for (const dashboard of running.splice(0)) await dashboard.stop();
});

let streams = 0;
async function newStream(shards = 2): Promise<string> {
  const name = `enriched-${streams++}`;
  await kinesis.createStream(name, shards);
  return name;
}

async function opened(rowsFolder: string, stream: string) {
  const warnings: string[] = [];
  const begun = Date.now();
  const world = {
    ...nodeWorld((message) => void warnings.push(message)),
    clock: { now: () => now + Date.now() - begun },
  };
  const dashboard = await openDashboard(
    { port: 0, flag: '--port', rowsFolder, stream, webFolder: '/nowhere' },
    api,
    world,
  );
  running.push(dashboard);
  await dashboard.caughtUp;
  return { url: dashboard.url, dashboard, warnings };
}

async function asked<N extends InsightName>(url: string, name: N, query = ''): Promise<InsightAnswer<N>> {
  const response = await fetch(`${url}/api/insights/${name}?${query}`);
  return INSIGHTS[name].answer.parse(await response.json()) as InsightAnswer<N>;
}

async function untilRows(url: string, count: number): Promise<void> {
  for (let tries = 0; tries < 600; tries++) {
    if ((await asked(url, 'scoring')).asOf.rows >= count) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`expected ${count} rows, got ${(await asked(url, 'scoring')).asOf.rows}`);
}

/** All that can be counted from canonical rows. */
async function expectNumbersOf(url: string, counted: readonly Counted[]): Promise<void> {
  const newest = new Map<string, Counted>();
  for (const one of counted)
    if (one.version > (newest.get(one.companyID)?.version ?? 0)) newest.set(one.companyID, one);
  const companies = await asked(url, 'companies', 'limit=10000');
  expect(companies.asOf.rows).toBe(counted.length);
  const countsOf = (one: { companyID: string; job30: number; job90: number; version: number }) =>
    [one.companyID, one.job30, one.job90, one.version].join();
  expect(companies.rows.map(countsOf).sort()).toEqual([...newest.values()].map(countsOf).sort());
  for (const { companyID } of newest.values()) {
    const its = counted.filter((one) => one.companyID === companyID && one.trigger === 'job');
    const perDay = new Map<string, { jobs: number; batches: number }>();
    for (const { eventTime, nbJobs } of its) {
      const day = isoDate(Math.floor(eventTime / DAY_MS));
      const { jobs, batches } = perDay.get(day) ?? { jobs: 0, batches: 0 };
      perDay.set(day, { jobs: jobs + nbJobs, batches: batches + 1 });
    }
    const { rows: days } = await asked(url, 'company-jobs', `companyID=${companyID}&days=400`);
    const withJobs = days
      .filter(({ batches }) => batches > 0)
      .map(({ day, jobs, batches }) => [day, { jobs, batches }] as const);
    expect(new Map(withJobs)).toEqual(perDay);
    const { totals } = await asked(url, 'company-users', `companyID=${companyID}&days=400`);
    expect(totals.activeUsers).toBe(new Set(its.map(({ userID }) => userID)).size);
  }
  const months = await asked(url, 'submissions-by-month');
  const jobs = counted.filter(({ trigger }) => trigger === 'job');
  expect(months.totals).toMatchObject({ batches: jobs.length, jobs: sum(jobs.map(({ nbJobs }) => nbJobs)) });
  expect(sum(months.rows.map(({ batches }) => batches))).toBe(jobs.length);
}

test('numbers of a replay are those of its canonical rows; unfinished parts and dead letters are left out', async () => {
  const folder = `${await temporaryFolder()}/rows`;
  for (const path of await parts(output)) {
    await mkdir(`${folder}/${path.split('/')[0]}`, { recursive: true });
    await writeFile(`${folder}/${path}`, await readFile(`${output}/${path}`));
  }
  const stray = `${JSON.stringify(row({ companyID: 'stray' }))}\n`;
  const [day] = (await parts(output)).map((path) => path.split('/')[0]);
  await mkdir(`${folder}/_dead-letters/${day}`, { recursive: true });
  await writeFile(`${folder}/_dead-letters/${day}/part-1.jsonl`, stray);
  await writeFile(`${folder}/${day}/.part-1.jsonl.inprogress`, stray);
  await writeFile(`${folder}/${day}/.part-2.jsonl`, stray);
  const { url } = await opened(folder, await newStream());
  await expectNumbersOf(url, rows);
});

test('rows that are in the files and on the stream count once, from the oldest record that the stream has', async () => {
  const stream = await newStream();
  const texts: { partitionKey: string; data: string }[] = [];
  for (const path of await parts(output)) {
    for (const line of (await readFile(`${output}/${path}`, 'utf8')).trimEnd().split('\n')) {
      texts.push({ partitionKey: (JSON.parse(line) as Counted).companyID, data: line });
    }
  }
  await put(api, stream, texts);
  const live = row({ companyID: 'comp_live', eventTime: now });
  await put(api, stream, [{ partitionKey: 'comp_live', data: JSON.stringify(live) }]);
  const half = await temporaryFolder();
  await writeFile(
    `${half}/part-1.jsonl`,
    texts
      .filter((_, index) => index % 2 === 0)
      .map(({ data }) => `${data}\n`)
      .join(''),
  );
  const { url } = await opened(half, stream);
  await untilRows(url, rows.length + 1);
  const liveRow = { ...live, userID: live.userID ?? '' };
  await expectNumbersOf(url, [...rows, liveRow]);
  await put(api, stream, [
    { partitionKey: 'comp_live', data: JSON.stringify(scored(live, 0.9)) },
    { partitionKey: 'comp_live', data: JSON.stringify({ ...live, version: 2 }) },
  ]);
  await untilRows(url, rows.length + 2);
  await expectNumbersOf(url, [...rows, liveRow, { ...liveRow, version: 2 }]);
});

test('a folder that is not there yet has no rows', async () => {
  const stream = await newStream(1);
  await put(api, stream, [{ partitionKey: 'a', data: JSON.stringify(row()) }]);
  const fresh = await opened(`${await temporaryFolder()}/none`, stream);
  await untilRows(fresh.url, 1);
  expect(fresh.warnings).toEqual([]);
});

test('a stream that is not there is told as the failure of the dashboard', async () => {
  const { dashboard } = await opened('', 'no-such-stream');
  expect(await dashboard.failed).toMatchObject({ code: 'STREAM_NOT_FOUND' });
});

test('the same questions can be asked from a terminal: as a table, as JSON, as CSV', async () => {
  const { url } = await opened(output, await newStream(1));
  const printed = async (...words: string[]) => {
    const chunks: string[] = [];
    const write = process.stdout.write;
    process.stdout.write = ((text: string | Uint8Array, ...more: unknown[]) => {
      chunks.push(Buffer.from(text as Uint8Array).toString());
      for (const each of more) if (typeof each === 'function') each();
      return true;
    }) as typeof process.stdout.write;
    try {
      await insightsCommand()
        .exitOverride()
        .parseAsync([...words, '--url', url], { from: 'user' });
    } finally {
      process.stdout.write = write;
    }
    return chunks.join('');
  };
  const { rows: least, asOf } = await asked(url, 'least-active', 'limit=2&by=job90');
  const table = (await printed('least-active', 'by=job90', '--limit', '2')).split('\n');
  expect(table[1]).toMatch(/^ *rank +companyID +industry/);
  expect(table.slice(2, 4).map((line) => line.trim().split(/ +/)[1])).toEqual(least.map(({ companyID }) => companyID));
  expect(table[5]).toContain(`As of ${asOf.appliedAt}`);
  expect(JSON.parse(await printed('least-active', 'by=job90', '--limit', '2', '--json')).rows).toEqual(least);
  expect((await printed('least-active', '--limit', '2', '--csv')).split('\n').length).toBe(4);
  expect(await printed()).toContain('revenue-at-risk');
  await expect(printed('least-active', 'by=job60')).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('by'),
  });
  await expect(printed('least-actve')).rejects.toMatchObject({
    code: 'USAGE',
    message: expect.stringContaining('lists all'),
  });
});
