import type { EpochMs } from '../../base/time.ts';
import type { Columns, RecordMeta } from '../../runtime/contract.ts';
import type { Partition, Position, RecordVisitor, TooLongVisitor } from '../../runtime/ports.ts';
import { type ChunkReader, openChunks } from './chunk-reader.ts';
import type { FilePosition } from './first-line.ts';

const LINE_FEED = 0x0a;
const CARRIAGE_RETURN = 0x0d;

export interface FilePartitionOptions {
  readonly path: string;
  readonly baseName: string;
  readonly sourceID: string;
  readonly gzip: boolean;
  /** Bytes of the file to read, as it lies on disk. */
  readonly size: number;
  readonly arrivalTime: EpochMs;
  readonly columns: Columns | null;
  readonly maxRecordBytes: number;
  /** Opens the bytes from an offset on; by default those of `path`. */
  readonly open?: (offset: number) => Promise<ChunkReader>;
}

/**
 * A file of lines as one partition. Blank lines are passed over, and counted.
 *
 * Invariant: `position()` is that of the line after the last one delivered, wherever the pieces that were read end.
 */
export class FilePartition implements Partition {
  readonly id: string;
  readonly sourceID: string;
  readonly #options: FilePartitionOptions;
  readonly #meta: { -readonly [K in keyof RecordMeta]: RecordMeta[K] };
  #reader: ChunkReader | undefined;
  #chunk: Uint8Array = new Uint8Array(0);
  #at = 0;
  /** The start of a line whose end was not read yet; of a line beyond the limit, only its head. */
  #carry: Uint8Array = new Uint8Array(0);
  #carryLength = 0;
  #carrySize = 0;
  #offset: number;
  #line: number;
  #isAtEnd = false;

  constructor(options: FilePartitionOptions, start: FilePosition) {
    this.id = `${options.sourceID}:${options.baseName}`;
    this.sourceID = options.sourceID;
    this.#options = options;
    this.#offset = start.offset;
    this.#line = start.line;
    this.#meta = {
      source: options.baseName,
      shardId: null,
      sequenceNumber: start.line,
      subSequence: null,
      arrivalTime: options.arrivalTime,
      live: false,
      columns: options.columns,
    };
  }

  position(): Position {
    return { offset: this.#offset, line: this.#line };
  }

  progress(): { readonly read: number; readonly total: number } {
    const { gzip, size } = this.#options;
    return { read: this.#reader?.consumed ?? (gzip ? 0 : this.#offset), total: size };
  }

  async fill(): Promise<void> {
    const { path, gzip, size, open = (offset) => openChunks(path, gzip, size, offset) } = this.#options;
    this.#reader ??= await open(this.#offset);
    const chunk = await this.#reader.read();
    this.#at = 0;
    this.#chunk = chunk ?? new Uint8Array(0);
    this.#isAtEnd = chunk === undefined;
  }

  deliver(visit: RecordVisitor, tooLong: TooLongVisitor): 'paused' | 'empty' | 'ended' {
    const chunk = this.#chunk;
    for (;;) {
      const from = this.#at;
      const end = from < chunk.length ? chunk.indexOf(LINE_FEED, from) : -1;
      if (end === -1) {
        this.#keep(chunk.subarray(from));
        this.#at = chunk.length;
        if (!this.#isAtEnd) return 'empty';
        if (this.#carrySize === 0) return 'ended';
        if (!this.#deliverCarried(0, visit, tooLong)) return 'paused';
        continue;
      }
      this.#at = end + 1;
      let goOn: boolean;
      if (this.#carrySize > 0) {
        this.#keep(chunk.subarray(from, end));
        goOn = this.#deliverCarried(1, visit, tooLong);
      } else {
        goOn = this.#deliverLine(chunk, from, end, end - from, 1, visit, tooLong);
      }
      if (!goOn) return 'paused';
    }
  }

  #deliverCarried(lineFeed: 0 | 1, visit: RecordVisitor, tooLong: TooLongVisitor): boolean {
    const length = this.#carryLength;
    const size = this.#carrySize;
    this.#carryLength = 0;
    this.#carrySize = 0;
    return this.#deliverLine(this.#carry, 0, length, size, lineFeed, visit, tooLong);
  }

  /** One line of `size` bytes, of which [from, to) are held. */
  #deliverLine(
    bytes: Uint8Array,
    from: number,
    to: number,
    size: number,
    lineFeed: 0 | 1,
    visit: RecordVisitor,
    tooLong: TooLongVisitor,
  ): boolean {
    this.#offset += size + lineFeed;
    this.#line++;
    this.#meta.sequenceNumber = this.#line;
    const { maxRecordBytes } = this.#options;
    const end = to > from && bytes[to - 1] === CARRIAGE_RETURN ? to - 1 : to;
    if (size - (to - end) > maxRecordBytes) {
      return tooLong(bytes.subarray(from, from + maxRecordBytes), size, this.#meta);
    }
    if (isBlank(bytes, from, end)) return true;
    return visit(bytes, from, end, this.#meta);
  }

  #keep(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#carrySize += bytes.length;
    const room = this.#options.maxRecordBytes + 1 - this.#carryLength;
    const kept = bytes.subarray(0, Math.max(0, room));
    const length = this.#carryLength + kept.length;
    if (length > this.#carry.length) {
      const larger = new Uint8Array(Math.max(4096, length * 2));
      larger.set(this.#carry.subarray(0, this.#carryLength));
      this.#carry = larger;
    }
    this.#carry.set(kept, this.#carryLength);
    this.#carryLength = length;
  }

  async close(): Promise<void> {
    await this.#reader?.close();
  }
}

function isBlank(bytes: Uint8Array, from: number, to: number): boolean {
  for (let at = from; at < to; at++) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x09 && byte !== CARRIAGE_RETURN) return false;
  }
  return true;
}
