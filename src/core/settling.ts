import type { UtcDay } from '../base/time.ts';
import { type CompanyState, NO_DAY } from './company-state.ts';
import { LONG_WINDOW, SHORT_WINDOW } from './day-buckets.ts';
import type { CompanyProfile } from './events.ts';

/**
 * The first boundary after the settled day at which the counts, were no event to come, differ from those last stated;
 * NO_DAY when there is none. Before anything is settled and any job came, boundaries count from the base's day.
 */
export function dueBoundary(state: CompanyState, profile: CompanyProfile): UtcDay {
  const settled = state.settled === NO_DAY ? state.baseDay : state.settled;
  let boundary = settled + 1;
  while (boundary !== NO_DAY) {
    if (differsAsOf(state, profile, boundary)) return boundary;
    boundary = nextChange(state, profile, boundary);
  }
  return NO_DAY;
}

function differsAsOf(state: CompanyState, profile: CompanyProfile, day: UtcDay): boolean {
  return (
    countAsOf(state, profile.job30, day, SHORT_WINDOW) !== state.stated30 ||
    countAsOf(state, profile.job90, day, LONG_WINDOW) !== state.stated90
  );
}

/** The count of a window that ends with `day`, a day after the clock's, were no event to come; `base` is the record's. */
export function countAsOf(state: CompanyState, base: number, day: UtcDay, window: number): number {
  return (day - state.baseDay < window ? base : 0) + sumAsOf(state, day, window);
}

/** Most boundaries looked at are the one after the clock's day, where one day has left the running sum. */
function sumAsOf({ buckets }: CompanyState, day: UtcDay, window: number): number {
  if (buckets === null) return 0;
  if (day !== buckets.day + 1) return buckets.sumAfter(day - window);
  return (window === SHORT_WINDOW ? buckets.sum30 : buckets.sum90) - buckets.count(day - window);
}

/** The first boundary after `day` at which a day or the base leaves a window. */
function nextChange(state: CompanyState, profile: CompanyProfile, day: UtcDay): UtcDay {
  let next = NO_DAY;
  const leavesShort = state.buckets?.firstCountedAfter(day - SHORT_WINDOW);
  if (leavesShort !== undefined) next = Math.min(next, leavesShort + SHORT_WINDOW);
  const leavesLong = state.buckets?.firstCountedAfter(day - LONG_WINDOW);
  if (leavesLong !== undefined) next = Math.min(next, leavesLong + LONG_WINDOW);
  const base30Leaves = state.baseDay + SHORT_WINDOW;
  if (profile.job30 > 0 && base30Leaves > day) next = Math.min(next, base30Leaves);
  const base90Leaves = state.baseDay + LONG_WINDOW;
  if (profile.job90 > 0 && base90Leaves > day) next = Math.min(next, base90Leaves);
  return next;
}
