import { ByteReader, ByteWriter } from '../base/bytes.ts';
import type { EpochMs } from '../base/time.ts';
import { type Collector, type KeyedStage, NO_TIMER } from './contract.ts';
import type { KeyChange, StageChanges } from './state-changes.ts';
import { type Timed, Timers } from './timers.ts';

interface Entry<S> extends Timed {
  readonly key: string;
  state: S | undefined;
  changed: boolean;
}

/**
 * Runs one keyed stage: state by key, its timers, and which keys changed since the last checkpoint.
 *
 * Invariants, also between a barrier and its commit:
 * - `#changed` holds exactly the entries whose state may differ from the last barrier's.
 * - A key has an entry if and only if it has state, or was removed since the last barrier.
 * - The timer of an entry is `stage.nextTimer` of its state.
 */
export class KeyedOperator<S, I, O> {
  readonly id: string;
  readonly #stage: KeyedStage<S, I, O>;
  readonly #out: Collector<O>;
  readonly #entries = new Map<string, Entry<S>>();
  readonly #timers = new Timers<Entry<S>>();
  #changed: Entry<S>[] = [];
  #bytesAtLastBarrier = 0;

  constructor(stage: KeyedStage<S, I, O>, out: Collector<O>) {
    this.id = stage.id;
    this.#stage = stage;
    this.#out = out;
  }

  /** How many keys have state. */
  get size(): number {
    return this.#entries.size;
  }

  push(input: I): void {
    const key = this.#stage.key(input);
    const entry = this.#entries.get(key);
    const state = this.#stage.onEvent(entry?.state, input, this.#out);
    if (entry !== undefined) this.#update(entry, state);
    else if (state !== undefined) this.#update(this.#create(key), state);
  }

  /** The earliest time a timer may be due. */
  get nextTimer(): EpochMs {
    return this.#timers.next;
  }

  /** Fires the next timer due at `watermark`; false when there is none. */
  fireNext(watermark: EpochMs): boolean {
    const due = this.#timers.takeDue(watermark);
    if (due === undefined) return false;
    const entry = due.timed;
    if (entry.state !== undefined) this.#update(entry, this.#stage.onTimer(entry.state, due.at, this.#out));
    return true;
  }

  /** What changed since the last barrier, as bytes; from now on changes belong to the next one. */
  barrier(): StageChanges {
    const changed = this.#changed;
    this.#changed = [];
    const scratch = new ByteWriter(4096);
    const entries = new ByteWriter(this.#bytesAtLastBarrier + 1024);
    for (const entry of changed) {
      entry.changed = false;
      entries.text(entry.key);
      if (entry.state === undefined) {
        entries.byte(0);
        this.#entries.delete(entry.key);
        continue;
      }
      entries.byte(1);
      scratch.clear();
      this.#stage.state.encode(entry.state, scratch);
      entries.block(scratch.view());
    }
    this.#bytesAtLastBarrier = entries.length;
    return { stage: this.id, codecVersion: this.#stage.state.version, count: changed.length, entries: entries.take(0) };
  }

  get codecVersion(): number {
    return this.#stage.state.version;
  }

  /**
   * Takes the state of a checkpoint; `codecVersion` is the layout it was written in. With `migrated` all of it counts as
   * changed, so that the next checkpoint holds it in the present layout.
   */
  restore(states: Iterable<KeyChange>, codecVersion: number, migrated: boolean): void {
    for (const { key, state } of states) {
      if (state === null) continue;
      const entry = this.#create(key);
      entry.state = this.#stage.state.decode(new ByteReader(state), codecVersion);
      this.#timers.set(entry, this.#stage.nextTimer(entry.state));
      if (!migrated) continue;
      entry.changed = true;
      this.#changed.push(entry);
    }
  }

  #create(key: string): Entry<S> {
    const entry: Entry<S> = { key, state: undefined, changed: false, timerAt: NO_TIMER };
    this.#entries.set(key, entry);
    return entry;
  }

  #update(entry: Entry<S>, state: S | undefined): void {
    entry.state = state;
    this.#timers.set(entry, state === undefined ? NO_TIMER : this.#stage.nextTimer(state));
    if (entry.changed) return;
    entry.changed = true;
    this.#changed.push(entry);
  }
}
