import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { decodeCompany } from '../../src/core/decode-company.ts';
import type { TenantDatabase } from '../../src/services/tenant-manager/database.ts';
import { seedCompanies } from '../../src/services/tenant-manager/seed-companies.ts';
import { type Change, TenantRepository } from '../../src/services/tenant-manager/tenant-repository.ts';
import { inMemory, onServer, type TenantBackend } from '../support/tenant-databases.ts';
import { VirtualTime } from '../support/virtual-time.ts';

/* What TenantManager relies on, rerun on each database it can have. */

const START = Date.UTC(2026, 10, 1);
const FIELDS = { industry: 'Retail', revenu: 10.5, employees: 3, job30: 1, job90: 2, monthlyFee: 99.9, totalFee: 1e20 };
const any = () => true;

describe.each([
  ['PGlite', inMemory],
  ['a server', onServer],
])('tenants on %s', (_name, start) => {
  let backend: TenantBackend;
  let database: TenantDatabase;
  let time: VirtualTime;
  let tenants: TenantRepository;

  const repository = (of: Pick<TenantDatabase, 'db'>) =>
    new TenantRepository(
      of,
      () => time.now,
      () => undefined,
    );

  beforeAll(async () => {
    backend = await start();
  });
  afterAll(() => backend?.stop());
  beforeEach(async () => {
    await backend.clear();
    time = new VirtualTime(START);
    database = await backend.open();
    tenants = repository(database);
  });

  const records = async () => (await tenants.unsent(10_000)).map(({ record }) => JSON.parse(record));
  async function done(change: Promise<Change>) {
    const made = await change;
    if (made.kind !== 'done') throw new Error(`expected a change, got ${made.kind}`);
    return made.tenant;
  }

  test('a tenant is told as it was made and changed, every number to its last digit', async () => {
    expect(await tenants.find('a')).toBeUndefined();
    const made = await done(tenants.create('a', FIELDS));
    expect(made).toEqual({ companyID: 'a', ...FIELDS, updatedAt: '2026-11-01T00:00:00.000Z' });
    expect(await tenants.find('a')).toEqual(made);
    const most = {
      ...FIELDS,
      revenu: Number.MAX_VALUE,
      employees: Number.MIN_VALUE,
      job30: Number.MAX_SAFE_INTEGER,
      job90: 0,
      monthlyFee: 0.1 + 0.2,
      totalFee: 123_456_789.123_456_79,
    };
    expect(await done(tenants.replace('a', most, any))).toMatchObject(most);
    expect(await tenants.find('a')).toMatchObject(most);
    expect(await tenants.create('a', FIELDS)).toEqual({ kind: 'exists' });
    expect(await tenants.find('a')).toMatchObject(most);
  });

  test('who is not there is unknown, and leaves nothing in the outbox', async () => {
    for (const companyID of ['nobody', '', 'a\u0000b']) {
      expect(await tenants.find(companyID)).toBeUndefined();
      expect(await tenants.replace(companyID, FIELDS, any)).toEqual({ kind: 'unknown' });
      expect(await tenants.remove(companyID, any)).toEqual({ kind: 'unknown' });
    }
    expect(await records()).toEqual([]);
  });

  test('any company id is a tenant of its own', async () => {
    const all = ['a', 'A', 'a ', ' a', 'ä', 'a\u0308', '😀'.repeat(128), "'; --", '%', '_', '\\', '__proto__', '\n'];
    for (const companyID of all) await done(tenants.create(companyID, FIELDS));
    for (const companyID of all) expect(await tenants.find(companyID)).toMatchObject({ companyID });
    expect(await tenants.count()).toBe(all.length);
  });

  test('each change leaves its record, which the application takes, and whose time is newer than all before', async () => {
    await done(tenants.create('a', FIELDS));
    // The clock stands still, then goes back.
    await done(tenants.replace('a', { ...FIELDS, monthlyFee: 1 }, any));
    time = new VirtualTime(START - 86_400_000);
    await done(tenants.replace('a', { ...FIELDS, monthlyFee: 2 }, any));
    await done(tenants.remove('a', any));
    await done(tenants.create('a', { ...FIELDS, monthlyFee: 3 }));
    time = new VirtualTime(START + 5000);
    await done(tenants.replace('a', { ...FIELDS, monthlyFee: 4 }, any));
    const told = await records();
    expect(told.map(({ monthlyFee, deleted }) => monthlyFee ?? deleted)).toEqual([99.9, 1, 2, true, 3, 4]);
    expect(told.map(({ updatedAt }) => Date.parse(updatedAt) - START)).toEqual([0, 1, 2, 3, 4, 5000]);
    expect(told[3]).toEqual({ companyID: 'a', deleted: true, updatedAt: '2026-11-01T00:00:00.003Z' });
    expect(told[5]).toEqual(await tenants.find('a'));
    for (const { record } of await tenants.unsent(100)) {
      const bytes = new TextEncoder().encode(record);
      const meta = { source: 'companies', shardId: 's', sequenceNumber: '1', subSequence: null } as const;
      const decoded = decodeCompany(bytes, 0, bytes.length, { ...meta, arrivalTime: 1, live: true, columns: null });
      const { updatedAt, deleted } = JSON.parse(record);
      expect(decoded).toMatchObject({ kind: 'company', companyID: 'a', time: Date.parse(updatedAt) });
      expect('profile' in decoded && decoded.profile === null).toBe(deleted === true);
    }
  });

  test('a deleted tenant is gone from all answers', async () => {
    for (const companyID of ['a', 'b']) await done(tenants.create(companyID, FIELDS));
    await done(tenants.remove('a', any));
    expect(await tenants.find('a')).toBeUndefined();
    expect(await tenants.replace('a', FIELDS, any)).toEqual({ kind: 'unknown' });
    expect(await tenants.remove('a', any)).toEqual({ kind: 'unknown' });
    expect(await tenants.page({ limit: 10, offset: 0 })).toMatchObject({ total: 1, tenants: [{ companyID: 'b' }] });
    expect([await tenants.count(), await tenants.count('retail')]).toEqual([1, 1]);
  });

  test('pages hold each tenant once, of an industry in any case and any letters', async () => {
    const industries = ['Énergie', 'retail', 'RETAIL'];
    for (let index = 0; index < 25; index++) {
      await done(tenants.create(`t${24 - index}`, { ...FIELDS, industry: industries[index % 3] ?? '' }));
    }
    const found: string[] = [];
    for (let offset = 0; offset < 30; offset += 7) {
      const page = await tenants.page({ limit: 7, offset });
      expect(page.total).toBe(25);
      found.push(...page.tenants.map(({ companyID }) => companyID));
    }
    expect(found).toEqual(Array.from({ length: 25 }, (_, index) => `t${24 - index}`));
    expect([await tenants.count('éNERGIE'), await tenants.count('Retail'), await tenants.count('%')]).toEqual([
      9, 16, 0,
    ]);
    expect(await tenants.page({ limit: 5, offset: 15, industry: 'ReTail' })).toMatchObject({
      total: 16,
      tenants: [{}],
    });
    expect(await tenants.page({ limit: 5, offset: 0, industry: '\u0000' })).toEqual({ total: 0, tenants: [] });
  });

  test('of many who change the tenant they looked at, one succeeds; the others are told', async () => {
    const { updatedAt } = await done(tenants.create('a', FIELDS));
    const isCurrent = (at: number) => at === Date.parse(updatedAt);
    const others = [tenants, repository(await backend.open())];
    const changes = await Promise.all(
      Array.from({ length: 12 }, (_, index) =>
        others[index % 2]?.replace('a', { ...FIELDS, monthlyFee: index }, isCurrent),
      ),
    );
    expect(changes.map((change) => change?.kind).sort()).toEqual(['done', ...Array(11).fill('stale')]);
    expect(await records()).toHaveLength(2);
    expect(await tenants.remove('a', isCurrent)).toMatchObject({ kind: 'stale' });
    expect(await tenants.find('a')).toBeDefined();
  });

  test('of many who make the same tenant at once, one succeeds', async () => {
    const others = [tenants, repository(await backend.open())];
    const changes = await Promise.all(Array.from({ length: 10 }, (_, at) => others[at % 2]?.create('a', FIELDS)));
    expect(changes.map((change) => change?.kind).sort()).toEqual(['done', ...Array(9).fill('exists')]);
    await done(tenants.remove('a', any));
    const again = await Promise.all(Array.from({ length: 10 }, (_, at) => others[at % 2]?.create('a', FIELDS)));
    expect(again.map((change) => change?.kind).sort()).toEqual(['done', ...Array(9).fill('exists')]);
    expect(await records()).toHaveLength(3);
  });

  test('records of a tenant lie in the order of its changes, however many change it at once, from two processes', async () => {
    const others = [tenants, repository(await backend.open())];
    for (const companyID of ['a', 'b', 'c']) await done(tenants.create(companyID, FIELDS));
    await Promise.all(
      Array.from({ length: 60 }, (_, index) =>
        others[index % 2]?.replace('abc'.charAt(index % 3), { ...FIELDS, monthlyFee: index }, any),
      ),
    );
    const all = await records();
    expect(all).toHaveLength(63);
    for (const companyID of ['a', 'b', 'c']) {
      const times = all
        .filter((record) => record.companyID === companyID)
        .map(({ updatedAt }) => Date.parse(updatedAt));
      expect(times).toEqual([...new Set(times)].sort((one, other) => one - other));
      expect(all.filter((record) => record.companyID === companyID).at(-1)).toEqual(await tenants.find(companyID));
    }
  });

  test('the seed is written at the first start only, also by two that start at once', async () => {
    const seed = seedCompanies(700, 1, START);
    const other = await backend.open();
    const first: boolean[] = [];
    const begin = (each: TenantDatabase) =>
      each.setUp(async (db) => {
        first.push(await repository({ db }).seed(seed));
      });
    await Promise.all([begin(database), begin(other)]);
    expect(first.sort()).toEqual([false, true]);
    expect(await records()).toEqual(seed);
    expect((await tenants.page({ limit: 700, offset: 0 })).tenants).toEqual(seed);
    await done(tenants.remove('comp_4', any));
    await begin(await backend.open());
    expect(await tenants.find('comp_4')).toBeUndefined();
    expect(await records()).toHaveLength(701);
  });

  test('tables of a newer version are refused', async () => {
    await database.db.execute(`INSERT INTO tenant_manager.migrations (hash, created_at) VALUES ('x', 9e12::bigint)`);
    try {
      await expect(database.setUp(async () => undefined)).rejects.toThrow(/newer/);
    } finally {
      await database.db.execute(`DELETE FROM tenant_manager.migrations WHERE hash = 'x'`);
    }
  });
});
