// Inputs of any size: files for the program, and the same as input of the slow model.
import { type Random, seededRandom } from '../../src/base/random.ts';
import { type ModelCompany, type ModelJob, obviousModelOfSteps } from '../model/obvious-model.ts';

const DAY_MS = 86_400_000;
const OUT_OF_ORDERNESS_MS = 60_000;
const START = Date.UTC(2025, 0, 1);

export interface Input {
  companies: string;
  jobs: string;
  modelCompanies: readonly ModelCompany[];
  modelJobs: readonly ModelJob[];
  /** Lines of `jobs`, from 1, that no event can be made of: each is JSON that breaks off. */
  broken: readonly number[];
}

/**
 * Tenants of very different size over some months: out of order, also across midnights, late, unknown, silent from some
 * day on; records restated, stale and deleted; in all of it names beyond ASCII, CSV lines among JSON, broken lines.
 */
export function input(seed: number, size: { companies: number; jobs: number; days: number; padding?: number }): Input {
  const random = seededRandom(seed);
  const records = companyRecords(random, size.companies);
  const lines: string[] = [];
  const modelJobs: ModelJob[] = [];
  const lastDay = Array.from({ length: size.companies }, () =>
    random() < 0.3 ? Math.floor(random() * size.days) : size.days,
  );
  let newest = START;
  const broken: number[] = [];
  while (lines.length < size.jobs) {
    const line = lines.length + 1;
    if (random() < 0.002) {
      lines.push(`{"companyID":"broken`);
      broken.push(line);
      continue;
    }
    newest += Math.floor((2 * random() * size.days * DAY_MS) / size.jobs);
    const chosen = Math.floor(size.companies * random() ** 3);
    const company = (newest - START) / DAY_MS < (lastDay[chosen] ?? 0) ? chosen : 0;
    const companyID = random() < 0.004 ? 'comp_nobody' : companyIDOf(company);
    const userID =
      random() < 0.02
        ? 'Jiří "the admin", žluťoučký'
        : `user_${Math.floor(random() * 40)}${'_'.repeat(size.padding ?? 0)}`;
    const nbJobs = Math.floor(random() * 10);
    const time = timeOf(random, newest);
    modelJobs.push({ companyID, userID, nbJobs, time, line });
    const asCsv = random() < 0.02 && !userID.includes('"');
    lines.push(
      asCsv
        ? `${companyID},${userID},${nbJobs},${new Date(time).toISOString()}`
        : JSON.stringify({ companyID, userID, nbJobs, creationDate: time }),
    );
  }
  return {
    companies: records.map(({ json }) => `${json}\n`).join(''),
    jobs: lines.map((line) => `${line}\n`).join(''),
    modelCompanies: records.map(({ model }) => model),
    modelJobs,
    broken,
  };
}

function timeOf(random: Random, newest: number): number {
  const kind = random();
  if (kind < 0.0005) return newest - 91 * DAY_MS;
  return kind < 0.3 ? newest - Math.floor(random() * OUT_OF_ORDERNESS_MS) : newest;
}

function companyIDOf(company: number): string {
  return company % 50 === 7 ? `společnost ${company}` : `comp_${company}`;
}

function companyRecords(random: Random, companies: number): { json: string; model: ModelCompany }[] {
  const records: { json: string; model: ModelCompany }[] = [];
  const add = (company: number, time: number, deleted: boolean) => {
    const job30 = Math.floor(random() * 20);
    const model = {
      companyID: companyIDOf(company),
      job30,
      job90: job30 + Math.floor(random() * 60),
      time,
      ...(deleted ? { deleted } : {}),
    };
    const { companyID, job90 } = model;
    const profile = {
      industry: 'retail, "fine"',
      revenu: 1000 * company,
      employees: company,
      monthlyFee: 9.5,
      totalFee: 99,
    };
    records.push({ model, json: JSON.stringify({ companyID, job30, job90, ...profile, updatedAt: time, deleted }) });
  };
  for (let company = 0; company < companies; company++) {
    const time = START - Math.floor((26 + random() * 5) * DAY_MS);
    add(company, time, false);
    if (random() < 0.1) add(company, time + DAY_MS, false);
    if (random() < 0.1) add(company, time - DAY_MS, false);
    if (random() < 0.05) add(company, time + 2 * DAY_MS, true);
  }
  return records;
}

export interface Expected {
  canonical: string[];
  /** By line. */
  deadLetters: { line: number; reason: string }[];
}

/**
 * What the slow model says of it, company by company: of the jobs of others a company sees the watermark alone, and of
 * that only the day matters, so those that do not take it into a new day are left out. Broken lines are not in it.
 */
export function modelOf({ modelCompanies, modelJobs }: Pick<Input, 'modelCompanies' | 'modelJobs'>): Expected {
  const watermarkDay = (newest: number) => Math.floor((newest - OUT_OF_ORDERNESS_MS) / DAY_MS);
  const newDays = new Set<ModelJob>();
  let newest = Number.NEGATIVE_INFINITY;
  for (const job of modelJobs) {
    if (watermarkDay(job.time) > watermarkDay(newest)) newDays.add(job);
    newest = Math.max(newest, job.time);
  }
  const jobsOf = new Map<string, ModelJob[]>();
  for (const { companyID } of [...modelCompanies, ...modelJobs]) jobsOf.set(companyID, [...newDays]);
  for (const job of modelJobs) if (!newDays.has(job)) jobsOf.get(job.companyID)?.push(job);

  const options = { decay: true, counting: 'rolling', outOfOrderness: OUT_OF_ORDERNESS_MS } as const;
  const expected: Expected = { canonical: [], deadLetters: [] };
  for (const [companyID, jobs] of jobsOf) {
    const ownLines = new Set(jobs.filter((job) => job.companyID === companyID).map((job) => job.line));
    const steps = [
      ...modelCompanies.filter((record) => record.companyID === companyID).map((company) => ({ company })),
      ...jobs.sort((a, b) => a.line - b.line).map((job) => ({ job })),
    ];
    const { canonical, deadLetters } = obviousModelOfSteps(steps, options);
    expected.canonical.push(...canonical);
    expected.deadLetters.push(...deadLetters.filter(({ line }) => ownLines.has(line)));
  }
  expected.canonical.sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
  expected.deadLetters.sort((a, b) => a.line - b.line);
  return expected;
}
