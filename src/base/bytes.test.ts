import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter } from './bytes.ts';

/** Writes once into a writer that must grow and once into one with room, so that both give the same bytes. */
function written(write: (to: ByteWriter) => void): Uint8Array {
  const [tight, roomy] = [new ByteWriter(1), new ByteWriter(4096)];
  write(tight);
  write(roomy);
  const bytes = tight.take();
  expect(Buffer.compare(bytes, roomy.take())).toBe(0);
  return bytes;
}

function reread<T>(write: (to: ByteWriter) => void, read: (from: ByteReader) => T): T {
  const bytes = written(write);
  // Read from the middle of a larger buffer: an offset must not matter.
  const embedded = new Uint8Array(bytes.length + 20).fill(0xff);
  embedded.set(bytes, 7);
  const from = new ByteReader(embedded.subarray(7, 7 + bytes.length));
  const value = read(from);
  expect(from.remaining).toBe(0);
  return value;
}

function expectKept(kind: 'varint' | 'signed' | 'number', value: number): void {
  const write = (to: ByteWriter): void => to[kind](value);
  expect(reread(write, (from) => from[kind]())).toBe(value);
}

const edges = [0, 1, 127, 128, 255, 256, 16_383, 16_384, 2 ** 31 - 1, 2 ** 31, 2 ** 32, 2 ** 52 - 1, 2 ** 52];
const anyUnsigned = fc.oneof(fc.maxSafeNat(), fc.nat(300), fc.constantFrom(...edges, Number.MAX_SAFE_INTEGER));

describe('what is written is read back', () => {
  test('an unsigned integer up to 2^53 - 1, in at most 8 bytes', () => {
    const holds = (value: number): void => {
      expectKept('varint', value);
      expect(written((to) => to.varint(value)).length).toBe(Math.max(1, Math.ceil(value.toString(2).length / 7)));
    };
    for (const edge of [...edges, Number.MAX_SAFE_INTEGER]) holds(edge);
    fc.assert(fc.property(anyUnsigned, holds));
  });

  test('a signed integer of magnitude below 2^52, small ones in one byte', () => {
    const holds = (value: number): void => {
      expectKept('signed', value);
    };
    const most = 2 ** 52 - 1;
    for (const edge of [0, -1, 1, -64, 63, -65, 64, most, -most]) holds(edge);
    fc.assert(fc.property(fc.integer({ min: -most, max: most }), holds));
    expect(written((to) => to.signed(-64))).toHaveLength(1);
  });

  test('any finite number, to the bit: -0, fractions, negative ones, 1e300', () => {
    const holds = (value: number): void => {
      expectKept('number', value);
    };
    const numbers = [-0, 0.1, -1, -1.5, 1e300, -1e300, 5e-324, Number.MAX_VALUE, Number.MAX_SAFE_INTEGER, ...edges];
    for (const edge of numbers) holds(edge);
    fc.assert(fc.property(fc.oneof(fc.double({ noDefaultInfinity: true, noNaN: true }), anyUnsigned), holds));
    expect(written((to) => to.number(99))).toHaveLength(1);
  });

  test('a text of any unicode, long or short', () => {
    const holds = (value: string): void => {
      const write = (to: ByteWriter): void => to.text(value);
      expect(reread(write, (from) => from.text())).toBe(value);
    };
    // Where the length before the text takes one byte more.
    for (const size of [0, 1, 63, 64, 127, 128, 5461, 16_383, 16_384]) holds('é'.repeat(size));
    for (const edge of ['\u0000', '\uFEFF', '\uFFFF', '\u{10FFFF}', '\u2028', 'a😀b']) holds(edge);
    fc.assert(fc.property(fc.string({ unit: 'binary', maxLength: 300 }), holds));
  });

  test('blocks and bare bytes, empty ones too', () => {
    fc.assert(
      fc.property(fc.array(fc.uint8Array({ maxLength: 300 })), (blocks) => {
        const read = reread(
          (to) => {
            for (const block of blocks) to.block(block);
          },
          (from) => blocks.map(() => from.block()),
        );
        expect(read.map((block) => [...block])).toEqual(blocks.map((block) => [...block]));
      }),
    );
  });

  test('many values one after the other, in the order they were written', () => {
    const anyValue = fc.oneof(
      fc.tuple(fc.constant('varint' as const), anyUnsigned),
      fc.tuple(fc.constant('signed' as const), fc.integer()),
      fc.tuple(fc.constant('number' as const), fc.double({ noDefaultInfinity: true, noNaN: true })),
      fc.tuple(fc.constant('text' as const), fc.string({ unit: 'grapheme' })),
      fc.tuple(fc.constant('byte' as const), fc.nat(255)),
    );
    fc.assert(
      fc.property(fc.array(anyValue, { maxLength: 40 }), (values) => {
        const read = reread(
          (to) => {
            for (const [kind, value] of values) {
              if (kind === 'text') to.text(value);
              else to[kind](value);
            }
          },
          (from) => values.map(([kind]) => from[kind]()),
        );
        expect(read).toEqual(values.map(([, value]) => value));
      }),
    );
  });
});

