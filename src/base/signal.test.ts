import { describe, expect, it } from 'vitest';
import { Signal } from './signal.ts';

describe('a signal', () => {
  it('wakes all who wait, in the order they came', async () => {
    const signal = new Signal();
    const woken: number[] = [];
    const all = [1, 2, 3].map((who) => signal.wait().then(() => woken.push(who)));
    signal.notify();
    await Promise.all(all);
    expect(woken).toEqual([1, 2, 3]);
  });

  it('keeps no notice for those who come later', async () => {
    const signal = new Signal();
    signal.notify();
    let isWoken = false;
    const late = signal.wait().then(() => {
      isWoken = true;
    });
    await new Promise(setImmediate);
    expect(isWoken).toBe(false);
    signal.notify();
    await late;
    expect(isWoken).toBe(true);
  });

  it('who waits again when woken waits for the next notice', async () => {
    const signal = new Signal();
    let rounds = 0;
    const twice = (async () => {
      for (; rounds < 2; rounds++) await signal.wait();
    })();
    signal.notify();
    await new Promise(setImmediate);
    expect(rounds).toBe(1);
    signal.notify();
    await twice;
    expect(rounds).toBe(2);
  });
});
