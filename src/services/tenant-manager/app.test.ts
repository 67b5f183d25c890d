import { readFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { inMemory, type TenantBackend } from '../../../test/support/tenant-databases.ts';
import { companyFromJson } from '../../core/decode-company.ts';
import { serviceServer } from '../server.ts';
import { tenantManager } from './app.ts';
import { seedCompanies, type Tenant } from './seed-companies.ts';
import { TenantRepository } from './tenant-repository.ts';

const UPDATED = Date.UTC(2026, 0, 1);
const NOW = Date.UTC(2026, 5, 1);
const seed = seedCompanies(300, 7, UPDATED);
const TENANTS = '/api/v1/tenants';

let backend: TenantBackend;
beforeAll(async () => {
  backend = await inMemory();
});
afterAll(() => backend?.stop());

const servers: ReturnType<typeof serviceServer>[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
  await backend.clear();
});

async function service(token = '', of: readonly Tenant[] = []) {
  const tenants = new TenantRepository(
    await backend.open(),
    () => NOW,
    () => undefined,
  );
  if (of.length > 0) await tenants.seed(of);
  const server = serviceServer();
  const failures: unknown[] = [];
  const failed = (error: unknown) => void failures.push(error);
  server.register(tenantManager, { tenants, token, version: '1.2.3', database: 'PGlite in memory', failed });
  servers.push(server);
  const told = async () => (await tenants.unsent(1000)).slice(of.length).map(({ record }) => JSON.parse(record));
  return { server, tenants, failures, told };
}

const NEW = { companyID: 'comp_new', industry: 'retail', revenu: 29080, employees: 145 };
const WHOLE = { industry: 'travel', revenu: 1, employees: 2, job30: 3, job90: 4, monthlyFee: 5.5, totalFee: 6 };

test('a tenant is answered as a company record, with the time of its counts', async () => {
  const { server } = await service('', seed);
  const response = await server.inject(`${TENANTS}/comp_4`);
  expect(response.statusCode).toBe(200);
  expect(response.json()).toEqual({
    companyID: 'comp_4',
    industry: 'retail',
    revenu: 29080,
    employees: 14540,
    job30: 4,
    job90: 13,
    monthlyFee: 461,
    totalFee: 1172,
    updatedAt: '2026-01-01T00:00:00.000Z',
  });
  expect(companyFromJson(response.body, 0)).toMatchObject({ companyID: 'comp_4', time: UPDATED });
});

test('a company that is not there is 404, with a message', async () => {
  const { server } = await service();
  for (const [method, payload] of [['GET'], ['PUT', WHOLE], ['DELETE']] as const) {
    const response = await server.inject({ method, url: `${TENANTS}/comp_9999`, ...(payload && { payload }) });
    expect(response.statusCode).toBe(404);
    expect(response.json()).toEqual({ message: 'there is no tenant comp_9999' });
  }
});

test('any company id can be made, asked for and removed, however long and in whatever letters', async () => {
  const { server } = await service();
  for (const companyID of ['a/b?c=%', '😀'.repeat(128), 'ü '.repeat(64), '__proto__', '"', ' ', 'counts']) {
    const url = `${TENANTS}/${encodeURIComponent(companyID)}`;
    expect((await server.inject(url)).statusCode).toBe(404);
    const made = await server.inject({ method: 'POST', url: TENANTS, payload: { ...NEW, companyID } });
    expect([made.statusCode, made.headers.location]).toEqual([201, url]);
    expect((await server.inject(url)).json()).toEqual(made.json());
    expect((await server.inject({ method: 'PUT', url, payload: WHOLE })).json()).toMatchObject({ companyID, ...WHOLE });
    expect((await server.inject({ method: 'DELETE', url })).statusCode).toBe(204);
  }
  expect((await server.inject(`${TENANTS}/a%00b`)).statusCode).toBe(404);
});

test('tenants come in pages that hold each once', async () => {
  const { server } = await service('', seed);
  const found: string[] = [];
  for (let offset = 0; ; offset += 70) {
    const page = (await server.inject(`${TENANTS}?limit=70&offset=${offset}`)).json();
    expect(page).toMatchObject({ total: 300, limit: 70, offset });
    if (page.tenants.length === 0) break;
    found.push(...page.tenants.map(({ companyID }: { companyID: string }) => companyID));
  }
  expect(found).toEqual(seed.map(({ companyID }) => companyID));
  expect((await server.inject(TENANTS)).json()).toMatchObject({ limit: 100, offset: 0 });
});

