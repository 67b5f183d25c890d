// The dashboard over rows in a bucket: its numbers against those of the same rows in files, and what a bucket can do to it.
import { mkdir, readdir, writeFile } from 'node:fs/promises';
import { afterAll, afterEach, beforeAll, beforeEach, expect, test, vi } from 'vitest';
import { openDashboard, type RunningDashboard } from '../../src/hosts/node/dashboard.ts';
import { nodeWorld } from '../../src/hosts/node/node-world.ts';
import { INSIGHTS, type InsightAnswer, type InsightName } from '../../src/services/dashboard/insights-schema.ts';
import { NOW, type Row, row, scored } from '../support/dashboard-rows.ts';
import { S3Life } from '../support/s3-life.ts';
import { S3Server } from '../support/s3-server.ts';
import { SimulatedKinesis } from '../support/simulated-kinesis.ts';
import { temporaryFolder } from './folders.ts';

let s3: S3Server;
let scratch: string;
beforeAll(() => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'key');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
});
beforeEach(async () => {
  s3 = await S3Server.start();
  scratch = await temporaryFolder();
  vi.stubEnv('TMPDIR', scratch);
  return () => s3.stop();
});
afterAll(() => vi.unstubAllEnvs());

const running: RunningDashboard[] = [];
afterEach(async () => {
  for (const dashboard of running.splice(0)) await dashboard.stop();
});

async function opened(rowsFolder = 's3://bucket/rows') {
  const warnings: string[] = [];
  const slept: number[] = [];
  const world = {
    ...nodeWorld((message) => void warnings.push(message)),
    clock: { now: () => NOW },
    random: () => 0.01, // waits are short
  };
  const { sleep } = world;
  world.sleep = (ms, signal) => {
    slept.push(ms);
    return sleep(ms, signal);
  };
  const api = new SimulatedKinesis({ clock: { now: Date.now }, sleep });
  api.createStream('enriched');
  const dashboard = await openDashboard(
    {
      port: 0,
      flag: '--port',
      rowsFolder,
      s3: { region: 'us-west-2', endpoint: s3.endpoint, pathStyle: true, parameter: '--rows' },
      stream: 'enriched',
      webFolder: '/nowhere',
    },
    api,
    world,
  );
  running.push(dashboard);
  return { url: dashboard.url, dashboard, warnings, slept };
}

async function asked<N extends InsightName>(url: string, name: N, query = ''): Promise<InsightAnswer<N>> {
  const response = await fetch(`${url}/api/insights/${name}?${query}`);
  return INSIGHTS[name].answer.parse(await response.json()) as InsightAnswer<N>;
}

const scratchFolders = async () => (await readdir(scratch)).filter((name) => name.includes('scratch'));

function put(key: string, ...rows: readonly Row[]): void {
  s3.objects.set(key, Buffer.from(rows.map((one) => `${JSON.stringify(one)}\n`).join('')));
}

test('numbers of rows that the sink brought to a bucket are those of the same rows in files', async () => {
  const life = new S3Life(s3, { spool: await temporaryFolder(), rollBytes: 2000 });
  await life.store.restore(undefined);
  const folder = await temporaryFolder();
  const rows = Array.from({ length: 60 }, (_, nth) => {
    const made = row({ companyID: `comp_${nth % 7}`, version: 1 + Math.floor(nth / 7), eventTime: NOW - nth * 9e6 });
    return nth % 3 === 0 ? scored(made, (nth % 10) / 10) : made;
  });
  for (const [nth, one] of rows.entries()) {
    const partition = `dt=2026-11-${20 + (nth % 3)}`;
    life.write(partition, JSON.stringify(one));
    await mkdir(`${folder}/${partition}`, { recursive: true });
    await writeFile(`${folder}/${partition}/part-${nth}.jsonl`, `${JSON.stringify(one)}\n`);
  }
  await life.store.finish();
  await life.settled();
  await life.store.close();
  // The sink of that helper writes .txt: the same objects, under the name of JSON rows.
  for (const [key, bytes] of [...s3.objects]) s3.objects.set(key.replace(/txt$/, 'jsonl'), bytes);
  const stray = row({ companyID: 'stray' });
  for (const key of ['_dead-letters/dt=2026-11-20/part-1.jsonl', 'dt=2026-11-20/.part-1.jsonl', '.state/x.jsonl']) {
    put(`rows/${key}`, stray);
  }
  put('rowsbeside/part-1.jsonl', stray);
  s3.objects.set('rows/dt=2026-11-20/', Buffer.alloc(0));
  s3.pageSize = 2;
  const [files, bucket] = [await opened(folder), await opened()];
  await Promise.all([files.dashboard.caughtUp, bucket.dashboard.caughtUp]);
  for (const name of [
    'companies',
    'customers-by-industry',
    'submissions-by-month',
    'scoring',
    'least-active',
  ] as const) {
    const [{ rows: of, totals }, expected] = [await asked(bucket.url, name), await asked(files.url, name)];
    expect({ of, totals }).toEqual({ of: expected.rows, totals: expected.totals });
  }
  expect((await asked(bucket.url, 'scoring')).asOf.rows).toBe(60);
  expect(bucket.warnings).toEqual([]);
});

