import { drizzle, type NodePgDatabase } from 'drizzle-orm/node-postgres';
import { migrate } from 'drizzle-orm/node-postgres/migrator';
import pg from 'pg';
import { TenantAnalyticsError } from '../../base/errors.ts';
import { databaseMessage, MIGRATIONS, refuseNewer, type TenantDatabase } from './database.ts';
import { clientConfigOf, placeOf, type ServerAddress } from './server-address.ts';

const CONNECTIONS = 8;
const CONNECT_MS = 5000;
const STATEMENT_MS = 10_000;
/** A new connection costs a TLS handshake, and perhaps a question for the password. */
const IDLE_MS = 5 * 60_000;
/** Advisory locks, by number: those of all programs on a database share one space. */
const SET_UP = 7_268_001;
const PUBLISHER = 7_268_002;
/** How long a start waits for another one that makes the tables. */
const SET_UP_MS = 120_000;
/** The server asks a silent client whether it is there after 10 s, and three times more: by default it takes hours. */
const NOTICE_LOSS = 'SET tcp_keepalives_idle = 10; SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3';

/**
 * A server, as `DATABASE_URL` names it.
 * @throws TenantAnalyticsError PARAMETER_INVALID, or SERVICE_FAILED when it cannot be reached
 */
export async function openServer(address: ServerAddress, warn: (message: string) => void): Promise<TenantDatabase> {
  const what = `PostgreSQL at ${placeOf(address.url)}`;
  const server = clientConfigOf(address);
  const pool = new pg.Pool({
    ...server,
    max: CONNECTIONS,
    idleTimeoutMillis: IDLE_MS,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    query_timeout: STATEMENT_MS + 1000,
    // A transaction of ours takes milliseconds: one that does not end is of a process that hangs, and holds its locks.
    idle_in_transaction_session_timeout: STATEMENT_MS,
    keepAlive: true,
    application_name: 'tenant-manager',
  });
  // A connection that is lost while nobody uses it, or between two statements of a transaction: the pool makes another,
  // and the next statement fails. Without a listener the process would end.
  pool.on('error', () => undefined);
  pool.on('connect', (client) => client.on('error', () => undefined));
  const publisher = new PublisherLock(server);
  return {
    db: Object.assign(drizzle(pool), { transaction: transactionOn(pool) }),
    what,
    async setUp(work) {
      const client = await connected(server, what);
      try {
        await client.query(`SET lock_timeout = ${SET_UP_MS}`);
        await client.query('SELECT pg_advisory_lock($1)', [SET_UP]);
        const db = drizzle(client);
        await migrate(db, MIGRATIONS);
        await refuseNewer(db, what);
        await work(db);
      } catch (error) {
        if (error instanceof TenantAnalyticsError) throw error;
        throw failed(what, 'to make its tables there', error);
      } finally {
        // The lock goes with its connection.
        await client.end();
      }
    },
    isPublisher: () => publisher.isHeld(),
    async close() {
      await publisher.release();
      await pool.end().catch((error: unknown) => warn(`${what}: ${databaseMessage(error)}`));
    },
  };
}

/**
 * drizzle-orm (0.45) does not give a connection back on which BEGIN failed, and gives one back on which a statement may still be
 * under way. Here one on which anything failed is closed, and the pool makes another.
 */
function transactionOn(pool: pg.Pool): NodePgDatabase['transaction'] {
  return async (work, config) => {
    const client = await pool.connect();
    let isWell = false;
    try {
      const result = await drizzle(client).transaction(work, config);
      isWell = true;
      return result;
    } finally {
      client.release(!isWell);
    }
  };
}

/**
 * A lock of a session of its own: gone with the process, so that another takes over at once; with a host that is lost, or cut off,
 * once the server has noticed (25 s). Should the server lose the
 * session while this process is still sending, both send for a moment: readers pass over records older than theirs.
 */
class PublisherLock {
  readonly #server: pg.ClientConfig;
  #client: pg.Client | undefined;
  #isHeld = false;

  constructor(server: pg.ClientConfig) {
    this.#server = server;
  }

  async isHeld(): Promise<boolean> {
    const client = this.#client ?? (await this.#connect());
    try {
      // Also when it is held: only an answer shows that the session is still there.
      const asks = this.#isHeld ? 'SELECT true AS held' : 'SELECT pg_try_advisory_lock($1) AS held';
      const { rows } = await client.query<{ held: boolean }>(asks, this.#isHeld ? [] : [PUBLISHER]);
      this.#isHeld = rows[0]?.held === true;
      return this.#isHeld;
    } catch (error) {
      await this.release();
      throw error;
    }
  }

  async release(): Promise<void> {
    const client = this.#client;
    this.#forget(client);
    await client?.end().catch(() => undefined);
  }

  async #connect(): Promise<pg.Client> {
    const client = new pg.Client({ ...session(this.#server), query_timeout: STATEMENT_MS });
    client.on('error', () => this.#forget(client));
    client.on('end', () => this.#forget(client));
    await client.connect();
    await client.query(NOTICE_LOSS);
    this.#client = client;
    return client;
  }

  #forget(client: pg.Client | undefined): void {
    if (this.#client !== client) return;
    this.#client = undefined;
    this.#isHeld = false;
  }
}

function session(server: pg.ClientConfig): pg.ClientConfig {
  return { ...server, connectionTimeoutMillis: CONNECT_MS, keepAlive: true, application_name: 'tenant-manager' };
}

async function connected(server: pg.ClientConfig, what: string): Promise<pg.Client> {
  const client = new pg.Client(session(server));
  client.on('error', () => undefined);
  try {
    await client.connect();
    await client.query(NOTICE_LOSS);
    return client;
  } catch (error) {
    throw failed(what, 'to connect', error);
  }
}

function failed(what: string, expected: string, error: unknown): TenantAnalyticsError {
  return new TenantAnalyticsError(
    'SERVICE_FAILED',
    `DATABASE_URL: expected ${expected}, got: ${databaseMessage(error)} (${what}). Start the server, mend DATABASE_URL, or unset it: the tenants are then kept in the data folder.`,
    { cause: error },
  );
}