test('tenants of an industry, in any case', async () => {
  const { server } = await service('', seed);
  const retail = seed.filter(({ industry }) => industry === 'retail');
  const page = (await server.inject(`${TENANTS}?industry=RETAIL&limit=500`)).json();
  expect(page).toEqual({ tenants: retail, total: retail.length, limit: 500, offset: 0 });
  expect((await server.inject(`${TENANTS}/count?industry=Retail`)).json()).toEqual({ count: retail.length });
  expect((await server.inject(`${TENANTS}/count`)).json()).toEqual({ count: 300 });
});

test.each(['limit=0', 'limit=501', 'limit=x', 'offset=-1', 'offset=1e30'])(
  'a bad page (%s) is 400 and names the field',
  async (query) => {
    const response = await (await service()).server.inject(`${TENANTS}?${query}`);
    expect(response.statusCode).toBe(400);
    expect(response.json().message).toContain(query.split('=')[0]);
  },
);

test('with a token, nothing of tenants is told or changed without it; what it is and can do is', async () => {
  const { server, tenants } = await service('secret', seed.slice(0, 9));
  const calls = [
    { method: 'GET', url: TENANTS },
    { method: 'GET', url: `${TENANTS}/count` },
    { method: 'GET', url: `${TENANTS}/comp_1` },
    { method: 'POST', url: TENANTS, payload: NEW },
    { method: 'PUT', url: `${TENANTS}/comp_1`, payload: WHOLE },
    { method: 'DELETE', url: `${TENANTS}/comp_1` },
  ] as const;
  for (const call of calls) {
    for (const authorization of [undefined, 'Bearer wrong', 'Bearer ', 'Basic secret', 'secret']) {
      const response = await server.inject({ ...call, headers: authorization === undefined ? {} : { authorization } });
      expect([response.statusCode, response.headers['www-authenticate']]).toEqual([401, 'Bearer']);
      expect(Object.keys(response.json())).toEqual(['message']);
    }
  }
  expect(await tenants.find('comp_1')).toEqual(seed[1]);
  for (const call of calls) {
    const response = await server.inject({ ...call, headers: { authorization: 'Bearer secret' } });
    expect(response.statusCode).toBeLessThan(300);
  }
  expect((await server.inject('/health')).json()).toEqual({ status: 'ok' });
  const version = { service: 'tenant-manager', version: '1.2.3', database: 'PGlite in memory' };
  expect((await server.inject('/version')).json()).toEqual(version);
  for (const url of ['/docs/', '/openapi.json']) expect((await server.inject(url)).statusCode).toBe(200);
});

test('a new tenant needs its id, industry, revenue and employees; the rest is 0', async () => {
  const { server, told } = await service();
  const response = await server.inject({ method: 'POST', url: TENANTS, payload: NEW });
  const tenant = { ...NEW, job30: 0, job90: 0, monthlyFee: 0, totalFee: 0, updatedAt: new Date(NOW).toISOString() };
  expect([response.statusCode, response.json()]).toEqual([201, tenant]);
  expect(response.headers).toMatchObject({ etag: `"${NOW}"`, location: `${TENANTS}/comp_new` });
  expect(await told()).toEqual([tenant]);
  const again = await server.inject({ method: 'POST', url: TENANTS, payload: NEW });
  expect(again.statusCode).toBe(409);
  expect(again.json().message).toContain('comp_new');
  expect(await told()).toHaveLength(1);
});

test.each([
  ['companyID', undefined],
  ['companyID', ''],
  ['companyID', 'x'.repeat(129)],
  ['companyID', 7],
  ['companyID', 'a\u0000'],
  ['companyID', '\ud800'],
  ['companyID', 'count'],
  ['companyID', '..'],
  ['industry', undefined],
  ['industry', ' '],
  ['industry', 'x'.repeat(201)],
  ['industry', 'a\u0000'],
  ['revenu', undefined],
  ['revenu', -1],
  ['revenu', '10'],
  ['employees', null],
  ['employees', true],
  ['job30', 1.5],
  ['job30', -1],
  ['job90', 2 ** 53],
  ['monthlyFee', []],
  ['totalFee', {}],
  ['montlyFee', 3],
  ['deleted', true],
])('a bad %s (%j) is 400, names the field, and changes nothing', async (name, value) => {
  const { server, told } = await service();
  const payload = JSON.stringify({ ...NEW, [name]: value });
  const headers = { 'content-type': 'application/json' };
  const response = await server.inject({ method: 'POST', url: TENANTS, payload, headers });
  expect(response.statusCode).toBe(400);
  expect(response.json().message).toMatch(new RegExp(`^${name}: expected`));
  expect(await told()).toEqual([]);
});

