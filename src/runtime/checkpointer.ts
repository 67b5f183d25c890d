import type { StageChanges } from './checkpoint-format.ts';
import type { CheckpointStore } from './checkpoint-store.ts';
import type { PartStore, PartsBarrier, World } from './ports.ts';

/** What a checkpoint holds besides keyed state and sink parts; JSON. */
export interface CheckpointBody {
  /** What this state belongs to: inputs and parameters; compared by the host before it goes on. */
  readonly identity: unknown;
  readonly partitions: Readonly<Record<string, PartitionState>>;
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

/** One consistent cut through the running graph. */
export interface Cut {
  readonly body: Omit<CheckpointBody, 'sinks' | 'ended'>;
  readonly changes: readonly StageChanges[];
}

/**
 * Takes checkpoints while the graph runs. `#begin` cuts between two records, without waiting; then bytes are made
 * durable, then the checkpoint, and only then parts become visible. One at a time.
 *
 * Invariant: after one that failed none is taken. What it had cut off (changed keys, complete parts) would be missing.
 */
export class Checkpointer {
  readonly #world: World;
  readonly #store: CheckpointStore;
  readonly #sinks: ReadonlyMap<string, PartStore>;
  readonly #cut: () => Cut;
  readonly #intervalMs: number;
  #lastBegun = Number.NEGATIVE_INFINITY;
  #running: Promise<void> | undefined;
  #full: boolean;
  #failure: { readonly error: unknown } | undefined;

  constructor(
    world: World,
    store: CheckpointStore,
    sinks: ReadonlyMap<string, PartStore>,
    options: { readonly intervalMs: number; readonly full: boolean; readonly cut: () => Cut },
  ) {
    this.#world = world;
    this.#store = store;
    this.#sinks = sinks;
    this.#cut = options.cut;
    this.#intervalMs = options.intervalMs;
    this.#full = options.full;
  }

  get isDue(): boolean {
    return this.#running === undefined && this.#world.clock.now() - this.#lastBegun >= this.#intervalMs;
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
    this.#lastBegun = this.#world.clock.now();
    const { body, changes } = this.#cut();
    const barriers = new Map<string, PartsBarrier>();
    for (const [id, sink] of this.#sinks) barriers.set(id, sink.barrier());
    this.#world.probe('checkpoint:barrier-taken');
    const full = this.#full;
    this.#full = false;
    for (const barrier of barriers.values()) await barrier.persist();
    const sinks = Object.fromEntries([...barriers].map(([id, barrier]) => [id, barrier.state]));
    await this.#store.commit({ ...body, sinks, ended } satisfies CheckpointBody, changes, full);
    for (const barrier of barriers.values()) await barrier.commit();
  }
}
