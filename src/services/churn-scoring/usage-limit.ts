/** How much a key may ask: calls a second on average, and at once. */
export interface UsagePlan {
  readonly perSecond: number;
  readonly burst: number;
}

/** More than a busy application sends; to stop one that runs wild, and not to save. */
export const GENEROUS: UsagePlan = { perSecond: 5000, burst: 5000 };

/** A token bucket. There is one key, so there is one. Time is in milliseconds and only goes forward. */
export class UsageLimit {
  readonly #plan: UsagePlan;
  readonly #now: () => number;
  #tokens: number;
  #at: number;

  constructor(plan: UsagePlan, now: () => number) {
    this.#plan = plan;
    this.#now = now;
    this.#tokens = plan.burst;
    this.#at = now();
  }

  /** Takes one call; else the whole seconds after which there is room for one, at least 1. */
  take(): number | null {
    const now = this.#now();
    const { perSecond, burst } = this.#plan;
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#at) / 1000) * perSecond);
    this.#at = now;
    if (this.#tokens < 1) return Math.max(1, Math.ceil((1 - this.#tokens) / perSecond));
    this.#tokens -= 1;
    return null;
  }
}
