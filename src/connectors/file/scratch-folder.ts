import { access, mkdtemp, readdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';
import { lockFolder } from './folder-lock.ts';

const PREFIX = 'tenant-analytics-scratch-';
const ATTEMPTS = 5;

/** A folder of this process for files that nobody needs after it. */
export interface ScratchFolder {
  readonly path: string;
  /** Removes it with all that is in it. */
  release(): Promise<void>;
}

/**
 * Makes one in `parent`. Those that processes left behind that were killed are removed: nobody holds their lock.
 * @throws TenantAnalyticsError STORAGE_FAILED
 */
export async function scratchFolder(parent = tmpdir()): Promise<ScratchFolder> {
  await removeLeftovers(parent);
  for (let attempt = 1; ; attempt++) {
    try {
      const path = await mkdtemp(join(parent, PREFIX));
      const lock = await lockFolder(path);
      return {
        path,
        async release() {
          await rm(path, { recursive: true, force: true });
          await lock.release();
        },
      };
    } catch (error) {
      // Another process may have taken it for a leftover, before it was locked.
      if (attempt < ATTEMPTS) continue;
      const message = `Cannot make a temporary folder in ${parent}: ${messageOf(error)}. Name another with TMPDIR.`;
      throw new TenantAnalyticsError('STORAGE_FAILED', message, { cause: error });
    }
  }
}

async function removeLeftovers(parent: string): Promise<void> {
  const names = await readdir(parent).catch(() => []);
  for (const name of names.filter((each) => each.startsWith(PREFIX))) {
    const path = join(parent, name);
    try {
      await access(join(path, 'lock')); // without one, it is being made
      const lock = await lockFolder(path);
      await rm(path, { recursive: true, force: true });
      await lock.release();
    } catch {
      // in use, of another user, or gone
    }
  }
}
