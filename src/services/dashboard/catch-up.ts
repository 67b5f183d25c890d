import { messageOf } from '../../base/errors.ts';
import { type Applied, type DashboardStore, firstLine, isOfDatabase } from './store.ts';

/** A file of JSON rows, one a line, wherever it lies. */
export interface RowFile {
  /** For people. */
  readonly name: string;
  readonly bytes: number;
  /** Makes it a file on this machine. Rejects when no other file can be had either. */
  open(): Promise<OpenRowFile | LeftOut>;
}

export interface OpenRowFile {
  readonly path: string;
  /** It is not needed any more. Never rejects. */
  release(): Promise<void>;
}

/** A file that is no loss to all others. */
export interface LeftOut {
  readonly why: string;
}

/** Asked for file after file, while others are read. */
export type RowFiles = AsyncIterable<RowFile> | Iterable<RowFile>;

export interface BatchLimits {
  /** Of one batch, unless a single file is larger. */
  readonly batchBytes: number;
  readonly batchFiles: number;
}

/** Read at a time: memory is bounded by this, not by how much was ever written. Twice as much is open at most. */
const LIMITS: BatchLimits = { batchBytes: 192 * 1024 * 1024, batchFiles: 1000 };
/** More files than these that are left out are counted only. */
const MOST_TOLD = 10;

interface OpenBatch {
  readonly files: readonly (OpenRowFile & { readonly name: string })[];
  readonly leftOut: readonly (LeftOut & { readonly name: string })[];
}

export interface CatchUpOptions {
  readonly warn: (message: string) => void;
  readonly signal: AbortSignal;
  readonly flipped?: (flips: Applied['flips']) => void;
  readonly limits?: BatchLimits;
}

/**
 * Applies the rows of files; while DuckDB reads some, the next are opened. Each is read once, and released then. One that
 * cannot be read is told and left out: a part may be taken back while it is read, and its rows come by the stream.
 * @throws what `files`, or the opening of one, rejects with, unless the signal is aborted
 */
export async function catchUp(
  store: Pick<DashboardStore, 'applyFiles'>,
  files: RowFiles,
  { warn, signal, flipped = () => undefined, limits = LIMITS }: CatchUpOptions,
): Promise<{ readonly rows: number; readonly unusable: number }> {
  const done = { rows: 0, unusable: 0 };
  let leftOut = 0;
  const leaveOut = (name: string, why: string) => {
    if (leftOut++ < MOST_TOLD) warn(`The dashboard left out the rows of ${name}: ${why}`);
  };
  const apply = async (batch: OpenBatch['files']): Promise<void> => {
    if (signal.aborted || batch.length === 0) return;
    try {
      const { fresh, unusable, flips } = await store.applyFiles(batch.map(({ path }) => path));
      flipped(flips);
      done.rows += fresh;
      done.unusable += unusable;
    } catch (error) {
      if (signal.aborted) return; // what was read may be released by now
      // A file that cannot be read is an error of input and output, too, and is left out.
      if (isOfDatabase(error) && !/^IO Error/i.test(messageOf(error))) throw error;
      const [first] = batch;
      if (batch.length > 1) for (const file of batch) await apply([file]);
      else if (first !== undefined) leaveOut(first.name, firstLine(error).replaceAll(first.path, first.name));
    }
  };
  const batches = inBatches(files, limits);
  const nextBatch = async (): Promise<OpenBatch | undefined> => {
    if (signal.aborted) return undefined;
    const next = await batches.next();
    return next.done === true ? undefined : opened(next.value);
  };
  let next = nextBatch();
  try {
    for (;;) {
      const batch = await next;
      if (batch === undefined) break;
      next = nextBatch();
      next.catch(() => undefined); // it is awaited once this one is done
      for (const { name, why } of batch.leftOut) leaveOut(name, why);
      await apply(batch.files);
      await releaseAll(batch.files);
    }
  } catch (error) {
    if (!signal.aborted) throw error;
  }
  if (leftOut > MOST_TOLD) warn(`The dashboard left out the rows of ${leftOut - MOST_TOLD} more files.`);
  return done;
}

/** All of them; what is open when one fails is released. */
async function opened(files: readonly RowFile[]): Promise<OpenBatch> {
  const opening = files.map(async (file) => ({ name: file.name, ...(await file.open()) }));
  const all = await Promise.all(opening).catch((error: unknown) => {
    for (const each of opening) {
      each.then(
        (file) => ('path' in file ? file.release() : undefined),
        () => undefined,
      );
    }
    throw error;
  });
  return { files: all.filter((file) => 'path' in file), leftOut: all.filter((file) => 'why' in file) };
}

async function releaseAll(files: readonly OpenRowFile[]): Promise<void> {
  await Promise.all(files.map((file) => file.release()));
}

async function* inBatches(files: RowFiles, limits: BatchLimits): AsyncGenerator<readonly RowFile[], undefined> {
  let batch: RowFile[] = [];
  let total = 0;
  for await (const file of files) {
    if (batch.length > 0 && (total + file.bytes > limits.batchBytes || batch.length >= limits.batchFiles)) {
      yield batch;
      batch = [];
      total = 0;
    }
    batch.push(file);
    total += file.bytes;
  }
  if (batch.length > 0) yield batch;
  return undefined;
}
