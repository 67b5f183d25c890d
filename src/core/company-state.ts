import type { ByteReader, ByteWriter } from '../base/bytes.ts';
import type { EpochMs, UtcDay } from '../base/time.ts';
import type { StateCodec } from '../runtime/contract.ts';
import { DayBuckets, LONG_WINDOW } from './day-buckets.ts';
import type { CompanyProfile } from './events.ts';

/** No day: nothing settled yet, or no boundary to come. */
export const NO_DAY: UtcDay = Number.POSITIVE_INFINITY;

/**
 * What is known of one company. DESIGN section 4 defines each part. A tombstone is a state without profile: only
 * `time` and `version` count.
 */
export interface CompanyState {
  profile: CompanyProfile | null;
  /** Time of the known record. */
  time: EpochMs;
  /** Of the last row; 0 before the first. */
  version: number;
  baseDay: UtcDay;
  /** Null until the first job event; its `day` is the day of the clock. */
  buckets: DayBuckets | null;
  /** The last boundary that is settled; NO_DAY before the first. */
  settled: UtcDay;
  /** The counts last stated, by a row or by the record that set the base. */
  stated30: number;
  stated90: number;
  /** The next boundary at which a row is due if no event comes; NO_DAY for none. Derived, kept for speed. */
  due: UtcDay;
}

/** A company that was deleted at `time`, after `version` rows. */
export function tombstone(time: EpochMs, version: number): CompanyState {
  return {
    profile: null,
    time,
    version,
    baseDay: 0,
    buckets: null,
    settled: NO_DAY,
    stated30: 0,
    stated90: 0,
    due: NO_DAY,
  };
}

const HAS_PROFILE = 1;
const HAS_BUCKETS = 2;
const HAS_SETTLED = 4;
const HAS_DUE = 8;

/**
 * Layout, version 1: flags, time, version; with a profile: its fields, base day, stated counts, settled and due day; with
 * buckets: the clock's day, then from the newest of the 90 days to the oldest the counts, a run of empty days as 0 and
 * its length.
 */
export const companyStateCodec: StateCodec<CompanyState> = {
  version: 1,

  encode(state, to) {
    const { profile, buckets } = state;
    to.byte(
      (profile === null ? 0 : HAS_PROFILE) |
        (buckets === null ? 0 : HAS_BUCKETS) |
        (state.settled === NO_DAY ? 0 : HAS_SETTLED) |
        (state.due === NO_DAY ? 0 : HAS_DUE),
    );
    to.varint(state.time);
    to.varint(state.version);
    if (profile === null) return;
    encodeProfile(profile, to);
    to.varint(state.baseDay);
    to.varint(state.stated30);
    to.varint(state.stated90);
    if (state.settled !== NO_DAY) to.varint(state.settled);
    if (state.due !== NO_DAY) to.varint(state.due);
    if (buckets !== null) encodeBuckets(buckets, to);
  },

  decode(from, version) {
    if (version !== 1) throw new RangeError(`company state: expected layout 1, got ${version}`);
    const flags = from.byte();
    const state = tombstone(from.varint(), from.varint());
    if ((flags & HAS_PROFILE) === 0) return state;
    state.profile = decodeProfile(from);
    state.baseDay = from.varint();
    state.stated30 = from.varint();
    state.stated90 = from.varint();
    if (flags & HAS_SETTLED) state.settled = from.varint();
    if (flags & HAS_DUE) state.due = from.varint();
    if (flags & HAS_BUCKETS) state.buckets = decodeBuckets(from);
    return state;
  },
};

export function encodeProfile(profile: CompanyProfile, to: ByteWriter): void {
  to.text(profile.companyID);
  to.text(profile.industry);
  to.number(profile.revenu);
  to.number(profile.employees);
  to.number(profile.job30);
  to.number(profile.job90);
  to.number(profile.monthlyFee);
  to.number(profile.totalFee);
}

export function decodeProfile(from: ByteReader): CompanyProfile {
  return {
    companyID: from.text(),
    industry: from.text(),
    revenu: from.number(),
    employees: from.number(),
    job30: from.number(),
    job90: from.number(),
    monthlyFee: from.number(),
    totalFee: from.number(),
  };
}

function encodeBuckets(buckets: DayBuckets, to: ByteWriter): void {
  to.varint(buckets.day);
  let empty = 0;
  buckets.forEach((count) => {
    if (count === 0) {
      empty++;
      return;
    }
    if (empty > 0) writeEmpty(empty, to);
    empty = 0;
    to.varint(count);
  });
  if (empty > 0) writeEmpty(empty, to);
}

function writeEmpty(days: number, to: ByteWriter): void {
  to.byte(0);
  to.byte(days);
}

function decodeBuckets(from: ByteReader): DayBuckets {
  const buckets = new DayBuckets(from.varint());
  let age = 0;
  while (age < LONG_WINDOW) {
    const count = from.varint();
    if (count > 0) buckets.add(buckets.day - age++, count);
    else age += from.byte();
  }
  return buckets;
}
