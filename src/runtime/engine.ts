import { setImmediate as nextTurn } from 'node:timers/promises';
import { TenantAnalyticsError } from '../base/errors.ts';
import { LIMITS, type Limits } from '../base/limits.ts';
import { Signal } from '../base/signal.ts';
import { type EpochMs, hasPassed } from '../base/time.ts';
import type { CheckpointStore, FoundCheckpoint } from './checkpoint-store.ts';
import {
  type CheckpointBody,
  Checkpointer,
  type CheckpointStatus,
  type Cut,
  type PartitionState,
} from './checkpointer.ts';
import type { Graph } from './contract.ts';
import type { ServiceStatus } from './http-operator.ts';
import type { Discovery, HttpTransport, LivePartition, Partition, PartStore, RowStream, World } from './ports.ts';
import type { Pressure } from './pressure.ts';
import { type Reading, Readings } from './readings.ts';
import { Watermark } from './watermark.ts';
import { type TimedStage, type Wiring, wire } from './wiring.ts';

export interface EngineOptions {
  readonly graph: Graph;
  readonly world: World;
  readonly store: CheckpointStore;
  /** The checkpoint to go on from; partitions and sinks were already put where it says. */
  readonly found: FoundCheckpoint | undefined;
  readonly identity: unknown;
  /** The bounded ones, where the checkpoint says; those that had ended are not read again. */
  readonly partitions: readonly Partition[];
  /** The live sources; with any, the run has no end of its own. */
  readonly discoveries?: readonly Discovery[];
  readonly sinks: ReadonlyMap<string, PartStore>;
  /** By stream sink; one that is not here is not written to. */
  readonly streams?: ReadonlyMap<string, RowStream>;
  readonly pressure: Pressure;
  readonly checkpointIntervalMs: number;
  readonly transport: HttpTransport;
  readonly limits?: Pick<Limits, 'timersPerTurn' | 'stopMs'>;
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
  readonly #limits: NonNullable<EngineOptions['limits']>;
  readonly #discoveries: readonly Discovery[];
  readonly #wiring: Wiring;
  readonly #watermark: Watermark;
  readonly #readings: Readings;
  readonly #checkpointer: Checkpointer;
  /** What partitions showed as of the checkpoint, for those that are handed out later. */
  readonly #known: Readonly<Record<string, PartitionState>>;
  /** There may be something to do: records came, a call ended, shards appeared, it was stopped, or something failed. */
  readonly #changed = new Signal();
  #lastLookAtTips = Number.NEGATIVE_INFINITY;
  #failure: { readonly error: unknown } | undefined;
  #stopRequested = false;
  /** Ends calls and waits when the run is over, however it ended. */
  readonly #over = new AbortController();

