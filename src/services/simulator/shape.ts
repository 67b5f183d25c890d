import type { EpochMs } from '../../base/time.ts';
import { DAY_MS } from '../../base/time.ts';

/** How the rate of job events goes over time; the mean of each is the rate asked for. */
export const SHAPES = ['steady', 'daily', 'weekly', 'hourly'] as const;
export type Shape = (typeof SHAPES)[number];

export interface ShapeOptions {
  readonly shape: Shape;
  /** Job events, on average. */
  readonly perSecond: number;
  /** When the simulation began; with days as long as real ones, its hours are those of UTC. */
  readonly since: EpochMs;
  /** How long a simulated day takes. */
  readonly dayMs: number;
}

/** The rate is the same within each of so many parts of a day: a tenth of an hour. */
const CELLS = 240;
const CELLS_OF_AN_HOUR = CELLS / 24;
/** The quietest hour; half a day later is the busiest. */
const QUIETEST = 3 / 24;
/** 1970-01-01 was a Thursday. */
const FIRST_WEEKDAY = 4;

/** How busy a cell is, counted in cells since 1970-01-01T00:00Z, relative to the mean. */
function busyness(shape: Shape, cell: number): number {
  const rhythm = 1 - 0.8 * Math.cos(2 * Math.PI * ((cell + 0.5) / CELLS - QUIETEST));
  switch (shape) {
    case 'steady':
      return 1;
    case 'daily':
      return rhythm;
    case 'weekly': {
      const weekday = (Math.floor(cell / CELLS) + FIRST_WEEKDAY) % 7;
      return rhythm * (weekday === 0 || weekday === 6 ? 0.3 : 1.28);
    }
    case 'hourly':
      // What is scheduled starts on the hour: more than half of all in its first six minutes.
      return cell % CELLS_OF_AN_HOUR === 0 ? 5.5 : 0.5;
  }
}

/**
 * When the event after one at `at` is due, both in milliseconds since `since`; infinity without a rate. The same for the
 * same options, whenever it is asked for.
 */
export function dueAfter(at: number, { shape, perSecond, since, dayMs }: ShapeOptions): number {
  if (!(perSecond > 0)) return Number.POSITIVE_INFINITY;
  if (shape === 'steady') return at + 1000 / perSecond;
  const cellMs = dayMs / CELLS;
  const begun = (since / DAY_MS) * CELLS;
  const perWeek = (perSecond * 7 * dayMs) / 1000;
  // Whole weeks are alike: a rate of one event a year must not be looked for cell by cell.
  const weeks = Math.floor(1 / perWeek);
  let due = at + weeks * 7 * dayMs;
  let left = 1 - weeks * perWeek;
  let cell = Math.floor(begun + due / cellMs);
  for (;;) {
    const perMs = (perSecond * busyness(shape, cell)) / 1000;
    const until = Math.max(due, (cell + 1 - begun) * cellMs);
    const within = perMs * (until - due);
    if (within >= left) return due + left / perMs;
    left -= within;
    due = until;
    cell++;
  }
}
