import { aborted, onAbort } from '../../base/abort.ts';

type Sleep = (ms: number, signal: AbortSignal) => Promise<void>;

/** Wakes those who rest. It is not heard by who is awake: look at what you wait for, then rest, without anything in between. */
export class Bell {
  readonly #resting = new Set<() => void>();
  readonly #sleep: Sleep;

  constructor(sleep: Sleep) {
    this.#sleep = sleep;
  }

  ring(): void {
    for (const wake of [...this.#resting]) wake();
  }

  /** Until it rings, so much time is over (never, for infinity), or the signal is aborted. */
  async rest(ms: number, signal: AbortSignal): Promise<void> {
    if (signal.aborted || ms <= 0) return;
    const early = new AbortController();
    const wake = () => early.abort();
    this.#resting.add(wake);
    const takeBack = onAbort(signal, wake);
    await (Number.isFinite(ms) ? this.#sleep(ms, early.signal) : aborted(early.signal));
    takeBack();
    this.#resting.delete(wake);
  }
}