describe('a reader of bytes that end too early throws a RangeError', () => {
  const writes: Record<string, [(to: ByteWriter) => void, (from: ByteReader) => unknown]> = {
    varint: [(to) => to.varint(2 ** 53 - 1), (from) => from.varint()],
    signed: [(to) => to.signed(-(2 ** 50)), (from) => from.signed()],
    fraction: [(to) => to.number(0.5), (from) => from.number()],
    text: [(to) => to.text('é'.repeat(100)), (from) => from.text()],
    block: [(to) => to.block(new Uint8Array(200)), (from) => from.block()],
    byte: [(to) => to.byte(1), (from) => from.byte()],
  };

  test.each(Object.entries(writes))('%s, cut anywhere', (_, [write, read]) => {
    const bytes = written(write);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => read(new ByteReader(bytes.subarray(0, length)))).toThrow(RangeError);
    }
  });

  test('also of a length that promises more than there is, of an endless integer, and of a text that is not UTF-8', () => {
    expect(() => new ByteReader(Uint8Array.of(5, 1, 2)).block()).toThrow('3 short');
    expect(() => new ByteReader(Uint8Array.of(...new Array<number>(8).fill(0x80), 1)).varint()).toThrow(
      'longer than 8',
    );
    expect(() => new ByteReader(Uint8Array.of(2, 0xc3, 0x28)).text()).toThrow('not UTF-8');
  });
});

test('digits are those of String, also where they grow by one and beyond 2^31', () => {
  const holds = (value: number): void => {
    const bytes = written((to) => {
      to.digits(value);
      to.digits(value);
    });
    expect(new TextDecoder().decode(bytes)).toBe(`${value}${value}`);
  };
  for (let power = 1; power <= 1e15; power *= 10) for (const by of [-1, 0, 1]) holds(power + by);
  for (const edge of [2 ** 31 - 1, 2 ** 31, 2 ** 32, Number.MAX_SAFE_INTEGER, 2 ** 53 + 2, 1e21, 0.5, -3]) holds(edge);
  fc.assert(fc.property(anyUnsigned, holds));
  fc.assert(fc.property(fc.nat(10_000_100), holds));
});

test('digits that just fit are written whole, at any fill of the buffer', () => {
  for (let filled = 0; filled < 40; filled++) {
    const to = new ByteWriter(32);
    to.utf8('x'.repeat(filled));
    to.digits(9_999_999);
    to.digits(0);
    expect(new TextDecoder().decode(to.view())).toBe(`${'x'.repeat(filled)}99999990`);
  }
});

test('a JSON string is that of JSON.stringify, for any text', () => {
  const anyUnit = fc.oneof(fc.nat(0x7f), fc.constantFrom(0x22, 0x5c, 0x7f, 0x80, 0x2028), fc.nat(0xffff));
  const anyUnits = fc.array(anyUnit, { maxLength: 20 }).map((units) => String.fromCharCode(...units));
  fc.assert(
    fc.property(anyUnits, (text) => {
      const bytes = written((to) => to.json(text));
      expect(new TextDecoder().decode(bytes)).toBe(JSON.stringify(text));
    }),
    { numRuns: 2000 },
  );
});

test('a slice is those bytes of the whole and no others, short or long', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(400), fc.nat(400), (bytes, one, other) => {
      const [from, to] = [Math.min(one, other, bytes.length), Math.min(Math.max(one, other), bytes.length)];
      const taken = written((writer) => writer.slice(bytes, from, to));
      expect([...taken]).toEqual([...bytes.subarray(from, to)]);
    }),
  );
});

describe('the memory of a writer', () => {
  test('what was taken is never written again', () => {
    const to = new ByteWriter(64);
    to.text('first');
    const first = to.take();
    const kept = first.slice();
    to.text('other');
    to.bytes(new Uint8Array(500).fill(7));
    expect(first).toEqual(kept);
    expect(to.take().length).toBe(506);
  });

  test('take leaves an empty writer, also with no capacity at all', () => {
    const to = new ByteWriter(0);
    to.byte(1);
    expect(to.take(0)).toEqual(Uint8Array.of(1));
    expect(to.length).toBe(0);
    to.digits(42);
    to.text('');
    to.number(0.25);
    const from = new ByteReader(to.take(0));
    expect([from.byte(), from.byte(), from.text(), from.number()]).toEqual([0x34, 0x32, '', 0.25]);
  });

  test('clear forgets what was written, and a view shows what was written since', () => {
    const to = new ByteWriter(8);
    to.utf8('long gone, and more than eight');
    to.clear();
    expect(to.length).toBe(0);
    to.utf8('new');
    expect(new TextDecoder().decode(to.view())).toBe('new');
    expect(to.length).toBe(3);
  });
});
