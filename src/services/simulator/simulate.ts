import { type Random, seededRandom } from '../../base/random.ts';
import { DAY_MS, type EpochMs } from '../../base/time.ts';
import { type JobRecord, type JobShares, jobRecord } from './records.ts';
import { nextTenant, type TenantLife, tenantLife } from './tenant-life.ts';

/** Where the events go. Records of one partition key arrive in the order of the calls, also when nobody waits between. */
export interface EventWriter {
  /** Resolves once it was accepted; rejects only when it never will be. */
  put(stream: string, partitionKey: string, data: Uint8Array): Promise<void>;
}

export interface SimulatorTime {
  now(): EpochMs;
  /** Ends early, without an error, when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
}

export interface SimulatorOptions extends JobShares {
  /** Company records as they are sent: whatever JSON has, with `companyID`. */
  readonly companies: readonly { readonly companyID: string }[];
  readonly jobsStream: string;
  readonly companiesStream: string;
  /** Same seed, companies and times: same events. */
  readonly seed: number;
  /** Job events. */
  readonly perSecond: number;
  /** The event carries its time, rather than taking that of its arrival. */
  readonly withCreationDate: boolean;
  /** When these tenants were simulated for the first time: their lives go on from there after a restart. */
  readonly since: EpochMs;
  /** Sends the company records, and the days before `since`. */
  readonly isFirstStart: boolean;
  /** Days before `since` to send job events of, one for each tenant and day at most. */
  readonly historyDays: number;
  /** How long a day of a tenant's life takes, so that one can watch it fade away. */
  readonly dayMs: number;
}

/** What is left open in a call; `historyDays` and shares as a new installation has them. */
export const SIMULATOR_DEFAULTS = {
  seed: 1,
  perSecond: 2,
  withCreationDate: false,
  historyDays: 0,
  dayMs: 60_000,
  csvShare: 0.02,
  brokenShare: 0,
} as const;

export interface Simulated {
  companies: number;
  jobs: number;
  /** Of the job events: those that cannot be used. */
  broken: number;
}

/** Sends at least so often, many events at a time if the rate asks for it. */
const TICK_MS = 50;
/** What was not sent in time is made up for up to here: a laptop that slept for a night must not send it all at once. */
const MOST_BEHIND_MS = 1000;
/** Events on their way at a time: what PutRecords takes. */
const MOST_UNDER_WAY = 500;

/**
 * Tenants at work, until the signal is aborted: company records and past days first, in order of time, then job events at
 * the rate asked for, or as fast as the writer takes them. `sent` is counted up as they are accepted.
 */
export async function simulate(
  options: SimulatorOptions,
  writer: EventWriter,
  time: SimulatorTime,
  signal: AbortSignal,
  sent: Simulated = { companies: 0, jobs: 0, broken: 0 },
): Promise<Simulated> {
  const { companies, companiesStream, seed, isFirstStart } = options;
  const tenants = companies.map(({ companyID }, index) => tenantLife(companyID, (seed * 1_000_003 + index) >>> 0));
  if (isFirstStart) {
    const encoder = new TextEncoder();
    await inBatches(companies, signal, async (company) => {
      await writer.put(companiesStream, company.companyID, encoder.encode(JSON.stringify(company)));
      sent.companies++;
    });
  }
  const send = async (record: JobRecord) => {
    await writer.put(options.jobsStream, record.partitionKey, record.data);
    sent.jobs++;
    if (record.isBroken) sent.broken++;
  };
  const random = seededRandom(seed);
  if (isFirstStart) {
    for (let day = 0; day < options.historyDays && !signal.aborted; day++) {
      await inBatches(pastDay(day, tenants, options, random), signal, send);
    }
  }
  await sendLive(tenants, options, random, time, signal, send);
  return sent;
}

/** The job events of one day before `since`, in order of time: one for each tenant that is active on it. */
function pastDay(
  day: number,
  tenants: readonly TenantLife[],
  options: SimulatorOptions,
  random: Random,
): readonly JobRecord[] {
  const begins = options.since - (options.historyDays - day) * DAY_MS;
  const events = [];
  for (const tenant of tenants) {
    const at = begins + Math.floor(random() * DAY_MS);
    const nbJobs = about(tenant.activity(day), random);
    if (nbJobs > 0) events.push({ at, record: jobRecord(tenant, nbJobs, at, options, random) });
  }
  return events.sort((one, other) => one.at - other.at).map(({ record }) => record);
}

/** A whole number whose mean is `mean`. */
function about(mean: number, random: Random): number {
  return Math.floor(2 * mean * random() + random());
}

async function sendLive(
  tenants: readonly TenantLife[],
  options: SimulatorOptions,
  random: Random,
  time: SimulatorTime,
  signal: AbortSignal,
  send: (record: JobRecord) => Promise<void>,
): Promise<void> {
  const { perSecond, historyDays, since, dayMs, withCreationDate } = options;
  if (!(perSecond > 0)) return;
  const everyMs = 1000 / perSecond;
  /** When the next event is due. */
  let due = time.now() + everyMs;
  while (!signal.aborted) {
    await time.sleep(Math.max(due - time.now(), TICK_MS), signal);
    if (signal.aborted) return;
    const now = time.now();
    due = Math.max(due, now - MOST_BEHIND_MS);
    const day = historyDays + Math.max(0, now - since) / dayMs;
    const records: JobRecord[] = [];
    for (; due <= now; due += everyMs) {
      const tenant = nextTenant(tenants, day, random);
      if (tenant === undefined) continue;
      const nbJobs = 1 + Math.floor(random() ** 3 * 5);
      records.push(jobRecord(tenant, nbJobs, withCreationDate ? now : null, options, random));
    }
    await inBatches(records, signal, send);
  }
}

async function inBatches<T>(items: readonly T[], signal: AbortSignal, work: (item: T) => Promise<void>): Promise<void> {
  for (let from = 0; from < items.length && !signal.aborted; from += MOST_UNDER_WAY) {
    await Promise.all(items.slice(from, from + MOST_UNDER_WAY).map(work));
  }
}
