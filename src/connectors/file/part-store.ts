import { TenantAnalyticsError } from '../../base/errors.ts';
import { LIMITS, type Limits } from '../../base/limits.ts';
import { Slots } from '../../base/slots.ts';
import type { EpochMs } from '../../base/time.ts';
import type { Part, PartStore, PartsBarrier, PartsState, World } from '../../runtime/ports.ts';
import type { Pressure } from '../../runtime/pressure.ts';
import { FilePart } from './file-part.ts';
import { type PartName, PartNames } from './part-names.ts';

export interface PartStoreOptions {
  /** An absolute path, without a slash at its end. */
  readonly folder: string;
  readonly extension: string;
  readonly rollBytes: number;
  readonly rollAgeMs: number;
  /** Used when there is no state yet. */
  readonly newRunID: string;
  readonly limits?: Pick<Limits, 'flushBytes' | 'openFiles' | 'openParts' | 'finishedPartBytes'>;
}

/**
 * Parts as files. A part grows as a hidden file `.part-….inprogress`; the checkpoint knows how many of its bytes count.
 * Once it is complete, and a checkpoint that says so is durable, it gets its visible name.
 *
 * Invariant: a visible part is whole and never changes; each line is in exactly one part, whatever was lost in a crash,
 * because bytes and parts that the restored checkpoint does not know are removed before anything is written.
 */
export class FilePartStore implements PartStore {
  readonly #world: World;
  readonly #pressure: Pressure;
  readonly #options: PartStoreOptions;
  readonly #limits: NonNullable<PartStoreOptions['limits']>;
  readonly #onFailure: (error: unknown) => void;
  /** By partition. */
  readonly #open = new Map<string, FilePart>();
  /** Open parts whose files are open, or about to be. */
  readonly #inUse = new Set<FilePart>();
  /** Parts in use hold at most half of them for long: the other half goes round among those that only write and close. */
  readonly #slots: Slots;
  #names: PartNames;
  #nextSequence = 1;
  #finished: FilePart[] = [];
  #last: FilePart | undefined;
  #uses = 0;

  constructor(world: World, pressure: Pressure, options: PartStoreOptions, onFailure: (error: unknown) => void) {
    this.#world = world;
    this.#pressure = pressure;
    this.#options = options;
    this.#limits = options.limits ?? LIMITS;
    this.#slots = new Slots(2 * this.#limits.openFiles);
    this.#onFailure = onFailure;
    this.#names = new PartNames(options.folder, options.newRunID, options.extension);
  }

