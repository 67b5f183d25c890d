import fc from 'fast-check';
import { afterEach, describe, expect, test } from 'vitest';
import { DAY_MS, dayOf, isoDate, MAX_TIME, ofLastDay, parseTime } from './time.ts';

const anyTime = fc.integer({ min: 0, max: MAX_TIME });

describe('a time in ISO 8601', () => {
  const noon = Date.UTC(2025, 2, 4, 12, 30);
  test.each([
    ['2025-03-04T12:30', noon],
    ['2025-03-04 12:30', noon],
    ['2025-03-04T12:30:00', noon],
    ['2025-03-04T12:30:15', noon + 15_000],
    ['2025-03-04T12:30:15.25', noon + 15_250],
    ['2025-03-04T12:30:15,25Z', noon + 15_250],
    ['2025-03-04T12:30Z', noon],
    ['2025-03-04T12:30:00+00:00', noon],
    ['2025-03-04T18:00:00+05:30', noon],
    ['2025-03-04T18:00:00+0530', noon],
    ['2025-03-04T17:30:00+05', noon],
    ['2025-03-04T07:30:00-05:00', noon],
    ['2025-03-05T00:30:00+12:00', noon],
    ['2025-03-04', Date.UTC(2025, 2, 4)],
    ['2024-02-29', Date.UTC(2024, 1, 29)],
    ['2000-02-29T00:00', Date.UTC(2000, 1, 29)],
    ['1970-01-01', 0],
    ['0099-01-01T00:00', undefined],
  ])('%s is read, without an offset as UTC', (text, time) => {
    expect(parseTime(text)).toBe(time);
  });

  test.each([
    '2025-02-29',
    '1900-02-29',
    '2100-02-29',
    '2025-04-31',
    '2025-13-01',
    '2025-00-10',
    '2025-01-00',
    '2025-03-04T24:00',
    '2025-03-04T24:00:00Z',
    '2025-03-04T12:60',
    '2025-03-04T12:30:60',
    '2025-03-04T12',
    '2025-03-04T12:30:00.1234567890',
    '2025-03-04T12:30:00.',
    '2025-03-04T12:30:00+24:00',
    '2025-03-04T12:30:00+05:60',
    '2025-03-04T12:30:00+5',
    '2025-03-04T12:30:00 Z',
    '2025-03-04t12:30',
    '2025-03-04Z',
    '2025-3-4',
    '20250304T123000Z',
    '+002025-03-04',
    '2025-03-04T12:30:00Z[UTC]',
    'Tue, 04 Mar 2025 12:30:00 GMT',
    '04.03.2025',
    'yesterday',
    '',
    ' ',
    'NaN',
    '-1',
    '+5',
    '1.5',
    '1e3',
    '0x10',
    '1234567890123456',
  ])('%s is refused', (text) => {
    expect(parseTime(text)).toBeUndefined();
  });

  test('fractions of up to nine digits count to the millisecond, and are never rounded up', () => {
    const second = '2025-03-04T12:30:59';
    const base = Date.UTC(2025, 2, 4, 12, 30, 59);
    const of = (fraction: string): number | undefined => parseTime(`${second}.${fraction}Z`);
    expect([of('1'), of('12'), of('123'), of('1239'), of('123999999')]).toEqual(
      [100, 120, 123, 123, 123].map((ms) => base + ms),
    );
    expect(of('999999999')).toBe(base + 999);
  });

  test('every time of the years 1970 to 9999 comes back from its ISO form', () => {
    fc.assert(fc.property(anyTime, (time) => parseTime(new Date(time).toISOString()) === time));
  });

  test('an offset moves the time by itself, over midnights and years', () => {
    const anyOffset = fc.record({ sign: fc.constantFrom('+', '-'), hours: fc.nat(23), minutes: fc.nat(59) });
    fc.assert(
      fc.property(anyTime, anyOffset, (time, { sign, hours, minutes }) => {
        const offset = (sign === '-' ? -1 : 1) * (hours * 60 + minutes) * 60_000;
        const local = new Date(time + offset).toISOString();
        fc.pre(/^\d{4}-/.test(local)); // A local time outside the years 0 to 9999 has another form.
        const two = (value: number): string => String(value).padStart(2, '0');
        expect(parseTime(local.replace('Z', `${sign}${two(hours)}:${two(minutes)}`))).toBe(time);
        expect(parseTime(local.replace('Z', `${sign}${two(hours)}${two(minutes)}`))).toBe(time);
      }),
    );
  });

  test('a date is taken if and only if a calendar has it', () => {
    for (const year of [1972, 1999, 2000, 2023, 2024, 2100]) {
      const leap = year % 4 === 0 && (year % 100 !== 0 || year % 400 === 0);
      const lengths = [31, leap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31];
      for (let month = 1; month <= 12; month++) {
        for (let date = 1; date <= 31; date++) {
          const text = `${year}-${String(month).padStart(2, '0')}-${String(date).padStart(2, '0')}`;
          const expected = date <= (lengths[month - 1] ?? 0) ? Date.UTC(year, month - 1, date) : undefined;
          expect(parseTime(text), text).toBe(expected);
        }
      }
    }
  });
});

