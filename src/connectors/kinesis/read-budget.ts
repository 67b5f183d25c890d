import { LIMITS, type Limits } from '../../base/limits.ts';
import { Signal } from '../../base/signal.ts';
import { Slots } from '../../base/slots.ts';

/**
 * Bounds what all shards of a process hold in memory: how many ask at a time (each answer has up to 10 MiB), and how
 * much of what was read may wait to be worked on before nobody asks for more.
 */
export class ReadBudget {
  readonly #slots: Slots;
  readonly #mostBytes: number;
  readonly #freed = new Signal();
  #bytes = 0;

  constructor(limits: Pick<Limits, 'readsAtOnce' | 'readAheadBytes'> = LIMITS) {
    this.#slots = new Slots(limits.readsAtOnce);
    this.#mostBytes = limits.readAheadBytes;
  }

  /** Bytes that were read and wait to be worked on. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Nobody may ask for more until some of it was worked on. */
  get isFull(): boolean {
    return this.#bytes >= this.#mostBytes;
  }

  /** Asks once there is room. `sizeOf` says what the answer holds until `free` is called for as much. */
  async use<T>(ask: () => Promise<T>, sizeOf: (answer: T) => number): Promise<T> {
    await this.#slots.take();
    // Looked at with the slot in hand: all that wait for one would pass at the same moment.
    while (this.isFull) {
      this.#slots.give();
      await this.#freed.wait();
      await this.#slots.take();
    }
    try {
      const answer = await ask();
      this.#bytes += sizeOf(answer);
      return answer;
    } finally {
      this.#slots.give();
    }
  }

  /** For what was not asked for here: events of a subscription. */
  async add(bytes: number): Promise<void> {
    while (this.isFull) await this.#freed.wait();
    this.#bytes += bytes;
  }

  free(bytes: number): void {
    this.#bytes -= bytes;
    if (!this.isFull) this.#freed.notify();
  }
}
