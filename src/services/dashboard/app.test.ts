import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { csvParseRows } from 'd3-dsv';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { bytes, NOW, row, scored } from '../../../test/support/dashboard-rows.ts';
import { DAY_MS } from '../../base/time.ts';
import { serviceServer } from '../server.ts';
import { dashboardApp } from './app.ts';
import { Dashboard } from './dashboard.ts';
import { catalogueSchema, INSIGHTS, type InsightName, statusSchema } from './insights-schema.ts';

const NAMES = Object.keys(INSIGHTS) as InsightName[];
const COMPANY_ID = '=comp, "1"\nü';

let folder: string;
let dashboard: Dashboard;
let server: ReturnType<typeof serviceServer>;
beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/tenant-analytics-`);
  await mkdir(`${folder}/web/assets`, { recursive: true });
  await writeFile(`${folder}/web/index.html`, '<!doctype html><title>page</title>');
  await writeFile(`${folder}/web/assets/app-1.js`, '1');
  await writeFile(`${folder}/secret.txt`, 'secret');
  dashboard = await Dashboard.open({ now: () => NOW, warn: () => undefined });
  const rows = [
    row(),
    scored(row({ companyID: COMPANY_ID, version: 1, dataSize: 10 }), 0.2),
    scored(row({ companyID: COMPANY_ID, version: 2 }), 0.9, { riskChanged: 'at-risk' }),
    row({ companyID: 'comp_3', industry: 'travel', scoreStatus: 'off', eventTime: NOW - 40 * DAY_MS }),
  ];
  for (const one of rows) dashboard.ingest(bytes(one));
  await dashboard.applied();
  server = await serverOf(`${folder}/web`);
});
afterAll(async () => {
  await server?.close();
  await dashboard?.close();
  await rm(folder, { recursive: true, force: true });
});

async function serverOf(webFolder: string) {
  const made = serviceServer();
  await made.register(dashboardApp, { dashboard, webFolder, version: '1.2.3' });
  return made;
}

function urlOf(name: InsightName): string {
  const query = 'companyID' in INSIGHTS[name].query.shape ? `?companyID=${encodeURIComponent(COMPANY_ID)}` : '';
  return `/api/insights/${name}${query}`;
}

test.each(NAMES)('%s answers as its schema says, with numbers and as of when they are', async (name) => {
  const response = await server.inject(urlOf(name));
  expect(response.statusCode).toBe(200);
  const answer = INSIGHTS[name].answer.parse(response.json());
  expect(answer).toEqual(response.json());
  expect(answer.rows.length).toBeGreaterThan(0);
  expect(answer.asOf).toMatchObject({
    state: 'live',
    rows: 4,
    today: '2026-11-22',
    eventTime: new Date(NOW).toISOString(),
  });
});

test.each(NAMES)('%s as CSV has the numbers of its rows, whatever stands in them', async (name) => {
  const { rows } = (await server.inject(urlOf(name))).json();
  const url = urlOf(name);
  const response = await server.inject(`${url}${url.includes('?') ? '&' : '?'}format=csv`);
  expect(response.headers['content-type']).toContain('text/csv');
  expect(response.headers['content-disposition']).toBe(`attachment; filename="${name}-2026-11-22.csv"`);
  const [header, ...lines] = csvParseRows(response.body);
  expect(header).toEqual(Object.keys(INSIGHTS[name].row.shape));
  expect(lines.length).toBe(rows.length);
  const expected = rows.map((one: Record<string, unknown>) => (header ?? []).map((column) => textOf(one[column])));
  expect(lines).toEqual(expected);
});

/** A cell as it stands in the CSV, after quoting is taken off. */
function textOf(value: unknown): string {
  if (value === null) return '';
  const text = Array.isArray(value) ? value.join('; ') : String(value);
  return typeof value !== 'number' && /^[=+\-@\t\r]/.test(text) ? `'${text}` : text;
}

test('CSV is also given to who accepts nothing else, JSON to browsers', async () => {
  const of = async (accept: string) =>
    (await server.inject({ url: '/api/insights/scoring', headers: { accept } })).headers['content-type'];
  expect(await of('text/csv')).toContain('text/csv');
  expect(await of('text/html,application/json,*/*;q=0.8')).toContain('application/json');
});

