import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, fdatasyncSync } from 'node:fs';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { setTimeout as pause } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { sleep } from '../../src/base/sleep.ts';
import { lockFolder } from '../../src/connectors/file/folder-lock.ts';
import { nodeTransport } from '../../src/connectors/http/node-transport.ts';
import type { JobEvent } from '../../src/core/events.ts';
import { tenantLookup } from '../../src/core/tenant-lookup.ts';
import { nodeWorld } from '../../src/hosts/node/node-world.ts';
import { openTenantManager } from '../../src/hosts/node/tenant-manager.ts';
import { openFolder } from '../../src/services/tenant-manager/pglite-database.ts';
import { seedCompanies } from '../../src/services/tenant-manager/seed-companies.ts';
import { startTenantManager, type TenantManagerRequest } from '../../src/services/tenant-manager/server.ts';
import { type PostgresServer, startPostgres } from '../support/postgres-server.ts';
import { SimulatedKinesis } from '../support/simulated-kinesis.ts';
import { temporaryFolder } from './folders.ts';
import type { ChildOrder } from './tenant-manager-child.ts';

const seed = seedCompanies(12, 1, Date.UTC(2026, 0, 1));
const WHOLE = { industry: 'travel', revenu: 1, employees: 2, job30: 3, job90: 4, monthlyFee: 5.5, totalFee: 6 };
const LIMITS = {
  concurrency: 1,
  timeoutMs: 5000,
  retries: 0,
  breakerFailures: 1,
  breakerResetMs: 1,
  cacheEntries: 1,
  cacheTtlMs: 1,
  negativeTtlMs: 1,
  askAgainCapacity: 0,
};

let postgres: PostgresServer;
beforeAll(async () => {
  postgres = await startPostgres();
});
afterAll(() => postgres?.stop());

async function start(request: Partial<TenantManagerRequest>, published: string[] = []) {
  const all = { folder: '', databaseUrl: '', port: 0, flag: '--port', token: '', seed, ...request };
  const publish = async (_key: string, data: Uint8Array) => void published.push(Buffer.from(data).toString('utf8'));
  const world = { now: Date.now, sleep, random: Math.random, warn: () => undefined, lockFolder, publish };
  return startTenantManager(all, world);
}

function change(url: string, method: 'POST' | 'PUT' | 'DELETE', body: object): Promise<Response> {
  return fetch(url, { method, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
}

async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await holds())) await pause(5);
}

const job = (companyID: string): JobEvent => {
  const of = { kind: 'job', userID: 'u', nbJobs: 1, time: 1, dataSize: null, eventID: 'e' } as const;
  return { ...of, companyID };
};

test('the application asks it, and understands each of its answers, with the token only', async () => {
  const { url, stop } = await start({ databaseUrl: await postgres.newDatabase(), token: 'secret' });
  const transport = nodeTransport(2, Date.now);
  const never = new AbortController().signal;
  const ask = async (companyID: string, token = 'secret') => {
    const stage = tenantLookup(['jobs'], `${url}/`, token, LIMITS);
    return stage.respond(job(companyID), await transport.send(stage.request(job(companyID)), 5000, never));
  };
  try {
    const [, , , , comp4] = seed;
    const { updatedAt, ...profile } = comp4 ?? { updatedAt: '' };
    const record = { kind: 'company', companyID: 'comp_4', time: Date.parse(updatedAt), profile };
    expect(await ask('comp_4')).toEqual({ kind: 'answer', value: record, negative: false });
    const odd = '../a/b?c=d #e%é🚀';
    expect(await ask(odd)).toEqual({ kind: 'answer', value: 'unknown', negative: true });
    const headers = { 'content-type': 'application/json', authorization: 'Bearer secret' };
    const body = JSON.stringify({ ...WHOLE, companyID: odd });
    await fetch(`${url}/api/v1/tenants`, { method: 'POST', headers, body });
    expect(await ask(odd)).toMatchObject({ value: { companyID: odd, profile: { ...WHOLE, companyID: odd } } });
    expect(await ask('comp_4', 'wrong')).toMatchObject({ kind: 'status', status: 401 });
    expect(await ask('comp_4', '')).toMatchObject({ kind: 'status', status: 401 });
  } finally {
    await transport.close();
    await stop();
  }
});

