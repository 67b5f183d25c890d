import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { LIMITS } from '../base/limits.ts';
import { Pressure } from './pressure.ts';

/** Whether a promise has resolved by now. */
async function isResolved(promise: Promise<void>): Promise<boolean> {
  const open = Symbol('open');
  return (await Promise.race([promise, new Promise((resolve) => setImmediate(resolve, open))])) !== open;
}

describe('back-pressure', () => {
  test('begins at the high mark and ends at the low one, without a flutter between them', async () => {
    const pressure = new Pressure(100, 40);
    pressure.add(99);
    expect([pressure.full, pressure.bytes]).toEqual([false, 99]);
    pressure.add(1);
    expect([pressure.full, pressure.bytes]).toEqual([true, 100]);
    const relieved = pressure.relieved();
    pressure.remove(59);
    expect([pressure.full, await isResolved(relieved)]).toEqual([true, false]);
    pressure.add(10);
    pressure.remove(11);
    expect([pressure.full, pressure.bytes, await isResolved(relieved)]).toEqual([false, 40, true]);
    pressure.add(59);
    expect(pressure.full).toBe(false); // Below the high mark again: reading goes on.
  });

  test('nobody waits while there is none', async () => {
    expect(await isResolved(new Pressure(100, 40).relieved())).toBe(true);
  });

  test('a waiting engine is let go when it is told to stop, however full the sinks are', async () => {
    const pressure = new Pressure(100, 40);
    pressure.add(500);
    const relieved = pressure.relieved();
    pressure.release();
    expect(await isResolved(relieved)).toBe(true);
    pressure.add(1);
    expect(pressure.full).toBe(true); // The bytes are still there.
  });

  test('one row larger than both marks passes, and is waited for', async () => {
    const pressure = new Pressure(100, 40);
    pressure.add(100_000);
    const relieved = pressure.relieved();
    pressure.remove(100_000);
    expect([pressure.bytes, await isResolved(relieved)]).toEqual([0, true]);
  });

  test('has the marks of the limits unless it is told others', () => {
    const pressure = new Pressure();
    pressure.add(LIMITS.pressureHighBytes - 1);
    expect(pressure.full).toBe(false);
    pressure.add(1);
    expect(pressure.full).toBe(true);
    pressure.remove(LIMITS.pressureHighBytes - LIMITS.pressureLowBytes);
    expect(pressure.full).toBe(false);
  });
});

test('an engine that reads only while there is no pressure holds at most the high mark and one more row', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.nat(30), { minLength: 1, maxLength: 100 }), async (rows) => {
      const pressure = new Pressure(100, 40);
      const held: number[] = [];
      for (const row of rows) {
        if (pressure.full) {
          const relieved = pressure.relieved();
          while (pressure.full) pressure.remove(held.shift() ?? expect.fail('full, with nothing held'));
          await relieved;
        }
        pressure.add(row);
        held.push(row);
        expect(pressure.bytes).toBeLessThan(100 + 30);
        expect(pressure.bytes).toBe(held.reduce((sum, bytes) => sum + bytes, 0));
      }
    }),
  );
});
