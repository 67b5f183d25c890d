import { DAY_MS, isoDate, type UtcDay } from '../../base/time.ts';
import type { InsightName, InsightQuery, InsightRow, InsightTotals } from './insights-schema.ts';
import type { Cell, Flat, View } from './store.ts';

/** Asks one question of one moment of the store; undefined when the company it is about is not known. */
export type Ask<N extends InsightName> = (
  view: View,
  query: InsightQuery<N>,
  today: UtcDay,
) => Promise<{ readonly totals: InsightTotals<N>; readonly rows: readonly InsightRow<N>[] } | undefined>;

/** The columns of a company, as answers name them. */
export const COMPANY = (
  today: UtcDay,
): string => `companyID, industry, revenu AS revenue, employees, job30, job90, monthlyFee,
  totalFee, riskOfChurn, churnProbability, scoreStatus, lastJobAt, ${idleDays(today)} AS idleDays, version, eventTime`;

/** Null without a job; 0 also for one of the future. */
export const idleDays = (today: UtcDay): string =>
  `CASE WHEN lastJobAt IS NOT NULL THEN greatest(0, ${today} - (lastJobAt // ${DAY_MS})) END`;

/** Companies of the industry asked for, in any case. */
export const ofIndustry = (industry: string | undefined): string =>
  industry === undefined ? 'true' : 'lower(industry) = lower($industry)';

/** Values to bind; what a query leaves out is no value. */
export function valuesOf(query: Readonly<Record<string, unknown>>): Record<string, Cell> {
  const given = Object.entries(query).filter((entry): entry is [string, Cell] => entry[1] !== undefined);
  return Object.fromEntries(given);
}

/** The first of the last `days` days, with today. */
export const firstDay = (today: UtcDay, days: number): UtcDay => Math.max(0, today - days + 1);

/** Of a statement that has one row. */
export async function totalsOf<T>(view: View, sql: string, values: Readonly<Record<string, Cell>> = {}): Promise<T> {
  const [totals] = answered<T>(await view.all(sql, values));
  if (totals === undefined) throw new Error(`expected one row, got none: ${sql}`);
  return totals;
}

export const timeText = (cell: Cell | undefined): string | null =>
  typeof cell === 'number' ? new Date(cell).toISOString() : null;

const TIMES = new Set(['lastJobAt', 'eventTime', 'at', 'scoredAt']);
const DAYS = new Set(['day', 'firstDay', 'lastDay']);

/**
 * Rows as DuckDB gave them, with times and days as people write them. That each has the fields its answer tells is what
 * the SQL is for, and what the tests look at for every question.
 */
export function answered<R>(rows: readonly Flat[]): readonly R[] {
  return rows.map(
    (row) => Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, written(name, cell)])) as R,
  );
}

function written(name: string, cell: Cell): Cell {
  if (TIMES.has(name)) return timeText(cell);
  return DAYS.has(name) && typeof cell === 'number' ? isoDate(cell) : cell;
}
