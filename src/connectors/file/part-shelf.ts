import { TenantAnalyticsError } from '../../base/errors.ts';
import type { World } from '../../runtime/ports.ts';
import type { FoundPart, PartName, PartNames } from './part-names.ts';

/**
 * Where complete parts become visible: the folder they grow in, or a bucket. Whatever the shelf, a part grows as a hidden
 * local file; what is done here can be done again, after a crash at any moment, without harm.
 */
export interface PartShelf {
  /**
   * Called once, before anything else.
   * @throws TenantAnalyticsError when nothing could ever become visible, and only a person can mend that
   */
  check(isFirstStart: boolean): Promise<void>;
  /** The parts of this run that are there, hidden and visible. */
  find(): Promise<readonly FoundPart[]>;
  /** For good: a name that came back after a crash would be a second copy of rows that are made anew. */
  remove(parts: readonly FoundPart[]): Promise<void>;
  /**
   * The part is written to: it is there hidden, and not visible, also if a lost, newer checkpoint had revealed it.
   * @throws TenantAnalyticsError OUTPUT_LOST
   */
  takeBack(part: PartName): Promise<void>;
  /**
   * The bytes of a complete part that is still hidden; undefined when it is visible.
   * @throws TenantAnalyticsError OUTPUT_LOST
   */
  expect(part: PartName): Promise<number | undefined>;
  /**
   * Makes complete, durable parts visible, each whole and at once. `revealed` is told of each, those that are visible
   * already included; that may be long after this call, which resolves as soon as checkpoints may go on.
   */
  reveal(parts: readonly PartName[], revealed: (part: PartName) => void): Promise<void>;
  /** What a complete part counts as back-pressure until it is visible. */
  pressureOf(bytes: number): number;
  /** Stops what is under way; those parts stay hidden. */
  close(): Promise<void>;
}

/** The folder itself: a part becomes visible by its name. */
export class FolderShelf implements PartShelf {
  readonly #world: World;
  readonly #names: PartNames;
  readonly #finishedPartBytes: number;

  constructor(world: World, names: PartNames, finishedPartBytes: number) {
    this.#world = world;
    this.#names = names;
    this.#finishedPartBytes = finishedPartBytes;
  }

  async check(): Promise<void> {}

  find(): Promise<readonly FoundPart[]> {
    return this.#names.find(this.#world.files);
  }

  async remove(parts: readonly FoundPart[]): Promise<void> {
    const { files } = this.#world;
    for (const part of parts) await files.remove(this.#names.path(part, part.hidden));
    for (const folder of new Set(parts.map((part) => this.#names.folder(part)))) await files.syncFolder(folder);
  }

  async takeBack(part: PartName): Promise<void> {
    const { files } = this.#world;
    if ((await this.expect(part)) !== undefined) return;
    await files.rename(this.#names.path(part, false), this.#names.path(part, true));
    await files.syncFolder(this.#names.folder(part));
  }

  async expect(part: PartName): Promise<number | undefined> {
    const { files } = this.#world;
    const hidden = this.#names.path(part, true);
    const bytes = await files.size(hidden);
    if (bytes !== undefined) return bytes;
    if ((await files.size(this.#names.path(part, false))) !== undefined) return undefined;
    throw lostPart(hidden);
  }

  async reveal(parts: readonly PartName[], revealed: (part: PartName) => void): Promise<void> {
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
    for (const part of parts) revealed(part);
  }

  pressureOf(): number {
    return this.#finishedPartBytes;
  }

  async close(): Promise<void> {}
}

export function lostPart(path: string): TenantAnalyticsError {
  return new TenantAnalyticsError(
    'OUTPUT_LOST',
    `${path}: expected the rows that the checkpoint counts on, got no such file. Put it back, or remove the output and its state to start from the beginning.`,
  );
}
