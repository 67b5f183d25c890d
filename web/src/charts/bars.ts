import { type Draw, indexOf, nameAxis, numberAxis, tip, tooltip } from './common.ts';
import type { Palette } from './palette.ts';

interface Bars<Row> {
  readonly name: (row: Row) => string;
  readonly value: (row: Row) => number;
  readonly format: (value: number) => string;
  readonly tip: (row: Row) => readonly (readonly [string, string])[];
  readonly colour?: (row: Row, colours: Palette) => string;
  /** A longer bar behind the bar: what it is a part of. */
  readonly of?: (row: Row) => number;
}

const LONGEST_NAME_PX = 104;

/** Bars from left to right, the first row on top, each with its value. */
export function bars<Row>({ name, value, format, tip: lines, colour, of }: Bars<Row>): Draw<Row> {
  return (rows, colours) => {
    const formatted = (at: unknown) => {
      const row = rows[indexOf(at)];
      return row === undefined ? '' : format(value(row));
    };
    const label = { show: true, position: 'right', color: colours.soft, fontSize: 11, formatter: formatted };
    const series = {
      type: 'bar',
      barMaxWidth: 16,
      barCategoryGap: '30%',
      data: rows.map((row) => ({
        name: name(row),
        value: value(row),
        itemStyle: { color: colour?.(row, colours) ?? colours.accent, borderRadius: [0, 2, 2, 0] },
      })),
    };
    const whole = {
      type: 'bar',
      barMaxWidth: 16,
      barCategoryGap: '30%',
      barGap: '-100%',
      itemStyle: { color: colours.muted, borderRadius: [0, 2, 2, 0] },
      data: rows.map((row) => ({ name: name(row), value: of?.(row) ?? 0 })),
      label,
    };
    const names = nameAxis(colours, rows.map(name));
    return {
      grid: { left: 4, right: 56, top: 4, bottom: 4, outerBoundsMode: 'same', outerBoundsContain: 'axisLabel' },
      tooltip: {
        ...tooltip(colours, 'axis'),
        formatter: (marks: unknown) => {
          const row = rows[indexOf(marks)];
          return row === undefined ? '' : tip(name(row), lines(row));
        },
      },
      xAxis: { ...numberAxis(colours, format), show: false },
      yAxis: {
        ...names,
        inverse: true,
        axisLine: { show: false },
        axisLabel: {
          ...names.axisLabel,
          hideOverlap: false,
          interval: 0,
          width: LONGEST_NAME_PX,
          overflow: 'truncate',
        },
      },
      series: of === undefined ? [{ ...series, label }] : [whole, { ...series, z: 3 }],
    };
  };
}

/** So high that each bar has its room. */
export function heightOfBars(rows: number): number {
  return Math.max(90, rows * 24 + 16);
}
