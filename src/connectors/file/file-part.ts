import { ByteWriter } from '../../base/bytes.ts';
import { storageError } from '../../base/errors.ts';
import type { EpochMs } from '../../base/time.ts';
import type { Part, World, WritableFile } from '../../runtime/ports.ts';
import type { Pressure } from '../../runtime/pressure.ts';
import type { PartName } from './part-names.ts';

export interface FilePartSetting {
  readonly path: string;
  readonly folder: string;
  readonly world: World;
  readonly pressure: Pressure;
  readonly rollBytes: number;
  readonly flushBytes: number;
  readonly onComplete: (part: FilePart) => void;
  readonly onFailure: (error: unknown) => void;
}

/** One part being written. Its operations on the file run one after the other, in the order they were asked for. */
export class FilePart implements Part, PartName {
  readonly partition: string;
  readonly sequence: number;
  readonly openedAt: EpochMs;
  readonly buffer = new ByteWriter(1024);
  isOpen = true;
  lastUse = 0;
  readonly #setting: FilePartSetting;
  #handedOver = 0;
  #operations: Promise<void> = Promise.resolve();
  #file: WritableFile | undefined;
  #resumeAt = 0;
  #unsynced = false;
  #nameUnsynced = true;

  constructor(name: PartName, openedAt: EpochMs, setting: FilePartSetting) {
    this.partition = name.partition;
    this.sequence = name.sequence;
    this.openedAt = openedAt;
    this.#setting = setting;
  }

  /** Bytes of the part, written or on their way. */
  get bytes(): number {
    return this.#handedOver + this.buffer.length;
  }

  /** Goes on after the first `bytes`; the file is cut there before anything is added. */
  resume(bytes: number): void {
    this.#handedOver = bytes;
    this.#resumeAt = bytes;
    this.#unsynced = true;
    void this.#enqueue(() => this.#openFile());
  }

  wrote(): void {
    if (this.buffer.length >= this.#setting.flushBytes) this.flush();
    if (this.bytes >= this.#setting.rollBytes) this.#setting.onComplete(this);
  }

  flush(): void {
    const size = this.buffer.length;
    if (size === 0) return;
    const bytes = this.buffer.take(size >= this.#setting.flushBytes ? size + 1024 : 1024);
    this.#handedOver += size;
    this.#unsynced = true;
    const { pressure, world } = this.#setting;
    pressure.add(size);
    void this.#enqueue(async () => {
      const file = await this.#openFile();
      await file.append(bytes);
      pressure.remove(size);
      world.probe('sink:part-written');
    });
  }

  /** Resolves once all that was flushed so far is durable, with the folder that must be synced for the name to be. */
  async makeDurable(): Promise<string | undefined> {
    if (!this.#unsynced) return undefined;
    this.#unsynced = false;
    const nameUnsynced = this.#nameUnsynced;
    this.#nameUnsynced = false;
    await this.#enqueue(async () => {
      await (await this.#openFile()).sync();
    });
    return nameUnsynced ? this.#setting.folder : undefined;
  }

  async close(): Promise<void> {
    await this.#operations.catch(() => undefined);
    await this.#file?.close();
    this.#file = undefined;
  }

  async #openFile(): Promise<WritableFile> {
    if (this.#file !== undefined) return this.#file;
    const { world, folder, path } = this.#setting;
    await world.files.makeFolder(folder);
    this.#file = await world.files.openAt(path, this.#resumeAt);
    world.probe('sink:part-opened');
    return this.#file;
  }

  /** After one operation failed, none is tried: a part with a hole must never count as durable. */
  #enqueue(operation: () => Promise<unknown>): Promise<void> {
    const done = this.#operations.then(async () => {
      await operation();
    });
    done.catch((error: unknown) => this.#setting.onFailure(storageError(error, `Cannot write ${this.#setting.path}`)));
    this.#operations = done;
    return done;
  }
}
