import { type FileHandle, open, readFile } from 'node:fs/promises';
import { TenantAnalyticsError } from '../../base/errors.ts';

/**
 * Holds `<folder>/lock` for this process, by a lock of the kernel: it is gone with the process, however that ends, and
 * no stale file can keep a restart out.
 * @throws TenantAnalyticsError LOCKED when another process holds it
 */
export async function lockFolder(folder: string): Promise<{ release(): Promise<void> }> {
  // Only now: commands that hold no folder start without it (the model's image has no packages).
  const { tryLock } = await import('fs-native-extensions');
  const path = `${folder}/lock`;
  const file: FileHandle = await open(path, 'a+');
  if (!tryLock(file.fd)) {
    await file.close();
    const holder = (await readFile(path, 'utf8').catch(() => '')).trim() || 'unknown';
    throw new TenantAnalyticsError(
      'LOCKED',
      `${folder} is in use by process ${holder}. Wait until it ends, stop it, or choose another folder.`,
    );
  }
  await nameHolder(file);
  return { release: () => file.close() };
}

/** For who is refused; the lock holds without it, also on a full disk. */
async function nameHolder(file: FileHandle): Promise<void> {
  try {
    await file.truncate(0);
    await file.write(`${process.pid}\n`);
  } catch {
    // told by the first write that matters
  }
}
