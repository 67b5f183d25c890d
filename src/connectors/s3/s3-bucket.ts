import type { Readable } from 'node:stream';
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  DeleteObjectCommand,
  GetObjectCommand,
  HeadObjectCommand,
  ListMultipartUploadsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
  UploadPartCommand,
} from '@aws-sdk/client-s3';
import { onAbort } from '../../base/abort.ts';
import { TenantAnalyticsError } from '../../base/errors.ts';
import { S3Failure, s3Failure } from './s3-failure.ts';

/** The SDK tells the console of each request that it does not repeat; what a person should know, we tell. */
const nothing = () => undefined;
const SILENT = { trace: nothing, debug: nothing, info: nothing, warn: nothing, error: nothing };

export interface BucketOptions {
  readonly region: string;
  /** Empty: the region's. */
  readonly endpoint: string;
  readonly pathStyle: boolean;
  /** The parameter that names the path, for errors. */
  readonly parameter: string;
  readonly connectMs?: number;
  /** A connection on which nothing moves for so long is given up. */
  readonly silenceMs?: number;
}

/** Bytes on their way to S3, with their MD5 in base64: what arrives is what was on disk, or nothing. */
export interface Piece {
  readonly body: Readable;
  readonly bytes: number;
  readonly md5: string;
}

export interface StartedUpload {
  readonly key: string;
  readonly id: string;
}

export interface FoundObject {
  readonly key: string;
  readonly bytes: number;
}

/**
 * One `s3://bucket/prefix`, as this program asks it. Nothing is retried here. Every method throws S3Failure, at once when
 * the signal is aborted; after that nothing more is sent.
 */
export class S3Bucket {
  /** For messages: `S3SinkPath s3://bucket/prefix`. */
  readonly place: string;
  /** Before each key: `prefix/`, or empty. */
  readonly prefix: string;
  readonly #bucket: string;
  readonly #client: S3Client;
  readonly #over = new AbortController();

