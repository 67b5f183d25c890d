import { sql } from 'drizzle-orm';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { TenantDatabase } from '../../src/services/tenant-manager/database.ts';
import { OutboxPublisher } from '../../src/services/tenant-manager/outbox-publisher.ts';
import { storeOf } from '../../src/services/tenant-manager/server.ts';
import { type Change, TenantRepository } from '../../src/services/tenant-manager/tenant-repository.ts';
import { inMemory, onServer, type TenantBackend } from '../support/tenant-databases.ts';

/* From the commit to the companies stream: each record at least once, those of a tenant in their order. */

type Failure = 'before' | 'after' | undefined;
const FIELDS = { industry: 'retail', revenu: 10, employees: 3, job30: 1, job90: 2, monthlyFee: 9, totalFee: 10 };
const any = () => true;
const turn = () => new Promise<void>((resolve) => setImmediate(resolve));

async function done(change: Promise<Change>): Promise<void> {
  expect((await change).kind).toBe('done');
}

/** A process with a publisher to this stream; its clock stands still, and it never rests. */
function publishing(database: TenantDatabase, stream: string[], fails: (record: string) => Failure = () => undefined) {
  const stop = new AbortController();
  const tenants = new TenantRepository(
    database,
    () => 1_000_000,
    () => publisher.poke(),
  );
  const publish = async (_key: string, data: Uint8Array) => {
    const record = new TextDecoder().decode(data);
    const failure = fails(record);
    await turn();
    if (failure !== 'before') stream.push(record);
    if (failure !== undefined) throw new Error('the stream does not answer');
  };
  const world = { now: () => 0, sleep: turn, random: () => 0, warn: () => undefined };
  const publisher: OutboxPublisher = new OutboxPublisher(storeOf(database, tenants), publish, world);
  const ended = publisher.run(stop.signal);
  return {
    tenants,
    async stop() {
      stop.abort();
      await ended;
    },
  };
}

/** The newest of each tenant, as a reader keeps it, and how often one came that is older than what was there. */
function read(stream: readonly string[]) {
  const newest = new Map<string, { updatedAt: string }>();
  let wentBack = 0;
  for (const record of stream.map((each) => JSON.parse(each) as { companyID: string; updatedAt: string })) {
    const known = newest.get(record.companyID);
    if (known !== undefined && known.updatedAt > record.updatedAt) wentBack++;
    else newest.set(record.companyID, record);
  }
  return { newest, wentBack };
}

async function empty(tenants: TenantRepository): Promise<void> {
  while ((await tenants.unsent(1)).length > 0) await turn();
}

describe.each([
  ['PGlite', inMemory],
  ['a server', onServer],
])('the outbox on %s', (_name, start) => {
  let backend: TenantBackend;
  beforeAll(async () => {
    backend = await start();
  });
  afterAll(() => backend?.stop());
  beforeEach(() => backend.clear());

  test('a stream that fails before or after it took a record loses none, and gets them in order', async () => {
    const stream: string[] = [];
    let tries = 0;
    const fails = () => (['before', 'after', undefined] as const)[tries++ % 3];
    const { tenants, stop } = publishing(await backend.open(), stream, fails);
    for (let index = 0; index < 20; index++) {
      const companyID = `t${index % 4}`;
      if (index < 4) await done(tenants.create(companyID, FIELDS));
      else await done(tenants.replace(companyID, { ...FIELDS, monthlyFee: index }, any));
    }
    await done(tenants.remove('t3', any));
    await empty(tenants);
    await stop();
    const { newest, wentBack } = read(stream);
    expect(wentBack).toBe(0);
    expect(new Set(stream).size).toBe(21);
    for (const companyID of ['t0', 't1', 't2']) expect(newest.get(companyID)).toEqual(await tenants.find(companyID));
    expect(newest.get('t3')).toMatchObject({ deleted: true });
  });

  test('a change that was rolled back is never published', async () => {
    const stream: string[] = [];
    const { tenants, stop } = publishing(await backend.open(), stream);
    await done(tenants.create('a', FIELDS));
    // A text that no database of ours can hold: it fails after the tenant's row was locked.
    await expect(tenants.replace('a', { ...FIELDS, industry: '\u0000' }, any)).rejects.toThrow();
    await done(tenants.replace('a', { ...FIELDS, monthlyFee: 2 }, any));
    await empty(tenants);
    await stop();
    expect(stream.map((record) => JSON.parse(record).monthlyFee)).toEqual([9, 2]);
  });

  test('what one process committed and did not publish, the next one does', async () => {
    const stream: string[] = [];
    let tried = 0;
    const first = publishing(await backend.open(), [], () => {
      tried++;
      return 'before';
    });
    await done(first.tenants.create('a', FIELDS));
    while (tried === 0) await turn(); // from now on it holds the right to publish
    await done(first.tenants.replace('a', { ...FIELDS, monthlyFee: 2 }, any));
    await first.stop();
    const database = await backend.open();
    // On a server the first one still holds the right to publish: it is gone with the process.
    await killOthers(backend);
    const next = publishing(database, stream);
    await empty(next.tenants);
    await next.stop();
    expect(stream.map((record) => JSON.parse(record).monthlyFee)).toEqual([9, 2]);
  });
});

