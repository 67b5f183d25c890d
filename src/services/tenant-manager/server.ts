import { readFileSync } from 'node:fs';
import { TenantAnalyticsError } from '../../base/errors.ts';
import type { Observation } from '../../observe/observation.ts';
import { packageFile } from '../local-kinesis/package-file.ts';
import { metricsRoute, observeRequests } from '../observe.ts';
import { checkPort, isHere, listen, serviceServer } from '../server.ts';
import { tenantManager } from './app.ts';
import { databaseMessage, type TenantDatabase } from './database.ts';
import { OutboxPublisher, type Publish, type PublisherWorld } from './outbox-publisher.ts';
import { type LockFolder, openFolder } from './pglite-database.ts';
import type { Tenant } from './seed-companies.ts';
import { openServer } from './server-database.ts';
import { tenantManagerMetrics } from './tenant-manager-metrics.ts';
import { TenantRepository } from './tenant-repository.ts';

export interface TenantManagerRequest {
  /** Where the database lies, unless `databaseUrl` names a server. Made when it is not there. */
  readonly folder: string;
  /** postgresql://…; empty for the database in the folder. */
  readonly databaseUrl: string;
  /** Of that server, in the place of the URL's: asked for at each new connection. */
  readonly databasePassword?: (() => Promise<string>) | undefined;
  /** 127.0.0.1 unless given. Whoever can reach another one is asked for the token, so there must be one. */
  readonly host?: string | undefined;
  /** 0 takes a free one. */
  readonly port: number;
  /** The flag of the command line that chooses the port: for who is refused. */
  readonly flag: string;
  /** The bearer token asked for; empty for none. */
  readonly token: string;
  /** The tenants of a database that has never had any. */
  readonly seed: readonly Tenant[];
}

export interface TenantManagerWorld extends PublisherWorld {
  readonly lockFolder: LockFolder;
  /** To the companies stream; called again for a record whose call failed. */
  readonly publish: Publish;
  readonly observation?: Observation | undefined;
}

export interface RunningTenantManager {
  readonly url: string;
  /** Of the database, for people. */
  readonly database: string;
  /** Lets requests and records under way come to their end; what is left in the outbox is sent after the next start. */
  stop(): Promise<void>;
}

/** While the database is away, every request fails: once in this time is told. */
const TOLD_EVERY_MS = 30_000;
const HERE = '127.0.0.1';

/**
 * TenantManager: its database, brought up to date and seeded, its HTTP API, and the publisher of its outbox.
 * @throws TenantAnalyticsError PARAMETER_MISSING, PORT_TAKEN, LOCKED, STORAGE_FULL, STORAGE_FAILED, INPUT_CORRUPT,
 *   PARAMETER_INVALID, STATE_MISMATCH or SERVICE_FAILED
 */
export async function startTenantManager(
  request: TenantManagerRequest,
  world: TenantManagerWorld,
): Promise<RunningTenantManager> {
  const { folder, databaseUrl, databasePassword, host = HERE, port, flag, token, seed } = request;
  if (!isHere(host) && token === '') throw noToken(host);
  const at = { host, port, what: 'TenantManager', flag };
  await checkPort(at);
  const database =
    databaseUrl === ''
      ? await openFolder(folder, world.lockFolder)
      : await openServer({ url: databaseUrl, password: databasePassword }, world.warn);
  try {
    const tenants = new TenantRepository(database, world.now, () => publisher.poke());
    const { registry, counted } = tenantManagerMetrics(tenants, world.now);
    const publisher = new OutboxPublisher(storeOf(database, tenants), counted(world.publish), world);
    await setUp(database, world, seed);
    const server = serviceServer(isHere(host));
    observeRequests(server, { ...world.observation, service: 'tenant-manager', registry });
    await server.register(metricsRoute, { registries: [registry] });
    const failed = failureTeller(world);
    await server.register(tenantManager, {
      tenants,
      token,
      version: version(),
      database: database.what,
      failed,
    });
    const url = await listen(server, at);
    const stopping = new AbortController();
    const publishing = publisher.run(stopping.signal);
    return {
      url,
      database: database.what,
      async stop() {
        await server.close();
        stopping.abort();
        await publishing;
        await database.close();
      },
    };
  } catch (error) {
    await database.close();
    throw error;
  }
}

function noToken(host: string): TenantAnalyticsError {
  return new TenantAnalyticsError(
    'PARAMETER_MISSING',
    `TENANT_MANAGER_TOKEN: expected a token, because ${host} is reached from elsewhere, got nothing. Set it, or listen on ${HERE}.`,
  );
}

async function setUp(database: TenantDatabase, { now }: PublisherWorld, seed: readonly Tenant[]): Promise<void> {
  try {
    await database.setUp(async (db) => {
      await new TenantRepository({ db }, now, () => undefined).seed(seed);
    });
  } catch (error) {
    if (error instanceof TenantAnalyticsError) throw error;
    const message = `${database.what}: expected to make its tables and first tenants, got: ${databaseMessage(error)}.`;
    throw new TenantAnalyticsError('SERVICE_FAILED', message, { cause: error });
  }
}

/** What a publisher needs of database and repository. */
export function storeOf(database: TenantDatabase, tenants: TenantRepository) {
  return {
    isPublisher: () => database.isPublisher(),
    unsent: (limit: number) => tenants.unsent(limit),
    sent: (ids: readonly number[]) => tenants.sent(ids),
  };
}

function failureTeller({ now, warn }: PublisherWorld): (error: unknown) => void {
  let told = Number.NEGATIVE_INFINITY;
  return (error) => {
    if (now() - told < TOLD_EVERY_MS) return;
    told = now();
    warn(`TenantManager could not answer a request: ${databaseMessage(error)}. Look whether its database is well.`);
  };
}

function version(): string {
  return (JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }).version;
}
