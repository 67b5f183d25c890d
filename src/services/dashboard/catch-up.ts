import { messageOf } from '../../base/errors.ts';
import type { Applied, DashboardStore } from './store.ts';

/** A file of JSON rows, one a line. */
export interface RowFile {
  readonly path: string;
  readonly bytes: number;
}

/** Read at a time: memory is bounded by this, not by how much was ever written. */
const BATCH_BYTES = 192 * 1024 * 1024;
const BATCH_FILES = 1000;

/**
 * Applies the rows of files. DuckDB reads each file once. A file that cannot be read is told and left out: a part may be
 * taken back while it is read, and its rows come by the stream.
 */
export async function catchUp(
  store: Pick<DashboardStore, 'applyFiles'>,
  files: readonly RowFile[],
  warn: (message: string) => void,
  signal: AbortSignal,
  flipped: (flips: Applied['flips']) => void = () => undefined,
): Promise<{ readonly rows: number; readonly unusable: number }> {
  const done = { rows: 0, unusable: 0 };
  const apply = async (paths: readonly string[]): Promise<void> => {
    if (signal.aborted) return;
    try {
      const { fresh, unusable, flips } = await store.applyFiles(paths);
      flipped(flips);
      done.rows += fresh;
      done.unusable += unusable;
    } catch (error) {
      if (paths.length > 1) for (const path of paths) await apply([path]);
      else warn(`The dashboard left out the rows of ${paths[0]}: ${messageOf(error).split('\n')[0]}`);
    }
  };
  for (const batch of inBatches(files)) await apply(batch);
  return done;
}

function* inBatches(files: readonly RowFile[]): Generator<readonly string[]> {
  let batch: string[] = [];
  let total = 0;
  for (const { path, bytes } of files) {
    if (batch.length > 0 && (total + bytes > BATCH_BYTES || batch.length >= BATCH_FILES)) {
      yield batch;
      batch = [];
      total = 0;
    }
    batch.push(path);
    total += bytes;
  }
  if (batch.length > 0) yield batch;
}
