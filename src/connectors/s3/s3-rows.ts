import { open, rm } from 'node:fs/promises';
import { messageOf, storageError, TenantAnalyticsError } from '../../base/errors.ts';
import { Slots } from '../../base/slots.ts';
import type { World } from '../../runtime/ports.ts';
import { isRowFile } from '../file/row-files.ts';
import { type ScratchFolder, scratchFolder } from '../file/scratch-folder.ts';
import { type OutageTexts, Persistence } from './persistence.ts';
import { type BucketOptions, type FoundObject, S3Bucket } from './s3-bucket.ts';
import { S3Failure } from './s3-failure.ts';

/** Objects that are fetched at a time. */
const FETCHES = 4;

const ROWS_FROM_S3: OutageTexts = {
  refused: refusedText,
  away: (place, failure) =>
    `${place} cannot be read: ${failure.message}. It is tried again until it can; until then rows are missing.`,
  over: (place) => `${place} is read again.`,
};

/** What a person can do about it, by the name of the failure. */
const MENDING: Readonly<Record<string, string>> = {
  NoSuchBucket: 'Make the bucket, or mend its name.',
  AccessDenied: 'Allow s3:ListBucket on the bucket, and s3:GetObject on its objects.',
  PermanentRedirect: 'The bucket is in another region: name that.',
  AuthorizationHeaderMalformed: 'The bucket is in another region: name that.',
  IllegalLocationConstraintException: 'The bucket is in another region: name that.',
  InvalidAccessKeyId: 'Give other credentials (AWS_ACCESS_KEY_ID, a profile, a role).',
  SignatureDoesNotMatch: 'Give the secret key that belongs to the access key.',
  CredentialsProviderError:
    'Give credentials: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, a profile (AWS_PROFILE), or a role.',
};

/** Failures of one object that say nothing of the others. */
const OF_ONE_OBJECT: Readonly<Record<string, string>> = {
  NoSuchKey: 'it is not there any more.',
  NotFound: 'it is not there any more.',
  InvalidObjectState: 'it is archived; restore it, and start again.',
};

/** A file that was fetched, or why it cannot be had. */
export type Fetched = { readonly path: string; release(): Promise<void> } | { readonly why: string };

/**
 * The committed objects of rows under one `s3://bucket/prefix`, fetched one by one to a temporary folder, which is removed
 * by `close`, or by the next one that is opened here after a crash. A bucket that is away is tried again until it answers,
 * with back-off and full jitter; one that refuses is an error.
 */
export class S3Rows {
  readonly #bucket: S3Bucket;
  readonly #path: string;
  readonly #extension: string;
  readonly #persistence: Persistence;
  readonly #folder: ScratchFolder;
  readonly #slots = new Slots(FETCHES);
  readonly #underWay = new Set<Promise<unknown>>();
  #fetched = 0;

  private constructor(bucket: S3Bucket, path: string, extension: string, world: RowsWorld, folder: ScratchFolder) {
    this.#bucket = bucket;
    this.#path = path;
    this.#extension = extension;
    this.#persistence = new Persistence(world, bucket.place, bucket.signal, ROWS_FROM_S3);
    this.#folder = folder;
  }

  /** @throws TenantAnalyticsError PARAMETER_INVALID, or STORAGE_FAILED */
  static async open(
    path: string,
    extension: string,
    world: RowsWorld,
    { scratch, ...options }: S3RowsOptions,
  ): Promise<S3Rows> {
    const bucket = new S3Bucket(path, options);
    try {
      return new S3Rows(bucket, path.split('/').slice(0, 3).join('/'), extension, world, await scratchFolder(scratch));
    } catch (error) {
      bucket.close();
      throw error;
    }
  }

  /**
   * In the order of their keys, so by date; page by page, as they are asked for.
   * @throws TenantAnalyticsError S3_REFUSED, or STOPPED after `close`
   */
  async *list(): AsyncGenerator<FoundObject & { readonly name: string }, undefined> {
    const { prefix } = this.#bucket;
    let from: string | undefined;
    do {
      const page = await this.#ask(() => this.#bucket.objects(from));
      for (const object of page.objects) {
        const isWanted = object.bytes > 0 && isRowFile(object.key.slice(prefix.length), this.#extension);
        if (isWanted) yield { ...object, name: `${this.#path}/${object.key}` };
      }
      from = page.next;
    } while (from !== undefined);
    return undefined;
  }

  /** @throws TenantAnalyticsError S3_REFUSED, STORAGE_FULL, STORAGE_FAILED, or STOPPED after `close` */
  fetch(key: string): Promise<Fetched> {
    const fetching = this.#fetch(key).finally(() => this.#underWay.delete(fetching));
    this.#underWay.add(fetching);
    return fetching;
  }

  async close(): Promise<void> {
    this.#bucket.close();
    await Promise.allSettled(this.#underWay);
    await this.#folder.release();
  }

  async #fetch(key: string): Promise<Fetched> {
    const path = `${this.#folder.path}/${++this.#fetched}${this.#extension}`;
    const release = () => rm(path, { force: true }).catch(() => undefined); // what is left goes with the folder
    await this.#slots.take();
    try {
      const why = await this.#ask(() => this.#download(key, path));
      if (why === undefined) return { path, release };
      await release();
      return { why };
    } catch (error) {
      await release();
      throw error;
    } finally {
      this.#slots.give();
    }
  }

  /** From the beginning, whatever came before; undefined when all of it is there. */
  async #download(key: string, path: string): Promise<string | undefined> {
    const file = await open(path, 'w').catch((error: unknown) => this.#cannotWrite(error));
    try {
      await this.#bucket.read(key, async (bytes) => {
        await file.writeFile(bytes).catch((error: unknown) => this.#cannotWrite(error));
      });
      return undefined;
    } catch (error) {
      const why = error instanceof S3Failure ? OF_ONE_OBJECT[error.code] : undefined;
      if (why === undefined) throw error;
      return why;
    } finally {
      await file.close();
    }
  }

  async #ask<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await this.#persistence.call(work, ({ kind }) => kind === 'refused');
    } catch (error) {
      if (!(error instanceof S3Failure)) throw error;
      throw new TenantAnalyticsError('S3_REFUSED', refusedText(this.#bucket.place, error), { cause: error });
    }
  }

  #cannotWrite(error: unknown): never {
    const { code } = storageError(error, '');
    throw new TenantAnalyticsError(
      code,
      `Cannot keep rows of ${this.#bucket.place} in ${this.#folder.path}: ${messageOf(error)}. Free some space, or name another folder with TMPDIR, and start again.`,
      { cause: error },
    );
  }
}

export type RowsWorld = Pick<World, 'random' | 'sleep' | 'warn'>;

export interface S3RowsOptions extends BucketOptions {
  /** Where the temporary folder is made; the system's, unless given. */
  readonly scratch?: string;
}

function refusedText(place: string, failure: S3Failure): string {
  const mending =
    MENDING[failure.code] ?? 'Mend bucket, region, endpoint or permissions (s3:ListBucket, s3:GetObject).';
  return `${place}: expected a bucket whose rows can be read, got ${failure.message}. ${mending}`;
}
