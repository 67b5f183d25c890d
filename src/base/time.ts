/** Milliseconds since 1970-01-01T00:00:00Z. */
export type EpochMs = number;

/** Whole UTC days since 1970-01-01. */
export type UtcDay = number;

export const DAY_MS = 86_400_000;

/** Times the system accepts: the years 1970 to 9999, those that `dt=YYYY-MM-DD` can name. */
export const MAX_TIME: EpochMs = 253_402_300_799_999;

/** Whether so long has passed since then by a clock that may be set back; when it was, it has: better early than an hour late. */
export function hasPassed(ms: number, since: EpochMs, now: EpochMs): boolean {
  return now - since >= ms || now < since;
}

export function dayOf(time: EpochMs): UtcDay {
  return Math.floor(time / DAY_MS);
}

/** `YYYY-MM-DD` of a UTC day. */
export function isoDate(day: UtcDay): string {
  return new Date(day * DAY_MS).toISOString().slice(0, 10);
}

/** Remembers what was made for the last day it was asked for: most rows in a row are of one day. */
export function ofLastDay(make: (day: UtcDay) => string): (day: UtcDay) => string {
  let lastDay: UtcDay = Number.NaN;
  let last = '';
  return (day) => {
    if (day !== lastDay) {
      lastDay = day;
      last = make(day);
    }
    return last;
  };
}

const ISO_8601 =
  /^(\d{4})-(\d{2})-(\d{2})(?:[T ](\d{2}):(\d{2})(?::(\d{2})(?:[.,](\d{1,9}))?)?(Z|[+-]\d{2}(?::?\d{2})?)?)?$/;

/**
 * Reads a time as the records carry it: a whole number of epoch milliseconds, or ISO 8601; without an offset, UTC.
 * Returns undefined for anything else, for days that no calendar has, and for times outside 1970 to 9999.
 */
export function parseTime(text: string): EpochMs | undefined {
  if (/^\d{1,15}$/.test(text)) return inRange(Number(text));
  const match = ISO_8601.exec(text);
  if (match === null) return undefined;
  const [, year, month, date, hour = '0', minute = '0', second = '0', fraction = '', offset = 'Z'] = match;
  if (Number(hour) > 23 || Number(minute) > 59 || Number(second) > 59) return undefined;
  const midnight = Date.UTC(Number(year), Number(month) - 1, Number(date));
  if (new Date(midnight).toISOString().slice(0, 10) !== `${year}-${month}-${date}`) return undefined;
  const offsetMinutes = parseOffset(offset);
  if (offsetMinutes === undefined) return undefined;
  const milliseconds = Number(fraction.padEnd(3, '0').slice(0, 3));
  const sinceMidnight = ((Number(hour) * 60 + Number(minute)) * 60 + Number(second)) * 1000 + milliseconds;
  return inRange(midnight + sinceMidnight - offsetMinutes * 60_000);
}

function parseOffset(offset: string): number | undefined {
  if (offset === 'Z') return 0;
  const hours = Number(offset.slice(1, 3));
  const minutes = Number(offset.slice(3).replace(':', '') || '0');
  if (hours > 23 || minutes > 59) return undefined;
  return (offset.startsWith('-') ? -1 : 1) * (hours * 60 + minutes);
}

function inRange(time: number): EpochMs | undefined {
  return time >= 0 && time <= MAX_TIME ? time : undefined;
}
