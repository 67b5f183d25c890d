import type { ModelHealth } from './model-health.ts';
import {
  type BinIndexes,
  binsFromColumns,
  contributionsOf,
  logOdds,
  probabilityOf,
  type Scorecard,
} from './scorecard.ts';

export interface Invocation {
  readonly status: 200 | 400 | 415;
  /** JSON. */
  readonly body: string;
}

/** In SageMaker's linear learner's shape, with what each feature contributed. */
export interface Prediction {
  readonly score: number;
  readonly predicted_label: 0 | 1;
  readonly contributions: Readonly<Record<string, number>>;
}

/**
 * Rows of columns in, predictions out, in the same order: all or, if a row is wrong, none. `text/csv` has a row a line,
 * `application/json` is `{"instances":[{"features":[…]}]}`.
 */
export function invocation(model: Scorecard, health: ModelHealth, contentType: string, body: string): Invocation {
  const type = contentType.split(';')[0]?.trim().toLowerCase() ?? '';
  if (type !== 'text/csv' && type !== 'application/json') {
    return failed(415, `expected text/csv or application/json, got ${type === '' ? 'no content type' : type}`);
  }
  const rows = type === 'text/csv' ? csvRows(body) : jsonRows(body);
  if (typeof rows === 'string') return failed(400, rows);
  if (rows.length === 0) return failed(400, 'expected at least one row, got none');
  const all: BinIndexes[] = [];
  for (const [index, row] of rows.entries()) {
    const bins = binsFromColumns(model, row);
    if (typeof bins === 'string') return failed(400, `row ${index + 1}: ${bins}`);
    all.push(bins);
  }
  const predictions = all.map((bins): Prediction => {
    const score = probabilityOf(logOdds(model, bins));
    health.served(bins, score);
    return {
      score,
      predicted_label: score >= model.threshold ? 1 : 0,
      contributions: contributionsOf(model, bins),
    };
  });
  return { status: 200, body: JSON.stringify({ modelVersion: model.version, predictions }) };
}

/** A cell that is no number becomes NaN, which no column takes. */
function csvRows(body: string): readonly (readonly number[])[] {
  return body
    .split(/\r?\n/)
    .filter((line) => line.trim() !== '')
    .map((line) => line.split(',').map((cell) => (cell.trim() === '' ? Number.NaN : Number(cell))));
}

function jsonRows(body: string): readonly (readonly number[])[] | string {
  const expected = 'expected {"instances":[{"features":[…]}]}';
  let parsed: unknown;
  try {
    parsed = JSON.parse(body);
  } catch {
    return `${expected}, got no JSON`;
  }
  const { instances } = (parsed ?? {}) as { instances?: unknown };
  if (!Array.isArray(instances)) return `${expected}, got no instances`;
  const rows: number[][] = [];
  for (const [index, instance] of instances.entries()) {
    const { features } = (instance ?? {}) as { features?: unknown };
    if (!Array.isArray(features)) return `row ${index + 1}: ${expected}, got no features`;
    rows.push(features.map((value) => (typeof value === 'number' ? value : Number.NaN)));
  }
  return rows;
}

function failed(status: 400 | 415, message: string): Invocation {
  return { status, body: JSON.stringify({ message }) };
}