test.each(['a folder', 'a server'])(
  'kept in %s, tenants are seeded once, published, and there again',
  async (where) => {
    const folder = `${await temporaryFolder()}/deep/down`;
    const databaseUrl = where === 'a server' ? await postgres.newDatabase() : '';
    const published: string[] = [];
    const first = await start({ folder, databaseUrl }, published);
    await until(() => published.length === seed.length);
    expect(published.map((record) => JSON.parse(record))).toEqual(seed);
    const made = await change(`${first.url}/api/v1/tenants/comp_4`, 'PUT', WHOLE);
    expect(made.status).toBe(200);
    await fetch(`${first.url}/api/v1/tenants/comp_5`, { method: 'DELETE' });
    await until(() => published.length === seed.length + 2);
    const { database } = (await (await fetch(`${first.url}/version`)).json()) as { database: string };
    expect(database).toBe(first.database);
    expect(database).toMatch(where === 'a server' ? /^PostgreSQL at 127\.0\.0\.1:\d+\/tenants_\d+$/ : /^PGlite in /);
    await first.stop();
    expect(existsSync(folder)).toBe(where === 'a folder');

    const again = await start({ folder, databaseUrl }, published);
    const tenants = (await (await fetch(`${again.url}/api/v1/tenants`)).json()) as { total: number };
    expect(tenants.total).toBe(seed.length - 1);
    expect(await (await fetch(`${again.url}/api/v1/tenants/comp_4`)).json()).toEqual(await made.json());
    await again.stop();
    expect(published).toHaveLength(seed.length + 2);
  },
);

test('several that start at once on a new server share it: one makes the tables and the seed, one publishes', async () => {
  const databaseUrl = await postgres.newDatabase();
  const published: string[] = [];
  const all = await Promise.all([1, 2, 3, 4].map(() => start({ databaseUrl }, published)));
  await until(() => published.length === seed.length);
  for (const { url } of all) {
    expect(await (await fetch(`${url}/api/v1/tenants/count`)).json()).toEqual({ count: seed.length });
    await change(`${url}/api/v1/tenants/comp_1`, 'PUT', WHOLE);
  }
  await until(() => published.length === seed.length + all.length);
  const times = published.slice(seed.length).map((record) => (JSON.parse(record) as { updatedAt: string }).updatedAt);
  expect(times).toEqual([...new Set(times)].sort());
  for (const { stop } of all) await stop();
  expect(published).toHaveLength(seed.length + all.length);
});

test('a second one on the folder is refused, and a port that is taken; neither keeps the folder from who comes next', async () => {
  const folder = await temporaryFolder();
  const { url, stop } = await start({ folder });
  await expect(start({ folder })).rejects.toMatchObject({ code: 'LOCKED' });
  expect((await fetch(`${url}/health`)).status).toBe(200);
  await stop();
  const other = await start({ folder: await temporaryFolder() });
  const port = Number(new URL(other.url).port);
  await expect(start({ folder, port })).rejects.toMatchObject({ code: 'PORT_TAKEN' });
  await other.stop();
  await (await start({ folder })).stop();
});

test('a folder that holds something else, and a server that cannot be used, are refused with what to do', async () => {
  const folder = await temporaryFolder();
  await mkdir(`${folder}/database`);
  await writeFile(`${folder}/database/PG_VERSION`, '9.6\n');
  await expect(start({ folder })).rejects.toMatchObject({ code: 'INPUT_CORRUPT' });
  const taken = await start({ databaseUrl: await postgres.newDatabase() });
  const { host } = new URL(taken.url);
  const refused = start({ databaseUrl: `postgresql://me:hunter2@${host.replace(/\d+$/, '1')}/x` });
  await expect(refused).rejects.toMatchObject({
    code: 'SERVICE_FAILED',
    message: expect.stringMatching(/DATABASE_URL/),
  });
  await expect(refused).rejects.not.toThrow(/hunter2/);
  await taken.stop();
  for (const databaseUrl of ['mysql://me:hunter2@x/y', 'postgresql', 'postgresql://[']) {
    const wrong = start({ databaseUrl });
    await expect(wrong).rejects.toMatchObject({ code: 'PARAMETER_INVALID' });
    await expect(wrong).rejects.not.toThrow(/hunter2/);
  }
});

test('in a folder each change is on the disk before it is answered', async () => {
  let syncs = 0;
  const sync = (fileDescriptor: number) => {
    syncs++;
    fdatasyncSync(fileDescriptor);
  };
  const folder = await temporaryFolder();
  const database = await openFolder(folder, lockFolder, sync);
  await database.db.execute('CREATE TABLE t (i int)');
  for (let change = 0; change < 5; change++) {
    const before = syncs;
    await database.db.execute('INSERT INTO t VALUES (1)');
    expect(syncs).toBeGreaterThan(before);
  }
  await database.close();
  expect((await readdir(folder)).sort()).toEqual(['database', 'lock']);
});

