import { createHash } from 'node:crypto';
import { createReadStream } from 'node:fs';
import { lostPart } from '../file/part-shelf.ts';
import type { Piece, S3Bucket, StartedUpload } from './s3-bucket.ts';
import { S3Failure } from './s3-failure.ts';

/** What S3 takes at most. */
const MOST_PIECES = 10_000;

/** One local file on its way into one object. Read from disk as it is sent: memory holds a buffer of it, never the file. */
export class S3Upload {
  readonly #bucket: S3Bucket;
  readonly #key: string;
  readonly #path: string;
  readonly #bytes: number;
  readonly #pieceBytes: number;
  #started: StartedUpload | undefined;
  /** Of the pieces that have arrived. */
  #tags: string[] = [];

  constructor(bucket: S3Bucket, key: string, path: string, bytes: number, pieceBytes: number) {
    this.#bucket = bucket;
    this.#key = key;
    this.#path = path;
    this.#bytes = bytes;
    this.#pieceBytes = Math.max(pieceBytes, Math.ceil(bytes / MOST_PIECES));
  }

  /**
   * The object is there, whole, once this resolves. Called again after a failure it goes on with the piece that failed.
   * @throws S3Failure; or what reading the file throws, OUTPUT_LOST when it is shorter than it was
   */
  async goOn(): Promise<void> {
    if (this.#bytes <= this.#pieceBytes) {
      await this.#send(0, this.#bytes, (piece) => this.#bucket.put(this.#key, piece));
      return;
    }
    try {
      await this.#goOnInPieces();
    } catch (error) {
      // Perhaps it was completed, and the answer was lost; the same bytes under the same key do no harm.
      if (error instanceof S3Failure && error.kind === 'upload-gone') this.#beginAnew();
      throw error;
    }
  }

  #beginAnew(): void {
    this.#started = undefined;
    this.#tags = [];
  }

  async #goOnInPieces(): Promise<void> {
    this.#started ??= await this.#bucket.beginUpload(this.#key);
    const started = this.#started;
    for (let from = this.#tags.length * this.#pieceBytes; from < this.#bytes; from += this.#pieceBytes) {
      const bytes = Math.min(this.#pieceBytes, this.#bytes - from);
      const number = this.#tags.length + 1;
      this.#tags.push(await this.#send(from, bytes, (piece) => this.#bucket.putPiece(started, number, piece)));
    }
    await this.#bucket.completeUpload(started, this.#tags);
  }

  /** Reads twice, the second time from the page cache: the digest goes ahead of the bytes. */
  async #send<T>(from: number, bytes: number, send: (piece: Piece) => Promise<T>): Promise<T> {
    const range = { start: from, end: from + bytes - 1, highWaterMark: 256 * 1024 };
    const hash = createHash('md5');
    let read = 0;
    for await (const chunk of createReadStream(this.#path, range) as AsyncIterable<Uint8Array>) {
      hash.update(chunk);
      read += chunk.length;
    }
    if (read !== bytes) throw lostPart(this.#path);
    const body = createReadStream(this.#path, range);
    body.on('error', () => undefined); // the call that sends it fails
    try {
      return await send({ body, bytes, md5: hash.digest('base64') });
    } finally {
      body.destroy();
    }
  }
}
