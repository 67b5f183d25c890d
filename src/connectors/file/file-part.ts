import { ByteWriter } from '../../base/bytes.ts';
import { storageError } from '../../base/errors.ts';
import type { Slots } from '../../base/slots.ts';
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
  /** One is held while the file is open. */
  readonly slots: Slots;
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
  /** Something was written, or its name is new, since it was last made durable. */
  #changed = true;
  #nameIsDurable = false;

  /* As of the operation that runs: */
  #file: WritableFile | undefined;
  #written = 0;
  #unsynced = false;

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

  /** Goes on after the first `bytes`; the file is cut there now, and closed until it is needed. */
  resume(bytes: number): void {
    this.#handedOver = bytes;
    void this.#enqueue(async () => {
      this.#written = bytes;
      await this.#openFile();
      this.#unsynced = true;
      await this.#closeFile();
    });
  }

  wrote(): void {
    if (this.buffer.length >= this.#setting.flushBytes) this.flush();
    if (this.bytes >= this.#setting.rollBytes) this.#setting.onComplete(this);
  }

  flush(): void {
    const size = this.buffer.length;
    if (size === 0) return;
    const bytes = this.buffer.take(size >= this.#setting.flushBytes ? size + 1024 : 0);
    this.#handedOver += size;
    this.#changed = true;
    const { pressure, world } = this.#setting;
    pressure.add(size);
    void this.#enqueue(async () => {
      const file = await this.#openFile();
      await file.append(bytes);
      this.#written += size;
      this.#unsynced = true;
      pressure.remove(size);
      world.probe('sink:part-written');
    });
  }

  /** Writes what there is, and closes the file; what is not synced yet is by the next `makeDurable`. */
  park(): void {
    this.flush();
    void this.#enqueue(() => this.#closeFile());
  }

  /** Resolves once all that was flushed so far is durable, with the folder that must be synced for the name to be. */
  async makeDurable(): Promise<string | undefined> {
    if (!this.#changed) return undefined;
    this.#changed = false;
    const nameIsDurable = this.#nameIsDurable;
    this.#nameIsDurable = true;
    await this.#enqueue(() => this.#sync());
    return nameIsDurable ? undefined : this.#setting.folder;
  }

  async close(): Promise<void> {
    await this.#operations.catch(() => undefined);
    await this.#closeFile();
  }

  async #sync(): Promise<void> {
    if (!this.#unsynced) return;
    const isParked = this.#file === undefined;
    await (await this.#openFile()).sync();
    this.#unsynced = false;
    if (isParked) await this.#closeFile();
  }

  async #closeFile(): Promise<void> {
    if (this.#file === undefined) return;
    const file = this.#file;
    this.#file = undefined;
    this.#setting.slots.give();
    await file.close();
  }

  async #openFile(): Promise<WritableFile> {
    if (this.#file !== undefined) return this.#file;
    const { world, folder, path, slots } = this.#setting;
    await slots.take();
    try {
      if (this.#written === 0) await world.files.makeFolder(folder);
      this.#file = await world.files.openAt(path, this.#written);
    } catch (error) {
      slots.give();
      throw error;
    }
    world.probe('sink:part-opened');
    return this.#file;
  }

  /** After one operation failed, none is tried: a part with a hole must never count as durable. */
  #enqueue(operation: () => Promise<unknown>): Promise<void> {
    const done = this.#operations.then(async () => {
      try {
        await operation();
      } catch (error) {
        await this.#closeFile().catch(() => undefined); // others wait for its slot
        throw error;
      }
    });
    done.catch((error: unknown) => this.#setting.onFailure(storageError(error, `Cannot write ${this.#setting.path}`)));
    this.#operations = done;
    return done;
  }
}