describe('whatever time zone the process has', () => {
  const zone = process.env.TZ;
  afterEach(() => {
    if (zone === undefined) delete process.env.TZ;
    else process.env.TZ = zone;
  });

  test.each(['America/New_York', 'Asia/Kolkata', 'Pacific/Kiritimati', 'UTC'])(
    'in %s a time without an offset is UTC',
    (name) => {
      process.env.TZ = name;
      const local = new Date(2025, 2, 9, 2, 30).getTime() - Date.UTC(2025, 2, 9, 2, 30);
      expect(local === 0).toBe(name === 'UTC'); // The zone is in force, or this test says nothing.
      expect(parseTime('2025-03-09T02:30')).toBe(Date.UTC(2025, 2, 9, 2, 30)); // In New York there is no such hour.
      expect(parseTime('2025-03-09')).toBe(Date.UTC(2025, 2, 9));
      expect(isoDate(dayOf(Date.UTC(2025, 2, 9)))).toBe('2025-03-09');
      expect(isoDate(dayOf(Date.UTC(2025, 2, 9) - 1))).toBe('2025-03-08');
    },
  );
});

describe('the limits', () => {
  test('epoch milliseconds as text are taken from 1970 to the last one of 9999', () => {
    expect(parseTime('0')).toBe(0);
    expect(parseTime('0001')).toBe(1);
    expect(parseTime('1700000000000')).toBe(1_700_000_000_000);
    expect(parseTime(String(MAX_TIME))).toBe(MAX_TIME);
    expect(parseTime(String(MAX_TIME + 1))).toBeUndefined();
    expect(parseTime('999999999999999')).toBeUndefined();
  });

  test('ISO 8601 is taken over the same years, offsets counted', () => {
    expect(parseTime('9999-12-31T23:59:59.999Z')).toBe(MAX_TIME);
    expect(parseTime('9999-12-31T23:59:59.999-00:01')).toBeUndefined();
    expect(parseTime('1969-12-31T23:59:59.999Z')).toBeUndefined();
    expect(parseTime('1969-12-31T23:59-00:01')).toBe(0);
    expect(parseTime('1970-01-01T00:00+00:01')).toBeUndefined();
    expect(parseTime('0000-01-01')).toBeUndefined();
  });
});

test('a day begins at its UTC midnight and has the name of its date', () => {
  fc.assert(
    fc.property(anyTime, (time) => {
      const day = dayOf(time);
      expect(day * DAY_MS).toBeLessThanOrEqual(time);
      expect((day + 1) * DAY_MS).toBeGreaterThan(time);
      expect(isoDate(day)).toBe(new Date(time).toISOString().slice(0, 10));
    }),
  );
});

test('what is remembered of the last day is never given for another', () => {
  fc.assert(
    fc.property(fc.array(fc.nat(3)), (days) => {
      const nameOf = ofLastDay((day) => `day ${day}`);
      expect(days.map(nameOf)).toEqual(days.map((day) => `day ${day}`));
    }),
  );
});
