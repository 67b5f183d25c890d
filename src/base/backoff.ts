/**
 * Exponential back-off with full jitter: anything up to `firstMs` before the first repetition (attempt 0), up to twice as
 * long before each later one, up to `longestMs`.
 */
export function backoffMs(random: () => number, attempt: number, firstMs: number, longestMs: number): number {
  return random() * Math.min(longestMs, firstMs * 2 ** attempt);
}
