import { LIMITS } from '../base/limits.ts';

/**
 * Back-pressure in bytes: what was handed to the sinks and is not written yet. At the high mark the engine stops
 * reading; it goes on below the low mark, so that it does not flutter between the two.
 */
export class Pressure {
  readonly #high: number;
  readonly #low: number;
  #bytes = 0;
  #full = false;
  #waiting: (() => void) | undefined;

  constructor(high: number = LIMITS.pressureHighBytes, low: number = LIMITS.pressureLowBytes) {
    this.#high = high;
    this.#low = low;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get full(): boolean {
    return this.#full;
  }

  add(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes >= this.#high) this.#full = true;
  }

  remove(bytes: number): void {
    this.#bytes -= bytes;
    if (this.#bytes <= this.#low) this.release();
  }

  /** Resolves once below the low mark, or at `release`. */
  relieved(): Promise<void> {
    if (!this.#full) return Promise.resolve();
    return new Promise((resolve) => {
      this.#waiting = resolve;
    });
  }

  /** Lets a waiting engine go on, to see why: it was stopped, or a sink failed. */
  release(): void {
    this.#full = false;
    this.#waiting?.();
    this.#waiting = undefined;
  }
}