test.each(['[]', 'null', '"text"', '{"job30":', '', '{"revenu":1e400}'])(
  'a body that is no record (%j) is 400, in JSON',
  async (payload) => {
    const { server } = await service();
    for (const [method, url] of [
      ['POST', TENANTS],
      ['PUT', `${TENANTS}/a`],
    ] as const) {
      const headers = { 'content-type': 'application/json' };
      const response = await server.inject({ method, url, payload, headers });
      expect([response.statusCode, Object.keys(response.json())]).toEqual([400, ['message']]);
    }
  },
);

test('a body beyond the limit is refused, and so is one that is not JSON', async () => {
  const { server } = await service();
  const large = { ...NEW, industry: 'x'.repeat(100_000) };
  expect((await server.inject({ method: 'POST', url: TENANTS, payload: large })).statusCode).toBe(413);
  const headers = { 'content-type': 'text/csv' };
  expect((await server.inject({ method: 'POST', url: TENANTS, payload: 'a,b', headers })).statusCode).toBe(415);
});

test('other names in use are taken, and a record may come back as it was told', async () => {
  const { server } = await service();
  const { companyID, employees, ...rest } = NEW;
  const payload = { ...rest, tenantID: companyID, employee: employees };
  const made = await server.inject({ method: 'POST', url: TENANTS, payload });
  expect(made.json()).toMatchObject(NEW);
  const back = { ...made.json(), monthlyFee: 7, riskOfChurn: true };
  const put = await server.inject({ method: 'PUT', url: `${TENANTS}/comp_new`, payload: back });
  expect([put.statusCode, put.json()]).toMatchObject([200, { ...NEW, monthlyFee: 7 }]);
  const two = await server.inject({ method: 'POST', url: TENANTS, payload: { ...NEW, employee: 1 } });
  expect([two.statusCode, two.json().message]).toEqual([400, 'employees: expected one, got another as "employee"']);
});

test('a PUT replaces the whole tenant, so nothing may be left out; its updatedAt is ours', async () => {
  const { server, told } = await service('', seed.slice(0, 9));
  const url = `${TENANTS}/comp_4`;
  const response = await server.inject({ method: 'PUT', url, payload: { ...WHOLE, updatedAt: '1999-01-01' } });
  const changed = { companyID: 'comp_4', ...WHOLE, updatedAt: new Date(NOW).toISOString() };
  expect([response.statusCode, response.json(), response.headers.etag]).toEqual([200, changed, `"${NOW}"`]);
  expect((await server.inject(url)).json()).toEqual(changed);
  for (const name of Object.keys(WHOLE)) {
    const part = await server.inject({ method: 'PUT', url, payload: { ...WHOLE, [name]: undefined } });
    expect([part.statusCode, part.json().message]).toEqual([400, expect.stringMatching(new RegExp(`^${name}: `))]);
  }
  const other = await server.inject({ method: 'PUT', url, payload: { ...WHOLE, companyID: 'comp_5' } });
  expect([other.statusCode, other.json().message]).toEqual([400, expect.stringMatching(/^companyID: /)]);
  expect(await told()).toEqual([changed]);
});

