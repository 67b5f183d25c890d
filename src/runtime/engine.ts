import { setImmediate as nextTurn } from 'node:timers/promises';
import { LIMITS, type Limits } from '../base/limits.ts';
import type { EpochMs } from '../base/time.ts';
import type { CheckpointStore, FoundCheckpoint } from './checkpoint-store.ts';
import { type CheckpointBody, Checkpointer, type Cut, type PartitionState } from './checkpointer.ts';
import type { Graph } from './contract.ts';
import type { HttpTransport, Partition, PartStore, RecordVisitor, TooLongVisitor, World } from './ports.ts';
import type { Pressure } from './pressure.ts';
import { type PartitionClock, Watermark } from './watermark.ts';
import { type TimedStage, type Wiring, wire } from './wiring.ts';

export interface EngineOptions {
  readonly graph: Graph;
  readonly world: World;
  readonly store: CheckpointStore;
  /** The checkpoint to go on from; partitions and sinks were already put where it says. */
  readonly found: FoundCheckpoint | undefined;
  readonly identity: unknown;
  /** All of them, where the checkpoint says; those that had ended are not read again. */
  readonly partitions: readonly Partition[];
  readonly sinks: ReadonlyMap<string, PartStore>;
  readonly pressure: Pressure;
  readonly checkpointIntervalMs: number;
  readonly transport: HttpTransport;
  readonly limits?: Pick<Limits, 'timersPerTurn'>;
}

interface Reading {
  readonly partition: Partition;
  readonly readFirst: boolean;
  readonly clock: PartitionClock | undefined;
  readonly visit: RecordVisitor;
  readonly tooLong: TooLongVisitor;
}

/**
 * Runs a graph: delivers records one by one, moves the watermark, fires timers, takes checkpoints, holds still when
 * sinks are behind.
 *
 * Invariants:
 * - Between two records all timers at or before the watermark have fired, unless back-pressure or a checkpoint came in
 *   between; the next record waits for them also after a restore.
 * - A checkpoint cuts between two records (or two timers): positions, state, watermark and rows agree.
 * - What fails stops the run with its error.
 */