test('changes go to the stream, also when it is made only after them', async () => {
  const kinesis = new SimulatedKinesis({ clock: { now: Date.now }, sleep });
  const warnings: string[] = [];
  const world = nodeWorld((message) => void warnings.push(message));
  const databaseUrl = await postgres.newDatabase();
  const request = { folder: '', databaseUrl, port: 0, flag: '--port', token: '', seed };
  const { url, stop } = await openTenantManager(request, 'companies', kinesis, world);
  await until(() => warnings.length > 0);
  expect(warnings[0]).toContain('companies');
  await change(`${url}/api/v1/tenants/comp_4`, 'PUT', WHOLE);
  kinesis.createStream('companies', 2);
  await until(() => kinesis.arrived('companies').length === 13);
  await stop();
  const records = kinesis.arrived('companies').map(({ partitionKey, data }) => {
    const record = JSON.parse(Buffer.from(data).toString('utf8')) as { companyID: string; monthlyFee: number };
    return { partitionKey, ...record };
  });
  expect(records.every(({ partitionKey, companyID }) => companyID === partitionKey)).toBe(true);
  const fees = records.filter(({ companyID }) => companyID === 'comp_4');
  expect(fees.map(({ monthlyFee }) => monthlyFee)).toEqual([461, 5.5]);
});

const CHILD = fileURLToPath(new URL('tenant-manager-child.ts', import.meta.url));

/** Its URL, or undefined when it ended before it told one. */
async function startChild(order: ChildOrder) {
  const child = spawn(process.execPath, ['--import', 'tsx', CHILD, JSON.stringify(order)], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ended = once(child, 'exit') as Promise<[number | null, string | null]>;
  let said = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  const url = new Promise<string>((resolve) =>
    child.stdout.on('data', () => said.endsWith('\n') && resolve(said.trim())),
  );
  return { child, ended, url: await Promise.race([url, ended.then(() => undefined)]) };
}

test.each(['a folder', 'a server'])('in %s, a kill between commit and publication loses no change', async (where) => {
  const folder = await temporaryFolder();
  const databaseUrl = where === 'a server' ? await postgres.newDatabase() : '';
  const stream = `${folder}/stream`;
  const order = { folder: `${folder}/tenants`, databaseUrl, stream };
  await writeFile(stream, '');
  const dead = [null, 'SIGKILL'];

  const first = await startChild({ ...order, dies: 'before' });
  const made = change(`${first.url}/api/v1/tenants`, 'POST', { ...WHOLE, companyID: 'a' });
  // Whether the answer comes through is chance; the change is committed.
  made.catch(() => undefined);
  expect(await first.ended).toEqual(dead);
  expect(await readFile(stream, 'utf8')).toBe('');

  const second = await startChild({ ...order, dies: 'after' });
  expect(await second.ended).toEqual(dead);
  const third = await startChild({ ...order, dies: 'never' });
  await change(`${third.url}/api/v1/tenants/a`, 'PUT', { ...WHOLE, monthlyFee: 7 });
  const records = async () => (await readFile(stream, 'utf8')).split('\n').filter(Boolean);
  await until(async () => (await records()).some((record) => record.includes('"monthlyFee":7')));
  third.child.kill('SIGKILL');
  await third.ended;
  // Once before the kill, once after it, for it was not known to have arrived.
  expect((await records()).map((record) => JSON.parse(record).monthlyFee)).toEqual([5.5, 5.5, 7]);
});

test('killed while its database is made, it makes it anew at the next start', async () => {
  const inTheMiddle = async (): Promise<string | undefined> => {
    const folder = await temporaryFolder();
    const spawned = startChild({ folder, databaseUrl: '', stream: `${folder}/stream`, dies: 'never' });
    const isBegun = async () =>
      (await readdir(`${folder}/database.unfinished`).catch(() => [])).length > 3 || existsSync(`${folder}/database`);
    await until(isBegun);
    process.kill(Number((await readFile(`${folder}/lock`, 'utf8')).trim()), 'SIGKILL');
    const { url } = await spawned;
    return url === undefined && !existsSync(`${folder}/database`) ? folder : undefined;
  };
  // Made already, when this process stood still for a while.
  let folder: string | undefined;
  for (let tries = 0; tries < 5; tries++) folder ??= await inTheMiddle();
  if (folder === undefined) throw new Error('expected to kill it while its database is made');
  await (await start({ folder })).stop();
  expect((await readdir(folder)).sort()).toEqual(['database', 'lock']);
});
