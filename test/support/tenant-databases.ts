import { PGlite } from '@electric-sql/pglite';
import type { TenantDatabase } from '../../src/services/tenant-manager/database.ts';
import { pgliteDatabase } from '../../src/services/tenant-manager/pglite-database.ts';
import { outbox, seeding, tenants } from '../../src/services/tenant-manager/schema.ts';
import { openServer } from '../../src/services/tenant-manager/server-database.ts';
import { startPostgres } from './postgres-server.ts';

/** A database that processes open, one after the other or many at once. */
export interface TenantBackend {
  open(): Promise<TenantDatabase>;
  /** Closes all that was opened, and leaves no tenant. */
  clear(): Promise<void>;
  stop(): Promise<void>;
}

export async function inMemory(): Promise<TenantBackend> {
  const pglite = await PGlite.create();
  // All who open it go through the one connection there is.
  const shared = { ...pgliteDatabase(pglite, 'PGlite in memory'), close: async () => undefined };
  return backend(
    async () => shared,
    () => pglite.close(),
  );
}

export async function onServer(): Promise<TenantBackend> {
  const server = await startPostgres();
  const url = await server.newDatabase();
  return backend(
    () => openServer({ url }, () => undefined),
    () => server.stop(),
  );
}

async function backend(make: () => Promise<TenantDatabase>, stop: () => Promise<void>): Promise<TenantBackend> {
  const opened: TenantDatabase[] = [];
  const closeAll = async () => {
    for (const each of opened.splice(0)) await each.close();
  };
  const first = await make();
  await first.setUp(async () => undefined);
  return {
    async open() {
      const database = await make();
      opened.push(database);
      return database;
    },
    async clear() {
      await closeAll();
      for (const table of [tenants, outbox, seeding]) await first.db.delete(table);
    },
    async stop() {
      await closeAll();
      await first.close();
      await stop();
    },
  };
}
