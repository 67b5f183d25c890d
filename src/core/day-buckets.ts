import type { UtcDay } from '../base/time.ts';

/** The long window in days; also how late an event may be, and how many days a company's buckets span. */
export const LONG_WINDOW = 90;
export const SHORT_WINDOW = 30;

/**
 * Job counts of the 90 UTC days that end with `day`, and their sums over the last 30 and 90 days.
 *
 * Invariant, also between two calls: slot d % 90 holds the count of day d for day - 90 < d <= day; `sum30` and `sum90`
 * are exactly the sums of the days in their windows (sums stay below 2^53, so additions and subtractions are exact).
 */
export class DayBuckets {
  day: UtcDay;
  sum30 = 0;
  sum90 = 0;
  readonly #counts: number[] = new Array<number>(LONG_WINDOW).fill(0);

  constructor(day: UtcDay) {
    this.day = day;
  }

  /** The count of a day within the 90. */
  count(day: UtcDay): number {
    return this.#counts[slot(day)] ?? 0;
  }

  /** Adds to a day within the 90. */
  add(day: UtcDay, jobs: number): void {
    this.#counts[slot(day)] = this.count(day) + jobs;
    this.sum90 += jobs;
    if (day > this.day - SHORT_WINDOW) this.sum30 += jobs;
  }

  /** Moves the windows on, so that they end with `day`; a day not after the present one changes nothing. */
  advance(day: UtcDay): void {
    if (day - this.day >= LONG_WINDOW) {
      this.clear();
      this.day = day;
      return;
    }
    while (this.day < day) {
      this.day++;
      this.sum30 -= this.count(this.day - SHORT_WINDOW);
      this.sum90 -= this.count(this.day);
      this.#counts[slot(this.day)] = 0;
    }
  }

  clear(): void {
    this.#counts.fill(0);
    this.sum30 = 0;
    this.sum90 = 0;
  }

  /** Calls back with the count of each of the 90 days, from the newest to the oldest. */
  forEach(visit: (count: number) => void): void {
    const newest = slot(this.day);
    for (let i = newest; i >= 0; i--) visit(this.#counts[i] ?? 0);
    for (let i = LONG_WINDOW - 1; i > newest; i--) visit(this.#counts[i] ?? 0);
  }

  /** Sum of the days after `after`, as if the windows had moved on without any further event. */
  sumAfter(after: UtcDay): number {
    let sum = 0;
    for (let day = Math.max(after, this.day - LONG_WINDOW) + 1; day <= this.day; day++) sum += this.count(day);
    return sum;
  }

  /** The first day after `after` that has a count, or undefined. */
  firstCountedAfter(after: UtcDay): UtcDay | undefined {
    for (let day = Math.max(after, this.day - LONG_WINDOW) + 1; day <= this.day; day++) {
      if (this.count(day) > 0) return day;
    }
    return undefined;
  }
}

function slot(day: UtcDay): number {
  return day % LONG_WINDOW;
}
