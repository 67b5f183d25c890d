import type { EpochMs } from '../base/time.ts';
import type { Clock } from './ports.ts';

/**
 * A circuit breaker: after so many failures in a row it opens, and no call is made for a while; then one call probes.
 * Its success closes the breaker, its failure opens it again.
 */
export class Breaker {
  readonly #clock: Clock;
  readonly #failuresToOpen: number;
  readonly #resetMs: number;
  #failures = 0;
  #openUntil: number | undefined;
  #isProbing = false;

  constructor(clock: Clock, failuresToOpen: number, resetMs: number) {
    this.#clock = clock;
    this.#failuresToOpen = failuresToOpen;
    this.#resetMs = resetMs;
  }

  get state(): 'closed' | 'open' | 'half-open' {
    if (this.#openUntil === undefined) return 'closed';
    return this.#leftMs(this.#openUntil) > 0 ? 'open' : 'half-open';
  }

  /** Milliseconds until the next call may be made; 0 for now. While another call probes: the whole reset time. */
  get waitMs(): number {
    if (this.#openUntil === undefined) return 0;
    const left = this.#leftMs(this.#openUntil);
    if (left > 0) return left;
    return this.#isProbing ? this.#resetMs : 0;
  }

  /** Asks to make a call; false: the breaker is open, or another call probes. Tell `succeeded` or `failed` after it. */
  tryCall(): boolean {
    if (this.#openUntil === undefined) return true;
    if (this.#isProbing || this.#leftMs(this.#openUntil) > 0) return false;
    this.#isProbing = true;
    return true;
  }

  /** Never more than the reset time, also when the clock is set back. */
  #leftMs(openUntil: EpochMs): number {
    const now = this.#clock.now();
    if (openUntil - now > this.#resetMs) this.#openUntil = now + this.#resetMs;
    return Math.min(openUntil - now, this.#resetMs);
  }

  succeeded(): void {
    this.#failures = 0;
    this.#openUntil = undefined;
    this.#isProbing = false;
  }

  failed(): void {
    this.#failures++;
    if (this.#openUntil === undefined && this.#failures < this.#failuresToOpen) return;
    this.#openUntil = this.#clock.now() + this.#resetMs;
    this.#isProbing = false;
  }
}
