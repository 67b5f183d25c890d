import { type Draw, indexOf, tip, tooltip } from './common.ts';
import { categoryAt } from './palette.ts';

interface Donut<Row> {
  readonly name: (row: Row) => string;
  readonly value: (row: Row) => number;
  readonly tip: (row: Row) => readonly (readonly [string, string])[];
  /** Which colour, from 0. */
  readonly category: (row: Row, rows: readonly Row[]) => number;
}

/** Shares of a whole. Names and numbers stand beside it, as a list: it has no labels of its own. */
export function donut<Row>({ name, value, tip: lines, category }: Donut<Row>): Draw<Row> {
  return (rows, colours) => ({
    tooltip: {
      ...tooltip(colours, 'item'),
      formatter: (mark: unknown) => {
        const row = rows[indexOf(mark)];
        return row === undefined ? '' : tip(name(row), lines(row));
      },
    },
    series: [
      {
        type: 'pie',
        radius: ['58%', '94%'],
        label: { show: false },
        labelLine: { show: false },
        emphasis: { scaleSize: 4 },
        itemStyle: { borderColor: colours.surface, borderWidth: 2 },
        data: rows.map((row) => ({
          name: name(row),
          value: value(row),
          itemStyle: { color: colours.categories[categoryAt(category(row, rows)) - 1] ?? colours.accent },
        })),
      },
    ],
  });
}
