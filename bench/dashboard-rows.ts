/** Generated rows of enriched companies for the dashboard: deterministic, written once into `bench/.data/` and reused. */
import { existsSync } from 'node:fs';
import { mkdir, open, rename, rm } from 'node:fs/promises';
import { isoDate } from '../src/base/time.ts';
import { DATA_DIR } from './generate.ts';

const DAY_MS = 86_400_000;
export const DASHBOARD_COMPANIES = 10_000;
const FILES = 100;
const WRITE_ROWS = 2000;
const INDUSTRIES = ['service', 'consulting', 'energy', 'gov', 'retail', 'finance', 'health', 'education'] as const;
const LAST_DAY = Date.UTC(2026, 10, 21) / DAY_MS;
/** What the clock of the dashboard says: noon after the last row. */
export const DASHBOARD_NOW = (LAST_DAY + 1) * DAY_MS + DAY_MS / 2;

/** A folder of so many scored rows, one file a day. One that exists is complete: it is renamed into place. */
export async function ensureDashboardRows(rows: number): Promise<string> {
  const folder = `${DATA_DIR}dashboard-${rows}`;
  if (existsSync(folder)) return folder;
  process.stderr.write(`generating ${folder}\n`);
  const unfinished = `${folder}.unfinished`;
  await rm(unfinished, { recursive: true, force: true });
  const each = rows / FILES;
  for (let file = 0; file < FILES; file++) {
    const day = LAST_DAY - FILES + 1 + file;
    const partition = `${unfinished}/dt=${isoDate(day)}`;
    await mkdir(partition, { recursive: true });
    const handle = await open(`${partition}/part-bench-${file}.jsonl`, 'w');
    try {
      for (let from = 0; from < each; from += WRITE_ROWS) {
        const count = Math.min(WRITE_ROWS, each - from);
        const texts = Array.from({ length: count }, (_, index) => rowText(file * each + from + index, day));
        await handle.writeFile(texts.join(''));
      }
    } finally {
      await handle.close();
    }
  }
  await rename(unfinished, folder);
  return folder;
}

/** About 710 bytes; each company's versions without a gap, in an order that differs from day to day. */
function rowText(nth: number, day: number): string {
  const version = Math.floor(nth / DASHBOARD_COMPANIES) + 1;
  const company = (nth * 7919 + version * 13) % DASHBOARD_COMPANIES;
  const chance = ((nth * 2_654_435_761) % 4_294_967_296) / 4_294_967_296;
  const job30 = Math.floor(chance * 200);
  const contributions = ['job30', 'job90', 'monthlyFee'].map((feature, index) => ({
    feature,
    contribution: Math.round((chance - 0.5) * 1000 * (index + 1)) / 1000,
    text: `${job30} jobs in 30 days, typical 120`,
  }));
  const one = {
    companyID: `company_${company}`,
    industry: INDUSTRIES[company % INDUSTRIES.length],
    revenu: 10_000 + company * 7,
    employees: 10 + (company % 900),
    job30,
    job90: job30 * 3,
    monthlyFee: 100 + (company % 800),
    totalFee: 1000 + (company % 9000),
    riskOfChurn: chance >= 0.5,
    churnProbability: Math.round(chance * 1000) / 1000,
    reasons: contributions,
    modelVersion: 'bench-1',
    scoreStatus: 'scored',
    trigger: 'job',
    eventID: `shardId-000000000000:${String(nth).padStart(56, '4')}`,
    eventTime: day * DAY_MS + Math.floor(chance * DAY_MS),
    userID: `user_${(nth * 31) % 400}`,
    nbJobs: 1 + (nth % 9),
    dataSize: Math.floor(chance * 1_000_000),
    version,
    companyStale: false,
  };
  return `${JSON.stringify(one)}\n`;
}
