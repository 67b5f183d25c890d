import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Interner } from './interner.ts';

const ascii = fc.string({ unit: 'grapheme-ascii', maxLength: 80 });

test('any ASCII bytes give their text, however their hashes collide', () => {
  const interner = new Interner();
  fc.assert(
    fc.property(ascii, ascii, fc.constantFrom(0, 1, -1, 65_536, 2 ** 31 - 1), (text, around, hash) => {
      const bytes = Buffer.from(around + text + around);
      expect(interner.intern(bytes, around.length, around.length + text.length, hash)).toBe(text);
    }),
    { numRuns: 2000 },
  );
});

test('a text that was seen is given again after the buffer it came from was overwritten', () => {
  const interner = new Interner();
  const bytes = Buffer.from('comp_1');
  const first = interner.intern(bytes, 0, 6, 42);
  bytes.write('comp_2');
  expect(interner.intern(bytes, 0, 6, 42)).toBe('comp_2');
  expect(first).toBe('comp_1');
  expect(interner.intern(Buffer.from('comp_1'), 0, 6, 42)).toBe('comp_1');
});

test('a text of any length is whole', () => {
  const interner = new Interner();
  for (const length of [0, 1, 64, 65, 4096, 4097, 50_000]) {
    const text = 'user_'.repeat(Math.ceil(length / 5)).slice(0, length);
    expect(interner.intern(Buffer.from(text), 0, length, 7) === text).toBe(true);
  }
});
