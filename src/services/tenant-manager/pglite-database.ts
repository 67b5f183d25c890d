import { fsyncSync } from 'node:fs';
import { access, mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { PGlite } from '@electric-sql/pglite';
import { NodeFS } from '@electric-sql/pglite/nodefs';
import { drizzle } from 'drizzle-orm/pglite';
import { migrate } from 'drizzle-orm/pglite/migrator';
import { messageOf, storageError, TenantAnalyticsError } from '../../base/errors.ts';
import { MIGRATIONS, refuseNewer, type TenantDatabase } from './database.ts';

/** Holds a folder for this process: PGlite does not, and two on one folder spoil it. @throws when another holds it */
export type LockFolder = (folder: string) => Promise<{ release(): Promise<void> }>;

/** Waits until what was written to the file is on the disk. */
export type SyncFile = (fileDescriptor: number) => void;

/** As PGlite is started, but without its `-F`: each commit is on the disk before it is answered. */
const DURABLE = [...PGlite.defaultStartParams.filter((each) => each !== '-F'), '-c', 'wal_sync_method=fsync'];

/**
 * The PostgreSQL inside this process, with its files in `<folder>/database`.
 * @throws TenantAnalyticsError LOCKED, STORAGE_FULL, STORAGE_FAILED, or INPUT_CORRUPT
 */
export async function openFolder(
  folder: string,
  lockFolder: LockFolder,
  sync: SyncFile = fsyncSync,
): Promise<TenantDatabase> {
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw storageError(error, `cannot make the folder ${folder}`);
  });
  const lock = await lockFolder(folder);
  const path = join(folder, 'database');
  const what = `PGlite in ${folder}`;
  try {
    if (!(await isThere(path))) await make(path, sync);
    const database = await openFiles(path, sync);
    return pgliteDatabase(database, what, () => lock.release());
  } catch (error) {
    await lock.release();
    if (error instanceof TenantAnalyticsError) throw error;
    throw new TenantAnalyticsError(
      'INPUT_CORRUPT',
      `${path}: expected a database that PGlite can open, got: ${messageOf(error)}. Bring the folder back from a copy, or remove it: the tenants then begin anew.`,
      { cause: error },
    );
  }
}

/** `closed` is called once it is closed. */
export function pgliteDatabase(
  pglite: PGlite,
  what: string,
  closed: () => Promise<void> = async () => undefined,
): TenantDatabase {
  const db = drizzle(pglite);
  return {
    db,
    what,
    async setUp(work) {
      await migrate(db, MIGRATIONS);
      await refuseNewer(db, what);
      await work(db);
    },
    // Nobody else has opened it.
    isPublisher: async () => true,
    async close() {
      try {
        if (!pglite.closed) await pglite.close();
      } finally {
        await closed();
      }
    },
  };
}

function openFiles(path: string, sync: SyncFile): Promise<PGlite> {
  return PGlite.create({ fs: new SyncedFiles(path, sync), startParams: DURABLE });
}

/** Beside its place first: a process that ends while the database is made must leave none that is half made. */
async function make(path: string, sync: SyncFile): Promise<void> {
  const unfinished = `${path}.unfinished`;
  try {
    await rm(unfinished, { recursive: true, force: true });
    const database = await openFiles(unfinished, sync);
    await database.close();
    await syncAll(unfinished);
    await rename(unfinished, path);
    await syncOne(join(path, '..'));
  } catch (error) {
    throw storageError(error, `cannot make a database in ${path}`);
  }
}

/** PGlite writes through Emscripten's NODEFS, which leaves out `fsync`: without it a commit is not on the disk. */
class SyncedFiles extends NodeFS {
  readonly #sync: SyncFile;

  constructor(path: string, sync: SyncFile) {
    super(path);
    this.#sync = sync;
  }

  override async init(...args: Parameters<NodeFS['init']>): ReturnType<NodeFS['init']> {
    const { emscriptenOpts } = await super.init(...args);
    const addSync = (module: unknown) => {
      (module as EmscriptenModule).NODEFS.stream_ops.fsync = ({ nfd }) => {
        // A folder has no descriptor here; the names of new files are made durable by the syncs of the files.
        if (nfd !== undefined) this.#sync(nfd);
        return 0;
      };
    };
    return { emscriptenOpts: { ...emscriptenOpts, preRun: [...(emscriptenOpts.preRun ?? []), addSync] } };
  }
}

interface EmscriptenModule {
  readonly NODEFS: { readonly stream_ops: { fsync?: (stream: { readonly nfd?: number }) => number } };
}

async function syncAll(folder: string): Promise<void> {
  for (const entry of await readdir(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) await syncAll(path);
    else await syncOne(path);
  }
  await syncOne(folder);
}

async function syncOne(path: string): Promise<void> {
  const file = await open(path, 'r');
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