test('a cell of a spreadsheet never becomes a formula', async () => {
  const { body } = await server.inject('/api/insights/companies?format=csv');
  expect(body).toContain(`"'=comp, ""1""`);
});

test.each([
  ['least-active?limit=0', 'limit'],
  ['least-active?limit=ten', 'limit'],
  ['least-active?by=job60', 'by'],
  ['silent?days=-1', 'days'],
  ['company-jobs', 'companyID'],
  ['scoring?format=xml', 'format'],
  ['scoring?limt=5', 'limt'],
])('%s is 400 and names what is wrong', async (question, name) => {
  const response = await server.inject(`/api/insights/${question}`);
  expect(response.statusCode).toBe(400);
  expect(response.json().message).toContain(name);
});

test('a company nobody knows is 404, and so is a question that is none', async () => {
  const unknown = await server.inject('/api/insights/company-jobs?companyID=nobody');
  expect([unknown.statusCode, unknown.json().message]).toEqual([404, 'no row of company nobody is known']);
  expect((await server.inject('/api/insights/nothing')).statusCode).toBe(404);
});

test('companies of an industry are found in any case, and text of a user is never SQL', async () => {
  const found = async (query: string) => (await server.inject(`/api/insights/companies?${query}`)).json().rows.length;
  expect(await found('industry=TRAVEL')).toBe(1);
  expect(await found('industry=')).toBe(3);
  expect(await found('search=COMP_')).toBe(2);
  expect(await found(`industry=${encodeURIComponent("' OR '1'='1")}`)).toBe(0);
  expect(await found(`search=${encodeURIComponent('%')}`)).toBe(0);
});

test('all questions are listed, each can be asked, and the OpenAPI page describes them', async () => {
  const { insights } = catalogueSchema.parse((await server.inject('/api/insights')).json());
  expect(insights.map(({ name }) => name)).toEqual(NAMES);
  const { paths } = (await server.inject('/openapi.json')).json();
  for (const { href } of insights) {
    expect(paths[href].get.responses['200'].content['application/json'].schema.required).toContain('asOf');
  }
  expect(paths['/api/insights/silent'].get.parameters.map(({ name }: { name: string }) => name)).toContain('days');
  expect((await server.inject('/docs')).statusCode).toBe(200);
});

test('the status says how many tenants are known, and the state of the catch-up', async () => {
  const status = statusSchema.parse((await server.inject('/api/status')).json());
  expect(status).toMatchObject({ state: 'live', tenants: 3, rows: 4 });
  expect((await server.inject('/health')).json()).toEqual({ status: 'ok' });
});

test('every answer keeps a browser from loading or showing anything of elsewhere', async () => {
  for (const url of ['/', '/api/insights/scoring', '/api/nothing', '/assets/app-1.js']) {
    const { headers } = await server.inject(url);
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("default-src 'self'");
    expect(policy).not.toMatch(/https?:|unsafe|\*/);
    expect(headers['x-content-type-options']).toBe('nosniff');
    expect(headers['strict-transport-security']).toBeUndefined();
  }
});

test('a page whose name suddenly means this machine reads nothing', async () => {
  const asked = async (host: string) =>
    (await server.inject({ url: '/api/insights/companies', headers: { host } })).statusCode;
  expect(await asked('evil.example:8080')).toBe(421);
  for (const host of ['127.0.0.1:8080', 'localhost:8080', '[::1]:8080']) expect(await asked(host)).toBe(200);
});

test('the page is served, its parts are kept by browsers, and nothing beside it can be read', async () => {
  const page = await server.inject('/');
  expect([page.body, page.headers['cache-control']]).toEqual(['<!doctype html><title>page</title>', 'no-cache']);
  expect((await server.inject('/assets/app-1.js')).headers['cache-control']).toContain('immutable');
  for (const path of ['/../secret.txt', '/..%2fsecret.txt', '/%2e%2e/secret.txt']) {
    expect((await server.inject(path)).body).not.toBe('secret');
  }
});

test('without a built page the dashboard says what to do, and answers its questions', async () => {
  const bare = await serverOf(`${folder}/nothing`);
  const page = await bare.inject('/');
  expect(page.headers['content-type']).toContain('text/html');
  expect(page.body).toContain('npm run build');
  expect((await bare.inject('/api/insights/scoring')).statusCode).toBe(200);
  await bare.close();
});
