import type { EpochMs } from '../base/time.ts';

const NOT_YET = Number.NEGATIVE_INFINITY;

/**
 * W = least over the partitions that count of (max event time - outOfOrderness), exactly (DESIGN section 4).
 *
 * - A partition that has shown no event holds W back; one that ended, or is idle, leaves the minimum.
 * - W never goes back. Once the last partition has ended, W is final, unless another one comes.
 * - When all partitions are idle, W follows the wall clock - outOfOrderness: silence lets time pass, too.
 */
export class Watermark {
  readonly #outOfOrderness: number;
  readonly #partitions = new Map<string, PartitionClock>();
  #clocks: readonly PartitionClock[] = [];
  #value: EpochMs = NOT_YET;
  /** Holds W where it is; the next partition takes its place: shards that go on from it may be found only later. */
  #lastEnded: string | undefined;

  constructor(outOfOrderness: number) {
    this.#outOfOrderness = outOfOrderness;
  }

  /** Negative infinity before the first event. */
  get value(): EpochMs {
    return this.#value;
  }

  /** Goes on from a checkpoint. */
  restore(value: EpochMs): void {
    this.#value = value;
  }

  /** Adds a partition; `maxTime` is what it had shown as of the checkpoint. */
  add(id: string, maxTime: EpochMs = NOT_YET): PartitionClock {
    const partition = new PartitionClock(maxTime, () => this.update());
    if (this.#lastEnded !== undefined) this.#partitions.delete(this.#lastEnded);
    this.#lastEnded = undefined;
    this.#partitions.set(id, partition);
    this.#clocks = [...this.#partitions.values()];
    return partition;
  }

  /** The partition ended: the others alone decide. The last one's word stays. */
  end(id: string): void {
    const partition = this.#partitions.get(id);
    if (partition === undefined) return;
    if (this.#partitions.size === 1) {
      this.#lastEnded = id;
      return;
    }
    this.#partitions.delete(id);
    this.#clocks = [...this.#partitions.values()];
    this.update();
  }

  /** Looks at all partitions anew; `now` is the wall clock, where it counts. */
  update(now: EpochMs = NOT_YET): void {
    if (this.#clocks.length === 0) return;
    let least = Number.POSITIVE_INFINITY;
    for (const partition of this.#clocks) if (!partition.isIdle) least = Math.min(least, partition.maxTime);
    const allAreIdle = least === Number.POSITIVE_INFINITY;
    const value = (allAreIdle ? now : least) - this.#outOfOrderness;
    if (value > this.#value) this.#value = value;
  }
}

/** What one partition has shown. */
export class PartitionClock {
  maxTime: EpochMs;
  /** Nothing came for long, although it could be read; the next event ends it. */
  isIdle = false;
  readonly #moved: () => void;

  constructor(maxTime: EpochMs, moved: () => void) {
    this.maxTime = maxTime;
    this.#moved = moved;
  }

  /** An event of this time was worked on. */
  show(time: EpochMs): void {
    this.isIdle = false;
    if (time <= this.maxTime) return;
    this.maxTime = time;
    this.#moved();
  }
}
