import { asciiText } from '../base/utf8.ts';

/** Slots of the table: a bound on its memory, a power of two. */
const SLOTS = 1 << 16;

/** Longer texts are rare; keeping them would make the table's bound meaningless. */
const MOST_BYTES = 64;

/**
 * Gives the same string for the same ASCII bytes, so that a tenant's name is not made anew for each of its events (and
 * its hash, which keyed state looks up, is computed once). A direct-mapped table: a collision forgets the older text.
 */
export class Interner {
  readonly #texts: string[] = new Array<string>(SLOTS).fill('');

  /** `hash` is any function of the bytes. */
  intern(bytes: Uint8Array, from: number, to: number, hash: number): string {
    const length = to - from;
    const slot = (hash ^ (hash >>> 15)) & (SLOTS - 1);
    const held = this.#texts[slot] ?? '';
    if (held.length === length) {
      let i = 0;
      while (i < length && held.charCodeAt(i) === bytes[from + i]) i++;
      if (i === length) return held;
    }
    const text = asciiText(bytes, from, to);
    if (length <= MOST_BYTES) this.#texts[slot] = text;
    return text;
  }
}
