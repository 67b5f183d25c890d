import type { EChartsCoreOption } from 'echarts/core';
import type { Palette } from './palette.ts';

/** Draws rows, in the colours of the theme that is on. The same function for the same chart: it is not called for nothing. */
export type Draw<Row> = (rows: readonly Row[], colours: Palette, height: number) => EChartsCoreOption;

const SMALL = 11;

/** A tip as elements: text is never taken for HTML, and no inline style is asked for. */
export function tip(title: string, lines: readonly (readonly [string, string])[]): HTMLElement {
  const box = document.createElement('div');
  const head = document.createElement('strong');
  head.textContent = title;
  box.append(head);
  for (const [name, value] of lines) {
    const line = document.createElement('div');
    const label = document.createElement('span');
    const number = document.createElement('b');
    line.className = 'tip-line';
    label.textContent = name;
    number.textContent = value;
    line.append(label, number);
    box.append(line);
  }
  return box;
}

export function tooltip(colours: Palette, trigger: 'axis' | 'item') {
  return {
    trigger,
    confine: true,
    backgroundColor: colours.surface,
    borderColor: colours.line,
    borderWidth: 1,
    padding: [6, 10],
    textStyle: { color: colours.ink, fontSize: 12 },
    axisPointer: { type: 'shadow', shadowStyle: { color: colours.line, opacity: 0.35 } },
  };
}

/** Names along an axis. */
export function nameAxis(colours: Palette, data: readonly string[]) {
  return {
    type: 'category',
    data,
    axisTick: { show: false },
    axisLine: { lineStyle: { color: colours.line } },
    axisLabel: { color: colours.soft, fontSize: SMALL, hideOverlap: true },
  };
}

/** Numbers along an axis. */
export function numberAxis(colours: Palette, formatter: (value: number) => string) {
  return {
    type: 'value',
    splitNumber: 3,
    axisLabel: { color: colours.soft, fontSize: SMALL, formatter, hideOverlap: true },
    splitLine: { lineStyle: { color: colours.line } },
  };
}

/** What ECharts hands to a formatter, as far as we look at it. */
export interface Mark {
  readonly name: string;
  readonly dataIndex: number;
}

/** `trigger: 'axis'` hands over all marks of one place, `item` one. */
export function indexOf(marks: unknown): number {
  const mark = (Array.isArray(marks) ? marks[0] : marks) as Mark | undefined;
  return mark?.dataIndex ?? 0;
}
