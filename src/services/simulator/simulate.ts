import { onAbort } from '../../base/abort.ts';
import { type Random, seededRandom } from '../../base/random.ts';
import { Slots } from '../../base/slots.ts';
import { DAY_MS, type EpochMs } from '../../base/time.ts';
import { LiveEvents, type LiveOptions } from './live-events.ts';
import { type JobRecord, jobRecord } from './records.ts';
import { FADING, type TenantLife, tenantLife } from './tenant-life.ts';

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

export interface SimulatorOptions extends LiveOptions {
  /** Company records as they are sent: whatever JSON has, with `companyID`. */
  readonly companies: readonly { readonly companyID: string }[];
  readonly jobsStream: string;
  readonly companiesStream: string;
  /** Same seed and options: same tenants, and the same events at the same times, as long as the writer keeps up. */
  readonly seed: number;
  /** Of the tenants, from 0 to 1: those that fade away. */
  readonly fading: number;
  /** When these tenants were simulated for the first time: their lives go on from there after a restart. */
  readonly since: EpochMs;
  /** Sends the company records, and the days before `since`. */
  readonly isFirstStart: boolean;
  /** Days before `since` to send job events of, one for each tenant and day at most. */
  readonly historyDays: number;
  /** Ends after so many job events. */
  readonly mostJobs: number;
}

/** What is left open in a call, as a new installation has it. */
export const SIMULATOR_DEFAULTS = {
  seed: 1,
  shape: 'steady',
  fading: FADING,
  perSecond: 2,
  withCreationDate: false,
  historyDays: 0,
  /** So that one can watch tenants fade away. */
  dayMs: 60_000,
  mostJobs: Number.POSITIVE_INFINITY,
  csvShare: 0.02,
  brokenShare: 0,
} as const;

export interface Simulated {
  companies: number;
  jobs: number;
  /** Of the job events: those that cannot be used. */
  broken: number;
  /** Time for which no events were made, because the writer took no more, or the machine slept. */
  skippedMs: number;
}

/** Sends at least so often, many events at a time if the rate asks for it. */
const TICK_MS = 50;
/** And looks up at least so often. */
const LONGEST_SLEEP_MS = 3_600_000;
/** What was not sent in time is made up for up to here: a laptop that slept for a night must not send it all at once. */
const MOST_BEHIND_MS = 1000;
/** Events on their way at a time: what PutRecords takes. */
const MOST_UNDER_WAY = 500;

export function nothingSent(): Simulated {
  return { companies: 0, jobs: 0, broken: 0, skippedMs: 0 };
}

/**
 * Tenants at work, until the signal is aborted, `mostJobs` were sent or all tenants are gone: company records and past days
 * first, in order of time, then job events at the rate asked for, or as fast as the writer takes them. `sent` is counted up
 * as they are accepted.
 */
export async function simulate(
  options: SimulatorOptions,
  writer: EventWriter,
  time: SimulatorTime,
  signal: AbortSignal,
  sent: Simulated = nothingSent(),
): Promise<Simulated> {
  const { companies, companiesStream, seed, fading, isFirstStart, mostJobs } = options;
  const lives = companies.map(({ companyID }, index) =>
    tenantLife(companyID, (seed * 1_000_003 + index) >>> 0, fading),
  );
  const outbox = new Outbox(signal);
  if (isFirstStart) {
    const encoder = new TextEncoder();
    for (const company of companies) {
      await outbox.send(async () => {
        await writer.put(companiesStream, company.companyID, encoder.encode(JSON.stringify(company)));
        sent.companies++;
      });
    }
    await outbox.sent();
  }
  let left = mostJobs;
  const send = async (record: JobRecord) => {
    left--;
    await outbox.send(async () => {
      await writer.put(options.jobsStream, record.partitionKey, record.data);
      sent.jobs++;
      if (record.isBroken) sent.broken++;
    });
  };
  const random = seededRandom(seed);
  for (let day = 0; isFirstStart && day < options.historyDays && !signal.aborted; day++) {
    for (const record of pastDay(day, lives, options, random)) if (left > 0 && !signal.aborted) await send(record);
  }
  const live = new LiveEvents(lives, options, random, Math.max(0, time.now() - options.since));
  while (left > 0 && live.due < Number.POSITIVE_INFINITY && !outbox.over.aborted) {
    const wait = live.due + options.since - time.now();
    await time.sleep(Math.min(LONGEST_SLEEP_MS, Math.max(wait, TICK_MS)), outbox.over);
    const elapsed = time.now() - options.since;
    sent.skippedMs += Math.max(0, elapsed - MOST_BEHIND_MS - live.due);
    live.skipTo(elapsed - MOST_BEHIND_MS);
    while (live.due <= elapsed && left > 0 && !outbox.over.aborted) {
      const record = live.next();
      if (record === undefined) left = 0;
      else await send(record);
    }
  }
  await outbox.sent();
  return sent;
}

/** Sends without waiting, up to so many at a time; what fails fails the next call. */
class Outbox {
  readonly #over = new AbortController();
  readonly #slots = new Slots(MOST_UNDER_WAY);
  readonly #underWay = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  constructor(signal: AbortSignal) {
    if (signal.aborted) this.#over.abort();
    onAbort(signal, () => this.#over.abort());
  }

  /** Nothing is sent any more: it was stopped, or sending failed. */
  get over(): AbortSignal {
    return this.#over.signal;
  }

  /** Returns once there is place for it. */
  async send(work: () => Promise<void>): Promise<void> {
    await this.#slots.take();
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.over.aborted) return this.#slots.give();
    const sending = work()
      .catch((error: unknown) => {
        this.#failure ??= { error };
        this.#over.abort();
      })
      .finally(() => {
        this.#underWay.delete(sending);
        this.#slots.give();
      });
    this.#underWay.add(sending);
  }

  /** Waits for all that were sent. */
  async sent(): Promise<void> {
    await Promise.all(this.#underWay);
    if (this.#failure !== undefined) throw this.#failure.error;
  }
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
