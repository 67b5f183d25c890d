import { messageOf, storageError, TenantAnalyticsError } from '../../base/errors.ts';
import type { Limits } from '../../base/limits.ts';
import { Slots } from '../../base/slots.ts';
import type { World } from '../../runtime/ports.ts';
import type { FoundPart, PartName, PartNames } from '../file/part-names.ts';
import { lostPart, type PartShelf } from '../file/part-shelf.ts';
import { type GivesUp, Persistence } from './persistence.ts';
import { type BucketOptions, S3Bucket } from './s3-bucket.ts';
import { refusedAtStart, S3Failure } from './s3-failure.ts';
import { S3Upload } from './s3-upload.ts';

/** Calls at a time while it is looked what is there. */
const LISTINGS = 8;
/** A first start that never reached the bucket is more likely a wrong name than an outage. */
const FIRST_START_ATTEMPTS = 5;

export interface S3ShelfSetting extends BucketOptions {
  /** `s3://bucket/prefix` */
  readonly path: string;
  /** Where parts grow, and wait for their upload. */
  readonly spool: string;
  readonly limits: Pick<
    Limits,
    'finishedPartBytes' | 'pressureHighBytes' | 'spoolBytes' | 'uploads' | 'uploadPieceBytes'
  >;
}

/** A shelf for a `FilePartStore` whose folder is `setting.spool`. */
export function s3Shelf(
  world: World,
  setting: S3ShelfSetting,
): (names: PartNames, onFailure: (error: unknown) => void) => PartShelf {
  return (names, onFailure) => new S3Shelf(world, setting, names, onFailure);
}

/**
 * Parts become visible as objects `<prefix>/<partition>/part-<run>-<sequence>.<extension>`, each by one PutObject, or by
 * the end of one multipart upload.
 *
 * Invariants:
 * - The local file is there until its object is; which of the two it is, a restart sees by looking.
 * - An upload holds up nothing but what comes after the spool is full. It is begun only after a durable checkpoint says
 *   that the part is complete, and repeated with the same bytes under the same key until S3 has taken it.
 */
class S3Shelf implements PartShelf {
  readonly #world: World;
  readonly #setting: S3ShelfSetting;
  readonly #names: PartNames;
  readonly #onFailure: (error: unknown) => void;
  readonly #bucket: S3Bucket;
  readonly #persistence: Persistence;
  readonly #slots: Slots;
  readonly #underWay = new Set<Promise<void>>();
  /** Keys of visible parts, as `find` saw them; needed until parts are revealed again. */
  #visible = new Set<string>();

  constructor(world: World, setting: S3ShelfSetting, names: PartNames, onFailure: (error: unknown) => void) {
    this.#world = world;
    this.#setting = setting;
    this.#names = names;
    this.#onFailure = onFailure;
    this.#bucket = new S3Bucket(setting.path, setting);
    this.#persistence = new Persistence(world, this.#bucket.place, this.#bucket.signal);
    this.#slots = new Slots(setting.limits.uploads);
  }

