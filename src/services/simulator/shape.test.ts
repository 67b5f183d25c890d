import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { DAY_MS } from '../../base/time.ts';
import { dueAfter, SHAPES, type ShapeOptions } from './shape.ts';

const SINCE = Date.UTC(2026, 0, 5); // A Monday.

function dues(options: ShapeOptions, until: number): number[] {
  const all: number[] = [];
  for (let due = dueAfter(0, options); due < until; due = dueAfter(due, options)) all.push(due);
  return all;
}

const ofHour = (all: readonly number[], hour: number) =>
  all.filter((due) => Math.floor((due % DAY_MS) / 3_600_000) === hour).length;

test.each(SHAPES)('%s: over a week the mean is the rate asked for', (shape) => {
  const all = dues({ shape, perSecond: 0.05, since: SINCE, dayMs: DAY_MS }, 7 * DAY_MS);
  expect(all.length / (7 * 86_400)).toBeCloseTo(0.05, 4);
});

test('time goes on, for any shape, rate, length of a day and begin, and it is always the same', () => {
  fc.assert(
    fc.property(
      fc.constantFrom(...SHAPES),
      fc.double({ min: 1e-9, max: 100_000, noNaN: true }),
      fc.integer({ min: 1000, max: DAY_MS }),
      fc.integer({ min: 0, max: 4_000_000_000_000 }),
      fc.double({ min: 0, max: 1e9, noNaN: true }),
      (shape, perSecond, dayMs, since, at) => {
        const options = { shape, perSecond, dayMs, since };
        const due = dueAfter(at, options);
        expect(due).toBeGreaterThan(at);
        expect(due).toBeLessThan(Number.POSITIVE_INFINITY);
        expect(dueAfter(at, options)).toBe(due);
      },
    ),
  );
});

test('without a rate nothing is ever due', () => {
  for (const shape of SHAPES) {
    expect(dueAfter(0, { shape, perSecond: 0, since: SINCE, dayMs: DAY_MS })).toBe(Number.POSITIVE_INFINITY);
  }
});

describe('with days as long as real ones', () => {
  test('daily: nine times as busy at 15 UTC as at 3 UTC', () => {
    const all = dues({ shape: 'daily', perSecond: 1, since: SINCE, dayMs: DAY_MS }, DAY_MS);
    expect(ofHour(all, 15) / ofHour(all, 3)).toBeGreaterThan(7.5);
    expect(ofHour(all, 15) / ofHour(all, 3)).toBeLessThan(9);
  });

  test('weekly: Saturday and Sunday are quiet', () => {
    const all = dues({ shape: 'weekly', perSecond: 0.5, since: SINCE, dayMs: DAY_MS }, 7 * DAY_MS);
    const perDay = Array.from({ length: 7 }, (_, day) => all.filter((due) => Math.floor(due / DAY_MS) === day).length);
    for (const day of [5, 6]) expect((perDay[day] ?? 0) / (perDay[0] ?? 0)).toBeCloseTo(0.3 / 1.28, 2);
  });

  test('hourly: more than half of all come in the first six minutes of an hour', () => {
    const all = dues({ shape: 'hourly', perSecond: 1, since: SINCE, dayMs: DAY_MS }, DAY_MS);
    const first = all.filter((due) => due % 3_600_000 < 360_000).length;
    expect(first / all.length).toBeCloseTo(0.55, 2);
  });

  test('the hours are those of UTC, also when it begins in the middle of a day', () => {
    const noon = SINCE + DAY_MS / 2;
    const all = dues({ shape: 'daily', perSecond: 1, since: noon, dayMs: DAY_MS }, DAY_MS).map(
      (due) => due + DAY_MS / 2,
    );
    expect(ofHour(all, 15)).toBeGreaterThan(7 * ofHour(all, 3));
  });
});
