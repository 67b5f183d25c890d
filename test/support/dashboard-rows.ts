// Rows of enriched companies as they leave the application, and the numbers of the dashboard counted slowly, row by row.
import fc from 'fast-check';
import { DAY_MS, isoDate } from '../../src/base/time.ts';

export interface Row {
  readonly companyID: string;
  readonly industry: string;
  readonly revenu: number;
  readonly employees: number;
  readonly job30: number;
  readonly job90: number;
  readonly monthlyFee: number;
  readonly totalFee: number;
  readonly riskOfChurn: boolean | null;
  readonly churnProbability?: number;
  readonly reasons?: unknown;
  readonly modelVersion?: string;
  readonly scoreStatus: 'scored' | 'unavailable' | 'off';
  readonly riskChanged?: 'at-risk' | 'recovered';
  readonly trigger: 'job' | 'decay';
  readonly eventID: string;
  readonly eventTime: number;
  readonly userID?: string;
  readonly nbJobs: number;
  readonly dataSize?: number;
  readonly version: number;
  readonly companyStale: boolean;
}

/** 2026-11-22T12:00Z, a Sunday. */
export const NOW = Date.UTC(2026, 10, 22, 12);
export const TODAY = Math.floor(NOW / DAY_MS);

export function row(over: Partial<Row> = {}): Row {
  return {
    companyID: 'comp_1',
    industry: 'retail',
    revenu: 29080,
    employees: 145,
    job30: 3,
    job90: 9,
    monthlyFee: 461,
    totalFee: 1172,
    riskOfChurn: null,
    scoreStatus: 'unavailable',
    trigger: 'job',
    eventID: 'event',
    eventTime: NOW,
    userID: 'user_1',
    nbJobs: 1,
    version: 1,
    companyStale: false,
    ...over,
  };
}

/** The row with its score. */
export function scored(of: Row, probability: number, over: Partial<Row> = {}): Row {
  const reasons = [{ feature: 'job30', contribution: 1.2, text: `${of.job30} jobs in 30 days, typical 120` }];
  const score = { riskOfChurn: probability >= 0.5, churnProbability: probability, reasons, modelVersion: 'm1' };
  return { ...of, ...score, scoreStatus: 'scored', ...over };
}

const IDS = ['comp_1', 'comp_2', 'ü "quoted", 😀', "o'brien", '=1+1'];
const INDUSTRIES = ['retail', 'Travel', 'finance, other'];

/** All rows of some companies, each version once or twice: without a score, with one, or first without. */
export const companyRows: fc.Arbitrary<readonly Row[]> = fc
  .array(fc.record({ id: fc.constantFrom(...IDS), lives: fc.array(life(), { minLength: 1, maxLength: 12 }) }), {
    minLength: 1,
    maxLength: 5,
  })
  .map((companies) => {
    const versions = new Map<string, number>();
    return companies.flatMap(({ id, lives }) =>
      lives.flatMap(({ how, probability, flips, ...fields }) => {
        const version = (versions.get(id) ?? 0) + 1;
        versions.set(id, version);
        const { userID, ...decayed } = fields;
        const made = row({ ...(fields.trigger === 'decay' ? decayed : fields), companyID: id, version });
        const changed = flips
          ? { riskChanged: probability >= 0.5 ? ('at-risk' as const) : ('recovered' as const) }
          : {};
        const second = scored(made, probability, changed);
        if (how === 'both') return [made, second];
        return [how === 'scored' ? second : made];
      }),
    );
  });

function life() {
  return fc.record({
    how: fc.constantFrom('scored', 'unscored', 'both'),
    probability: fc.integer({ min: 0, max: 100 }).map((percent) => percent / 100),
    flips: fc.boolean(),
    trigger: fc.constantFrom<'job' | 'decay'>('job', 'job', 'job', 'decay'),
    industry: fc.constantFrom(...INDUSTRIES),
    eventTime: fc.integer({ min: 0, max: 120 * 24 * 60 }).map((minutes) => NOW - minutes * 60_000),
    userID: fc.constantFrom('user_1', 'user_2', 'user_3'),
    nbJobs: fc.integer({ min: 0, max: 9 }),
    dataSize: fc.integer({ min: 0, max: 1_000_000 }),
    job30: fc.integer({ min: 0, max: 20 }),
    job90: fc.integer({ min: 0, max: 90 }),
    monthlyFee: fc.integer({ min: 0, max: 900 }),
  });
}

/** What a reader keeps (DESIGN section 3): the highest version of a company, and of two rows of one version the scored one. */
export function newestOf(rows: readonly Row[]): Map<string, Row> {
  const newest = new Map<string, Row>();
  for (const one of rows) {
    const known = newest.get(one.companyID);
    const isNewer =
      known === undefined ||
      one.version > known.version ||
      (one.version === known.version && one.riskOfChurn !== null && known.riskOfChurn === null);
    if (isNewer) newest.set(one.companyID, one);
  }
  return newest;
}

/** One row for each job event. */
export function jobsOf(rows: readonly Row[]): readonly Row[] {
  const jobs = new Map<string, Row>();
  for (const one of rows) if (one.trigger === 'job') jobs.set(JSON.stringify([one.companyID, one.version]), one);
  return [...jobs.values()];
}

export function lastJobOf(rows: readonly Row[], companyID: string): number | null {
  const times = jobsOf(rows)
    .filter((one) => one.companyID === companyID)
    .map(({ eventTime }) => eventTime);
  return times.length === 0 ? null : Math.max(...times);
}

export const sum = (numbers: readonly number[]): number => numbers.reduce((all, one) => all + one, 0);
export const dayText = (time: number): string => isoDate(Math.floor(time / DAY_MS));
export const bytes = (one: unknown): Uint8Array => Buffer.from(JSON.stringify(one));

/** Jobs, batches and data size by what `keyOf` tells of a job. */
export function sumsBy(
  jobs: readonly Row[],
  keyOf: (job: Row) => string,
): Map<string, { jobs: number; batches: number; dataSize: number; companies: number }> {
  return new Map(
    [...grouped(jobs, keyOf)].map(([key, of]) => [
      key,
      {
        jobs: sum(of.map(({ nbJobs }) => nbJobs)),
        batches: of.length,
        dataSize: sum(of.map(({ dataSize = 0 }) => dataSize)),
        companies: new Set(of.map(({ companyID }) => companyID)).size,
      },
    ]),
  );
}

function grouped(jobs: readonly Row[], keyOf: (job: Row) => string): Map<string, Row[]> {
  const groups = new Map<string, Row[]>();
  for (const job of jobs) groups.set(keyOf(job), [...(groups.get(keyOf(job)) ?? []), job]);
  return groups;
}
