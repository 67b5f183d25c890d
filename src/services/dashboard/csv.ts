import { csvCell } from '../../core/rows.ts';

type Value = string | number | boolean | null | readonly string[];

/** RFC 4180 with a header; null is empty, a list is joined by `; `. */
export function csvOf(columns: readonly string[], rows: readonly Readonly<Record<string, Value>>[]): string {
  const lines = [columns, ...rows.map((row) => columns.map((name) => text(row[name] ?? null)))];
  return lines.map((cells) => `${cells.map(csvCell).join()}\r\n`).join('');
}

function text(value: Value): string {
  if (typeof value === 'string') return harmless(value);
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  return value === null ? '' : harmless(value.join('; '));
}

/** A spreadsheet would take these for a formula, and ids come from outside. */
function harmless(value: string): string {
  return /^[=+\-@\t\r]/.test(value) ? `'${value}` : value;
}