test('a bucket that is away is tried again until it answers; meanwhile the dashboard answers that it catches up', async () => {
  put('rows/dt=2026-11-20/part-1.jsonl', row());
  s3.fault = () => ({ status: 503, code: 'SlowDown' });
  const { url, dashboard, warnings, slept } = await opened();
  await s3.until(() => s3.count('ListObjectsV2') >= 4);
  expect((await asked(url, 'scoring')).asOf).toMatchObject({ state: 'catching-up', rows: 0 });
  s3.fault = ({ operation }) => (operation === 'GetObject' ? { kind: 'lose-answer' } : undefined);
  await s3.until(() => s3.count('GetObject') >= 4);
  expect((await asked(url, 'scoring')).asOf.state).toBe('catching-up');
  s3.fault = () => undefined;
  await dashboard.caughtUp;
  expect((await asked(url, 'scoring')).asOf).toMatchObject({ state: 'live', rows: 1 });
  expect(warnings[0]).toContain('--rows s3://bucket/rows cannot be read');
  expect(warnings.at(-1)).toContain('is read again');
  expect(slept[1]).toBeGreaterThan(slept[0] ?? 0);
});

test.each(['ListObjectsV2', 'GetObject'])('%s that is not permitted is told with bucket and permission', async (of) => {
  put('rows/dt=2026-11-20/part-1.jsonl', row());
  s3.fault = ({ operation }) => (operation === of ? { status: 403, code: 'AccessDenied' } : undefined);
  const { dashboard } = await opened();
  const failure = await dashboard.failed;
  expect(failure).toMatchObject({ code: 'S3_REFUSED' });
  expect(String(failure)).toContain('--rows s3://bucket/rows');
  expect(String(failure)).toContain('s3:ListBucket on the bucket, and s3:GetObject');
});

test('a bucket that is not there, or a place that is none, is told', async () => {
  expect(await (await opened('s3://none/rows')).dashboard.failed).toMatchObject({ code: 'S3_REFUSED' });
  await expect(opened('s3:///rows')).rejects.toMatchObject({ code: 'PARAMETER_INVALID' });
});

test('an object that goes away after it was listed is left out and named; all others count', async () => {
  for (let nth = 0; nth < 5; nth++) put(`rows/dt=2026-11-20/part-${nth}.jsonl`, row({ companyID: `comp_${nth}` }));
  s3.fault = ({ operation, key }) => {
    if (operation === 'GetObject' && key.endsWith('part-2.jsonl')) s3.objects.delete(key);
    return undefined;
  };
  const { url, dashboard, warnings } = await opened();
  await dashboard.caughtUp;
  expect((await asked(url, 'scoring')).asOf.rows).toBe(4);
  expect(warnings).toEqual([expect.stringContaining('s3://bucket/rows/dt=2026-11-20/part-2.jsonl: it is not there')]);
});

test('what is fetched is gone once it is read and after a stop in the middle; so is what a killed one left', async () => {
  await mkdir(`${scratch}/tenant-analytics-scratch-killed`);
  for (const name of ['lock', '1.jsonl']) await writeFile(`${scratch}/tenant-analytics-scratch-killed/${name}`, '');
  for (let nth = 0; nth < 1200; nth++) put(`rows/dt=2026-11-20/part-${nth}.jsonl`, row({ companyID: `comp_${nth}` }));
  const whole = await opened();
  const [folder = '', ...more] = await scratchFolders();
  expect(folder).not.toBe('tenant-analytics-scratch-killed');
  expect(more).toEqual([]);
  await whole.dashboard.caughtUp;
  expect((await asked(whole.url, 'scoring')).asOf.rows).toBe(1200);
  expect(await readdir(`${scratch}/${folder}`)).toEqual(['lock']);
  await whole.dashboard.stop();
  running.length = 0;
  expect(await scratchFolders()).toEqual([]);

  const before = s3.count('GetObject');
  s3.fault = ({ key }) => (key.endsWith('part-700.jsonl') ? { kind: 'hang' } : undefined);
  const stopped = await opened();
  await s3.until(() => s3.count('GetObject') > before + 100);
  await stopped.dashboard.stop();
  running.length = 0;
  expect(await scratchFolders()).toEqual([]);
});
