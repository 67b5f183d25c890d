import { createHash, timingSafeEqual } from 'node:crypto';

/** Whether a secret that came is the one expected, in a time that tells nothing of either. */
export function isSameSecret(came: string | undefined, expected: string): boolean {
  return timingSafeEqual(hash(came ?? ''), hash(expected)) && came !== undefined;
}

function hash(text: string): Uint8Array {
  return createHash('sha256').update(text).digest();
}
