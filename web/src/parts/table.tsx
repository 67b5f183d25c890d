import type { ComponentChildren } from 'preact';
import { useState } from 'preact/hooks';
import { count, NOTHING } from '../text/format.ts';
import { Scroll } from './scroll.tsx';

export type Cell = string | number | null | undefined;

/** One column of a table, of its CSV, and of its sorting: all from the same value. */
export interface Column<Row> {
  readonly name: string;
  readonly value: (row: Row) => Cell;
  /** How the page shows it; the CSV has the value itself. */
  readonly show?: (row: Row) => ComponentChildren;
  /** A number stands right unless told. */
  readonly text?: boolean;
  /** The column that names the row. */
  readonly heads?: boolean;
}

interface TableProps<Row> {
  readonly caption: string;
  readonly columns: readonly Column<Row>[];
  readonly rows: readonly Row[];
  /** Rows shown until asked for more. */
  readonly page?: number;
}

interface Order {
  readonly column: number;
  readonly down: boolean;
}

export function Table<Row>({ caption, columns, rows, page = 15 }: TableProps<Row>) {
  const [order, setOrder] = useState<Order>();
  const [shown, setShown] = useState(page);
  const sorted = order === undefined ? rows : inOrder(rows, columns, order);
  const left = rows.length - shown;
  const turn = (column: number) =>
    setOrder((now) =>
      now?.column === column ? { column, down: !now.down } : { column, down: isNumber(columns, rows, column) },
    );
  return (
    <>
      <Scroll label={caption}>
        <table>
          <caption class="hidden">{caption}</caption>
          <thead>
            <tr>
              {columns.map((column, index) => (
                <th
                  key={column.name}
                  scope="col"
                  class={isNumber(columns, rows, index) ? 'number' : undefined}
                  aria-sort={order?.column === index ? (order.down ? 'descending' : 'ascending') : undefined}
                >
                  <button type="button" class="sort" onClick={() => turn(index)}>
                    {column.name}
                  </button>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {sorted.slice(0, shown).map((row, index) => (
              <tr key={index}>
                {columns.map((column, at) => {
                  const kind = isNumber(columns, rows, at) ? 'number' : undefined;
                  const inside = column.show?.(row) ?? plain(column.value(row));
                  return column.heads === true ? (
                    <th key={column.name} scope="row">
                      {inside}
                    </th>
                  ) : (
                    <td key={column.name} class={kind}>
                      {inside}
                    </td>
                  );
                })}
              </tr>
            ))}
          </tbody>
        </table>
      </Scroll>
      {left > 0 && (
        <p class="more">
          <button type="button" onClick={() => setShown(shown + 10 * page)}>
            Show {count(Math.min(left, 10 * page))} more
          </button>
          <span class="note">
            {count(shown)} of {count(rows.length)}
          </span>
        </p>
      )}
    </>
  );
}

function plain(value: Cell): string {
  return typeof value === 'number' ? count(value) : (value ?? NOTHING);
}

function isNumber<Row>(columns: readonly Column<Row>[], rows: readonly Row[], at: number): boolean {
  const column = columns[at];
  if (column === undefined || column.text === true || column.heads === true) return false;
  const first = rows.find((row) => column.value(row) !== null && column.value(row) !== undefined);
  return first !== undefined && typeof column.value(first) === 'number';
}

/** What has no value comes last, in either direction. */
function inOrder<Row>(rows: readonly Row[], columns: readonly Column<Row>[], { column, down }: Order): readonly Row[] {
  const value = columns[column]?.value;
  if (value === undefined) return rows;
  return [...rows].sort((one, other) => {
    const left = value(one) ?? null;
    const right = value(other) ?? null;
    if (left === null || right === null) return Number(left === null) - Number(right === null);
    const ascending =
      typeof left === 'number' && typeof right === 'number'
        ? left - right
        : String(left).localeCompare(String(right), 'en', { numeric: true });
    return down ? -ascending : ascending;
  });
}
