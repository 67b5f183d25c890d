// The witness: section 4 of the design read word for word, for enrichment=join and scoring=off, one job partition.
// It keeps every counted event of a company in a plain list and recounts it at every single day boundary. It shares no
// code with the implementation it judges, and nothing here may be made faster at the price of being less obvious.

const DAY_MS = 86_400_000;

/** A decoded company record; `time` (epoch ms) is its `updatedAt`, else the arrival time of its file. */
export interface ModelCompany {
  companyID: string;
  job30: number;
  job90: number;
  time: number;
  deleted?: boolean;
}

/** A decoded job event; `line` is its physical line in the file, from 1. */
export interface ModelJob {
  companyID: string;
  userID: string;
  nbJobs: number;
  time: number;
  line: number;
}

/** `outOfOrderness` in ms. */
export interface ModelOptions {
  decay: boolean;
  counting: 'rolling' | 'per-event';
  outOfOrderness: number;
}

export interface ModelResult {
  /** `trigger,companyID,eventTime,userID,nbJobs,job30,job90,version`, RFC 4180 quoting, sorted bytewise (UTF-8). */
  canonical: string[];
  /** In the order of arrival. */
  deadLetters: { line: number; reason: 'late' | 'unknown-company' }[];
  staleRecords: number;
}

export type ModelStep = { company: ModelCompany } | { job: ModelJob };

/** What `replay` does: all companies are in state before the first job. */
export function obviousModel(
  companies: readonly ModelCompany[],
  jobs: readonly ModelJob[],
  options: ModelOptions,
): ModelResult {
  return obviousModelOfSteps([...companies.map((company) => ({ company })), ...jobs.map((job) => ({ job }))], options);
}

interface Counts {
  job30: number;
  job90: number;
}

/** A company in state. Days are whole days since 1970-01-01 UTC. */
interface Company {
  record: ModelCompany;
  baseDay: number;
  counted: { day: number; nbJobs: number }[];
  clock: number;
  /** undefined until a first job event or a first row of a boundary. */
  settledDay: number | undefined;
  stated: Counts;
  version: number;
}

/**
 * Records and jobs in one order of arrival. Only a job moves the watermark, so only after one do boundaries settle by
 * it; a record settles nothing.
 */
export function obviousModelOfSteps(steps: readonly ModelStep[], options: ModelOptions): ModelResult {
  const companies = new Map<string, Company>();
  const tombstones = new Map<string, { time: number; version: number }>();
  const canonical: string[] = [];
  const deadLetters: ModelResult['deadLetters'] = [];
  let staleRecords = 0;
  let newestJobTime = Number.NEGATIVE_INFINITY;
  const settles = options.decay && options.counting === 'rolling';

  for (const step of steps) {
    if ('company' in step) {
      onCompanyRecord(step.company);
    } else {
      onJob(step.job);
      newestJobTime = Math.max(newestJobTime, step.job.time);
      onWatermark(newestJobTime - options.outOfOrderness);
    }
  }
  return { canonical: sortBytewise(canonical), deadLetters, staleRecords };

  function onCompanyRecord(record: ModelCompany): void {
    const id = record.companyID;
    const known = companies.get(id);
    const tombstone = tombstones.get(id);
    if ((known && record.time < known.record.time) || (tombstone && record.time <= tombstone.time)) {
      staleRecords++;
    } else if (record.deleted) {
      companies.delete(id);
      tombstones.set(id, { time: record.time, version: known?.version ?? tombstone?.version ?? 0 });
    } else if (known === undefined) {
      tombstones.delete(id);
      companies.set(id, {
        record,
        baseDay: dayOf(record.time),
        counted: [],
        clock: Number.NEGATIVE_INFINITY,
        settledDay: undefined,
        stated: { job30: record.job30, job90: record.job90 },
        version: tombstone?.version ?? 0,
      });
    } else {
      if (record.job30 !== known.record.job30 || record.job90 !== known.record.job90) {
        known.baseDay = dayOf(record.time);
        known.counted = [];
        known.stated = { job30: record.job30, job90: record.job90 };
      }
      known.record = record;
    }
  }

  function onJob(job: ModelJob): void {
    const company = companies.get(job.companyID);
    if (company === undefined) {
      deadLetters.push({ line: job.line, reason: 'unknown-company' });
      return;
    }
    if (options.counting === 'per-event') {
      const { job30, job90 } = company.record;
      emit('job', company, job.time, job, { job30: job30 + job.nbJobs, job90: job90 + job.nbJobs });
      return;
    }
    company.clock = Math.max(company.clock, job.time);
    const today = dayOf(company.clock);
    company.settledDay ??= Math.min(dayOf(job.time), company.baseDay);
    settleBoundaries(company, company.settledDay, today);
    company.settledDay = Math.max(company.settledDay, today);
    if (dayOf(job.time) <= today - 90) {
      deadLetters.push({ line: job.line, reason: 'late' });
      return;
    }
    company.counted.push({ day: dayOf(job.time), nbJobs: job.nbJobs });
    emit('job', company, job.time, job, countsAsOf(today, company, company.counted));
  }

  function onWatermark(watermark: number): void {
    for (const company of companies.values()) {
      settleBoundaries(company, company.settledDay ?? company.baseDay, dayOf(watermark));
    }
  }

  /** Every boundary after `settledDay`, up to and with the one at which `lastDay` begins, in order. */
  function settleBoundaries(company: Company, settledDay: number, lastDay: number): void {
    if (!settles) return;
    for (let day = settledDay + 1; day <= lastDay; day++) {
      const eventsBefore = company.counted.filter((event) => event.day < day);
      const counts = countsAsOf(day, company, eventsBefore);
      if (counts.job30 !== company.stated.job30 || counts.job90 !== company.stated.job90) {
        emit('decay', company, day * DAY_MS, { userID: '', nbJobs: 0 }, counts);
        company.settledDay = day;
      }
    }
  }

  function emit(
    trigger: 'job' | 'decay',
    company: Company,
    eventTime: number,
    { userID, nbJobs }: { userID: string; nbJobs: number },
    counts: Counts,
  ): void {
    company.version++;
    company.stated = counts;
    const id = company.record.companyID;
    const row = [trigger, id, eventTime, userID, nbJobs, counts.job30, counts.job90, company.version];
    canonical.push(row.map((field) => quoted(String(field))).join(','));
  }
}

function countsAsOf(day: number, company: Company, events: readonly { day: number; nbJobs: number }[]): Counts {
  const within = (window: number, ofBase: number): number => {
    let sum = day - company.baseDay < window ? ofBase : 0;
    for (const event of events) if (event.day > day - window) sum += event.nbJobs;
    return sum;
  };
  return { job30: within(30, company.record.job30), job90: within(90, company.record.job90) };
}

function dayOf(time: number): number {
  return Math.floor(time / DAY_MS);
}

function quoted(field: string): string {
  return /[",\r\n]/.test(field) ? `"${field.replaceAll('"', '""')}"` : field;
}

function sortBytewise(lines: readonly string[]): string[] {
  return lines.toSorted((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));
}