export class Engine {
  readonly #options: EngineOptions;
  readonly #wiring: Wiring;
  readonly #watermark: Watermark;
  readonly #checkpointer: Checkpointer;
  readonly #ended: Record<string, PartitionState> = {};
  #reading: Reading[] = [];
  #failure: { readonly error: unknown } | undefined;
  #stopRequested = false;
  /** Ends calls and waits when the run is over, however it ended. */
  readonly #over = new AbortController();

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#watermark = new Watermark(options.graph.watermark.outOfOrdernessMs);
    this.#wiring = wire(options.graph, options.sinks, {
      world: options.world,
      transport: options.transport,
      pressure: options.pressure,
      watermark: () => this.#watermark.value,
      onFailure: (error) => this.fail(this.#wiring.named(error)),
      signal: this.#over.signal,
    });
    const migrated = this.#restore(options.found);
    this.#checkpointer = new Checkpointer(options.world, options.store, options.sinks, {
      intervalMs: options.checkpointIntervalMs,
      full: options.found === undefined || migrated,
      cut: () => this.#cut(),
    });
  }

  /** Counts over all runs of this pipeline. */
  get counters(): Readonly<Record<string, number>> {
    return this.#wiring.counts();
  }

  /** Bytes delivered of those there are, over all partitions, ended ones included. */
  progress(): { readonly read: number; readonly total: number } {
    const parts = this.#options.partitions.map((partition) => {
      const { read, total } = partition.progress();
      return { read: this.#ended[partition.id] === undefined ? read : total, total };
    });
    return {
      read: parts.reduce((sum, part) => sum + part.read, 0),
      total: parts.reduce((sum, part) => sum + part.total, 0),
    };
  }

  /** Stops at the next record, with a checkpoint. */
  stop(): void {
    this.#stopRequested = true;
    this.#wake();
  }

  /** Stops without a checkpoint: something failed. `run` rejects with the first such error. */
  fail(error: unknown): void {
    this.#failure ??= { error };
    this.#wake();
  }

  #wake(): void {
    this.#options.pressure.release();
    for (const stage of this.#wiring.http) stage.changed.notify();
  }

  /** Runs until all partitions have ended (`ended`) or it was told to stop (`stopped`). */
  async run(): Promise<'ended' | 'stopped'> {
    try {
      if (this.#options.found === undefined) await this.#checkpointer.take(false);
      for (const stage of this.#wiring.http) stage.start();
      const result = await this.#loop();
      if (result === 'ended') for (const sink of this.#options.sinks.values()) sink.finish();
      await this.#checkpointer.take(false);
      if (result === 'ended') await this.#checkpointer.take(true);
      this.#throwFailure();
      return result;
    } catch (error) {
      this.fail(this.#wiring.named(error));
      throw this.#failure?.error;
    } finally {
      await this.#close();
    }
  }

  async #loop(): Promise<'ended' | 'stopped'> {
    const { pressure } = this.#options;
    for (;;) {
      this.#throwFailure();
      if (this.#stopRequested) return 'stopped';
      if (this.#checkpointer.isDue) this.#checkpointer.start((error) => this.fail(error));
      const full = this.#wiring.http.find((stage) => stage.isFull);
      if (pressure.full) {
        await this.#orCheckpoint(pressure.relieved());
      } else if (full !== undefined) {
        await this.#orCheckpoint(full.changed.wait());
      } else if (this.#timersDue()) {
        if (!this.#fireTimers()) await nextTurn();
      } else {
        const reading = this.#next();
        const waiting = this.#wiring.http.find((stage) => !stage.isEmpty);
        if (reading !== undefined) await this.#read(reading);
        else if (waiting !== undefined) await this.#orCheckpoint(waiting.changed.wait());
        else return 'ended';
      }
    }
  }

  /** Waits, but not longer than until the next checkpoint is due: those go on while a service is down, and make parts visible. */
  async #orCheckpoint(what: Promise<void>): Promise<void> {
    const done = new AbortController();
    const { world, checkpointIntervalMs } = this.#options;
    await Promise.race([what, world.sleep(checkpointIntervalMs, done.signal)]);
    done.abort();
  }

  async #read(reading: Reading): Promise<void> {
    const status = reading.partition.deliver(reading.visit, reading.tooLong);
    if (status === 'empty') await reading.partition.fill();
    if (status !== 'ended') return;
    this.#ended[reading.partition.id] = { ...partitionState(reading), ended: true };
    this.#reading = this.#reading.filter((other) => other !== reading);
    if (reading.clock !== undefined) this.#watermark.end(reading.partition.id);
    await reading.partition.close();
  }

  /** Sources that are read first, to their end; then the partition that is furthest behind in event time. */
  #next(): Reading | undefined {
    let next: Reading | undefined;
    for (const reading of this.#reading) {
      if (next === undefined || isBefore(reading, next)) next = reading;
    }
    return next;
  }

  /**
   * Whether a partition is further ahead of the least one than events may lag: if it went on, the events of the others
   * would come late, however well ordered each is.
   */
  #isAhead(clock: PartitionClock | undefined): boolean {
    if (clock === undefined || this.#reading.length === 1) return false;
    let least = clock.maxTime;
    for (const other of this.#reading) if (other.clock !== undefined) least = Math.min(least, other.clock.maxTime);
    return clock.maxTime > least + this.#options.graph.watermark.outOfOrdernessMs;
  }

  #timersDue(): boolean {
    for (const stage of this.#wiring.timed) if (stage.operator.nextTimer <= this.#watermarkOf(stage)) return true;
    return false;
  }

  #watermarkOf({ behind }: TimedStage): EpochMs {
    let watermark = this.#watermark.value;
    for (const stage of behind) watermark = Math.min(watermark, stage.lowWatermark);
    return watermark;
  }

  /** Fires due timers; true when all have fired, false when back-pressure or the turn's limit came first. */
  #fireTimers(): boolean {
    let left = (this.#options.limits ?? LIMITS).timersPerTurn;
    for (const stage of this.#wiring.timed) {
      while (stage.operator.fireNext(this.#watermarkOf(stage))) {
        if (--left === 0 || this.#options.pressure.full) return false;
      }
    }
    return true;
  }

  #cut(): Cut {
    const partitions: Record<string, PartitionState> = { ...this.#ended };
    for (const reading of this.#reading) partitions[reading.partition.id] = partitionState(reading);
    const watermark = this.#watermark.value;
    return {
      body: {
        identity: this.#options.identity,
        partitions,
        watermark: Number.isFinite(watermark) ? watermark : null,
        counters: this.#wiring.counts(),
      },
      changes: this.#wiring.stateful.map((stage) => stage.barrier()),
    };
  }

  /** True when state came in an older layout, so that the next checkpoint must hold all of it. */
  #restore(found: FoundCheckpoint | undefined): boolean {
    const body = found?.body as CheckpointBody | undefined;
    if (body !== undefined) {
      if (body.watermark !== null) this.#watermark.restore(body.watermark);
      this.#wiring.restoreCounts(body.counters);
      for (const [id, state] of Object.entries(body.partitions)) if (state.ended) this.#ended[id] = state;
    }
    for (const partition of this.#options.partitions) {
      if (this.#ended[partition.id] === undefined) {
        this.#reading.push(this.#startReading(partition, body?.partitions[partition.id]));
      }
    }
    return found !== undefined && this.#wiring.restoreState(found.stages, this.#options.world.warn);
  }

  #startReading(partition: Partition, state: PartitionState | undefined): Reading {
    const source = this.#wiring.source(partition.sourceID);
    const clock = source.drivesWatermark ? this.#watermark.add(partition.id, state?.maxTime ?? undefined) : undefined;
    const goOn = () => !(this.#options.pressure.full || this.#timersDue() || this.#isAhead(clock));
    return {
      partition,
      readFirst: source.readFirst,
      clock,
      visit: (bytes, from, to, meta) => {
        source.record(bytes, from, to, meta, clock);
        return goOn();
      },
      tooLong: (head, size, meta) => {
        source.tooLong(head, size, meta);
        return goOn();
      },
    };
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  async #close(): Promise<void> {
    this.#over.abort();
    await this.#checkpointer.settled();
    await this.#options.transport.close();
    for (const { partition } of this.#reading) await partition.close();
    for (const sink of this.#options.sinks.values()) await sink.close();
    await this.#options.store.close();
  }
}

function isBefore(one: Reading, other: Reading): boolean {
  if (one.readFirst !== other.readFirst) return one.readFirst;
  return (one.clock?.maxTime ?? 0) < (other.clock?.maxTime ?? 0);
}

function partitionState({ partition, clock }: Reading): PartitionState {
  const maxTime = clock === undefined || !Number.isFinite(clock.maxTime) ? null : clock.maxTime;
  return { position: partition.position(), maxTime, ended: false };
}