  async restore(state: PartsState | undefined): Promise<void> {
    if (state === undefined) return;
    this.#names = new PartNames(this.#options.folder, state.runID, this.#options.extension);
    this.#nextSequence = state.nextSequence;
    const found = await this.#names.find(this.#world.files);
    const known = new Set([...state.open, ...state.finished].map((part) => this.#names.path(part, true)));
    const leftovers = found.filter((part) =>
      part.hidden ? !known.has(this.#names.path(part, true)) : part.sequence >= state.nextSequence,
    );
    await this.#remove(leftovers);
    this.#world.probe('recovery:leftovers-removed');
    for (const part of state.open) {
      await this.#hide(part);
      const filePart = this.#addPart(part.partition, part.sequence, part.openedAt);
      filePart.resume(part.bytes);
      this.#open.set(part.partition, filePart);
    }
    for (const part of state.finished) await this.#expect(part);
    await this.#reveal(state.finished);
    this.#world.probe('recovery:parts-restored');
  }

  /** Removed for good: a name that came back after a crash would be a second copy of rows that are made anew. */
  async #remove(parts: readonly (PartName & { readonly hidden: boolean })[]): Promise<void> {
    const { files } = this.#world;
    for (const part of parts) await files.remove(this.#names.path(part, part.hidden));
    for (const folder of new Set(parts.map((part) => this.#names.folder(part)))) await files.syncFolder(folder);
  }

  /** A part that a lost, newer checkpoint had made visible goes on being written. */
  async #hide(part: PartName): Promise<void> {
    const { files } = this.#world;
    if ((await this.#expect(part)) === 'hidden') return;
    await files.rename(this.#names.path(part, false), this.#names.path(part, true));
    await files.syncFolder(this.#names.folder(part));
  }

  async #expect(part: PartName): Promise<'hidden' | 'visible'> {
    const { files } = this.#world;
    const hidden = this.#names.path(part, true);
    if ((await files.size(hidden)) !== undefined) return 'hidden';
    if ((await files.size(this.#names.path(part, false))) !== undefined) return 'visible';
    throw new TenantAnalyticsError(
      'OUTPUT_LOST',
      `${hidden}: expected the rows that the checkpoint counts on, got no such file. Put it back, or remove the output and its state to start from the beginning.`,
    );
  }

  part(partition: string): Part {
    if (this.#last?.partition === partition && this.#last.isOpen) return this.#last;
    let part = this.#open.get(partition);
    if (part === undefined) {
      if (this.#open.size >= this.#limits.openParts) this.#complete(leastRecent(this.#open.values()));
      part = this.#addPart(partition, this.#nextSequence++, this.#world.clock.now());
      this.#open.set(partition, part);
    }
    part.lastUse = ++this.#uses;
    this.#last = part;
    this.#inUse.add(part);
    if (this.#inUse.size > this.#limits.openFiles) this.#park(leastRecent(this.#inUse));
    return part;
  }

  #addPart(partition: string, sequence: number, openedAt: EpochMs): FilePart {
    const name: PartName = { partition, sequence };
    return new FilePart(name, openedAt, {
      path: this.#names.path(name, true),
      folder: this.#names.folder(name),
      world: this.#world,
      pressure: this.#pressure,
      rollBytes: this.#options.rollBytes,
      flushBytes: this.#limits.flushBytes,
      slots: this.#slots,
      onComplete: (part) => this.#complete(part),
      onFailure: this.#onFailure,
    });
  }

  /** No more lines come; its file is closed, and it waits for a checkpoint to become visible. */
  #complete(part: FilePart | undefined): void {
    if (part === undefined) return;
    this.#open.delete(part.partition);
    part.isOpen = false;
    this.#park(part);
    this.#finished.push(part);
    this.#pressure.add(this.#limits.finishedPartBytes);
  }

  /** Closes the file for now; the next line for it opens it again. */
  #park(part: FilePart | undefined): void {
    if (part === undefined) return;
    this.#inUse.delete(part);
    part.park();
  }

  finish(): void {
    for (const part of [...this.#open.values()]) this.#complete(part);
  }

  barrier(): PartsBarrier {
    const oldest = this.#world.clock.now() - this.#options.rollAgeMs;
    for (const part of [...this.#open.values()]) if (part.openedAt <= oldest) this.#complete(part);
    const open = [...this.#open.values()];
    const finished = this.#finished;
    this.#finished = [];
    for (const part of open) part.flush();
    const durable = Promise.all([...open, ...finished].map((part) => part.makeDurable()));
    durable.catch(() => undefined); // `persist` tells; it may be asked only after another sink
    return {
      state: {
        runID: this.#names.runID,
        nextSequence: this.#nextSequence,
        open: open.map(({ partition, sequence, bytes, openedAt }) => ({ partition, sequence, bytes, openedAt })),
        finished: finished.map(({ partition, sequence }) => ({ partition, sequence })),
      },
      persist: async () => {
        const folders = new Set(await durable);
        for (const folder of folders) if (folder !== undefined) await this.#world.files.syncFolder(folder);
        this.#world.probe('checkpoint:parts-synced');
      },
      commit: async () => {
        await this.#reveal(finished);
        this.#pressure.remove(finished.length * this.#limits.finishedPartBytes);
      },
    };
  }

  /** Gives complete parts their visible names; again and again without harm. */
  async #reveal(parts: readonly PartName[]): Promise<void> {
    const { files, probe } = this.#world;
    const folders = new Set<string>();
    for (const part of parts) {
      const hidden = this.#names.path(part, true);
      if ((await files.size(hidden)) === undefined) continue;
      await files.rename(hidden, this.#names.path(part, false));
      probe('sink:part-renamed');
      folders.add(this.#names.folder(part));
    }
    for (const folder of folders) await files.syncFolder(folder);
    if (folders.size > 0) probe('sink:commit-synced');
  }

  async close(): Promise<void> {
    // All at once: one may wait for a slot that another holds.
    await Promise.all([...this.#open.values(), ...this.#finished].map((part) => part.close()));
  }
}

function leastRecent(parts: Iterable<FilePart>): FilePart | undefined {
  let least: FilePart | undefined;
  for (const part of parts) if (least === undefined || part.lastUse < least.lastUse) least = part;
  return least;
}
