import { constants } from 'node:fs';
import { type FileHandle, mkdir, open, readdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { systemCode, TenantAnalyticsError } from '../../base/errors.ts';
import type { FileSystem, FolderEntry, WritableFile } from '../../runtime/ports.ts';

/** Folders whose names were made durable by this process. Another may have died between making one and syncing it. */
const durableFolders = new Set<string>();

/** The file system of this machine. */
export const nodeFileSystem: FileSystem = {
  async makeFolder(path) {
    const created = await mkdir(path, { recursive: true });
    if (created === undefined && durableFolders.has(path)) return;
    const topmost = created ?? path;
    for (let folder = path; folder.length >= topmost.length; folder = dirname(folder)) {
      await syncFolder(dirname(folder));
      durableFolders.add(folder);
    }
  },

  async list(path): Promise<readonly FolderEntry[]> {
    const entries = await readdir(path, { withFileTypes: true }).catch(unlessMissing([]));
    return entries.map((entry) => ({ name: entry.name, isFolder: entry.isDirectory() }));
  },

  read: (path) => readFile(path),

  async size(path) {
    return (await stat(path).catch(unlessMissing(undefined)))?.size;
  },

  async openAt(path, length) {
    const file = await open(path, constants.O_RDWR | constants.O_CREAT, 0o644);
    try {
      const { size } = await file.stat();
      if (size < length) {
        throw new TenantAnalyticsError(
          'OUTPUT_LOST',
          `${path}: expected at least ${length} bytes, as the checkpoint says, got ${size}. The file was changed by something else; put it back, or remove the output and its state to start from the beginning.`,
        );
      }
      if (size > length) await file.truncate(length);
    } catch (error) {
      await file.close();
      throw error;
    }
    return new NodeWritableFile(file, length);
  },

  rename: (from, to) => rename(from, to),
  remove: (path) => rm(path, { force: true }),
  syncFolder,
};

class NodeWritableFile implements WritableFile {
  readonly #file: FileHandle;
  #length: number;

  constructor(file: FileHandle, length: number) {
    this.#file = file;
    this.#length = length;
  }

  async append(bytes: Uint8Array): Promise<void> {
    let written = 0;
    while (written < bytes.length) {
      const { bytesWritten } = await this.#file.write(bytes, written, bytes.length - written, this.#length + written);
      written += bytesWritten;
    }
    this.#length += written;
  }

  sync(): Promise<void> {
    return this.#file.datasync();
  }

  close(): Promise<void> {
    return this.#file.close();
  }
}

async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, constants.O_RDONLY);
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

function unlessMissing<T>(otherwise: T): (error: unknown) => T {
  return (error) => {
    const code = systemCode(error);
    if (code === 'ENOENT' || code === 'ENOTDIR') return otherwise;
    throw error;
  };
}
