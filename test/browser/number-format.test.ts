import { expect, test } from 'vitest';
import { bytes, count, day, moment, NOTHING, percent, plural } from '../../web/src/text/format.ts';

test.each([
  [1234, '1,234'],
  [0, '0'],
  [2.25, '2.3'],
  [1234.6, '1,235'],
  [null, NOTHING],
])('the count %s reads %s', (value, text) => {
  expect(count(value)).toBe(text);
});

test.each([
  [0, '0 %'],
  [0.0004, '<0.1 %'],
  [0.05, '5.0 %'],
  [0.0996, '10 %'],
  [0.824, '82 %'],
  [0.996, '99.6 %'],
  [0.9996, '99.9 %'],
  [1, '100 %'],
  [null, NOTHING],
])('the share %s reads %s: what is more than nothing never reads 0, what is less than all never 100', (share, text) => {
  expect(percent(share)).toBe(text);
});

test.each([
  [0, '0 B'],
  [999, '999 B'],
  [1000, '1 kB'],
  [1_234_567, '1.2 MB'],
  [999_990, '1 MB'],
])('%s bytes read %s', (value, text) => {
  expect(bytes(value)).toBe(text);
});

test('times are UTC', () => {
  expect(moment('2026-11-22T23:30:00-02:00')).toBe('2026-11-23 01:30:00');
  expect(day('2026-11-22T23:30:00-02:00')).toBe('2026-11-23');
  expect(day('2026-11-22')).toBe('2026-11-22');
});

test('one is no plural', () => {
  expect(plural(1, 'company', 'companies')).toBe('1 company');
  expect(plural(1200, 'job')).toBe('1,200 jobs');
});
