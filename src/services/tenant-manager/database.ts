import { sql } from 'drizzle-orm';
import { readMigrationFiles } from 'drizzle-orm/migrator';
import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';
import { packageFile } from '../local-kinesis/package-file.ts';
import { type Db, SCHEMA } from './schema.ts';

/** A PostgreSQL with our tables; the one in a folder and a server behave alike. */
export interface TenantDatabase {
  readonly db: Db;
  /** What it is, for people; without a password. */
  readonly what: string;
  /** Brings the tables up to date, then does `work`, in one process at a time. */
  setUp(work: (db: Db) => Promise<void>): Promise<void>;
  /** Whether it is this process that publishes: of all that share the database at most one does. */
  isPublisher(): Promise<boolean>;
  close(): Promise<void>;
}

/** For drizzle's migrator. */
export const MIGRATIONS = {
  // By a file, because a folder of that name could be another's.
  get migrationsFolder() {
    const journal = packageFile('src/services/tenant-manager/migrations/meta/_journal.json');
    return journal.slice(0, -'/meta/_journal.json'.length);
  },
  migrationsSchema: SCHEMA,
  migrationsTable: 'migrations',
};

/** The migrator passes over what it does not know: to work on tables of a newer version could spoil them. */
export async function refuseNewer(db: Db, what: string): Promise<void> {
  const newest = Math.max(...readMigrationFiles(MIGRATIONS).map(({ folderMillis }) => folderMillis));
  const migrations = sql`${sql.identifier(SCHEMA)}.${sql.identifier(MIGRATIONS.migrationsTable)}`;
  const newer = await db.$count(migrations, sql`created_at > ${newest}`);
  if (newer === 0) return;
  throw new TenantAnalyticsError(
    'STATE_MISMATCH',
    `${what}: expected tables as this version of tenant-analytics makes them, got those of a newer one. Use that version.`,
  );
}

/** What the database said, without the statement that drizzle puts before it. */
export function databaseMessage(thrown: unknown): string {
  if (!(thrown instanceof Error)) return messageOf(thrown);
  if (thrown instanceof AggregateError && thrown.message === '') return thrown.errors.map(databaseMessage).join('; ');
  return thrown.cause instanceof Error ? databaseMessage(thrown.cause) : thrown.message;
}
