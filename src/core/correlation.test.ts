import fc from 'fast-check';
import { expect, test } from 'vitest';
import { correlationID, readCorrelationID } from './correlation.ts';

test('ids that we give stand in the header as they are in the row', () => {
  for (const id of [
    'shardId-000000000000:49590338271490256608559692538361571095921575989136588898:3',
    'jobs.jsonl:17',
  ]) {
    expect(correlationID(id)).toBe(id);
  }
  expect(correlationID('decay:comp_4:2025-06-01')).toBe('decay:comp_4:2025-06-01');
});

test('whatever id a producer chose, it is a value that a header takes, and that is read back', () => {
  const sendable = (id: string) => {
    const value = correlationID(id);
    expect(value).toMatch(/^[\x21-\x7e]{0,256}$/);
    new Headers({ 'x-correlation-id': value });
    if (id !== '') expect(readCorrelationID(value)).toBe(value);
  };
  fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 400 }), sendable));
  fc.assert(fc.property(fc.string({ unit: 'grapheme', maxLength: 400 }), sendable));
  for (const id of ['a\r\nx-api-key: k', `${'x'.repeat(255)}🚀`, '\ud800', 'é'.repeat(1000), ' ']) sendable(id);
  expect(correlationID('Zoë 🚀')).toBe('Zo%C3%AB%20%F0%9F%9A%80');
});

test.each([undefined, 7, '', 'a b', 'a\nb', 'é', 'x'.repeat(257), ['a']])('%j is no id of a call', (value) => {
  expect(readCorrelationID(value)).toBeUndefined();
});
