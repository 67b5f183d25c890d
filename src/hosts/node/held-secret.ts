import type { EpochMs } from '../../base/time.ts';

/** A rotated value is asked for after so long at most; meanwhile many connections that are made at once are one question. */
const HELD_MS = 5000;

/** A secret that may change while the process runs: held for a while, by all who ask; one that cannot be read is not held. */
export function heldSecret(read: () => Promise<string>, now: () => EpochMs): () => Promise<string> {
  let held: { readonly value: Promise<string>; readonly until: EpochMs } | undefined;
  return () => {
    if (held !== undefined && now() < held.until) return held.value;
    const reading = { value: read(), until: now() + HELD_MS };
    reading.value.catch(() => {
      if (held === reading) held = undefined;
    });
    held = reading;
    return reading.value;
  };
}
