import type { EpochMs } from '../base/time.ts';
import type { PartitionState } from './checkpointer.ts';
import type { LivePartition, Partition, RecordVisitor, TooLongVisitor } from './ports.ts';
import type { PartitionClock, Watermark } from './watermark.ts';

/** One partition that is being read. */
export interface Reading {
  readonly partition: Partition;
  readonly readFirst: boolean;
  /** Undefined when its source does not drive the watermark. */
  readonly clock: PartitionClock | undefined;
  readonly visit: RecordVisitor;
  readonly tooLong: TooLongVisitor;
  /** Undefined for a bounded partition. */
  readonly live: LivePartition | undefined;
  /** A live one has something to deliver. Bounded ones are always asked: their order must not depend on chance. */
  isReady: boolean;
  /** When it was last chosen. */
  turn: number;
}

/** How a partition is read: the source it belongs to, and who takes its records. */
export interface ReadingSetting extends Pick<Reading, 'partition' | 'readFirst' | 'visit' | 'tooLong'> {
  readonly live: LivePartition | undefined;
  readonly drivesWatermark: boolean;
}

/**
 * The partitions of a run, and which is read next.
 *
 * Invariants:
 * - Bounded: sources that are read first, to their end; then the partition furthest behind in event time.
 * - Live: those with something to deliver take turns. One that is further ahead in event time than events may lag waits
 *   for the others, but only for those that have more to give: a shard that cannot be read holds nobody up for good.
 * - Live, too: until a partition of a source that is read first has no more to give for the first time, sources that are not wait for it.
 * - A partition that ended stays known until it is forgotten, so that it is never read twice.
 */
export class Readings {
  readonly #watermark: Watermark;
  readonly #outOfOrdernessMs: number;
  readonly #all: readonly Partition[];
  readonly #ended: Record<string, PartitionState> = {};
  #readings: Reading[] = [];
  /** Of sources that are read first: those whose backlog the others wait for. */
  #catchingUp: Reading[] = [];
  #catchingUpSince: EpochMs | undefined;
  #turns = 0;

  /** `all`: the bounded partitions of this run, for showing progress. */
  constructor(watermark: Watermark, outOfOrdernessMs: number, all: readonly Partition[]) {
    this.#watermark = watermark;
    this.#outOfOrdernessMs = outOfOrdernessMs;
    this.#all = all;
  }

  get all(): readonly Reading[] {
    return this.#readings;
  }

  isEnded(id: string): boolean {
    return this.#ended[id] !== undefined;
  }

  /** Those that were worked off, also in earlier runs. */
  ended(prefix: string): ReadonlySet<string> {
    return new Set(Object.keys(this.#ended).filter((id) => id.startsWith(prefix)));
  }

  restoreEnded(id: string, state: PartitionState): void {
    this.#ended[id] = state;
  }

  forget(id: string): void {
    delete this.#ended[id];
  }

  add(setting: ReadingSetting, state: PartitionState | undefined): Reading {
    const { partition, readFirst, visit, tooLong, live, drivesWatermark } = setting;
    const clock = drivesWatermark ? this.#watermark.add(partition.id, state?.maxTime ?? undefined) : undefined;
    const isReady = live === undefined;
    const reading = { partition, readFirst, clock, visit, tooLong, live, isReady, turn: 0 };
    this.#readings.push(reading);
    if (live !== undefined && readFirst) this.#catchingUp.push(reading);
    return reading;
  }

  /** It delivered its last record. Those that go on from it must have been added before: the watermark waits for them. */
  async end(reading: Reading, successors: () => void): Promise<void> {
    const { id } = reading.partition;
    this.#ended[id] = { ...stateOf(reading), ended: true };
    this.#readings = this.#readings.filter((other) => other !== reading);
    this.#catchingUp = this.#catchingUp.filter((other) => other !== reading);
    successors();
    if (reading.clock !== undefined) this.#watermark.end(id);
    await reading.partition.close();
  }

  next(): Reading | undefined {
    let next: Reading | undefined;
    if (this.#catchingUp.length > 0) this.#catchingUp = this.#catchingUp.filter(hasMore);
    const isCatchingUp = this.#catchingUp.length > 0;
    for (const reading of this.#readings) {
      if (isCatchingUp && !reading.readFirst) continue;
      if (!reading.isReady || (reading.live !== undefined && this.isAhead(reading.clock))) continue;
      if (next === undefined || comesBefore(reading, next)) next = reading;
    }
    if (next !== undefined) next.turn = ++this.#turns;
    return next;
  }

  /**
   * Whether a partition is further ahead of the least one than events may lag: if it went on, the events of the others
   * would come late, however well ordered each is.
   */
  isAhead(clock: PartitionClock | undefined): boolean {
    if (clock === undefined || this.#readings.length === 1) return false;
    let least = clock.maxTime;
    for (const other of this.#readings) {
      if (other.clock !== undefined && hasMore(other)) least = Math.min(least, other.clock.maxTime);
    }
    return clock.maxTime > least + this.#outOfOrdernessMs;
  }

  /** Which live partitions are waited for no more, and which are idle: nothing came for `idleMs`, although they could be read. */
  lookAtTips(now: EpochMs, idleMs: number): void {
    if (this.#catchingUp.length > 0) {
      this.#catchingUpSince ??= now;
      if (now - this.#catchingUpSince >= idleMs) this.#catchingUp = [];
    }
    if (this.#catchingUp.length === 0) this.#catchingUpSince = undefined;
    for (const { live, clock, isReady } of this.#readings) {
      if (live === undefined || clock === undefined) continue;
      const { emptySince } = live.tip;
      clock.isIdle = !isReady && emptySince !== undefined && now - emptySince >= idleMs;
    }
    this.#watermark.update(now);
  }

  states(): Record<string, PartitionState> {
    const states: Record<string, PartitionState> = { ...this.#ended };
    for (const reading of this.#readings) states[reading.partition.id] = stateOf(reading);
    return states;
  }

  /** Bytes delivered of those there are, over all bounded partitions, ended ones included. */
  progress(): { readonly read: number; readonly total: number } {
    const parts = this.#all.map((partition) => {
      const { read, total } = partition.progress();
      return { read: this.#ended[partition.id] === undefined ? read : total, total };
    });
    return {
      read: parts.reduce((sum, part) => sum + part.read, 0),
      total: parts.reduce((sum, part) => sum + part.total, 0),
    };
  }

  async close(): Promise<void> {
    await Promise.all(this.#readings.map(({ partition }) => partition.close()));
  }
}

function hasMore({ live, isReady }: Reading): boolean {
  return live === undefined || isReady || live.tip.isBehind;
}

function comesBefore(one: Reading, other: Reading): boolean {
  if (one.live !== undefined && other.live !== undefined) return one.turn < other.turn;
  if (one.readFirst !== other.readFirst) return one.readFirst;
  return (one.clock?.maxTime ?? 0) < (other.clock?.maxTime ?? 0);
}

function stateOf({ partition, clock }: Reading): PartitionState {
  const maxTime = clock === undefined || !Number.isFinite(clock.maxTime) ? null : clock.maxTime;
  return { position: partition.position(), maxTime, ended: false };
}
