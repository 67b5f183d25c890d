/**
 * UTF-8 without the platform: a bare JavaScript engine (V8 inside another host) has neither TextEncoder nor Buffer.
 */

/** Code units made into text at a time: a call takes only so many arguments. */
const CHUNK = 4096;

/** Writes `text` at `at` and returns the position after it; the caller has made room (3 bytes a code unit). */
export function writeUtf8(text: string, bytes: Uint8Array, at: number): number {
  let position = at;
  for (let i = 0; i < text.length; i++) {
    let code = text.charCodeAt(i);
    if (code < 0x80) {
      bytes[position++] = code;
      continue;
    }
    if (code < 0x800) {
      bytes[position++] = 0xc0 | (code >> 6);
      bytes[position++] = 0x80 | (code & 0x3f);
      continue;
    }
    if (code >= 0xd800 && code < 0xe000) {
      const low = text.charCodeAt(i + 1);
      if (code < 0xdc00 && low >= 0xdc00 && low < 0xe000) {
        i++;
        code = 0x1_0000 + ((code - 0xd800) << 10) + (low - 0xdc00);
        bytes[position++] = 0xf0 | (code >> 18);
        bytes[position++] = 0x80 | ((code >> 12) & 0x3f);
        bytes[position++] = 0x80 | ((code >> 6) & 0x3f);
        bytes[position++] = 0x80 | (code & 0x3f);
        continue;
      }
      code = 0xfffd; // a lone surrogate has no UTF-8 form
    }
    bytes[position++] = 0xe0 | (code >> 12);
    bytes[position++] = 0x80 | ((code >> 6) & 0x3f);
    bytes[position++] = 0x80 | (code & 0x3f);
  }
  return position;
}

/** The text of bytes [from, to), or undefined when they are not UTF-8 (RFC 3629: shortest form, no surrogates). */
export function decodeUtf8(bytes: Uint8Array, from: number, to: number): string | undefined {
  let at = from;
  while (at < to && (bytes[at] ?? 0) < 0x80) at++;
  return at === to ? asciiText(bytes, from, to) : decodeAny(bytes, from, to);
}

/** Up to this length eight arguments at a time are faster than a list of them all. */
const SHORT_TEXT = 64;

/** The text of bytes [from, to) that are known to be ASCII. */
export function asciiText(bytes: Uint8Array, from: number, to: number): string {
  let text = '';
  let at = from;
  if (to - from > SHORT_TEXT) {
    for (; at < to; at += CHUNK) {
      const units = bytes.subarray(at, Math.min(to, at + CHUNK)) as unknown as number[];
      text += String.fromCharCode.apply(null, units);
    }
    return text;
  }
  for (; at + 8 <= to; at += 8) {
    text += String.fromCharCode(
      bytes[at] ?? 0,
      bytes[at + 1] ?? 0,
      bytes[at + 2] ?? 0,
      bytes[at + 3] ?? 0,
      bytes[at + 4] ?? 0,
      bytes[at + 5] ?? 0,
      bytes[at + 6] ?? 0,
      bytes[at + 7] ?? 0,
    );
  }
  for (; at < to; at++) text += String.fromCharCode(bytes[at] ?? 0);
  return text;
}

function decodeAny(bytes: Uint8Array, from: number, to: number): string | undefined {
  let text = '';
  let units: number[] = [];
  let at = from;
  while (at < to) {
    const first = bytes[at++] ?? 0;
    if (first < 0x80) {
      units.push(first);
    } else {
      const more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : 1;
      if (first < 0xc2 || first > 0xf4 || at + more > to) return undefined;
      let code = first & (0x3f >> more);
      for (let i = 0; i < more; i++) {
        const next = bytes[at++] ?? 0;
        if ((next & 0xc0) !== 0x80) return undefined;
        code = (code << 6) | (next & 0x3f);
      }
      if ((more === 2 && code < 0x800) || (more === 3 && code < 0x1_0000)) return undefined;
      if (code > 0x10_ffff || (code >= 0xd800 && code < 0xe000)) return undefined;
      if (code < 0x1_0000) units.push(code);
      else units.push(0xd800 + ((code - 0x1_0000) >> 10), 0xdc00 + ((code - 0x1_0000) & 0x3ff));
    }
    if (units.length >= CHUNK) {
      text += String.fromCharCode(...units);
      units = [];
    }
  }
  return text + String.fromCharCode(...units);
}
