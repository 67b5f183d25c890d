import fc from 'fast-check';
import { expect, test } from 'vitest';
import { asciiText, decodeUtf8, writeUtf8 } from './utf8.ts';

const encoder = new TextEncoder();
const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function platformText(bytes: Uint8Array): string | undefined {
  try {
    return decoder.decode(bytes);
  } catch {
    return undefined;
  }
}

function encode(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length * 3);
  return bytes.subarray(0, writeUtf8(text, bytes, 0));
}

/** Any UTF-16 units, halves of characters among them. */
const anyUnits = fc
  .array(fc.oneof(fc.nat(0xffff), fc.integer({ min: 0xd7fe, max: 0xe001 }), fc.nat(0x7f)), { maxLength: 40 })
  .map((units) => String.fromCharCode(...units));
const nearUtf8 = fc
  .array(
    fc.oneof(
      fc.constantFrom(0x00, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff),
      fc.constantFrom(0x8f, 0x90, 0x9f, 0xa0),
      fc.nat(255),
    ),
    { maxLength: 12 },
  )
  .map((bytes) => Uint8Array.from(bytes));

test('any text is written as TextEncoder writes it; half a character becomes U+FFFD', () => {
  const holds = (text: string): void => {
    expect(encode(text)).toEqual(encoder.encode(text));
  };
  for (const text of ['', '\ud800', '\udc00', '\ud800a', '\udc00\ud800', 'x\ud83d', '\u007f\u0080\u07ff\u0800\uffff'])
    holds(text);
  fc.assert(fc.property(anyUnits, holds), { numRuns: 2000 });
});

test('every character there is goes to bytes and back', () => {
  for (let code = 0; code <= 0x10_ffff; code += code < 0x1_0000 ? 1 : 61) {
    if (code >= 0xd800 && code < 0xe000) continue;
    const text = String.fromCodePoint(code);
    const bytes = encode(text);
    if (decodeUtf8(bytes, 0, bytes.length) !== text) expect.fail(`U+${code.toString(16)} did not come back`);
  }
});

test('any bytes are taken or refused as a strict TextDecoder does', () => {
  const holds = (bytes: Uint8Array): void => {
    expect(decodeUtf8(bytes, 0, bytes.length)).toBe(platformText(bytes));
  };
  fc.assert(fc.property(nearUtf8, holds), { numRuns: 10_000 });
  fc.assert(fc.property(fc.uint8Array({ maxLength: 30 }), holds), { numRuns: 2000 });
  for (let first = 0; first < 256; first++) {
    for (let second = 0; second < 256; second++) {
      const cut = Uint8Array.of(first, second);
      const whole = Uint8Array.of(first, second, 0x80, 0x80);
      if (decodeUtf8(cut, 0, 2) !== platformText(cut)) expect.fail(`${cut} is judged otherwise`);
      if (decodeUtf8(whole, 0, 3) !== platformText(whole.subarray(0, 3))) expect.fail(`${whole} is judged otherwise`);
      if (decodeUtf8(whole, 0, 4) !== platformText(whole)) expect.fail(`${whole} is judged otherwise`);
    }
  }
});

test('only the bytes from `from` to `to` are read, whatever lies around them', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'grapheme' }), nearUtf8, nearUtf8, (text, before, after) => {
      const inside = encoder.encode(text);
      const bytes = Uint8Array.from([...before, ...inside, ...after]);
      expect(decodeUtf8(bytes, before.length, before.length + inside.length)).toBe(text);
    }),
  );
  const cut = encoder.encode('é');
  expect(decodeUtf8(cut, 0, 1)).toBeUndefined(); // The rest of the character lies beyond `to`.
});

test('a text longer than one piece is whole, also with a character of two units at the seam', () => {
  for (const length of [4094, 4095, 4096, 4097, 8191, 100_000]) {
    const text = `${'a'.repeat(length)}😀é${'b'.repeat(5000)}`;
    const bytes = encoder.encode(text);
    expect(decodeUtf8(bytes, 0, bytes.length)).toBe(text);
    expect(Buffer.compare(encode(text), bytes)).toBe(0);
  }
});

test('text is written where it is asked to, and nothing beyond', () => {
  const bytes = new Uint8Array(12).fill(0xee);
  expect(writeUtf8('a€', bytes, 3)).toBe(7);
  expect([...bytes]).toEqual([0xee, 0xee, 0xee, 0x61, 0xe2, 0x82, 0xac, ...new Array<number>(5).fill(0xee)]);
});

test('plain ASCII of any length is read as it stands, from any place', () => {
  for (const length of [0, 1, 4095, 4096, 4097, 8192, 8193, 100_000]) {
    const text = 'abcdefghijk'.repeat(Math.ceil(length / 11)).slice(0, length);
    const bytes = encoder.encode(`é${text}é`);
    expect(asciiText(bytes, 2, 2 + length) === text).toBe(true);
    expect(decodeUtf8(bytes, 2, 2 + length) === text).toBe(true);
  }
});
