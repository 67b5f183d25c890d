import { ByteReader } from '../../base/bytes.ts';
import type { EpochMs } from '../../base/time.ts';
import type { HttpOperator } from '../../runtime/http-operator.ts';
import type { KeyChange } from '../../runtime/state-changes.ts';

/**
 * What an HTTP stage holds, as the host keeps it: by key, so that it moves with its key when the job is given another
 * parallelism. A block is the codec's version and the bytes; an empty one says that it is held no more.
 *
 * Ids say the order within a key. Two keys from two operators may bring the same id, so what comes back is numbered anew,
 * by the watermark it came with, and counts as changed: the host forgets what it gave back.
 */
export class HeldInputs {
  readonly #operator: HttpOperator<unknown, unknown, unknown>;
  /** The key of each input that the host has. */
  readonly #keys = new Map<number, string>();
  #found: { readonly id: number; readonly block: Uint8Array }[] = [];

  constructor(operator: HttpOperator<unknown, unknown, unknown>) {
    this.#operator = operator;
  }

  /** One that a checkpoint held. */
  found(id: number, block: Uint8Array): void {
    this.#found.push({ id, block: block.slice() });
  }

  /** Something was found, and is not held again yet. */
  get isFound(): boolean {
    return this.#found.length > 0;
  }

  /**
   * All that was found is held again: by watermark, as it came, and for one key by id. Returns the latest of these
   * watermarks: what comes from now on came behind it.
   */
  restore(): EpochMs {
    const found = this.#found.map(({ id, block }) => {
      const from = new ByteReader(block);
      const version = from.varint();
      const state = from.rest();
      return { id, version, state, watermark: this.#operator.describe(state, version).watermark };
    });
    this.#found = [];
    found.sort((a, b) => (a.watermark === b.watermark ? a.id - b.id : a.watermark - b.watermark));
    const versions = new Set(found.map(({ version }) => version));
    for (const version of versions) {
      const changes: KeyChange[] = [];
      for (const [index, each] of found.entries()) {
        if (each.version === version) changes.push({ key: String(index + 1), state: each.state });
      }
      this.#operator.restore(changes, version, true);
    }
    return found.at(-1)?.watermark ?? Number.NEGATIVE_INFINITY;
  }

  /** What came to be held, and what left, since the last time. */
  takeChanges(write: (key: string, id: number, block: Uint8Array) => void): void {
    const { entries, count, codecVersion } = this.#operator.barrier();
    const from = new ByteReader(entries);
    for (let left = count; left > 0; left--) {
      const id = Number(from.text());
      if (from.byte() === 1) {
        const block = from.block();
        const { orderKey } = this.#operator.describe(block, codecVersion);
        this.#keys.set(id, orderKey);
        write(orderKey, id, versioned(block, codecVersion));
      } else {
        const key = this.#keys.get(id);
        this.#keys.delete(id);
        if (key !== undefined) write(key, id, NOTHING);
      }
    }
  }
}

const NOTHING = new Uint8Array(0);

function versioned(block: Uint8Array, version: number): Uint8Array {
  const bytes = new Uint8Array(block.length + 1);
  bytes[0] = version; // a varint of one byte: versions are counted by hand
  bytes.set(block, 1);
  return bytes;
}