  /** @throws TenantAnalyticsError PARAMETER_INVALID when the path is not `s3://bucket` or `s3://bucket/prefix` */
  constructor(path: string, options: BucketOptions) {
    const match = /^s3:\/\/([^/\s]+)(?:\/(.*))?$/.exec(path);
    if (match?.[1] === undefined) {
      throw new TenantAnalyticsError(
        'PARAMETER_INVALID',
        `${options.parameter}: expected s3://bucket/prefix, got ${path}`,
      );
    }
    this.place = `${options.parameter} ${path}`;
    this.#bucket = match[1];
    const prefix = (match[2] ?? '').replace(/\/+$/, '');
    this.prefix = prefix === '' ? '' : `${prefix}/`;
    this.#client = new S3Client({
      region: options.region,
      ...(options.endpoint === '' ? {} : { endpoint: options.endpoint }),
      forcePathStyle: options.pathStyle,
      maxAttempts: 1, // retries are ours: without end, and told of
      logger: SILENT,
      requestHandler: {
        connectionTimeout: options.connectMs ?? 5000,
        socketTimeout: options.silenceMs ?? 30_000,
      },
      // MD5 serves, on every S3 there is; the newer checksums are not known to all of them.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
    });
  }

  /** Ends what is under way. */
  close(): void {
    this.#over.abort();
    this.#client.destroy();
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  /** Whether it is there and may be listed. */
  async check(): Promise<void> {
    const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: this.prefix, MaxKeys: 1 });
    await this.#ask((abortSignal) => this.#client.send(command, { abortSignal }));
  }

  /** Up to a thousand of the objects under the prefix, in the order of their keys, from where the page before ended. */
  async objects(from?: string): Promise<{ readonly objects: readonly FoundObject[]; readonly next?: string }> {
    const page = { Prefix: this.prefix, ContinuationToken: from };
    const command = new ListObjectsV2Command({ Bucket: this.#bucket, ...page });
    const listed = await this.#ask((abortSignal) => this.#client.send(command, { abortSignal }));
    const objects = (listed.Contents ?? []).flatMap(({ Key, Size = 0 }) =>
      Key === undefined ? [] : [{ key: Key, bytes: Size }],
    );
    if (listed.IsTruncated !== true) return { objects };
    return { objects, next: present(listed.NextContinuationToken, 'where the list goes on') };
  }

  /** The folders directly under the prefix, without it and without slashes. */
  async folders(): Promise<string[]> {
    const { prefixes } = await this.#list(this.prefix, '/');
    return prefixes.map((folder) => folder.slice(this.prefix.length, -1));
  }

  /** The keys that start with this. */
  async keys(start: string): Promise<string[]> {
    return (await this.#list(start, undefined)).keys;
  }

  async #list(start: string, delimiter: string | undefined): Promise<{ keys: string[]; prefixes: string[] }> {
    const keys: string[] = [];
    const prefixes: string[] = [];
    let token: string | undefined;
    do {
      const page = { ContinuationToken: token, Delimiter: delimiter };
      const command = new ListObjectsV2Command({ Bucket: this.#bucket, Prefix: start, ...page });
      const listed = await this.#ask((abortSignal) => this.#client.send(command, { abortSignal }));
      for (const { Key } of listed.Contents ?? []) if (Key !== undefined) keys.push(Key);
      for (const { Prefix } of listed.CommonPrefixes ?? []) if (Prefix !== undefined) prefixes.push(Prefix);
      token = listed.IsTruncated === true ? listed.NextContinuationToken : undefined;
    } while (token !== undefined);
    return { keys, prefixes };
  }

  async has(key: string): Promise<boolean> {
    const command = new HeadObjectCommand({ Bucket: this.#bucket, Key: key });
    try {
      await this.#ask((abortSignal) => this.#client.send(command, { abortSignal }));
      return true;
    } catch (error) {
      if (error instanceof S3Failure && (error.code === 'NotFound' || error.code === 'NoSuchKey')) return false;
      throw error;
    }
  }

  /** Hands over the bytes of an object, piece by piece; resolves with how many there were, once all have come. */
  async read(key: string, take: (bytes: Uint8Array) => Promise<void>): Promise<number> {
    const command = new GetObjectCommand({ Bucket: this.#bucket, Key: key });
    const { Body, ContentLength } = await this.#ask((abortSignal) => this.#client.send(command, { abortSignal }));
    const body = Body as Readable;
    const end = onAbort(this.signal, () => body.destroy(new Error('the run is over')));
    let bytes = 0;
    const chunks = body[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    try {
      for (;;) {
        const next = await chunks.next().catch((error: unknown) => Promise.reject(s3Failure(error)));
        if (next.done === true) break;
        bytes += next.value.length;
        await take(next.value);
      }
    } finally {
      end();
      body.destroy();
    }
    if (bytes === ContentLength) return bytes;
    throw new S3Failure('away', 'IncompleteBody', `${key}: expected ${ContentLength} bytes, got ${bytes}`);
  }

  async put(key: string, piece: Piece): Promise<void> {
    const command = new PutObjectCommand({ Bucket: this.#bucket, Key: key, ...inputOf(piece) });
    await this.#ask((abortSignal) => this.#client.send(command, { abortSignal }));
  }

  /** No error when it is not there. */
  async remove(key: string): Promise<void> {
    const command = new DeleteObjectCommand({ Bucket: this.#bucket, Key: key });
    await this.#ask((abortSignal) => this.#client.send(command, { abortSignal }));
  }

  async beginUpload(key: string): Promise<StartedUpload> {
    const command = new CreateMultipartUploadCommand({ Bucket: this.#bucket, Key: key });
    const { UploadId } = await this.#ask((abortSignal) => this.#client.send(command, { abortSignal }));
    return { key, id: present(UploadId, 'an upload id') };
  }

  /** The entity tag of the piece; pieces are numbered from 1. */
  async putPiece(upload: StartedUpload, number: number, piece: Piece): Promise<string> {
    const of = { Bucket: this.#bucket, Key: upload.key, UploadId: upload.id, PartNumber: number };
    const command = new UploadPartCommand({ ...of, ...inputOf(piece) });
    const { ETag } = await this.#ask((abortSignal) => this.#client.send(command, { abortSignal }));
    return present(ETag, 'an entity tag');
  }

  /** The object becomes visible, whole. */
  async completeUpload(upload: StartedUpload, tags: readonly string[]): Promise<void> {
    const Parts = tags.map((ETag, index) => ({ ETag, PartNumber: index + 1 }));
    const of = { Bucket: this.#bucket, Key: upload.key, UploadId: upload.id };
    const command = new CompleteMultipartUploadCommand({ ...of, MultipartUpload: { Parts } });
    await this.#ask((abortSignal) => this.#client.send(command, { abortSignal }));
  }

  /** Multipart uploads under the prefix that were neither completed nor aborted. */
  async startedUploads(): Promise<StartedUpload[]> {
    const started: StartedUpload[] = [];
    let from: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
    while (from !== undefined) {
      const command: ListMultipartUploadsCommand = new ListMultipartUploadsCommand({
        Bucket: this.#bucket,
        Prefix: this.prefix,
        ...from,
      });
      const listed = await this.#ask((abortSignal) => this.#client.send(command, { abortSignal }));
      for (const { Key, UploadId } of listed.Uploads ?? []) {
        if (Key !== undefined && UploadId !== undefined) started.push({ key: Key, id: UploadId });
      }
      const { IsTruncated, NextKeyMarker = '', NextUploadIdMarker = '' } = listed;
      from = IsTruncated === true ? { KeyMarker: NextKeyMarker, UploadIdMarker: NextUploadIdMarker } : undefined;
    }
    return started;
  }

  /** No error when it is not there any more. */
  async abortUpload({ key, id }: StartedUpload): Promise<void> {
    const command = new AbortMultipartUploadCommand({ Bucket: this.#bucket, Key: key, UploadId: id });
    try {
      await this.#ask((abortSignal) => this.#client.send(command, { abortSignal }));
    } catch (error) {
      if (!(error instanceof S3Failure && error.kind === 'upload-gone')) throw error;
    }
  }

  /** The SDK heeds a signal only once it has credentials and a connection: one that waits for those must end, too. */
  async #ask<T>(send: (signal: AbortSignal) => Promise<T>): Promise<T> {
    const { signal } = this;
    const over = () => new S3Failure('away', 'Stopped', 'the run is over');
    if (signal.aborted) throw over();
    let takeBack: () => void = () => undefined;
    const ended = new Promise<never>((_resolve, reject) => {
      takeBack = onAbort(signal, () => reject(over()));
    });
    try {
      return await Promise.race([send(signal), ended]);
    } catch (error) {
      throw s3Failure(error);
    } finally {
      takeBack();
    }
  }
}

function inputOf({ body, bytes, md5 }: Piece): { Body: Readable; ContentLength: number; ContentMD5: string } {
  return { Body: body, ContentLength: bytes, ContentMD5: md5 };
}

function present(value: string | undefined, what: string): string {
  if (value !== undefined) return value;
  throw new S3Failure('away', 'NotAnAnswer', `expected ${what} in the answer of S3, got none`);
}
