import { onAbort } from './abort.ts';

/** Waits for `ms` milliseconds, or until the signal is aborted; never rejects. */
export function sleep(ms: number, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = () => {
      clearTimeout(timer);
      takeBack();
      resolve();
    };
    const timer = setTimeout(done, ms);
    const takeBack = onAbort(signal, done);
  });
}
