import { DAY_MS, dayOf, isoDate, ofLastDay, type UtcDay } from '../base/time.ts';
import { type Collector, type KeyedStage, NO_TIMER, Rejection } from '../runtime/contract.ts';
import { type CompanyState, companyStateCodec, NO_DAY, tombstone } from './company-state.ts';
import { DayBuckets, LONG_WINDOW, SHORT_WINDOW } from './day-buckets.ts';
import type { ActivityInput, CompanyProfile, CompanyRecord, JobEvent } from './events.ts';
import { decayRow, type EnrichedCompany, jobRow, type ScoreStatus } from './rows.ts';
import { countAsOf, dueBoundary } from './settling.ts';

export interface ActivityOptions {
  /** `per-event`: the literal formula of the first version; no buckets, no late check, no decay. */
  readonly counting: 'rolling' | 'per-event';
  readonly decay: boolean;
  /** What a row says of its score when it leaves this stage. */
  readonly scoreStatus: ScoreStatus;
}

/**
 * Counts each company's jobs over rolling 30 and 90 days (DESIGN section 4).
 *
 * Invariants of a company's state after each call:
 * - `version` is that of its last row; versions have no gap.
 * - All boundaries up to the day of the clock are settled, and no bucket lies after the settled day.
 * - `due` is the first boundary after the settled day at which the counts, were no event to come, differ from those
 *   last stated.
 */
export function companyActivity(
  inputs: readonly string[],
  options: ActivityOptions,
): KeyedStage<CompanyState, ActivityInput, EnrichedCompany> {
  const activity = new CompanyActivity(options);
  return {
    kind: 'keyed',
    id: 'company-activity',
    inputs,
    state: companyStateCodec,
    usesTimers: options.decay && options.counting === 'rolling',
    key: (input) => (input.kind === 'looked-up' ? input.job.companyID : input.companyID),
    onEvent: (state, input, out) => activity.onEvent(state, input, out),
    onTimer: (state, at, out) => activity.settle(state, dayOf(at), out),
    nextTimer: (state) => (state.due === NO_DAY ? NO_TIMER : state.due * DAY_MS),
  };
}

class CompanyActivity {
  readonly #rolling: boolean;
  readonly #decay: boolean;
  readonly #scoreStatus: ScoreStatus;
  readonly #dateOf = ofLastDay(isoDate);

  constructor(options: ActivityOptions) {
    this.#rolling = options.counting === 'rolling';
    this.#decay = options.decay && this.#rolling;
    this.#scoreStatus = options.scoreStatus;
  }

  onEvent(
    state: CompanyState | undefined,
    input: ActivityInput,
    out: Collector<EnrichedCompany>,
  ): CompanyState | undefined {
    if (input.kind === 'job') return this.#onJob(state, input, false, out);
    if (input.kind === 'company') return this.#onRecord(state, input, out);
    const answer = input.answer;
    const looked = answer === null || answer === 'unknown' ? state : this.#onRecord(state, answer, out);
    return this.#onJob(looked, input.job, input.stale, out);
  }

