const whole = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const fine = new Intl.NumberFormat('en-US', { maximumFractionDigits: 1 });
const tenth = new Intl.NumberFormat('en-US', { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });

/** What stands where there is no value. */
export const NOTHING = '–';

/** 1,234; below 10 with one decimal if it has any. */
export function count(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOTHING;
  return Math.abs(value) < 10 ? fine.format(value) : whole.format(value);
}

/** 1.2K, 3.4M: for axes and where a column is narrow. */
export function short(value: number): string {
  return compact.format(value);
}

/** `share` of 1 as percent. What is more than nothing never reads 0 %, what is less than all never 100 %. */
export function percent(share: number | null | undefined): string {
  if (share === null || share === undefined) return NOTHING;
  if (share > 0 && share < 0.001) return '<0.1 %';
  if (share > 0.99 && share < 1) return `${tenth.format(Math.min(99.9, share * 100))} %`;
  return `${share > 0 && share < 0.0995 ? tenth.format(share * 100) : whole.format(share * 100)} %`;
}

/** Bytes in decimal units: 1.2 GB. */
export function bytes(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOTHING;
  const units = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];
  let left = value;
  let unit = 0;
  while (left >= 999.95 && unit < units.length - 1) {
    left /= 1000;
    unit++;
  }
  return `${unit === 0 ? whole.format(left) : fine.format(left)} ${units[unit]}`;
}

/** 340 ms, 2.5 s, 12 min, 3.2 h, 4 days: of a length of time in seconds. */
export function duration(seconds: number | null | undefined): string {
  if (seconds === null || seconds === undefined) return NOTHING;
  if (seconds === 0) return '0 s';
  if (seconds < 1) return `${count(Math.max(1, Math.round(seconds * 1000)))} ms`;
  if (seconds < 120) return `${count(seconds)} s`;
  if (seconds < 7200) return `${count(seconds / 60)} min`;
  return seconds < 172_800 ? `${count(seconds / 3600)} h` : `${count(seconds / 86_400)} days`;
}

/** 0.04, 3.1 or 1,234 a second. */
export function rate(value: number | null | undefined): string {
  if (value === null || value === undefined) return NOTHING;
  return `${value > 0 && value < 1 ? value.toPrecision(1) : count(value)}/s`;
}

/** 2026-11-22, UTC. */
export function day(at: number | string | null | undefined): string {
  if (at === null || at === undefined) return NOTHING;
  return typeof at === 'string' && at.length === 10 ? at : new Date(at).toISOString().slice(0, 10);
}

/** 2026-11-22 19:07:44, UTC; the reader is told so beside it. */
export function moment(at: number | string | null | undefined): string {
  if (at === null || at === undefined) return NOTHING;
  return new Date(at).toISOString().slice(0, 19).replace('T', ' ');
}

/** 19:07:44, UTC. */
export function clock(at: number | string): string {
  return moment(at).slice(11);
}

export function plural(value: number, one: string, more = `${one}s`): string {
  return `${count(value)} ${value === 1 ? one : more}`;
}
