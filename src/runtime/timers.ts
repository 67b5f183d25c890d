import TinyQueue from 'tinyqueue';
import type { EpochMs } from '../base/time.ts';
import { NO_TIMER } from './contract.ts';

/** Something that has at most one timer, and knows when. */
export interface Timed {
  timerAt: EpochMs;
}

/**
 * Event-time timers, one a key. Most keys share few times (midnights), so keys wait in a set for each time, and only the
 * times are in a queue.
 *
 * Invariant: each Timed whose `timerAt` is T, and not NO_TIMER, stands in the set of T and in no other; each set's time
 * stands in the queue once.
 */
export class Timers<T extends Timed> {
  readonly #times = new TinyQueue<EpochMs>();
  readonly #waiting = new Map<EpochMs, Set<T>>();

  set(timed: T, at: EpochMs): void {
    if (timed.timerAt === at) return;
    if (timed.timerAt !== NO_TIMER) this.#waiting.get(timed.timerAt)?.delete(timed);
    timed.timerAt = at;
    if (at === NO_TIMER) return;
    const waiting = this.#waiting.get(at);
    if (waiting !== undefined) {
      waiting.add(timed);
      return;
    }
    this.#waiting.set(at, new Set([timed]));
    this.#times.push(at);
  }

  /** The earliest time any timer may be due. */
  get next(): EpochMs {
    return this.#times.peek() ?? NO_TIMER;
  }

  /** Takes the next timer that is due at `watermark`, its `timerAt` reset; undefined when there is none. */
  takeDue(watermark: EpochMs): { readonly timed: T; readonly at: EpochMs } | undefined {
    for (let at = this.next; at <= watermark; at = this.next) {
      const waiting = this.#waiting.get(at);
      for (const timed of waiting ?? []) {
        this.set(timed, NO_TIMER);
        return { timed, at };
      }
      this.#waiting.delete(at);
      this.#times.pop();
    }
    return undefined;
  }
}
