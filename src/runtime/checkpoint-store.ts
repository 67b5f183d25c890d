import { setImmediate as nextTurn } from 'node:timers/promises';
import { ByteWriter } from '../base/bytes.ts';
import { messageOf, storageError, systemCode, TenantAnalyticsError } from '../base/errors.ts';
import { LIMITS, type Limits } from '../base/limits.ts';
import {
  type CheckpointFile,
  CorruptFile,
  decodeCheckpoint,
  encodeCheckpoint,
  keyChanges,
} from './checkpoint-format.ts';
import type { World } from './ports.ts';
import type { KeyChange, StageChanges } from './state-changes.ts';

const CHECKPOINT_NAME = /^chk-(\d{12})$/;
const BASE_NAME = /^base-(\d{12})$/;

/** A checkpoint as it was found: the engine's body, and for each stage the latest state of each key. */
export interface FoundCheckpoint {
  readonly body: unknown;
  readonly stages: ReadonlyMap<string, { readonly codecVersion: number; readonly states: Iterable<KeyChange> }>;
}

type CompactionLimits = Pick<Limits, 'compactionMinBytes' | 'compactionChain'>;

/**
 * Durable checkpoints in one folder. Each is one file `chk-<id>` that holds what changed since the one before; the files
 * it builds on are its chain. When the changes outweigh the base they build on, base and changes are merged, in the
 * background, into a new `base-<id>`: so a checkpoint costs what changed, not what is held. A long chain is merged, too.
 *
 * Invariants:
 * - A `chk-` or `base-` name is only ever given to a file whose bytes are durable: write, sync, rename, sync folder.
 * - All files of the newest checkpoint's chain are there, and all of the chain that the newest base was made from.
 */
export class CheckpointStore {
  readonly #world: World;
  readonly #folder: string;
  readonly #limits: CompactionLimits;
  #lastID = 0;
  #lastBytes = 0;
  #chain: { name: string; bytes: number }[] = [];
  #previousChain: readonly string[] = [];
  #compaction: Promise<void> | undefined;
  #compacted: { base: { name: string; bytes: number }; replaces: number } | undefined;

  constructor(world: World, folder: string, limits: CompactionLimits = LIMITS) {
    this.#world = world;
    this.#folder = folder;
    this.#limits = limits;
  }

  /** Checkpoints committed so far, over all runs. */
  get lastID(): number {
    return this.#lastID;
  }

  /** Size of the file committed last in this run. */
  get lastBytes(): number {
    return this.#lastBytes;
  }

  /**
   * Finds the newest checkpoint that is whole, warning of each that is not; undefined when none was ever committed.
   * @throws TenantAnalyticsError CHECKPOINT_CORRUPT when there are checkpoints and none is whole: never starts empty
   */
  async open(): Promise<FoundCheckpoint | undefined> {
    await this.#world.files.makeFolder(this.#folder);
    const names = (await this.#world.files.list(this.#folder)).map((entry) => entry.name);
    const ids = names
      .flatMap((name) => (CHECKPOINT_NAME.test(name) ? [Number(name.slice(4))] : []))
      .sort((a, b) => b - a);
    this.#lastID = Math.max(0, ...names.flatMap((name) => Number(/-(\d{12})/.exec(name)?.[1] ?? 0)));
    const damaged = ids.length === 0 ? ['there is no chk- file'] : [];
    for (const id of ids) {
      const found = await this.#tryLoad(nameOf('chk', id), damaged);
      if (found === undefined) continue;
      await this.#discard(ids.filter((other) => other > id));
      this.#previousChain = names.filter((name) => Number(name.slice(-12)) <= id);
      return found;
    }
    if (names.every((name) => name.endsWith('.tmp'))) return undefined;
    throw new TenantAnalyticsError(
      'CHECKPOINT_CORRUPT',
      `No checkpoint in ${this.#folder} is whole: ${damaged.join('; ')}. Nothing was changed. Restore the folder from a copy, or remove it and the output to start from the beginning.`,
    );
  }

  async #tryLoad(name: string, damaged: string[]): Promise<FoundCheckpoint | undefined> {
    try {
      const newest = await this.#readFile(name);
      const files: CheckpointFile[] = [];
      const chain: { name: string; bytes: number }[] = [];
      for (const earlier of newest.file.meta.chain) {
        const read = await this.#readFile(earlier);
        files.push(read.file);
        chain.push({ name: earlier, bytes: read.bytes });
      }
      files.push(newest.file);
      chain.push({ name, bytes: newest.bytes });
      const stages = mergeStages(files);
      this.#chain = chain;
      return { body: newest.file.meta.body, stages };
    } catch (error) {
      if (!(error instanceof CorruptFile)) throw error;
      damaged.push(error.message);
      this.#world.warn(`Checkpoint ${name} cannot be used (${error.message}); falling back to the one before it.`);
      return undefined;
    }
  }