  /** @throws TenantAnalyticsError S3_REFUSED */
  async check(isFirstStart: boolean): Promise<void> {
    const most = isFirstStart ? FIRST_START_ATTEMPTS : Number.POSITIVE_INFINITY;
    await this.#atStart(
      () => this.#bucket.check(),
      (failure, failures) => failure.kind === 'refused' || failures >= most,
    );
  }

  async #atStart<T>(work: () => Promise<T>, givesUp: GivesUp = ({ kind }) => kind === 'refused'): Promise<T> {
    try {
      return await this.#persistence.call(work, givesUp);
    } catch (error) {
      throw error instanceof S3Failure ? refusedAtStart(this.#bucket.place, error) : error;
    }
  }

  async find(): Promise<readonly FoundPart[]> {
    const hidden = await this.#names.find(this.#world.files);
    const folders = await this.#atStart(() => this.#bucket.folders());
    const slots = new Slots(LISTINGS);
    const listed = await Promise.all(folders.map((folder) => this.#findIn(folder, slots)));
    const visible = listed.flat();
    this.#visible = new Set(visible.map((part) => this.#key(part)));
    return [...hidden.filter((part) => part.hidden), ...visible];
  }

  async #findIn(partition: string, slots: Slots): Promise<FoundPart[]> {
    const folder = `${this.#bucket.prefix}${partition}/`;
    await slots.take();
    try {
      const keys = await this.#atStart(() => this.#bucket.keys(`${folder}part-${this.#names.runID}-`));
      return keys.flatMap((key) => this.#names.read(partition, key.slice(folder.length)) ?? []);
    } finally {
      slots.give();
    }
  }

  /** Multipart uploads that a run before this one left behind are aborted, too. */
  async remove(parts: readonly FoundPart[]): Promise<void> {
    const { files } = this.#world;
    const hidden = parts.filter((part) => part.hidden);
    for (const part of hidden) await files.remove(this.#names.path(part, true));
    for (const folder of new Set(hidden.map((part) => this.#names.folder(part)))) await files.syncFolder(folder);
    for (const part of parts) if (!part.hidden) await this.#removeObject(this.#key(part));
    await this.#abortLeftovers();
  }

  async #removeObject(key: string): Promise<void> {
    await this.#atStart(() => this.#bucket.remove(key));
    this.#visible.delete(key);
  }

  /** They cost money, and harm nothing: where they cannot be listed, rows are written all the same. */
  async #abortLeftovers(): Promise<void> {
    try {
      const started = await this.#atStart(() => this.#bucket.startedUploads());
      for (const upload of started) {
        const [partition = '', name = '', ...more] = upload.key.slice(this.#bucket.prefix.length).split('/');
        if (more.length > 0 || this.#names.read(partition, name) === undefined) continue;
        await this.#atStart(() => this.#bucket.abortUpload(upload));
      }
    } catch (error) {
      if (!(error instanceof TenantAnalyticsError && error.code === 'S3_REFUSED')) throw error;
      this.#world.warn(`Multipart uploads that were left behind cannot be aborted: ${messageOf(error)}`);
    }
  }

  async takeBack(part: PartName): Promise<void> {
    const key = this.#key(part);
    const isVisible = this.#visible.has(key);
    if ((await this.#world.files.size(this.#names.path(part, true))) === undefined) {
      if (!isVisible) throw this.#lost(part);
      await this.#atStart(() => this.#fetch(part));
    }
    if (isVisible) await this.#removeObject(key);
  }

  /** Its bytes are durable before they have the name under which they count. */
  async #fetch(part: PartName): Promise<void> {
    const { files } = this.#world;
    const fetched = `${this.#setting.spool}/.fetched`;
    await files.makeFolder(this.#names.folder(part));
    const file = await files.openAt(fetched, 0);
    try {
      await this.#bucket.read(this.#key(part), (bytes) => file.append(bytes));
      await file.sync();
    } finally {
      await file.close();
    }
    await files.rename(fetched, this.#names.path(part, true));
    await files.syncFolder(this.#names.folder(part));
  }

  async expect(part: PartName): Promise<number | undefined> {
    const bytes = await this.#world.files.size(this.#names.path(part, true));
    if (bytes !== undefined) return bytes;
    if (await this.#atStart(() => this.#bucket.has(this.#key(part)))) return undefined;
    throw this.#lost(part);
  }

  async reveal(parts: readonly PartName[], revealed: (part: PartName) => void): Promise<void> {
    this.#visible.clear();
    for (const part of parts) {
      const uploaded = this.#upload(part, revealed).finally(() => this.#underWay.delete(uploaded));
      this.#underWay.add(uploaded);
    }
  }

  /** Never rejects. */
  async #upload(part: PartName, revealed: (part: PartName) => void): Promise<void> {
    const { files, probe } = this.#world;
    const path = this.#names.path(part, true);
    await this.#slots.take();
    try {
      if (this.#bucket.signal.aborted) return;
      const bytes = await files.size(path);
      if (bytes === undefined) {
        if (!(await this.#persistence.call(() => this.#bucket.has(this.#key(part))))) throw this.#lost(part);
      } else {
        const upload = new S3Upload(this.#bucket, this.#key(part), path, bytes, this.#setting.limits.uploadPieceBytes);
        await this.#persistence.call(() => upload.goOn());
        probe('sink:part-renamed');
        await files.remove(path);
        probe('sink:commit-synced');
      }
      revealed(part);
    } catch (error) {
      if (!this.#bucket.signal.aborted) this.#onFailure(storageError(error, `Cannot upload ${path}`));
    } finally {
      this.#slots.give();
    }
  }

  /** So that `spoolBytes` of them hold the source, and so do many small ones. */
  pressureOf(bytes: number): number {
    const { finishedPartBytes, pressureHighBytes, spoolBytes } = this.#setting.limits;
    return Math.max(finishedPartBytes, Math.ceil((bytes * pressureHighBytes) / spoolBytes));
  }

  /** Does not wait for uploads: the next start goes on with them. */
  async close(): Promise<void> {
    this.#bucket.close();
    await Promise.all(this.#underWay);
  }

  #key(part: PartName): string {
    return `${this.#bucket.prefix}${part.partition}/${this.#names.visibleName(part)}`;
  }

  #lost(part: PartName): TenantAnalyticsError {
    return lostPart(`${this.#names.path(part, true)}, or ${this.#key(part)} in ${this.#bucket.place}`);
  }
}
