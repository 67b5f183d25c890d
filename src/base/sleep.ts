/**
 * Those who wait, by signal. Thousands may wait on one signal while a service is down: with a listener for each, every
 * wait would search the list of all of them (40,000 waits took 6 s), and Node warns of a leak.
 */
const sleepers = new WeakMap<AbortSignal, Set<() => void>>();

/** Waits for `ms` milliseconds, or until the signal is aborted; never rejects. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  const others = sleepersOf(signal);
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      others.delete(done);
      resolve();
    };
    const timer = setTimeout(done, ms);
    others.add(done);
  });
}

function sleepersOf(signal: AbortSignal): Set<() => void> {
  const known = sleepers.get(signal);
  if (known !== undefined) return known;
  const all = new Set<() => void>();
  sleepers.set(signal, all);
  signal.addEventListener('abort', () => {
    for (const done of all) done();
  });
  return all;
}
