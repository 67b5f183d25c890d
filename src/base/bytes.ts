import { decodeUtf8, writeUtf8 } from './utf8.ts';

const QUOTE = 0x22;
const BACKSLASH = 0x5c;

/** Up to this size a loop is faster than the call into the engine that copies. */
const SHORT_BYTES = 96;

/** Seven digits fit an integer of 31 bits. */
const DIGITS_AT_ONCE = 10_000_000;

/**
 * A growing byte buffer: the one encoder of state, checkpoints and rows, on every host. Integers are LEB128 varints.
 * `take()` hands the bytes over and starts anew; what was handed over is never written again.
 */
export class ByteWriter {
  #bytes: Uint8Array;
  #length = 0;

  constructor(capacity = 256) {
    this.#bytes = new Uint8Array(capacity);
  }

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  byte(value: number): void {
    if (this.#length === this.#bytes.length) this.#grow(1);
    this.#bytes[this.#length++] = value;
  }

  /** An unsigned integer of at most 2^53 - 1, in 1 to 8 bytes. */
  varint(value: number): void {
    if (value < 0) throw new RangeError(`expected an unsigned integer, got ${value}`);
    let rest = value;
    while (rest >= 0x8000_0000) {
      this.byte((rest % 128) | 0x80);
      rest = Math.floor(rest / 128);
    }
    while (rest >= 0x80) {
      this.byte((rest & 0x7f) | 0x80);
      rest >>>= 7;
    }
    this.byte(rest);
  }

  /** A signed integer of magnitude below 2^52, zigzag. */
  signed(value: number): void {
    this.varint(value < 0 ? -2 * value - 1 : 2 * value);
  }

  /** Any finite number: integers compactly, others as IEEE 754 in eight bytes. */
  number(value: number): void {
    if (Number.isSafeInteger(value) && value >= 0 && value < 2 ** 52 && !Object.is(value, -0)) {
      this.varint(value + 1);
      return;
    }
    this.byte(0);
    if (this.#length + 8 > this.#bytes.length) this.#grow(8);
    new DataView(this.#bytes.buffer).setFloat64(this.#length, value, true);
    this.#length += 8;
  }

  /** UTF-8 text with its length in bytes before it. */
  text(value: string): void {
    const at = this.#length;
    this.utf8(value);
    const size = this.#length - at;
    const prefix = varintSize(size);
    if (this.#length + prefix > this.#bytes.length) this.#grow(prefix);
    this.#bytes.copyWithin(at + prefix, at, this.#length);
    this.#length = at;
    this.varint(size);
    this.#length = at + prefix + size;
  }

  /** UTF-8 text, bare. */
  utf8(value: string): void {
    const most = value.length * 3;
    if (this.#length + most > this.#bytes.length) this.#grow(most);
    this.#length = writeUtf8(value, this.#bytes, this.#length);
  }

  /** The decimal digits of a count: what `utf8(String(value))` writes, for an integer from 0 to 2^53 - 1 without the string. */
  digits(value: number): void {
    if (!(value >= 0 && Number.isSafeInteger(value))) {
      this.utf8(String(value));
      return;
    }
    if (value < DIGITS_AT_ONCE) {
      this.#fewDigits(value, value < 10 ? 1 : value < 100 ? 2 : value < 1000 ? 3 : digitCount(value));
      return;
    }
    const high = Math.floor(value / DIGITS_AT_ONCE);
    this.digits(high);
    this.#fewDigits(value - high * DIGITS_AT_ONCE, 7);
  }

  #fewDigits(value: number, count: number): void {
    if (this.#length + count > this.#bytes.length) this.#grow(count);
    const bytes = this.#bytes;
    const start = this.#length;
    this.#length = start + count;
    let rest = value;
    for (let at = start + count - 1; at >= start; at--) {
      const tenth = (rest / 10) | 0;
      bytes[at] = 48 + rest - tenth * 10;
      rest = tenth;
    }
  }

  bytes(value: Uint8Array): void {
    this.slice(value, 0, value.length);
  }

  /** The bytes [from, to) of `value`. */
  slice(value: Uint8Array, from: number, to: number): void {
    const size = to - from;
    const at = this.#length;
    if (at + size > this.#bytes.length) this.#grow(size);
    this.#length = at + size;
    if (size > SHORT_BYTES) {
      this.#bytes.set(size === value.length ? value : value.subarray(from, to), at);
      return;
    }
    const bytes = this.#bytes;
    for (let i = 0; i < size; i++) bytes[at + i] = value[from + i] ?? 0;
  }

  /** Text as a JSON string, quotes and escapes included. */
  json(value: string): void {
    for (let i = 0; i < value.length; i++) {
      const code = value.charCodeAt(i);
      if (code >= 0x20 && code < 0x7f && code !== QUOTE && code !== BACKSLASH) continue;
      this.utf8(JSON.stringify(value));
      return;
    }
    this.byte(QUOTE);
    this.utf8(value);
    this.byte(QUOTE);
  }

  /** Bytes with their length before them. */
  block(value: Uint8Array): void {
    this.varint(value.length);
    this.bytes(value);
  }

  /** What was written, valid until the next write. */
  view(): Uint8Array {
    return this.#bytes.subarray(0, this.#length);
  }

  /** Forgets what was written and keeps the memory. */
  clear(): void {
    this.#length = 0;
  }

  /** Hands over what was written, and starts anew with `capacity` bytes. */
  take(capacity = 256): Uint8Array {
    const taken = this.#bytes.subarray(0, this.#length);
    this.#bytes = new Uint8Array(capacity);
    this.#length = 0;
    return taken;
  }

  #grow(more: number): void {
    const larger = new Uint8Array(Math.max(this.#bytes.length * 2, this.#length + more));
    larger.set(this.#bytes.subarray(0, this.#length));
    this.#bytes = larger;
  }
}

function digitCount(value: number): number {
  return value < 10_000 ? 4 : value < 100_000 ? 5 : value < 1_000_000 ? 6 : 7;
}

function varintSize(value: number): number {
  let size = 1;
  for (let rest = value; rest >= 128; rest = Math.floor(rest / 128)) size++;
  return size;
}

/** Reads what {@link ByteWriter} wrote. Throws a RangeError on bytes that end too early. */
export class ByteReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get remaining(): number {
    return this.#bytes.length - this.#at;
  }

  byte(): number {
    const value = this.#bytes[this.#at];
    if (value === undefined) throw new RangeError(`the bytes end at ${this.#at}, where more was expected`);
    this.#at++;
    return value;
  }

  varint(): number {
    let value = 0;
    let scale = 1;
    for (;;) {
      const byte = this.byte();
      value += (byte & 0x7f) * scale;
      if (byte < 0x80) return value;
      scale *= 128;
      if (scale > 2 ** 53) throw new RangeError(`an integer at ${this.#at} is longer than 8 bytes`);
    }
  }

  signed(): number {
    const value = this.varint();
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2;
  }

  number(): number {
    const value = this.varint();
    if (value > 0) return value - 1;
    const at = this.#take(8);
    return new DataView(this.#bytes.buffer, this.#bytes.byteOffset).getFloat64(at, true);
  }

  text(): string {
    const size = this.varint();
    const at = this.#take(size);
    const text = decodeUtf8(this.#bytes, at, at + size);
    if (text === undefined) throw new RangeError(`the text at ${at} is not UTF-8`);
    return text;
  }

  /** A view of the next block; it shares memory with what is read. */
  block(): Uint8Array {
    const size = this.varint();
    const at = this.#take(size);
    return this.#bytes.subarray(at, at + size);
  }

  /** A view of all that was not read yet. */
  rest(): Uint8Array {
    return this.#bytes.subarray(this.#take(this.remaining));
  }

  #take(size: number): number {
    if (size > this.remaining) {
      throw new RangeError(`the bytes end at ${this.#bytes.length}, ${size - this.remaining} short`);
    }
    const at = this.#at;
    this.#at += size;
    return at;
  }
}
