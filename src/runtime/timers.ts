import TinyQueue from 'tinyqueue';
import type { EpochMs } from '../base/time.ts';
import { NO_TIMER } from './contract.ts';

/** Something that has at most one timer, and knows when. */
export interface Timed {
  timerAt: EpochMs;
}

/**
 * Event-time timers, one a key. Most keys share few times (midnights), so keys wait in a list for each time, and only
 * the times are in a queue. A timer that moved stays behind in the list of its old time, where `timerAt` tells it is
 * void; a list is at most as long as the timers ever set to its time.
 *
 * Invariant: each Timed whose `timerAt` is T, and not NO_TIMER, stands in the list of T.
 */
export class Timers<T extends Timed> {
  readonly #times = new TinyQueue<EpochMs>();
  readonly #waiting = new Map<EpochMs, T[]>();

  set(timed: T, at: EpochMs): void {
    if (timed.timerAt === at) return;
    timed.timerAt = at;
    if (at === NO_TIMER) return;
    const list = this.#waiting.get(at);
    if (list !== undefined) {
      list.push(timed);
      return;
    }
    this.#waiting.set(at, [timed]);
    this.#times.push(at);
  }

  /** The earliest time any timer may be due. */
  get next(): EpochMs {
    return this.#times.peek() ?? NO_TIMER;
  }

  /** Takes the next timer that is due at `watermark`, its `timerAt` reset; undefined when there is none. */
  takeDue(watermark: EpochMs): { readonly timed: T; readonly at: EpochMs } | undefined {
    for (let at = this.next; at <= watermark; at = this.next) {
      const list = this.#waiting.get(at) ?? [];
      for (let timed = list.pop(); timed !== undefined; timed = list.pop()) {
        if (timed.timerAt !== at) continue;
        timed.timerAt = NO_TIMER;
        return { timed, at };
      }
      this.#waiting.delete(at);
      this.#times.pop();
    }
    return undefined;
  }
}
