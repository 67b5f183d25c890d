import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { NO_TIMER } from './contract.ts';
import { type Timed, Timers } from './timers.ts';

interface Key extends Timed {
  readonly name: string;
}
const keyOf = (name: string): Key => ({ name, timerAt: NO_TIMER });

/** All that are due, one after the other, as `name@time`. */
function fired(timers: Timers<Key>, watermark: number): string[] {
  const names: string[] = [];
  for (let due = timers.takeDue(watermark); due !== undefined; due = timers.takeDue(watermark)) {
    expect(due.timed.timerAt).toBe(NO_TIMER);
    names.push(`${due.timed.name}@${due.at}`);
  }
  return names;
}

describe('a timer', () => {
  test('fires once the watermark has reached its time, and not a millisecond sooner', () => {
    const timers = new Timers<Key>();
    timers.set(keyOf('a'), 100);
    expect(fired(timers, 99)).toEqual([]);
    expect(fired(timers, 100)).toEqual(['a@100']);
    expect(fired(timers, Number.MAX_SAFE_INTEGER)).toEqual([]);
    expect(timers.next).toBe(NO_TIMER);
  });

  test('that was moved fires at its new time alone, earlier or later', () => {
    const timers = new Timers<Key>();
    const [a, b] = [keyOf('a'), keyOf('b')];
    timers.set(a, 100);
    timers.set(b, 100);
    timers.set(a, 200);
    timers.set(b, 50);
    expect(fired(timers, 150)).toEqual(['b@50']);
    expect(fired(timers, 200)).toEqual(['a@200']);
  });

  test('that was taken back does not fire', () => {
    const timers = new Timers<Key>();
    const a = keyOf('a');
    timers.set(a, 100);
    timers.set(a, NO_TIMER);
    expect(fired(timers, 1000)).toEqual([]);
    timers.set(a, 100);
    expect(fired(timers, 1000)).toEqual(['a@100']);
  });

  test('that comes back to a time it had before fires there once', () => {
    const timers = new Timers<Key>();
    const a = keyOf('a');
    for (const at of [100, 200, 100, 200, 100]) timers.set(a, at);
    expect(fired(timers, 300)).toEqual(['a@100']);
  });

  test('may be set anew while others fire, also to the same time or an earlier one', () => {
    const timers = new Timers<Key>();
    const [a, b] = [keyOf('a'), keyOf('b')];
    timers.set(a, 100);
    expect(timers.takeDue(100)).toMatchObject({ at: 100 });
    timers.set(a, 100);
    timers.set(b, 30);
    expect(timers.next).toBe(30);
    expect(fired(timers, 100)).toEqual(['b@30', 'a@100']);
  });

  test('without end is none', () => {
    const timers = new Timers<Key>();
    timers.set(keyOf('a'), NO_TIMER);
    expect(timers.next).toBe(NO_TIMER);
    expect(timers.takeDue(Number.MAX_SAFE_INTEGER)).toBeUndefined();
  });
});

test('timers fire as those of a plain list do, in the order of their times', () => {
  const anyTime = fc.oneof(fc.nat(10), fc.constant(NO_TIMER));
  const anyStep = fc.oneof(
    { weight: 3, arbitrary: fc.record({ key: fc.nat(5), at: anyTime }) },
    { weight: 1, arbitrary: fc.record({ watermark: fc.nat(12), most: fc.nat(4) }) },
  );
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
      const timers = new Timers<Key>();
      const keys = Array.from({ length: 6 }, (_, index) => keyOf(`k${index}`));
      const times = new Map(keys.map((key) => [key, NO_TIMER]));
      for (const step of steps) {
        if ('key' in step) {
          const key = keys[step.key] ?? keyOf('none');
          timers.set(key, step.at);
          times.set(key, step.at);
          continue;
        }
        for (let left = step.most; left > 0; left--) {
          const earliest = Math.min(...times.values());
          expect(timers.next).toBeLessThanOrEqual(earliest); // Never later than a timer that may be due.
          const due = timers.takeDue(step.watermark);
          expect(due?.at).toBe(earliest <= step.watermark ? earliest : undefined);
          if (due === undefined) break;
          expect(times.get(due.timed)).toBe(due.at);
          times.set(due.timed, NO_TIMER);
        }
      }
      for (const key of keys) expect(key.timerAt).toBe(times.get(key));
    }),
    { numRuns: 1000 },
  );
});