  async #readFile(name: string): Promise<{ file: CheckpointFile; bytes: number }> {
    const bytes = await this.#world.files.read(`${this.#folder}/${name}`).catch((error: unknown) => {
      if (systemCode(error) === 'ENOENT') throw new CorruptFile(`${name}: there is no such file`);
      throw storageError(error, `Cannot read checkpoint ${this.#folder}/${name}`);
    });
    try {
      return { file: decodeCheckpoint(bytes), bytes: bytes.length };
    } catch (error) {
      throw error instanceof CorruptFile ? new CorruptFile(`${name}: ${error.message}`) : error;
    }
  }

  /** Those newer than the one that is used are out of the way, and kept for who wants to know what happened. */
  async #discard(ids: readonly number[]): Promise<void> {
    for (const id of ids) {
      const path = `${this.#folder}/${nameOf('chk', id)}`;
      await this.#world.files.rename(path, `${path}.discarded`);
    }
  }

  /**
   * Makes one checkpoint durable. `changes` are what changed since the last commit, or everything when `full`.
   * One call at a time.
   */
  async commit(body: unknown, changes: readonly StageChanges[], full: boolean): Promise<void> {
    this.#takeCompaction();
    const id = this.#lastID + 1;
    const name = nameOf('chk', id);
    if (full) this.#previousChain = this.#chain.map((file) => file.name);
    const chain = full ? [] : this.#chain;
    const bytes = encodeCheckpoint({ meta: { id, chain: chain.map((file) => file.name), body }, stages: changes });
    await this.#writeDurably(name, bytes, true);
    this.#lastID = id;
    this.#lastBytes = bytes.length;
    this.#chain = [...chain, { name, bytes: bytes.length }];
    await this.#removeUnused(new Set([...this.#previousChain, ...this.#chain.map((file) => file.name)]), id);
    this.#startCompaction();
  }

  /** Waits for a compaction under way. */
  async close(): Promise<void> {
    await this.#compaction;
  }

  async #writeDurably(name: string, bytes: Uint8Array, isCheckpoint: boolean): Promise<void> {
    const { files, probe } = this.#world;
    const path = `${this.#folder}/${name}`;
    try {
      await files.remove(`${path}.tmp`);
      const file = await files.openAt(`${path}.tmp`, 0);
      try {
        await file.append(bytes);
        if (isCheckpoint) probe('checkpoint:file-written');
        await file.sync();
        if (isCheckpoint) probe('checkpoint:file-synced');
      } finally {
        await file.close();
      }
      await files.rename(`${path}.tmp`, path);
      probe(isCheckpoint ? 'checkpoint:file-renamed' : 'compaction:base-renamed');
      await files.syncFolder(this.#folder);
    } catch (error) {
      throw storageError(error, `Cannot write checkpoint ${path}`);
    }
    if (isCheckpoint) probe('checkpoint:committed');
  }

  #startCompaction(): void {
    if (this.#compaction !== undefined || this.#compacted !== undefined) return;
    const [base, ...changes] = this.#chain;
    const changed = changes.reduce((sum, file) => sum + file.bytes, 0);
    const { compactionMinBytes, compactionChain } = this.#limits;
    const isLong = changes.length >= compactionChain;
    if (base === undefined || (!isLong && changed < Math.max(compactionMinBytes, base.bytes))) return;
    const names = this.#chain.map((file) => file.name);
    this.#compaction = this.#compact(names)
      .catch((error: unknown) =>
        this.#world.warn(`Checkpoints were not compacted (${messageOf(error)}); trying again later.`),
      )
      .finally(() => {
        this.#compaction = undefined;
      });
  }

  async #compact(names: readonly string[]): Promise<void> {
    const files: CheckpointFile[] = [];
    for (const name of names) files.push((await this.#readFile(name)).file);
    const last = files.at(-1);
    if (last === undefined) return;
    await nextTurn();
    const merged = mergeStages(files);
    await nextTurn();
    const stages: StageChanges[] = [];
    for (const [stage, { codecVersion, states }] of merged) stages.push(encodeStates(stage, codecVersion, states));
    const name = nameOf('base', last.meta.id);
    const bytes = encodeCheckpoint({ meta: { id: last.meta.id, chain: [], body: null }, stages });
    await this.#writeDurably(name, bytes, false);
    this.#compacted = { base: { name, bytes: bytes.length }, replaces: names.length };
  }

  /** A base that became ready stands in for the files it was made of, from the next commit on. */
  #takeCompaction(): void {
    const compacted = this.#compacted;
    if (compacted === undefined) return;
    this.#compacted = undefined;
    this.#previousChain = this.#chain.map((file) => file.name);
    this.#chain = [compacted.base, ...this.#chain.slice(compacted.replaces)];
  }

  /** Removes what no kept checkpoint builds on; a base newer than `newest` is being made. */
  async #removeUnused(used: ReadonlySet<string>, newest: number): Promise<void> {
    const { files, probe } = this.#world;
    let removed = false;
    for (const { name } of await files.list(this.#folder)) {
      const isTemporary = name.endsWith('.tmp') && this.#compaction === undefined;
      const isOld = CHECKPOINT_NAME.test(name) || (BASE_NAME.test(name) && this.#compaction === undefined);
      if (!(isTemporary || (isOld && !used.has(name) && Number(name.slice(-12)) <= newest))) continue;
      if (this.#compacted?.base.name === name) continue;
      await files.remove(`${this.#folder}/${name}`);
      removed = true;
    }
    if (removed) probe('compaction:old-removed');
  }
}

function nameOf(kind: 'chk' | 'base', id: number): string {
  return `${kind}-${String(id).padStart(12, '0')}`;
}

/** The latest state of each key. Files of one chain hold a stage in one codec version: a migration starts a new chain. */
function mergeStages(
  files: readonly CheckpointFile[],
): Map<string, { codecVersion: number; states: Iterable<KeyChange> }> {
  const merged = new Map<string, { codecVersion: number; latest: Map<string, Uint8Array> }>();
  for (const changes of files.flatMap((file) => file.stages)) {
    let stage = merged.get(changes.stage);
    if (stage === undefined) {
      stage = { codecVersion: changes.codecVersion, latest: new Map() };
      merged.set(changes.stage, stage);
    }
    if (stage.codecVersion !== changes.codecVersion) {
      throw new CorruptFile(
        `stage ${changes.stage}: expected codec ${stage.codecVersion}, got ${changes.codecVersion}`,
      );
    }
    for (const { key, state } of keyChanges(changes)) {
      if (state === null) stage.latest.delete(key);
      else stage.latest.set(key, state);
    }
  }
  const result = new Map<string, { codecVersion: number; states: Iterable<KeyChange> }>();
  for (const [id, { codecVersion, latest }] of merged) {
    const states = Array.from(latest, ([key, state]) => ({ key, state }));
    result.set(id, { codecVersion, states });
  }
  return result;
}

function encodeStates(stage: string, codecVersion: number, states: Iterable<KeyChange>): StageChanges {
  const entries = new ByteWriter(64 * 1024);
  let count = 0;
  for (const { key, state } of states) {
    if (state === null) continue;
    count++;
    entries.text(key);
    entries.byte(1);
    entries.block(state);
  }
  return { stage, codecVersion, count, entries: entries.take(0) };
}
