import { csvFormatRows } from 'd3-dsv';
import type { Column } from '../parts/table.tsx';

/** RFC 4180 with a header; values as they are, not as they are shown. */
function csvOf<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string {
  const lines = rows.map((row) => columns.map((column) => String(column.value(row) ?? '')));
  return `${csvFormatRows([columns.map((column) => column.name), ...lines]).replaceAll('\n', '\r\n')}\r\n`;
}

/** Hands the rows to the reader as a file. */
export function download<Row>(file: string, columns: readonly Column<Row>[], rows: readonly Row[]): void {
  const address = URL.createObjectURL(new Blob([csvOf(columns, rows)], { type: 'text/csv;charset=utf-8' }));
  const anchor = document.createElement('a');
  anchor.href = address;
  anchor.download = `${file.replaceAll(/[^\w.-]+/g, '_')}.csv`;
  anchor.click();
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}
