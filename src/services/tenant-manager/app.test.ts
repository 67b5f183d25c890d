import { readFileSync } from 'node:fs';
import { afterEach, expect, test } from 'vitest';
import { companyFromJson } from '../../core/decode-company.ts';
import { serviceServer } from '../server.ts';
import { tenantManager } from './app.ts';
import { seedCompanies } from './seed-companies.ts';

const UPDATED = Date.UTC(2026, 0, 1);
const tenants = seedCompanies(300, 7, UPDATED);

const servers: ReturnType<typeof serviceServer>[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

function server(token = '', of = tenants) {
  const made = serviceServer();
  made.register(tenantManager, { tenants: of, token });
  servers.push(made);
  return made;
}

test('a tenant is answered as a company record, with the time of its counts', async () => {
  const response = await server().inject('/api/v1/tenants/comp_4');
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
  const response = await server().inject('/api/v1/tenants/comp_9999');
  expect(response.statusCode).toBe(404);
  expect(response.json()).toEqual({ message: 'there is no tenant comp_9999' });
});

test('any company id can be asked for, however long and in whatever letters', async () => {
  const [first] = tenants;
  if (first === undefined) throw new Error('no tenants');
  for (const companyID of ['a/b?c=%', '😀'.repeat(128), 'ü '.repeat(64), '__proto__']) {
    const made = server('', [{ ...first, companyID }]);
    const response = await made.inject(`/api/v1/tenants/${encodeURIComponent(companyID)}`);
    expect(response.json()).toEqual({ ...first, companyID });
    const other = await server().inject(`/api/v1/tenants/${encodeURIComponent(companyID)}`);
    expect(other.statusCode).toBe(404);
  }
});

test('tenants come in pages that hold each once', async () => {
  const made = server();
  const found: string[] = [];
  for (let offset = 0; ; offset += 70) {
    const page = (await made.inject(`/api/v1/tenants?limit=70&offset=${offset}`)).json();
    expect(page).toMatchObject({ total: 300, limit: 70, offset });
    if (page.tenants.length === 0) break;
    found.push(...page.tenants.map(({ companyID }: { companyID: string }) => companyID));
  }
  expect(found).toEqual(tenants.map(({ companyID }) => companyID));
  expect((await made.inject('/api/v1/tenants')).json()).toMatchObject({ limit: 100, offset: 0 });
});

test('tenants of an industry, in any case', async () => {
  const made = server();
  const retail = tenants.filter(({ industry }) => industry === 'retail');
  const page = (await made.inject('/api/v1/tenants?industry=RETAIL&limit=500')).json();
  expect(page).toEqual({ tenants: retail, total: retail.length, limit: 500, offset: 0 });
  expect((await made.inject('/api/v1/tenants/count?industry=Retail')).json()).toEqual({ count: retail.length });
  expect((await made.inject('/api/v1/tenants/count')).json()).toEqual({ count: 300 });
});

test.each(['limit=0', 'limit=501', 'limit=x', 'offset=-1'])(
  'a bad page (%s) is 400 and names the field',
  async (query) => {
    const response = await server().inject(`/api/v1/tenants?${query}`);
    expect(response.statusCode).toBe(400);
    expect(response.json().message).toContain(query.split('=')[0]);
  },
);

test('with a token, nothing is told without it, but that the service is up', async () => {
  const made = server('secret');
  for (const url of ['/api/v1/tenants', '/api/v1/tenants/count', '/api/v1/tenants/comp_1']) {
    for (const authorization of [undefined, 'Bearer wrong', 'Bearer ', 'Basic secret', 'secret']) {
      const response = await made.inject({ url, headers: authorization === undefined ? {} : { authorization } });
      expect([response.statusCode, response.headers['www-authenticate']]).toEqual([401, 'Bearer']);
      expect(Object.keys(response.json())).toEqual(['message']);
    }
    const response = await made.inject({ url, headers: { authorization: 'Bearer secret' } });
    expect(response.statusCode).toBe(200);
  }
  expect((await made.inject('/health')).json()).toEqual({ status: 'ok' });
});

test('what is not there is 404, in JSON', async () => {
  const response = await server().inject('/api/v2/tenants?x=1');
  expect([response.statusCode, response.json()]).toEqual([404, { message: 'there is no GET /api/v2/tenants' }]);
});

test('the seed is the nine companies of the first version and then always the same ones', () => {
  const csv = readFileSync(new URL('../../../conformance/first-version/companies.csv', import.meta.url), 'utf8');
  const rows = tenants.slice(0, 9).map(({ updatedAt: _, ...record }) => Object.values(record).join(','));
  expect(rows.join('\n')).toBe(csv.trimEnd());
  expect(seedCompanies(300, 7, UPDATED)).toEqual(tenants);
  expect(seedCompanies(20, 7, UPDATED)).toEqual(tenants.slice(0, 20));
  expect(new Set(tenants.map(({ companyID }) => companyID)).size).toBe(300);
  for (const { job30, job90 } of tenants) expect(job30).toBeLessThanOrEqual(job90);
});