test('a change of a tenant that was changed since is refused, with If-Match; without, it is made', async () => {
  const { server, told } = await service('', seed.slice(0, 9));
  const url = `${TENANTS}/comp_4`;
  const { etag } = (await server.inject(url)).headers;
  const put = (ifMatch: string, method: 'PUT' | 'DELETE' = 'PUT') =>
    server.inject({ method, url, headers: { 'if-match': ifMatch }, ...(method === 'PUT' && { payload: WHOLE }) });
  for (const method of ['PUT', 'DELETE'] as const) {
    for (const stale of ['"1"', `W/${etag}`, '""', '"x", "y"']) {
      const response = await put(stale, method);
      expect([response.statusCode, Object.keys(response.json())]).toEqual([412, ['message']]);
    }
    for (const bad of ['1', '"', `${etag}x`, '"1" "2"']) {
      const response = await put(bad, method);
      expect([response.statusCode, response.json().message]).toEqual([400, expect.stringMatching(/^if-match: /)]);
    }
  }
  expect(await told()).toEqual([]);
  const changed = await put(`"1", ${etag}`);
  expect(changed.statusCode).toBe(200);
  expect((await put(String(etag))).statusCode).toBe(412);
  expect((await put(String(changed.headers.etag))).statusCode).toBe(200);
  expect((await put('*')).statusCode).toBe(200);
  expect((await server.inject({ method: 'PUT', url, payload: WHOLE })).statusCode).toBe(200);
  expect((await put('*', 'DELETE')).statusCode).toBe(204);
  expect((await put('*', 'DELETE')).statusCode).toBe(404);
});

test('a tenant that was removed and made again is another: what was read before is stale', async () => {
  const { server } = await service();
  const first = await server.inject({ method: 'POST', url: TENANTS, payload: NEW });
  const url = `${TENANTS}/comp_new`;
  await server.inject({ method: 'DELETE', url });
  const second = await server.inject({ method: 'POST', url: TENANTS, payload: NEW });
  expect([first.headers.etag, second.headers.etag]).toEqual([`"${NOW}"`, `"${NOW + 2}"`]);
  const headers = { 'if-match': String(first.headers.etag) };
  expect((await server.inject({ method: 'PUT', url, payload: WHOLE, headers })).statusCode).toBe(412);
});

test('the OpenAPI page names every call, and loads nothing from elsewhere', async () => {
  const { server } = await service('secret');
  const { paths, security } = (await server.inject('/openapi.json')).json();
  const calls = Object.entries<object>(paths).flatMap(([path, methods]) =>
    Object.keys(methods).map((method) => `${method.toUpperCase()} ${path}`),
  );
  expect(calls.sort()).toEqual([
    'DELETE /api/v1/tenants/{companyID}',
    'GET /api/v1/tenants',
    'GET /api/v1/tenants/count',
    'GET /api/v1/tenants/{companyID}',
    'GET /health',
    'GET /version',
    'POST /api/v1/tenants',
    'PUT /api/v1/tenants/{companyID}',
  ]);
  expect(security).toEqual([{ token: [] }]);
  const page = await server.inject('/docs/');
  expect(page.headers['content-security-policy']).toContain("default-src 'self'");
  const files = [...page.body.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, file]) => file ?? '');
  expect(files.length).toBeGreaterThan(2);
  for (const file of files) {
    expect(file).not.toMatch(/^(https?:)?\/\//);
    expect((await server.inject(new URL(file, 'http://x/docs/').pathname)).statusCode).toBe(200);
  }
});

test('while the database is away the answer is 503 or 500, in JSON, and why is told', async () => {
  const { server, failures, tenants } = await service();
  const refused = () => Promise.reject(new Error('connection refused'));
  Object.assign(tenants, { check: refused, find: refused });
  for (const [url, status] of [
    ['/health', 503],
    [`${TENANTS}/a`, 500],
  ] as const) {
    const response = await server.inject(url);
    expect([response.statusCode, Object.keys(response.json())]).toEqual([status, ['message']]);
    expect(response.body).not.toContain('refused');
  }
  expect(failures).toHaveLength(2);
});

test('what is not there is 404, in JSON', async () => {
  const response = await (await service()).server.inject('/api/v2/tenants?x=1');
  expect([response.statusCode, response.json()]).toEqual([404, { message: 'there is no GET /api/v2/tenants' }]);
});

test('the seed is the nine companies of the first version and then always the same ones', () => {
  const csv = readFileSync(new URL('../../../conformance/first-version/companies.csv', import.meta.url), 'utf8');
  const rows = seed.slice(0, 9).map(({ updatedAt: _, ...record }) => Object.values(record).join(','));
  expect(rows.join('\n')).toBe(csv.trimEnd());
  expect(seedCompanies(300, 7, UPDATED)).toEqual(seed);
  expect(seedCompanies(20, 7, UPDATED)).toEqual(seed.slice(0, 20));
  expect(new Set(seed.map(({ companyID }) => companyID)).size).toBe(300);
  for (const { job30, job90 } of seed) expect(job30).toBeLessThanOrEqual(job90);
});
