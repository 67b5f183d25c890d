// What docs/operations.md promises of a move to another host with the counts as a base (way B), on files.
import { readFile, writeFile } from 'node:fs/promises';
import { beforeAll, describe, expect, test } from 'vitest';
import { filesBelow, temporaryFolder } from './folders.ts';
import { completeReplay, run, runCommand } from './program.ts';

const DAY_MS = 86_400_000;
const BEGIN = Date.UTC(2026, 0, 1);
const HISTORY_DAYS = 240;
/** Noon: events of the day of the cut are on both sides. */
const CUT = BEGIN - 120 * DAY_MS + DAY_MS / 2;

interface JobRow {
  readonly companyID: string;
  readonly eventTime: number;
  readonly nbJobs: number;
  readonly job30: number;
  readonly job90: number;
  readonly version: number;
  readonly trigger: string;
}

let whole: Map<string, JobRow>;
let before: readonly JobRow[];
let after: readonly JobRow[];

async function rowsOf(folder: string): Promise<JobRow[]> {
  const files = (await filesBelow(folder)).filter((path) => /^dt=[^/]+\/part-/.test(path));
  const texts = await Promise.all(files.map((path) => readFile(`${folder}/${path}`, 'utf8')));
  return texts.flatMap((text) => text.split('\n').filter((line) => line !== '')).map((line) => JSON.parse(line));
}

beforeAll(async () => {
  const base = await temporaryFolder();
  const words = ['--tenants', '40', '--history', `${HISTORY_DAYS}`, '--events', '100000', '--rate', '0'];
  const { code } = await run('simulate', '--output', `${base}/in`, ...words, '--begin', new Date(BEGIN).toISOString());
  expect(code).toBe(0);
  const jobs = (await readFile(`${base}/in/jobs.jsonl`, 'utf8')).split('\n').filter((line) => line !== '');
  const timeOf = (line: string) => (JSON.parse(line) as { creationDate: number }).creationDate;
  const linesOf = (some: readonly string[]) => some.map((line) => `${line}\n`).join('');
  await writeFile(`${base}/jobs-1.jsonl`, linesOf(jobs.filter((line) => timeOf(line) < CUT)));
  await writeFile(`${base}/jobs-2.jsonl`, linesOf(jobs.filter((line) => timeOf(line) >= CUT)));
  const companies = `${base}/in/companies.jsonl`;
  await completeReplay({ companies, jobs: `${base}/in/jobs.jsonl`, output: `${base}/whole` });
  await completeReplay({ companies, jobs: `${base}/jobs-1.jsonl`, output: `${base}/before` });

  const guide = await readFile(new URL('../../docs/operations.md', import.meta.url), 'utf8');
  const script = /```js\n(\/\/ latest-records\.mjs [\s\S]+?)```/u.exec(guide)?.[1];
  await writeFile(`${base}/latest-records.mjs`, script ?? '');
  const cut = new Date(CUT).toISOString();
  const made = await runCommand(process.execPath, `${base}/latest-records.mjs`, `${base}/before`, cut);
  expect(made).toMatchObject({ code: 0, stderr: '' });
  await writeFile(`${base}/records.jsonl`, made.stdout);
  const moved = { companies: `${base}/records.jsonl`, jobs: `${base}/jobs-2.jsonl`, output: `${base}/after` };
  await completeReplay(moved);

  whole = new Map(
    (await rowsOf(`${base}/whole`)).map((row) => [`${row.companyID} ${row.eventTime} ${row.trigger}`, row]),
  );
  before = await rowsOf(`${base}/before`);
  after = (await rowsOf(`${base}/after`)).filter(({ trigger }) => trigger === 'job');
});

const without = (row: JobRow) => whole.get(`${row.companyID} ${row.eventTime} ${row.trigger}`);
const dayOf = (time: number) => Math.floor(time / DAY_MS);

describe('after a move with the counts as a base', () => {
  test('every event since the cut has its row', () => {
    const expected = [...whole.values()].filter(({ trigger, eventTime }) => trigger === 'job' && eventTime >= CUT);
    expect(after.length).toBe(expected.length);
    expect(after.length).toBeGreaterThan(1000);
  });

  test('the first row of a company goes on from its last one', () => {
    let looked = 0;
    for (const row of after.filter(({ version }) => version === 1)) {
      const last = before
        .filter(({ companyID }) => companyID === row.companyID)
        .sort((a, b) => b.version - a.version)[0];
      if (dayOf(row.eventTime) - dayOf(CUT) >= 30) continue;
      expect(row.job30).toBe((last?.job30 ?? 0) + row.nbJobs);
      expect(row.job90).toBe((last?.job90 ?? 0) + row.nbJobs);
      looked++;
    }
    expect(looked).toBeGreaterThan(10);
  });

  test('counts are never too low; job30 is exact from 30 days on, job90 from 90', () => {
    let tooHigh = 0;
    for (const row of after) {
      const right = without(row);
      if (right === undefined) throw new Error(`expected a row at ${row.eventTime} without the move as well`);
      const days = dayOf(row.eventTime) - dayOf(CUT);
      expect(row.job30).toBeGreaterThanOrEqual(right.job30);
      expect(row.job90).toBeGreaterThanOrEqual(right.job90);
      if (days >= 30) expect(row.job30).toBe(right.job30);
      if (days >= 90) expect(row.job90).toBe(right.job90);
      if (row.job30 > right.job30) tooHigh++;
    }
    expect(tooHigh).toBeGreaterThan(0);
  });
});
