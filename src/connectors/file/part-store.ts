import { LIMITS, type Limits } from '../../base/limits.ts';
import { Signal } from '../../base/signal.ts';
import { Slots } from '../../base/slots.ts';
import type { EpochMs } from '../../base/time.ts';
import type { Part, PartStore, PartsBarrier, PartsState, World } from '../../runtime/ports.ts';
import type { Pressure } from '../../runtime/pressure.ts';
import { FilePart } from './file-part.ts';
import { type PartName, PartNames } from './part-names.ts';
import { FolderShelf, type PartShelf } from './part-shelf.ts';

export interface PartStoreOptions {
  /** Where parts grow: an absolute path, without a slash at its end. */
  readonly folder: string;
  readonly extension: string;
  readonly rollBytes: number;
  readonly rollAgeMs: number;
  /** Used when there is no state yet. */
  readonly newRunID: string;
  readonly limits?: Pick<Limits, 'flushBytes' | 'openFiles' | 'openParts' | 'finishedPartBytes'>;
  /** Where complete parts become visible: the folder itself, if nothing else is said. */
  readonly shelf?: (names: PartNames, onFailure: (error: unknown) => void) => PartShelf;
}

/**
 * Parts grow as hidden files `.part-….inprogress`; the checkpoint knows how many of their bytes count. Once one is
 * complete, and a checkpoint that says so is durable, the shelf makes it visible: by its name, or in a bucket.
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
  #shelf: PartShelf;
  #nextSequence = 1;
  #finished: FilePart[] = [];
  /** Complete, in a durable checkpoint, and not visible yet; with what each counts as back-pressure. */
  readonly #pending = new Map<PartName, number>();
  readonly #changed = new Signal();
  #failure: { readonly error: unknown } | undefined;
  /** No more lines come: what is committed from now on is visible when `commit` resolves. */
  #ending = false;
  #last: FilePart | undefined;
  #uses = 0;

  constructor(world: World, pressure: Pressure, options: PartStoreOptions, onFailure: (error: unknown) => void) {
    this.#world = world;
    this.#pressure = pressure;
    this.#options = options;
    this.#limits = options.limits ?? LIMITS;
    this.#slots = new Slots(2 * this.#limits.openFiles);
    this.#onFailure = (error) => {
      this.#failure ??= { error };
      this.#changed.notify();
      onFailure(error);
    };
    this.#names = new PartNames(options.folder, options.newRunID, options.extension);
    this.#shelf = this.#newShelf();
  }

  #newShelf(): PartShelf {
    const { shelf } = this.#options;
    if (shelf !== undefined) return shelf(this.#names, this.#onFailure);
    return new FolderShelf(this.#world, this.#names, this.#limits.finishedPartBytes);
  }

  async restore(state: PartsState | undefined): Promise<void> {
    if (state === undefined) {
      await this.#shelf.check(true);
      return;
    }
    await this.#shelf.close();
    this.#names = new PartNames(this.#options.folder, state.runID, this.#options.extension);
    this.#shelf = this.#newShelf();
    await this.#shelf.check(false);
    this.#nextSequence = state.nextSequence;
    const found = await this.#shelf.find();
    const known = new Set([...state.open, ...state.finished].map((part) => this.#names.path(part, true)));
    const leftovers = found.filter((part) =>
      part.hidden ? !known.has(this.#names.path(part, true)) : part.sequence >= state.nextSequence,
    );
    await this.#shelf.remove(leftovers);
    this.#world.probe('recovery:leftovers-removed');
    for (const part of state.open) {
      await this.#shelf.takeBack(part);
      const filePart = this.#addPart(part.partition, part.sequence, part.openedAt);
      filePart.resume(part.bytes);
      this.#open.set(part.partition, filePart);
    }
    for (const part of state.finished) {
      const bytes = await this.#shelf.expect(part);
      if (bytes !== undefined) this.#addPending(part, this.#shelf.pressureOf(bytes));
    }
    await this.#reveal(state.finished);
    this.#world.probe('recovery:parts-restored');
  }

  #addPending(part: PartName, pressure: number): void {
    this.#pending.set(part, pressure);
    this.#pressure.add(pressure);
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
    this.#pressure.add(this.#shelf.pressureOf(part.bytes));
  }

  /** Closes the file for now; the next line for it opens it again. */
  #park(part: FilePart | undefined): void {
    if (part === undefined) return;
    this.#inUse.delete(part);
    part.park();
  }

  finish(): void {
    this.#ending = true;
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
        finished: [...this.#pending.keys(), ...finished].map(({ partition, sequence }) => ({ partition, sequence })),
      },
      persist: async () => {
        const folders = new Set(await durable);
        for (const folder of folders) if (folder !== undefined) await this.#world.files.syncFolder(folder);
        this.#world.probe('checkpoint:parts-synced');
      },
      commit: async () => {
        for (const part of finished) this.#pending.set(part, this.#shelf.pressureOf(part.bytes));
        await this.#reveal(finished);
      },
    };
  }

  /** Again and again without harm. Parts that become visible later are in each checkpoint until they are. */
  async #reveal(parts: readonly PartName[]): Promise<void> {
    await this.#shelf.reveal(parts, (part) => {
      this.#pressure.remove(this.#pending.get(part) ?? 0);
      this.#pending.delete(part);
      this.#changed.notify();
    });
    while (this.#ending && this.#pending.size > 0) {
      if (this.#failure !== undefined) throw this.#failure.error;
      await this.#changed.wait();
    }
  }

  async close(): Promise<void> {
    await this.#shelf.close();
    // All at once: one may wait for a slot that another holds.
    await Promise.all([...this.#open.values(), ...this.#finished].map((part) => part.close()));
  }
}

function leastRecent(parts: Iterable<FilePart>): FilePart | undefined {
  let least: FilePart | undefined;
  for (const part of parts) if (least === undefined || part.lastUse < least.lastUse) least = part;
  return least;
}
