import { open, readdir, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as z from 'zod';
import { TenantAnalyticsError } from '../../../base/errors.ts';
import type { FlinkCheckpoints } from '../cluster/flink-rest.ts';

/**
 * Writes a small file so that after a crash there is the old content or the new one, whole.
 * For its owner only: it names processes and paths of this machine.
 */
export async function keep(path: string, value: unknown): Promise<void> {
  const next = `${path}.next`;
  const file = await open(next, 'w', 0o600);
  try {
    await file.writeFile(`${JSON.stringify(value, undefined, 2)}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await rename(next, path);
}

/**
 * What was kept; undefined when nothing was.
 * @throws TenantAnalyticsError CHECKPOINT_CORRUPT when it cannot be read: to begin anew unasked would count twice
 */
export async function kept<T>(path: string, schema: z.ZodType<T>): Promise<T | undefined> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (text === undefined) return undefined;
  try {
    return schema.parse(JSON.parse(text));
  } catch (error) {
    const why = error instanceof z.ZodError ? z.prettifyError(error).replaceAll(/\s*\n\s*/g, ' ') : 'it is not JSON';
    throw new TenantAnalyticsError(
      'CHECKPOINT_CORRUPT',
      `${path}: expected what an earlier start wrote, got something else (${why}). Restore the file, or remove the folder it is in to begin anew.`,
      { cause: error },
    );
  }
}

/**
 * The newest whole state that a job left in a cluster's folder, as Flink takes it to go on from: a checkpoint, or the
 * savepoint with which it was stopped, for when a stop was cut short; undefined when there is none.
 */
export async function newestState(folder: string, jobID: string): Promise<string | undefined> {
  const checkpoints = await namesIn(join(folder, 'checkpoints', jobID), /^chk-\d+$/);
  // Flink names a savepoint by the first six digits of its job.
  const savepoints = await namesIn(join(folder, 'savepoints'), new RegExp(`^savepoint-${jobID.slice(0, 6)}-`));
  let newest: { path: string; at: number } | undefined;
  for (const path of [...checkpoints, ...savepoints]) {
    // Flink writes it last.
    const found = await stat(join(path, '_metadata')).catch(() => undefined);
    if (found === undefined || found.size === 0) continue;
    if (newest === undefined || found.mtimeMs > newest.at) newest = { path, at: found.mtimeMs };
  }
  return newest === undefined ? undefined : pathToFileURL(newest.path).href;
}

async function namesIn(folder: string, pattern: RegExp): Promise<string[]> {
  const names = await readdir(folder).catch(() => []);
  return names.filter((name) => pattern.test(name)).map((name) => join(folder, name));
}

/**
 * Where a job came to, as its cluster tells it: the last checkpoint or the last savepoint, whichever is newer. A job that was stopped
 * with a savepoint has no checkpoints any more, although the cluster still tells of the last one.
 */
export function latestState({ latest }: Pick<FlinkCheckpoints, 'latest'>): string | undefined {
  const { completed, savepoint } = latest;
  const isSavepoint = (savepoint?.id ?? -1) > (completed?.id ?? -1);
  return (isSavepoint ? savepoint : completed)?.external_path;
}
