/** So many at a time: who comes later waits, and is served in the order of coming. */
export class Slots {
  readonly #waiting: (() => void)[] = [];
  /** How many at the head of `#waiting` have been served: with many, taking each off would move all the others. */
  #served = 0;
  #free: number;

  constructor(count: number) {
    this.#free = count;
  }

  /** Takes a slot; to be given back, once. */
  async take(): Promise<void> {
    if (this.#free > 0) {
      this.#free--;
      return;
    }
    await new Promise<void>((resolve) => this.#waiting.push(resolve));
  }

  /** Gives a slot back, to the one that has waited longest. */
  give(): void {
    const next = this.#waiting[this.#served];
    if (next === undefined) {
      this.#free++;
      return;
    }
    this.#served++;
    if (this.#served * 2 >= this.#waiting.length) {
      this.#waiting.splice(0, this.#served);
      this.#served = 0;
    }
    next();
  }
}
