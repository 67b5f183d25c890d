import { ByteReader, ByteWriter } from '../../base/bytes.ts';
import { messageOf } from '../../base/errors.ts';
import type { EpochMs } from '../../base/time.ts';
import { type KeyedStage, NO_TIMER, Rejection } from '../../runtime/contract.ts';
import type { DeadLetterOperator, StageOutput } from '../../runtime/operators.ts';

type AnyStage = KeyedStage<unknown, unknown, unknown>;

/** A key whose state is here, for all keyed stages. */
interface Resident {
  readonly key: string;
  readonly states: unknown[];
  readonly changed: boolean[];
  /** The timer that the host knows of, by stage. */
  readonly timerAt: EpochMs[];
  /** It was of use since the last look for what may leave. */
  used: boolean;
}

export interface ResidentSetting {
  /** Sends input that a stage failed on to the dead letters, while it is being worked on. */
  readonly deadLetters: DeadLetterOperator;
  /** The next timer of a key, to be kept by the host. */
  readonly timer: (stage: number, key: string, at: EpochMs) => void;
  readonly failed: (stage: string) => void;
}

/**
 * The keyed stages of a graph, with the state of those keys that are in use; all other state lies with the host.
 *
 * Invariants:
 * - A key is here with the states of all stages, or not at all.
 * - What changed since the host took it last is marked so, and stays here until the host has taken it.
 * - The host has a timer for each `nextTimer` of each state. It may have more: one that comes for nothing does nothing.
 */
export class ResidentKeys {
  readonly #stages: readonly AnyStage[];
  readonly #outputs: readonly StageOutput[];
  readonly #setting: ResidentSetting;
  readonly #keys = new Map<string, Resident>();
  readonly #scratch = new ByteWriter(4096);
  #dirty = new Set<Resident>();

  constructor(stages: readonly AnyStage[], outputs: readonly StageOutput[], setting: ResidentSetting) {
    this.#stages = stages;
    this.#outputs = outputs;
    this.#setting = setting;
  }

  get size(): number {
    return this.#keys.size;
  }

  has(key: string): boolean {
    return this.#keys.has(key);
  }

  /** Takes a key in; for each stage a block, empty without state, else the codec's version and the bytes. */
  load(key: string, from: ByteReader): void {
    const none = this.#stages.map(() => NO_TIMER);
    const resident: Resident = { key, states: [], changed: [], timerAt: none, used: true };
    this.#stages.forEach((stage, index) => {
      const block = from.block();
      resident.changed.push(false);
      if (block.length === 0) {
        resident.states.push(undefined);
        return;
      }
      const reader = new ByteReader(block);
      const state = stage.state.decode(reader, reader.varint());
      resident.states.push(state);
      resident.timerAt[index] = stage.nextTimer(state);
    });
    this.#keys.set(key, resident);
  }

  /** One input for a stage. What it fails on is a dead letter; without a record to blame, it fails the operator. */
  push(index: number, input: unknown): void {
    const stage = this.#stage(index);
    const output = this.#output(index);
    const resident = this.#resident(stage.key(input), stage.id);
    let state: unknown;
    try {
      state = stage.onEvent(resident.states[index], input, output);
    } catch (error) {
      this.#blame(error, stage.id);
      return;
    }
    this.#update(resident, index, state);
  }

  /** Fires what is due for one key at `watermark`, in order. */
  fire(index: number, key: string, watermark: EpochMs): void {
    const stage = this.#stage(index);
    const resident = this.#resident(key, stage.id);
    for (;;) {
      const state = resident.states[index];
      const at = state === undefined ? NO_TIMER : stage.nextTimer(state);
      if (at === NO_TIMER || at > watermark) return;
      this.#update(resident, index, stage.onTimer(state, at, this.#output(index)));
    }
  }

  /** Writes what changed since it was last taken: `write` is given the stage, the key, and its block. */
  takeChanges(write: (stage: number, key: string, block: Uint8Array) => void): void {
    for (const resident of this.#dirty) this.#takeOf(resident, write);
    this.#dirty = new Set();
  }

  /** Lets go of keys beyond `most` that were not used lately and that nobody waits for. */
  evict(
    most: number,
    isNeeded: (key: string) => boolean,
    write: (stage: number, key: string, block: Uint8Array) => void,
    gone: (key: string) => void,
  ): void {
    let looks = this.#keys.size > most ? this.#keys.size * 2 : 0;
    for (const resident of this.#keys.values()) {
      if (this.#keys.size <= most || looks-- === 0) return;
      this.#keys.delete(resident.key);
      if (resident.used || isNeeded(resident.key)) {
        resident.used = false;
        this.#keys.set(resident.key, resident); // behind the others: a second chance
        continue;
      }
      this.#takeOf(resident, write);
      this.#dirty.delete(resident);
      gone(resident.key);
    }
  }

  #takeOf(resident: Resident, write: (stage: number, key: string, block: Uint8Array) => void): void {
    this.#stages.forEach((stage, index) => {
      if (!resident.changed[index]) return;
      resident.changed[index] = false;
      const to = this.#scratch;
      to.clear();
      const state = resident.states[index];
      if (state !== undefined) {
        to.varint(stage.state.version);
        stage.state.encode(state, to);
      }
      write(index, resident.key, to.view());
    });
  }

  #update(resident: Resident, index: number, state: unknown): void {
    resident.states[index] = state;
    if (!resident.changed[index]) {
      resident.changed[index] = true;
      this.#dirty.add(resident);
    }
    if (state === undefined) return;
    const at = this.#stage(index).nextTimer(state);
    if (at === NO_TIMER || at === resident.timerAt[index]) return;
    resident.timerAt[index] = at;
    this.#setting.timer(index, resident.key, at);
  }

  /** The state is left as the stage left it: it may have changed in part, but not its shape. */
  #blame(error: unknown, stage: string): void {
    const { deadLetters, failed } = this.#setting;
    if (deadLetters.origin === undefined) throw error;
    failed(stage);
    deadLetters.reject(new Rejection('malformed', `stage ${stage} failed on this record: ${messageOf(error)}`));
  }

  #resident(key: string, stage: string): Resident {
    const resident = this.#keys.get(key);
    if (resident === undefined) {
      throw new Error(
        `stage ${stage} asks for key ${JSON.stringify(key)}, which its record was not sent by; all stages of a graph must have one key`,
      );
    }
    resident.used = true;
    return resident;
  }

  #stage(index: number): AnyStage {
    const stage = this.#stages[index];
    if (stage === undefined) throw new RangeError(`the graph has no keyed stage ${index}`);
    return stage;
  }

  #output(index: number): StageOutput {
    const output = this.#outputs[index];
    if (output === undefined) throw new RangeError(`the graph has no keyed stage ${index}`);
    return output;
  }
}
