import { stat } from 'node:fs/promises';
import { messageOf, systemCode, TenantAnalyticsError } from '../../base/errors.ts';
import { rowFiles } from '../../connectors/file/row-files.ts';
import type { RowsWorld, S3Rows } from '../../connectors/s3/s3-rows.ts';
import type { RowFile, RowFiles } from '../../services/dashboard/catch-up.ts';
import { folderOf } from './part-stores.ts';

const EXTENSION = '.jsonl';

/** How buckets are asked. */
export interface S3Place {
  readonly region: string;
  /** Of a local S3; '' is the region's. */
  readonly endpoint: string;
  readonly pathStyle: boolean;
  /** The flag or parameter that names the rows, for errors. */
  readonly parameter: string;
}

const AWS: S3Place = { region: 'us-west-2', endpoint: '', pathStyle: false, parameter: '--rows' };

export interface OpenRows {
  readonly files: RowFiles;
  /** Ends what is under way; nothing is left on this machine. */
  close(): Promise<void>;
}

/**
 * `place`: a path, a `file:` URL or `s3://bucket/prefix`; what is not there has no rows. Empty: none are read.
 * @throws TenantAnalyticsError INPUT_UNREADABLE, PARAMETER_INVALID or STORAGE_FAILED; a bucket is not asked yet
 */
export async function openRows(place: string, s3: S3Place | undefined, world: RowsWorld): Promise<OpenRows> {
  if (!place.startsWith('s3://')) return { files: place === '' ? [] : await filesOf(place), close: async () => {} };
  // Only now: the SDK takes a while to load, and who has a folder has no use for it.
  const connector = await import('../../connectors/s3/s3-rows.ts');
  const rows = await connector.S3Rows.open(place, EXTENSION, world, s3 ?? AWS);
  return { files: objectsOf(rows), close: () => rows.close() };
}

async function* objectsOf(rows: S3Rows): AsyncGenerator<RowFile> {
  for await (const { key, name, bytes } of rows.list()) yield { name, bytes, open: () => rows.fetch(key) };
}

async function filesOf(place: string): Promise<readonly RowFile[]> {
  const folder = place.startsWith('file:') ? folderOf(place) : place;
  try {
    await stat(folder);
  } catch (error) {
    if (systemCode(error) === 'ENOENT') return []; // nothing was written yet
    throw new TenantAnalyticsError('INPUT_UNREADABLE', `Cannot read ${folder}: ${messageOf(error)}.`, { cause: error });
  }
  const paths = await rowFiles(folder, EXTENSION);
  const files = await Promise.all(paths.map(sized));
  return files.filter((file) => file !== undefined);
}

/** Undefined when it is gone: a part that was taken back after a crash. */
async function sized(path: string): Promise<RowFile | undefined> {
  const open = async () => ({ path, release: async () => {} });
  return stat(path).then(
    ({ size }) => ({ name: path, bytes: size, open }),
    () => undefined,
  );
}
