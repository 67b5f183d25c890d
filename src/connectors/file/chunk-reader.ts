import { createReadStream } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { createGunzip } from 'node:zlib';
import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';

/** The (uncompressed) bytes of a file, piece by piece. */
export interface ChunkReader {
  /** The next bytes, lent until the next call; undefined at the end. */
  read(): Promise<Uint8Array | undefined>;
  /** Bytes of the file read so far, as it lies on disk. */
  readonly consumed: number;
  close(): Promise<void>;
}

/** Whether a file's first bytes are gzip's (RFC 1952). */
export function isGzip(head: Uint8Array): boolean {
  return head[0] === 0x1f && head[1] === 0x8b;
}

/** Reads a file of `size` bytes from `offset`, an offset in what it holds once uncompressed. */
export async function openChunks(path: string, gzip: boolean, size: number, offset: number): Promise<ChunkReader> {
  return gzip ? new GzipChunks(path, size, offset) : new PlainChunks(await open(path, 'r'), path, size, offset);
}

/** Reads ahead: while one buffer is worked on, the other is filled. */
class PlainChunks implements ChunkReader {
  readonly #file: FileHandle;
  readonly #path: string;
  readonly #size: number;
  #buffers = [new Uint8Array(LIMITS.readBytes), new Uint8Array(LIMITS.readBytes)] as const;
  #offset: number;
  #ahead: Promise<Uint8Array> | undefined;
  consumed: number;

  constructor(file: FileHandle, path: string, size: number, offset: number) {
    this.#file = file;
    this.#path = path;
    this.#size = size;
    this.#offset = offset;
    this.consumed = offset;
  }

  async read(): Promise<Uint8Array | undefined> {
    const bytes = await (this.#ahead ?? this.#readNext());
    this.consumed += bytes.length;
    if (bytes.length === 0) return undefined;
    this.#ahead = this.#readNext();
    this.#ahead.catch(() => undefined); // told by the next read
    return bytes;
  }

  async #readNext(): Promise<Uint8Array> {
    const [buffer, other] = this.#buffers;
    this.#buffers = [other, buffer];
    const most = Math.min(buffer.length, this.#size - this.#offset);
    if (most <= 0) return buffer.subarray(0, 0);
    const { bytesRead } = await this.#file.read(buffer, 0, most, this.#offset);
    if (bytesRead === 0) {
      throw new TenantAnalyticsError(
        'INPUT_CORRUPT',
        `${this.#path}: expected ${this.#size} bytes, got ${this.#offset}: the file became shorter while it was read.`,
      );
    }
    this.#offset += bytesRead;
    return buffer.subarray(0, bytesRead);
  }

  async close(): Promise<void> {
    await this.#ahead?.catch(() => undefined);
    await this.#file.close();
  }
}

/** A gzip file cannot be entered in its middle: what lies before the offset is uncompressed and passed over. */
class GzipChunks implements ChunkReader {
  readonly #path: string;
  readonly #source: Readable;
  readonly #gunzip = createGunzip({ chunkSize: LIMITS.readBytes });
  readonly #chunks: AsyncIterator<Uint8Array>;
  #skip: number;

  constructor(path: string, size: number, offset: number) {
    this.#path = path;
    this.#skip = offset;
    this.#source = createReadStream(path, { end: Math.max(0, size - 1), highWaterMark: LIMITS.readBytes });
    this.#source.on('error', (error) => this.#gunzip.destroy(error));
    this.#chunks = this.#source.pipe(this.#gunzip)[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  }

  get consumed(): number {
    return this.#gunzip.bytesWritten;
  }

  async read(): Promise<Uint8Array | undefined> {
    for (;;) {
      const next = await this.#chunks.next().catch((error: unknown) => {
        throw new TenantAnalyticsError(
          'INPUT_CORRUPT',
          `${this.#path}: expected a whole gzip file, got one that breaks off or was changed (${messageOf(error)}).`,
          { cause: error },
        );
      });
      if (next.done === true) return undefined;
      const bytes = new Uint8Array(next.value.buffer, next.value.byteOffset, next.value.length);
      if (this.#skip < bytes.length) {
        const rest = bytes.subarray(this.#skip);
        this.#skip = 0;
        return rest;
      }
      this.#skip -= bytes.length;
    }
  }

  async close(): Promise<void> {
    this.#source.destroy();
    this.#gunzip.destroy();
    await this.#chunks.return?.();
  }
}