  constructor(options: EngineOptions) {
    this.#options = options;
    this.#limits = options.limits ?? LIMITS;
    this.#discoveries = options.discoveries ?? [];
    const { outOfOrdernessMs } = options.graph.watermark;
    this.#watermark = new Watermark(outOfOrdernessMs);
    this.#readings = new Readings(this.#watermark, outOfOrdernessMs, options.partitions);
    this.#wiring = wire(options.graph, options.sinks, options.streams ?? new Map(), {
      world: options.world,
      transport: options.transport,
      pressure: options.pressure,
      watermark: () => this.#watermark.value,
      changed: this.#changed,
      onFailure: (error) => this.fail(this.#wiring.named(error)),
      signal: this.#over.signal,
    });
    this.#known = (options.found?.body as CheckpointBody | undefined)?.partitions ?? {};
    const migrated = this.#restore(options.found);
    this.#checkpointer = new Checkpointer(options.world, options.store, options.sinks, {
      intervalMs: options.checkpointIntervalMs,
      full: options.found === undefined || migrated,
      streams: options.streams ?? new Map(),
      cut: () => this.#cut(),
    });
  }

  /** Counts over all runs of this pipeline. */
  get counters(): Readonly<Record<string, number>> {
    return this.#wiring.counts();
  }

  progress(): { readonly read: number; readonly total: number } {
    return this.#readings.progress();
  }

  /** How a live run is doing, now. */
  status(): EngineStatus {
    const partitions = this.#readings.all.map(({ partition, live, clock }) => ({
      id: partition.id,
      isIdle: clock?.isIdle ?? false,
      millisBehindLatest: live?.tip.millisBehindLatest ?? 0,
    }));
    const services = this.#wiring.http.map((stage) => stage.status());
    const { last } = this.#checkpointer;
    const backPressureBytes = this.#options.pressure.bytes;
    return { partitions, services, watermark: this.#watermark.value, lastCheckpoint: last, backPressureBytes };
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
    this.#changed.notify();
  }

  /** Runs until all partitions have ended (`ended`) or it was told to stop (`stopped`). */
  async run(): Promise<'ended' | 'stopped'> {
    try {
      // Before the first checkpoint: it holds where each partition goes on. None of them is worked on before it.
      this.#watchDiscoveries();
      // Where live sources begin must be durable before their records count.
      if (this.#options.found === undefined || this.#discoveries.length > 0) await this.#checkpointer.take(false);
      for (const stage of this.#wiring.http) stage.start();
      const result = await this.#loop();
      // What is in a call stays held: an answer that came after the cut would be sent on, and again after the restart.
      if (result === 'stopped') this.#over.abort();
      if (result === 'ended') for (const sink of this.#options.sinks.values()) sink.finish();
      await this.#lastCheckpoint(result);
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
      this.#lookAtTips();
      if (pressure.full) {
        await this.#orCheckpoint(pressure.relieved());
      } else if (this.#wiring.http.some((stage) => stage.isFull)) {
        await this.#orCheckpoint(this.#changed.wait());
      } else if (this.#timersDue()) {
        if (!this.#fireTimers()) await nextTurn();
      } else {
        const reading = this.#readings.next();
        if (reading !== undefined) await this.#read(reading);
        else if (this.#mayGoOn()) await this.#orCheckpoint(this.#changed.wait());
        else return 'ended';
      }
    }
  }

  /** Nothing is to be done now, but calls are under way, or the source has no end. */
  #mayGoOn(): boolean {
    return this.#discoveries.length > 0 || this.#wiring.http.some((stage) => !stage.isEmpty);
  }

  /** Waits, but not longer than until the next checkpoint is due: those go on while a service is down, and make parts visible. */
  async #orCheckpoint(what: Promise<void>): Promise<void> {
    const done = new AbortController();
    const { world, checkpointIntervalMs } = this.#options;
    const longest = this.#discoveries.length > 0 ? TIP_INTERVAL_MS : Number.POSITIVE_INFINITY;
    await Promise.race([what, world.sleep(Math.min(checkpointIntervalMs, longest), done.signal)]);
    done.abort();
    this.#changed.notify(); // only the engine waits for it; one that was not heard must not stay behind
  }

  async #read(reading: Reading): Promise<void> {
    const status = reading.partition.deliver(reading.visit, reading.tooLong);
    if (status === 'ended') await this.#readings.end(reading, () => this.#discover());
    else if (status === 'empty' && reading.live === undefined) await reading.partition.fill();
    else if (status === 'empty') this.#fillBehind(reading);
  }

  /** Others are read while it waits for records. */
  #fillBehind(reading: Reading): void {
    reading.isReady = false;
    reading.partition.fill().then(
      () => {
        reading.isReady = true;
        if (reading.clock !== undefined) reading.clock.isIdle = false; // the watermark must not pass what is at hand
        this.#changed.notify();
      },
      (error: unknown) => this.fail(error),
    );
  }

  #watchDiscoveries(): void {
    this.#discover();
    for (const discovery of this.#discoveries) {
      const changed = () => {
        this.#discover();
        this.#changed.notify();
      };
      discovery.watch(changed, this.#over.signal).catch((error: unknown) => this.fail(error));
    }
  }

  /** Begins to read the partitions that may be read by now. */
  #discover(): void {
    for (const discovery of this.#discoveries) {
      const ended = this.#readings.ended(`${discovery.sourceID}:`);
      for (const partition of discovery.next(ended)) {
        this.#fillBehind(this.#startReading(partition, this.#known[partition.id], partition));
      }
      for (const id of discovery.forgotten(ended)) this.#readings.forget(id);
    }
  }

  #lookAtTips(): void {
    if (this.#discoveries.length === 0) return;
    const now = this.#options.world.clock.now();
    if (!hasPassed(TIP_INTERVAL_MS, this.#lastLookAtTips, now)) return;
    this.#lastLookAtTips = now;
    this.#readings.lookAtTips(now, this.#options.graph.watermark.idleMs);
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
    let left = this.#limits.timersPerTurn;
    for (const stage of this.#wiring.timed) {
      while (stage.operator.fireNext(this.#watermarkOf(stage))) {
        if (--left === 0 || this.#options.pressure.full) return false;
      }
    }
    return true;
  }

  #cut(): Cut {
    const watermark = this.#watermark.value;
    return {
      body: {
        identity: this.#options.identity,
        partitions: this.#readings.states(),
        discoveries: Object.fromEntries(this.#discoveries.map(({ sourceID, state }) => [sourceID, state])),
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
      for (const [id, state] of Object.entries(body.partitions)) {
        if (state.ended) this.#readings.restoreEnded(id, state);
      }
    }
    for (const partition of this.#options.partitions) {
      if (!this.#readings.isEnded(partition.id)) this.#startReading(partition, this.#known[partition.id], undefined);
    }
    return found !== undefined && this.#wiring.restoreState(found.stages, this.#options.world.warn);
  }

  #startReading(partition: Partition, state: PartitionState | undefined, live: LivePartition | undefined): Reading {
    const source = this.#wiring.source(partition.sourceID);
    const { readFirst, drivesWatermark } = source;
    const goOn = () => !(this.#options.pressure.full || this.#timersDue() || this.#readings.isAhead(reading.clock));
    const reading: Reading = this.#readings.add(
      {
        partition,
        readFirst,
        live,
        drivesWatermark,
        visit: (bytes, from, to, meta) => {
          source.record(bytes, from, to, meta, reading.clock);
          return goOn();
        },
        tooLong: (head, size, meta) => {
          source.tooLong(head, size, meta);
          return goOn();
        },
      },
      state,
    );
    return reading;
  }

  #throwFailure(): void {
    if (this.#failure !== undefined) throw this.#failure.error;
  }

  /** One that a sink out of reach holds up must not keep the process for ever. */
  async #lastCheckpoint(result: 'ended' | 'stopped'): Promise<void> {
    const taken = this.#checkpointer.take(false);
    if (result === 'ended') return taken;
    const done = new AbortController();
    const isTaken = await Promise.race([
      taken.then(() => true),
      this.#options.world.sleep(this.#limits.stopMs, done.signal).then(() => false),
    ]).finally(() => done.abort());
    if (isTaken) return;
    taken.catch(() => undefined);
    throw new TenantAnalyticsError(
      'STOPPED',
      `Stopped without a last checkpoint: a sink did not take its rows within ${this.#limits.stopMs / 1000} s. Start again once it can be reached: it goes on from the checkpoint before, and loses nothing.`,
    );
  }

  async #close(): Promise<void> {
    this.#over.abort();
    const { streams, sinks, transport, store } = this.#options;
    for (const stream of streams?.values() ?? []) await stream.close();
    await this.#checkpointer.settled();
    await transport.close();
    await this.#readings.close();
    for (const discovery of this.#discoveries) await discovery.close();
    for (const sink of sinks.values()) await sink.close();
    await store.close();
  }
}

/** How often live partitions are looked at for being idle. */
const TIP_INTERVAL_MS = 250;

/** How a live run is doing, for who watches it. */
export interface EngineStatus {
  readonly partitions: readonly {
    readonly id: string;
    readonly isIdle: boolean;
    readonly millisBehindLatest: number;
  }[];
  readonly services: readonly ServiceStatus[];
  /** Negative infinity before the first event. */
  readonly watermark: EpochMs;
  readonly lastCheckpoint: CheckpointStatus | undefined;
  /** Handed to sinks, or held in calls, and not done with yet. */
  readonly backPressureBytes: number;
}
