import { getEventListeners } from 'node:events';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { sleep } from './sleep.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

/** Whether a promise is settled by now. */
function watch(promise: Promise<void>): { isOver: boolean } {
  const seen = { isOver: false };
  promise.then(
    () => {
      seen.isOver = true;
    },
    () => expect.unreachable('a sleep never rejects'),
  );
  return seen;
}

describe('sleep', () => {
  it('waits as long as asked', async () => {
    const seen = watch(sleep(1000, new AbortController().signal));
    await vi.advanceTimersByTimeAsync(999);
    expect(seen.isOver).toBe(false);
    await vi.advanceTimersByTimeAsync(1);
    expect(seen.isOver).toBe(true);
  });

  it('ends at once, without an error, when the signal is aborted, and leaves no timer behind', async () => {
    const controller = new AbortController();
    const all = [1e6, 2e6, 3e6].map((ms) => watch(sleep(ms, controller.signal)));
    expect(vi.getTimerCount()).toBe(3);
    controller.abort();
    await vi.advanceTimersByTimeAsync(0);
    expect(all.map(({ isOver }) => isOver)).toEqual([true, true, true]);
    expect(vi.getTimerCount()).toBe(0);
  });

  it('does not wait at all on a signal that was aborted before', async () => {
    const seen = watch(sleep(1e6, AbortSignal.abort()));
    expect(vi.getTimerCount()).toBe(0);
    await vi.advanceTimersByTimeAsync(0);
    expect(seen.isOver).toBe(true);
  });

  it('a signal that lives as long as the program does not grow with each sleep, nor with all at once', async () => {
    const { signal } = new AbortController();
    const all = Array.from({ length: 1000 }, () => sleep(10, signal));
    // Listeners are a linked list: with one for each sleeper, each sleep would cost as much as there are sleepers.
    expect(getEventListeners(signal, 'abort').length).toBeLessThanOrEqual(1);
    await vi.advanceTimersByTimeAsync(10);
    await Promise.all(all);
    expect(getEventListeners(signal, 'abort').length).toBeLessThanOrEqual(1);
  });
});