/** As when their processes are killed. */
async function killOthers(backend: TenantBackend): Promise<void> {
  const { db } = await backend.open();
  await db.execute(
    sql`SELECT pg_terminate_backend(l.pid) FROM pg_locks l WHERE l.locktype = 'advisory' AND l.pid <> pg_backend_pid()`,
  );
}

describe('several processes on one server', () => {
  let backend: TenantBackend;
  beforeAll(async () => {
    backend = await onServer();
  });
  afterAll(() => backend?.stop());
  beforeEach(() => backend.clear());

  test('one sends what all of them commit, in order; when it ends, another takes over', async () => {
    const streams: [string[], string[]] = [[], []];
    const database = await backend.open();
    const one = publishing(database, streams[0]);
    await done(one.tenants.create('a', FIELDS));
    await empty(one.tenants);
    const other = publishing(await backend.open(), streams[1]);
    const both = [one.tenants, other.tenants];
    await Promise.all(
      Array.from({ length: 40 }, (_, index) => both[index % 2]?.replace('a', { ...FIELDS, monthlyFee: index }, any)),
    );
    await empty(one.tenants);
    expect(streams.map(({ length }) => length)).toEqual([41, 0]);
    await one.stop();
    await database.close();
    await done(other.tenants.replace('a', { ...FIELDS, monthlyFee: 41 }, any));
    await empty(other.tenants);
    expect(streams[1].map((record) => JSON.parse(record).monthlyFee)).toEqual([41]);
    await other.stop();
    expect(read(streams.flat())).toMatchObject({ wentBack: 0 });
  });

  test('a server that drops every connection is connected to again, and nothing is lost', async () => {
    const stream: string[] = [];
    const { tenants, stop } = publishing(await backend.open(), stream);
    const { db } = await backend.open();
    await done(tenants.create('a', FIELDS));
    for (let index = 0; index < 5; index++) {
      await changed(tenants, index);
      await db.execute(
        sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid <> pg_backend_pid() AND datname = current_database()`,
      );
    }
    while (new Set(stream).size < 6) await turn(); // one may be sent twice
    await stop();
    // What was sent and could not be marked as sent is sent again, and readers pass it over: only the newest counts.
    const { newest } = read(stream);
    expect(new Set(stream).size).toBe(6);
    await changed(tenants, 4); // as it is: the pool may hold a dropped connection still
    expect(newest.get('a')).toEqual(await tenants.find('a'));
  });

  test('a connection that is lost in a transaction fails that transaction, and nothing else', async () => {
    const { db } = await backend.open();
    const lost = db.transaction(async (tx) => {
      await tx.execute(sql`SELECT pg_terminate_backend(pg_backend_pid())`).catch(() => undefined);
      for (let turns = 0; turns < 100; turns++) await turn();
      await tx.execute(sql`SELECT 1`);
    });
    await expect(lost).rejects.toThrow();
    await db.execute(sql`SELECT 1`);
  });
});

/** As a client that gets a 500: it looks whether its change was made, and makes it if not. */
async function changed(tenants: TenantRepository, monthlyFee: number): Promise<void> {
  for (;;) {
    try {
      if ((await tenants.find('a'))?.monthlyFee === monthlyFee) return;
      await done(tenants.replace('a', { ...FIELDS, monthlyFee }, any));
      return;
    } catch {
      await turn(); // the pool held a connection that was dropped
    }
  }
}
