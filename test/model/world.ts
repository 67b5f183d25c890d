// What a world is: company records, and the job events that follow them. It is written as a script of small steps, each
// relative to what came before, and then played into absolute times; so every script is a legal world, and one that
// lost steps to shrinking still is. The invariant of every world: a job lags the newest job before it by at most
// OUT_OF_ORDERNESS_MS, save those that are `late`, 90 days or more behind their company's clock.
import type { ModelCompany, ModelJob } from './obvious-model.ts';

export const OUT_OF_ORDERNESS_MS = 60_000;
export const DAY_MS = 86_400_000;
/** The jobs of every world begin here, at a midnight. */
const START = Date.UTC(2025, 0, 1);

export interface WorldRecord {
  companyID: string;
  industry: string;
  revenu: number;
  employees: number;
  job30: number;
  job90: number;
  monthlyFee: number;
  totalFee: number;
  updatedAt: number;
  deleted?: true;
}

export interface WorldJob {
  companyID: string;
  userID: string;
  nbJobs: number;
  creationDate: number;
}

/** The same world as records, as the lines of two files (each line ended by a line feed), and as the model's input. */
export interface World {
  companies: WorldRecord[];
  jobs: WorldJob[];
  companiesJsonl: string;
  jobsJsonl: string;
  modelCompanies: ModelCompany[];
  modelJobs: ModelJob[];
}

/** `shift` in ms, from the time of the company's known record; for its first one, from the start of the jobs. */
export interface RecordStep {
  company: number;
  shift: number;
  counts: 'kept' | { job30: number; job90: number };
  deleted: boolean;
}

export interface JobStep {
  company: number;
  user: number;
  nbJobs: number;
  move: Move;
}

export type Move =
  | { kind: 'forward'; ms: number } // From the newest job.
  | { kind: 'behind'; ms: number } // The newest job, by at most OUT_OF_ORDERNESS_MS.
  | { kind: 'midnight'; days: number; ms: number } // `days` midnights after the newest job, and `ms` from there.
  | { kind: 'silence'; days: number; ms: number } // `days` midnights after the day of the company's own clock.
  | { kind: 'late'; days: number; ms: number }; // `days` >= 90 before it, `ms` into that day.

/** Company i is `companyIDs[i]`, beyond the list `comp_i`. The plain ones come first: shrinking ends there. */
export const companyIDs: readonly string[] = [
  'comp_0',
  'comp_1',
  'comp_2',
  'comma, Inc',
  'say "hi"',
  '"quoted, whole"',
  'Žluťoučký kůň',
  '\u{1F680} launch', // Sorts after the next one in UTF-8, before it in UTF-16.
  '\uFF01',
  'caf\u00E9',
  'cafe\u0301', // Not the company above.
  'x'.repeat(128),
  '007',
  '7',
  '__proto__',
  ' padded ',
];
export const userIDs = [
  'user_0',
  'user_1',
  'last, first',
  'the "admin"',
  'Jiří',
  '\u{1F9D1}\u200D\u{1F4BB}',
  'u'.repeat(128),
] as const;
const industries = ['retail', 'IT', 'food, drink & "travel"', 'énergie'] as const;

/** Plays a script: `companies` and `jobs` in the order of their arrival. */
export function worldOf(recordSteps: readonly RecordStep[], jobSteps: readonly JobStep[]): World {
  const known = new Map<number, WorldRecord>();
  const companies = recordSteps.map(({ company, shift, counts, deleted }, position) => {
    const before = known.get(company);
    const { job30, job90 } = counts === 'kept' ? (before ?? { job30: 0, job90: 0 }) : counts;
    const record: WorldRecord = {
      companyID: companyIDOf(company),
      industry: at(industries, company),
      revenu: 1000 * (company + 1),
      employees: 10 + position,
      job30,
      job90,
      monthlyFee: 100 + position, // So that no two records share a profile.
      totalFee: 12 * (100 + position),
      updatedAt: (before?.updatedAt ?? START) + shift,
      ...(deleted ? { deleted } : {}),
    };
    const applied =
      !before || record.updatedAt > before.updatedAt || (record.updatedAt === before.updatedAt && !before.deleted);
    if (applied) known.set(company, record);
    return record;
  });

  let newest = START;
  const clocks = new Map<number, number>(); // Of companies that are in state; only they have one.
  const jobs = jobSteps.map(({ company, user, nbJobs, move }): WorldJob => {
    const creationDate = timeOf(move, newest, clocks.get(company));
    newest = Math.max(newest, creationDate);
    const record = known.get(company);
    if (record && !record.deleted) clocks.set(company, Math.max(clocks.get(company) ?? creationDate, creationDate));
    return { companyID: companyIDOf(company), userID: at(userIDs, user), nbJobs, creationDate };
  });

  const jsonl = (rows: readonly object[]): string => rows.map((row) => `${JSON.stringify(row)}\n`).join('');
  return {
    companies,
    jobs,
    companiesJsonl: jsonl(companies),
    jobsJsonl: jsonl(jobs),
    modelCompanies: companies.map(({ companyID, job30, job90, updatedAt, deleted }) => ({
      companyID,
      job30,
      job90,
      time: updatedAt,
      ...(deleted ? { deleted } : {}),
    })),
    modelJobs: jobs.map(({ creationDate, ...job }, index) => ({ ...job, time: creationDate, line: index + 1 })),
  };
}

function timeOf(move: Move, newest: number, clock: number | undefined): number {
  const midnight = (time: number, days: number): number => (Math.floor(time / DAY_MS) + days) * DAY_MS;
  if (move.kind === 'forward') return newest + move.ms;
  if (move.kind === 'behind') return newest - move.ms;
  if (move.kind === 'midnight') return midnight(newest, move.days) + move.ms;
  if (clock === undefined) return newest;
  if (move.kind === 'late') return midnight(clock, -move.days) + move.ms;
  return Math.max(midnight(clock, move.days) + move.ms, newest - OUT_OF_ORDERNESS_MS);
}

function companyIDOf(company: number): string {
  return companyIDs[company] ?? `comp_${company}`;
}

function at<T>(values: readonly [T, ...T[]], index: number): T {
  return values[index % values.length] ?? values[0];
}
