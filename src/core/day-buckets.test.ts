import fc from 'fast-check';
import { expect, test } from 'vitest';
import { DayBuckets, LONG_WINDOW, SHORT_WINDOW } from './day-buckets.ts';

type Step =
  | { readonly kind: 'add'; readonly age: number; readonly jobs: number }
  | { readonly kind: 'advance'; readonly days: number }
  | { readonly kind: 'clear' };

const anyStep: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({ kind: fc.constant('add' as const), age: fc.nat(LONG_WINDOW - 1), jobs: fc.nat(9) }),
  },
  {
    weight: 4,
    arbitrary: fc.record({
      kind: fc.constant('advance' as const),
      days: fc.oneof(fc.constantFrom(-5, 0, 1, 29, 30, 31, 60, 89, 90, 91, 300), fc.nat(100)),
    }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('clear' as const) }) },
);

/** The same as a list of jobs by day, counted anew for each question. */
class PlainList {
  #jobs: { day: number; jobs: number }[] = [];
  day: number;

  constructor(day: number) {
    this.day = day;
  }

  apply(step: Step): void {
    if (step.kind === 'advance') this.day = Math.max(this.day, this.day + step.days);
    else if (step.kind === 'clear') this.#jobs = [];
    else if (this.day - step.age >= 0) this.#jobs.push({ day: this.day - step.age, jobs: step.jobs });
  }

  /** Of the days in (after, day], as far as they are kept. */
  sumAfter(after: number): number {
    const first = Math.max(after, this.day - LONG_WINDOW);
    return this.#jobs.filter(({ day }) => day > first).reduce((sum, { jobs }) => sum + jobs, 0);
  }

  firstAfter(after: number): number | undefined {
    const first = Math.max(after, this.day - LONG_WINDOW);
    const days = this.#jobs.filter(({ day, jobs }) => day > first && jobs > 0).map(({ day }) => day);
    return days.length === 0 ? undefined : Math.min(...days);
  }
}

function apply(buckets: DayBuckets, step: Step): void {
  if (step.kind === 'advance') buckets.advance(buckets.day + step.days);
  else if (step.kind === 'clear') buckets.clear();
  else if (buckets.day - step.age >= 0) buckets.add(buckets.day - step.age, step.jobs);
}

test('counts and sums are those of a plain list of jobs, whatever is added, moved on and cleared', () => {
  const anyStart = fc.oneof(fc.nat(100), fc.integer({ min: 20_000, max: 20_200 })); // From 1970 on.
  fc.assert(
    fc.property(anyStart, fc.array(anyStep, { maxLength: 30 }), (start, steps) => {
      const buckets = new DayBuckets(start);
      const list = new PlainList(start);
      for (const step of steps) {
        apply(buckets, step);
        list.apply(step);
        const { day } = list;
        const got = { day: buckets.day, sum30: buckets.sum30, sum90: buckets.sum90 };
        expect(got).toEqual({ day, sum30: list.sumAfter(day - SHORT_WINDOW), sum90: list.sumAfter(day - LONG_WINDOW) });
      }
      for (let after = list.day - LONG_WINDOW - 2; after <= list.day + 2; after++) {
        if (buckets.sumAfter(after) !== list.sumAfter(after)) expect.fail(`the sum after ${after} differs`);
        if (buckets.firstCountedAfter(after) !== list.firstAfter(after))
          expect.fail(`the first after ${after} differs`);
        const isKept = after >= 0 && after > list.day - LONG_WINDOW && after <= list.day;
        const counted = list.sumAfter(after - 1) - list.sumAfter(after);
        if (isKept && buckets.count(after) !== counted) expect.fail(`the count of ${after} differs`);
      }
    }),
    { numRuns: 500 },
  );
});

test('a day leaves the short window after 30 days and the long one after 90, to the day', () => {
  const buckets = new DayBuckets(1000);
  buckets.add(1000, 5);
  const sumsAt = (day: number): number[] => {
    buckets.advance(day);
    return [buckets.sum30, buckets.sum90];
  };
  expect([1029, 1030, 1089, 1090].map(sumsAt)).toEqual([
    [5, 5],
    [0, 5],
    [0, 5],
    [0, 0],
  ]);
});
