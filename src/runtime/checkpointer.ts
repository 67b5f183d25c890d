import { hasPassed } from '../base/time.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import type { PartStore, PartsBarrier, RowStream, World } from './ports.ts';
import type { StageChanges } from './state-changes.ts';

/** What a checkpoint holds besides keyed state and sink parts; JSON. */
export interface CheckpointBody {
  /** What this state belongs to: inputs and parameters; compared by the host before it goes on. */
  readonly identity: unknown;
  readonly partitions: Readonly<Record<string, PartitionState>>;
  /** By live source: where it began. Absent in checkpoints from before there were any. */
  readonly discoveries?: Readonly<Record<string, Readonly<Record<string, unknown>>>>;
  /** Null before the first event. */
  readonly watermark: number | null;
  readonly sinks: Readonly<Record<string, unknown>>;
  readonly counters: Readonly<Record<string, number>>;
  /** All input was worked on and all rows are visible: nothing is left to do. */
  readonly ended: boolean;
}

export interface PartitionState {
  readonly position: Readonly<Record<string, unknown>>;
  /** Null when it has shown no event, or does not drive the watermark. */
  readonly maxTime: number | null;
  readonly ended: boolean;
}

export interface CheckpointStatus {
  readonly at: number;
  /** From the cut to the commit. */
  readonly durationMs: number;
  /** Of its own file. */
  readonly bytes: number;
}

/** One consistent cut through the running graph. */
export interface Cut {
  readonly body: Omit<CheckpointBody, 'sinks' | 'ended'>;
  readonly changes: readonly StageChanges[];
}

/**
 * Takes checkpoints while the graph runs. `#begin` cuts between two records, without waiting; then bytes are made
 * durable, then the checkpoint, and only then parts become visible. One at a time.
 *
 * One that would say what the one before it said is passed over. Rows for streams must have been accepted before it
 * counts: after a crash those of an unfinished one are made and sent again.
 *
 * Invariant: after one that failed none is taken. What it had cut off (changed keys, complete parts) would be missing.
 */
export class Checkpointer {
  readonly #world: World;
  readonly #store: CheckpointStore;
  readonly #sinks: ReadonlyMap<string, PartStore>;
  readonly #streams: ReadonlyMap<string, RowStream>;
  readonly #cut: () => Cut;
  readonly #intervalMs: number;
  #lastBegun = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  #full: boolean;
  /** Without the watermark, which the wall clock alone may move. */
  #lastBody: string | undefined;
  #last: CheckpointStatus | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    world: World,
    store: CheckpointStore,
    sinks: ReadonlyMap<string, PartStore>,
    options: {
      readonly intervalMs: number;
      readonly full: boolean;
      readonly streams: ReadonlyMap<string, RowStream>;
      readonly cut: () => Cut;
    },
  ) {
    this.#world = world;
    this.#store = store;
    this.#sinks = sinks;
    this.#streams = options.streams;
    this.#cut = options.cut;
    this.#intervalMs = options.intervalMs;
    this.#full = options.full;
  }

  get isDue(): boolean {
    return this.#running === undefined && hasPassed(this.#intervalMs, this.#lastBegun, this.#world.clock.now());
  }

  /** The last one of this run that was committed, or that would have said the same as the one before it. */
  get last(): CheckpointStatus | undefined {
    return this.#last;
  }

  /** Begins a checkpoint and goes on; `onFailure` hears when it cannot be completed. */
  start(onFailure: (error: unknown) => void): void {
    this.#running = this.#begin(false)
      .catch((error: unknown) => {
        this.#failure = { error };
        onFailure(error);
      })
      .finally(() => {
        this.#running = undefined;
      });
  }

  /** Takes a checkpoint of now, after the one under way, and waits until it is committed. */
  async take(ended: boolean): Promise<void> {
    await this.settled();
    if (this.#failure !== undefined) throw this.#failure.error;
    await this.#begin(ended);
  }

  /** Waits for the checkpoint under way, if any. */
  async settled(): Promise<void> {
    await this.#running;
  }

  async #begin(ended: boolean): Promise<void> {
    const begunAt = this.#world.clock.now();
    this.#lastBegun = begunAt;
    const { body, changes } = this.#cut();
    const barriers = new Map<string, PartsBarrier>();
    for (const [id, sink] of this.#sinks) barriers.set(id, sink.barrier());
    this.#world.probe('checkpoint:barrier-taken');
    const full = this.#full;
    this.#full = false;
    const accepted = Promise.all([...this.#streams.values()].map((stream) => stream.accepted()));
    accepted.catch(() => undefined); // looked at below, after what takes its time
    for (const barrier of barriers.values()) await barrier.persist();
    await accepted;
    const sinks = Object.fromEntries([...barriers].map(([id, barrier]) => [id, barrier.state]));
    const whole: CheckpointBody = { ...body, sinks, ended };
    const isNews = full || this.#isNews(whole, changes);
    if (isNews) await this.#store.commit(whole, changes, full);
    const at = this.#world.clock.now();
    const { lastBytes } = this.#store;
    this.#last = { at, durationMs: at - begunAt, bytes: isNews ? lastBytes : (this.#last?.bytes ?? lastBytes) };
    for (const barrier of barriers.values()) await barrier.commit();
  }

  /** A quiet stream must not write the same checkpoint over and over. */
  #isNews(body: CheckpointBody, changes: readonly StageChanges[]): boolean {
    const text = JSON.stringify({ ...body, watermark: null });
    const isNews = text !== this.#lastBody || changes.some(({ count }) => count > 0);
    this.#lastBody = text;
    return isNews;
  }
}
