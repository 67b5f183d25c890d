import { setImmediate as nextTurn } from 'node:timers/promises';
import type { Clock } from '../../src/runtime/ports.ts';

interface Sleeper {
  readonly at: number;
  readonly signal: AbortSignal | undefined;
  readonly wake: () => void;
}

/** Time that passes only when told to: a clock and sleeps, for tests that must not wait, nor depend on how fast they run. */
export class VirtualTime {
  #now = 0;
  #sleepers: Sleeper[] = [];
  readonly #signals = new WeakSet<AbortSignal>();
  /** Every wait asked for so far, in order, in milliseconds. */
  readonly slept: number[] = [];
  readonly clock: Clock = { now: () => this.#now };

  /** Begins at `now`. */
  constructor(now = 0) {
    this.#now = now;
  }

  get now(): number {
    return this.#now;
  }

  /** As `World.sleep`. */
  readonly sleep = (ms: number, signal: AbortSignal): Promise<void> => {
    this.slept.push(ms);
    return this.after(ms, signal);
  };

  /** Resolves once so much time has passed, or the signal is aborted. Nothing that `slept` tells of. */
  after(ms: number, signal?: AbortSignal): Promise<void> {
    if (signal?.aborted) return Promise.resolve();
    if (signal !== undefined && !this.#signals.has(signal)) {
      this.#signals.add(signal);
      signal.addEventListener('abort', () => this.#wakeAll(signal));
    }
    return new Promise((resolve) => this.#sleepers.push({ at: this.#now + ms, signal, wake: resolve }));
  }

  #wakeAll(signal: AbortSignal): void {
    const woken = this.#sleepers.filter((sleeper) => sleeper.signal === signal);
    this.#sleepers = this.#sleepers.filter((sleeper) => sleeper.signal !== signal);
    for (const { wake } of woken) wake();
  }

  /** How many wait. */
  get sleeping(): number {
    return this.#sleepers.length;
  }

  /** When the next wait is over; infinity when nobody waits. */
  get next(): number {
    return this.#sleepers.reduce((least, { at }) => Math.min(least, at), Number.POSITIVE_INFINITY);
  }

  /** Lets all that can go on without time go on. */
  async settle(): Promise<void> {
    await nextTurn();
  }

  /** Goes on to the next moment at which a wait is over, and wakes the first of those; what follows has not run yet. */
  wakeNext(): void {
    const at = this.next;
    const index = this.#sleepers.findIndex((sleeper) => sleeper.at === at);
    const [sleeper] = this.#sleepers.splice(index, 1);
    if (sleeper === undefined) throw new Error('nobody waits');
    this.#now = Math.max(this.#now, at);
    sleeper.wake();
  }

  async advance(ms: number): Promise<void> {
    const until = this.#now + ms;
    await this.settle();
    while (this.next <= until) {
      this.wakeNext();
      await this.settle();
    }
    this.#now = until;
  }
}
