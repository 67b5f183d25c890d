import { type Draw, indexOf, nameAxis, numberAxis, tip, tooltip } from './common.ts';
import type { Palette } from './palette.ts';

interface Strip<Row> {
  readonly title: string;
  readonly kind: 'bar' | 'line';
  readonly value: (row: Row) => number | null;
  readonly format: (value: number) => string;
  readonly colour: (row: Row, colours: Palette) => string;
  /** The scale ends here at least. */
  readonly max?: number;
}

interface Columns<Row> {
  readonly name: (row: Row) => string;
  readonly strips: readonly Strip<Row>[];
  readonly tip: (row: Row) => readonly (readonly [string, string])[];
}

const HEAD_PX = 28;
const FOOT_PX = 24;

/** One strip below the other, over the same places: never two scales in one. */
export function columns<Row>({ name, strips, tip: lines }: Columns<Row>): Draw<Row> {
  return (rows, colours, height) => {
    const each = (height - FOOT_PX) / strips.length;
    const names = rows.map(name);
    const seriesOf = ({ title, kind, value, colour }: Strip<Row>, at: number) => ({
      name: title,
      type: kind,
      xAxisIndex: at,
      yAxisIndex: at,
      ...(kind === 'bar'
        ? { barMaxWidth: 28, barCategoryGap: rows.length > 40 ? '15%' : '30%' }
        : {
            // A line of one value is nothing to see.
            showSymbol: rows.filter((row) => value(row) !== null).length < 3,
            showAllSymbol: true,
            symbolSize: 5,
            lineStyle: { width: 2 },
            connectNulls: true,
          }),
      itemStyle: { color: rows[0] === undefined ? colours.accent : colour(rows[0], colours) },
      data: rows.map((row) =>
        kind === 'bar'
          ? { name: name(row), value: value(row), itemStyle: { color: colour(row, colours) } }
          : { name: name(row), value: value(row) },
      ),
    });
    return {
      grid: strips.map((_, at) => ({
        left: 46,
        right: 8,
        top: at * each + HEAD_PX,
        height: each - HEAD_PX,
      })),
      tooltip: {
        ...tooltip(colours, 'axis'),
        formatter: (marks: unknown) => {
          const row = rows[indexOf(marks)];
          return row === undefined ? '' : tip(name(row), lines(row));
        },
      },
      axisPointer: { link: [{ xAxisIndex: 'all' }] },
      xAxis: strips.map((_, at) => {
        const axis = { ...nameAxis(colours, names), gridIndex: at };
        return at === strips.length - 1 ? axis : { ...axis, axisLabel: { show: false } };
      }),
      yAxis: strips.map((strip, at) => ({
        ...numberAxis(colours, strip.format),
        gridIndex: at,
        min: 0,
        ...(strip.max === undefined ? {} : { max: strip.max, interval: strip.max / 4 }),
        name: strip.title,
        nameLocation: 'end',
        nameGap: 12,
        nameTextStyle: { color: colours.soft, fontSize: 11, align: 'left', padding: [0, 0, 0, -38] },
      })),
      series: strips.map((strip, at) => seriesOf(strip, at)),
    };
  };
}