  #onRecord(
    state: CompanyState | undefined,
    record: CompanyRecord,
    out: Collector<EnrichedCompany>,
  ): CompanyState | undefined {
    if (state !== undefined && (record.time < state.time || (state.profile === null && record.time === state.time))) {
      out.count('stale-company-records');
      return state;
    }
    if (record.profile === null) return tombstone(record.time, state?.version ?? 0);
    const known = state?.profile ?? null;
    if (state === undefined || known === null) {
      const fresh = tombstone(record.time, state?.version ?? 0);
      this.#restate(fresh, record.time, record.profile);
      return fresh;
    }
    if (known.job30 !== record.profile.job30 || known.job90 !== record.profile.job90) {
      this.#restate(state, record.time, record.profile);
      return state;
    }
    state.profile = record.profile;
    state.time = record.time;
    return state;
  }

  /** The source of record states the counts: they are the new base, and no bucket counts any more. */
  #restate(state: CompanyState, time: number, profile: CompanyProfile): void {
    state.profile = profile;
    state.time = time;
    state.baseDay = dayOf(time);
    state.buckets?.clear();
    state.stated30 = profile.job30;
    state.stated90 = profile.job90;
    if (this.#decay) state.due = dueBoundary(state, profile);
  }

  #onJob(
    state: CompanyState | undefined,
    job: JobEvent,
    stale: boolean,
    out: Collector<EnrichedCompany>,
  ): CompanyState | undefined {
    const profile = state?.profile ?? null;
    if (state === undefined || profile === null) {
      out.reject(
        new Rejection('unknown-company', `companyID: expected a known company, got ${JSON.stringify(job.companyID)}`),
      );
      return state;
    }
    if (this.#rolling) this.#count(state, profile, job, stale, out);
    else this.#addOnce(state, profile, job, stale, out);
    return state;
  }

  /** The first version's formula: each event is added to the record's counts, and forgotten. */
  #addOnce(
    state: CompanyState,
    profile: CompanyProfile,
    job: JobEvent,
    stale: boolean,
    out: Collector<EnrichedCompany>,
  ): void {
    const job30 = profile.job30 + job.nbJobs;
    const job90 = profile.job90 + job.nbJobs;
    if (isTooMuch(job30, job90)) {
      out.reject(tooManyJobs(job));
      return;
    }
    state.version++;
    out.emit(jobRow(profile, job30, job90, state.version, job, stale, this.#scoreStatus));
  }

  #count(
    state: CompanyState,
    profile: CompanyProfile,
    job: JobEvent,
    stale: boolean,
    out: Collector<EnrichedCompany>,
  ): void {
    const day = dayOf(job.time);
    let buckets = state.buckets;
    if (buckets === null) {
      buckets = new DayBuckets(day);
      state.buckets = buckets;
      if (state.settled === NO_DAY) {
        state.settled = Math.min(day, state.baseDay);
        if (this.#decay) state.due = dueBoundary(state, profile);
      }
    }
    if (state.due <= day) this.settle(state, day, out);
    if (state.settled < day) state.settled = day;
    buckets.advance(day);
    const clockDay = buckets.day;
    const inShort = day > clockDay - SHORT_WINDOW;
    if (day <= clockDay - LONG_WINDOW) {
      out.reject(new Rejection('late', lateMessage(job, clockDay)));
      return;
    }
    const before30 = (clockDay - state.baseDay < SHORT_WINDOW ? profile.job30 : 0) + buckets.sum30;
    const before90 = (clockDay - state.baseDay < LONG_WINDOW ? profile.job90 : 0) + buckets.sum90;
    const job30 = inShort ? before30 + job.nbJobs : before30;
    const job90 = before90 + job.nbJobs;
    if (isTooMuch(job30, job90)) {
      out.reject(tooManyJobs(job));
      return;
    }
    const asStated = state.settled === clockDay && state.stated30 === before30 && state.stated90 === before90;
    buckets.add(day, job.nbJobs);
    state.stated30 = job30;
    state.stated90 = job90;
    state.version++;
    if (this.#decay) {
      // Adding to one day raises the counts stated and those of each later boundary alike, up to the boundary at which
      // that day leaves a window: the boundary due can only move to that one. When what was stated was not the count
      // as of the settled day (an event that came after a later boundary was settled), all is looked at anew.
      if (!asStated) state.due = dueBoundary(state, profile);
      else if (job.nbJobs > 0) state.due = Math.min(state.due, day + (inShort ? SHORT_WINDOW : LONG_WINDOW));
    }
    out.emit(jobRow(profile, job30, job90, state.version, job, stale, this.#scoreStatus));
  }

  /** Settles, in order, each boundary up to `upTo` at which a row is due. */
  settle(state: CompanyState, upTo: UtcDay, out: Collector<EnrichedCompany>): CompanyState {
    const profile = state.profile;
    while (state.due <= upTo && profile !== null) {
      const boundary = state.due;
      const job30 = countAsOf(state, profile.job30, boundary, SHORT_WINDOW);
      const job90 = countAsOf(state, profile.job90, boundary, LONG_WINDOW);
      state.settled = boundary;
      state.stated30 = job30;
      state.stated90 = job90;
      state.version++;
      state.due = dueBoundary(state, profile);
      out.emit(decayRow(profile, job30, job90, state.version, boundary, this.#dateOf(boundary), this.#scoreStatus));
    }
    return state;
  }
}

/** Beyond 2^53 - 1 a count would no longer be exact. */
function isTooMuch(job30: number, job90: number): boolean {
  return job90 > Number.MAX_SAFE_INTEGER || job30 > Number.MAX_SAFE_INTEGER;
}

function tooManyJobs(job: JobEvent): Rejection {
  return new Rejection('invalid', `nbJobs: expected a count that stays below 2^53, got ${job.nbJobs} more`);
}

function lateMessage(job: JobEvent, clockDay: UtcDay): string {
  const daysLate = clockDay - dayOf(job.time);
  return `creationDate: expected less than ${LONG_WINDOW} days before the company's latest event, got ${daysLate} days before`;
}
