import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import type { FastifyInstance, FastifyPluginAsync, InjectOptions } from 'fastify';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { accessWithTokens, bearer, TOKENS } from '../../../../test/support/dashboard-access.ts';
import { bytes, NOW, row, scored } from '../../../../test/support/dashboard-rows.ts';
import { dashboardApp } from '../app.ts';
import { Dashboard } from '../dashboard.ts';
import { INSIGHTS, type InsightName } from '../insights-schema.ts';
import { dashboardServer } from './server.ts';
import type { Access } from './settings.ts';
import { FOR_TENANTS } from './viewer.ts';

const HOUR_MS = 3_600_000;
const PUBLIC = 'https://dash.example.com';
const NAMES = Object.keys(INSIGHTS) as InsightName[];
/** What only `comp_2` and the industry they share could tell. */
const OTHERS = /comp_2|user_other|98765|4321/;

let folder: string;
let dashboard: Dashboard;
let clock = NOW;
let warnings: string[] = [];
const closing: (() => Promise<unknown>)[] = [];
beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/tenant-analytics-`);
  await mkdir(`${folder}/web/assets`, { recursive: true });
  await writeFile(`${folder}/web/index.html`, '<!doctype html><title>page</title>');
  await writeFile(`${folder}/web/sign-in.html`, '<!doctype html><title>sign in</title><main><!-- ways --></main>');
  await writeFile(`${folder}/web/favicon.svg`, '<svg/>');
  await writeFile(`${folder}/web/assets/app-1.js`, '1');
  dashboard = await Dashboard.open({ now: () => NOW, warn: () => undefined });
  const rows = [
    scored(row({ version: 1, eventTime: NOW - 1000 }), 0.3),
    scored(row({ version: 2 }), 0.8, { riskChanged: 'at-risk' }),
    scored(
      row({
        ...{ companyID: 'comp_2', version: 1, userID: 'user_other', monthlyFee: 98765, revenu: 98765, nbJobs: 4321 },
        ...{ job30: 4321, job90: 4321, dataSize: 98765, eventTime: NOW + 1000 },
      }),
      0.9,
      { riskChanged: 'at-risk' },
    ),
  ];
  for (const one of rows) dashboard.ingest(bytes(one));
  await dashboard.applied();
});
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  clock = NOW;
  warnings = [];
});
afterAll(async () => {
  await dashboard?.close();
  await rm(folder, { recursive: true, force: true });
});

interface Made {
  readonly server: FastifyInstance;
  /** Each route that it has, as `GET /path`. */
  readonly routes: readonly string[];
}

async function made(
  more: Parameters<typeof accessWithTokens>[1] = {},
  change = (access: Access) => access,
): Promise<Made> {
  const access = change(await accessWithTokens(folder, more));
  const server = dashboardServer(access.place);
  const routes: string[] = [];
  server.addHook('onRoute', ({ method, url }) => {
    for (const one of [method].flat()) routes.push(`${one} ${url}`);
  });
  const world = { now: () => clock, warn: (message: string) => void warnings.push(message) };
  const options = { dashboard, webFolder: `${folder}/web`, version: '1', access, world };
  await server.register(dashboardApp, options);
  await server.ready();
  closing.push(() => server.close());
  return { server, routes };
}

/** Beyond this machine, behind a proxy at 10.0.0.7. */
const AWAY = { host: '0.0.0.0', publicUrl: PUBLIC, trustProxy: '10.0.0.7' };
const FROM_PROXY: InjectOptions = {
  remoteAddress: '10.0.0.7',
  headers: { host: 'dash.example.com', 'x-forwarded-proto': 'https', 'x-forwarded-for': '203.0.113.9' },
};

const BROWSER = { accept: 'text/html,*/*;q=0.8', 'sec-fetch-mode': 'navigate' };
const OWN_FORM = { 'content-type': 'application/x-www-form-urlencoded', 'sec-fetch-site': 'same-origin' };

async function signIn(server: FastifyInstance, token: string, headers: object = OWN_FORM) {
  const payload = new URLSearchParams({ token }).toString();
  const response = await server.inject({ method: 'POST', url: '/sign-in', headers: { ...headers }, payload });
  const session = response.cookies.find(({ name, value }) => name.endsWith('session') && value !== '');
  return { response, session, cookie: session === undefined ? '' : `${session.name}=${session.value}` };
}

function urlOf(name: InsightName): string {
  return `/api/insights/${name}${'companyID' in INSIGHTS[name].query.shape ? '?companyID=comp_1' : ''}`;
}

test('every route is either listed here as public, or answers nobody who is not signed in', async () => {
  const { server, routes } = await made();
  const open = ['GET /health', 'GET /sign-in', 'POST /sign-in', 'POST /sign-out'];
  expect(routes.length).toBeGreaterThan(40);
  for (const route of routes) {
    const [method = '', url = ''] = route.split(' ');
    if (open.includes(route) || open.includes(route.replace('HEAD', 'GET'))) continue;
    const response = await server.inject({ method: method as 'GET', url: url.replace('*', 'some.thing') });
    expect([route, response.statusCode]).toEqual([route, 401]);
  }
});

test('every route that is not listed here as theirs is refused to a user tied to a tenant', async () => {
  const { server, routes } = await made();
  const theirs = [
    '/',
    '/*',
    '/api/viewer',
    '/api/insights',
    '/api/status',
    '/api/feed',
    '/sign-in',
    '/sign-out',
    '/health',
  ];
  const insights = [...FOR_TENANTS].map((name) => `/api/insights/${name}`);
  for (const route of routes) {
    const [method = '', url = ''] = route.split(' ');
    if (theirs.includes(url) || insights.includes(url)) continue;
    const response = await server.inject({
      method: method as 'GET',
      url: url.replace('*', 'x'),
      headers: bearer('tenant'),
    });
    expect([route, response.statusCode]).toEqual([route, 403]);
  }
});

test('a route that does not say whom it is for is for those who see all', async () => {
  const access = await accessWithTokens(folder);
  const server = dashboardServer(access.place);
  closing.push(() => server.close());
  const app: FastifyPluginAsync = async (scope) => {
    await dashboardApp(scope, { dashboard, webFolder: '/nowhere', version: '1', access });
    scope.get('/forgotten', async () => 'forgotten');
  };
  await server.register(app);
  const asked = async (url: string, who: keyof typeof TOKENS) =>
    (await server.inject({ url, headers: bearer(who) })).statusCode;
  expect([await asked('/forgotten', 'staff'), await asked('/forgotten', 'tenant')]).toEqual([200, 403]);
  expect([
    await asked('/metrics', 'staff'),
    await asked('/metrics', 'metrics'),
    await asked('/metrics', 'tenant'),
  ]).toEqual([200, 200, 403]);
  for (const url of ['/api/insights/companies', '/api/feed', '/', '/docs', '/api/viewer', '/forgotten']) {
    expect([url, await asked(url, 'metrics')]).toEqual([url, 403]);
  }
});

test.each(NAMES)('%s tells a user tied to a tenant nothing of others, as JSON and as CSV', async (name) => {
  const { server } = await made();
  const url = urlOf(name);
  for (const each of [url, `${url}${url.includes('?') ? '&' : '?'}format=csv`]) {
    const { statusCode, body, headers } = await server.inject({ url: each, headers: bearer('tenant') });
    expect(statusCode).toBe(FOR_TENANTS.has(name) ? 200 : 403);
    expect(body).not.toMatch(OTHERS);
    expect(headers['cache-control']).toBe('no-store');
  }
  const all = await server.inject({ url, headers: bearer('staff') });
  expect(all.statusCode).toBe(200);
});

test('the numbers of a tenant are those of its rows alone, as if there were no other', async () => {
  const { server } = await made();
  const ask = async (url: string) => (await server.inject({ url, headers: bearer('tenant') })).json();
  expect((await ask('/api/insights/companies')).totals).toMatchObject({ companies: 1, monthlyFee: 461 });
  expect((await ask('/api/insights/companies?search=comp_2')).rows).toEqual([]);
  expect((await ask('/api/insights/batches-per-day')).totals).toMatchObject({ batches: 2, companies: 1 });
  expect((await ask('/api/insights/submissions-by-month')).totals).toMatchObject({ jobs: 2, companies: 1 });
  expect((await ask('/api/insights/churn-risk')).totals).toMatchObject({ scored: 1, monthlyFeeAtRisk: 461 });
  expect((await ask('/api/insights/risk-changes')).rows.map((each: { companyID: string }) => each.companyID)).toEqual([
    'comp_1',
  ]);
  expect((await ask('/api/insights/risk-changes')).totals).toEqual({ turnedAtRisk: 1, recovered: 0 });
  const { asOf } = await ask('/api/insights/company-jobs?companyID=comp_1');
  expect(asOf).toMatchObject({ rows: 2, eventTime: new Date(NOW).toISOString() });
  expect(await ask('/api/status')).toMatchObject({ tenants: 1, rows: 2, companiesNotShown: 0 });
  const { insights } = await ask('/api/insights');
  expect(insights.map(({ name }: { name: InsightName }) => name).sort()).toEqual([...FOR_TENANTS].sort());
});

test('another company is refused, whether it is there or not, and however it is asked for', async () => {
  const { server } = await made();
  const asked = async (query: string) =>
    (await server.inject({ url: `/api/insights/company-jobs?${query}`, headers: bearer('tenant') })).statusCode;
  for (const query of ['companyID=comp_2', 'companyID=nobody', 'companyID=comp_1&companyID=comp_2', 'companyID=']) {
    expect(await asked(query)).toBe(403);
  }
  expect(await asked('companyID=comp_1')).toBe(200);
});

test('the page is told who signed in, and for which company', async () => {
  const { server } = await made();
  const of = async (who: keyof typeof TOKENS) =>
    (await server.inject({ url: '/api/viewer', headers: bearer(who) })).json();
  expect(await of('staff')).toEqual({ signedIn: true, name: 'Ana of the staff', companyID: null });
  expect(await of('tenant')).toEqual({ signedIn: true, name: 'Tom of comp_1', companyID: 'comp_1' });
});

test('a person is led to the page for signing in, and it has what it needs; a program is told 401', async () => {
  const { server } = await made();
  const page = await server.inject({ url: '/', headers: BROWSER });
  expect([page.statusCode, page.headers.location, page.headers['cache-control']]).toEqual([
    303,
    '/sign-in',
    'no-store',
  ]);
  const api = await server.inject({ url: '/api/viewer', headers: BROWSER });
  expect([api.statusCode, api.headers['www-authenticate']]).toEqual([401, 'Bearer realm="tenant-analytics"']);
  const signIn = await server.inject('/sign-in');
  expect(signIn.body).toContain('<form method="post">');
  for (const part of ['/assets/app-1.js', '/favicon.svg']) expect((await server.inject(part)).statusCode).toBe(200);
  expect((await server.inject({ url: '/sign-in.html', headers: bearer('staff') })).statusCode).toBe(404);
  for (const path of ['/assets/../index.html', '/assets/%2e%2e/index.html', '//index.html', '/index.html?/assets/']) {
    expect((await server.inject(path)).body).not.toContain('page');
  }
});

test('a token signs in by the form, until signing out ends the session for good', async () => {
  const { server } = await made();
  const { response, session, cookie } = await signIn(server, TOKENS.tenant.token);
  expect([response.statusCode, response.headers.location]).toEqual([303, '/']);
  expect(session).toMatchObject({ httpOnly: true, sameSite: 'Lax', path: '/', maxAge: 8 * 3600 });
  const asked = () => server.inject({ url: '/api/viewer', headers: { cookie } });
  expect((await asked()).json().companyID).toBe('comp_1');
  expect((await server.inject({ url: '/', headers: { ...BROWSER, cookie } })).headers['cache-control']).toBe(
    'no-store',
  );
  expect((await server.inject({ url: '/sign-in', headers: { cookie } })).headers.location).toBe('/');
  const out = await server.inject({ method: 'POST', url: '/sign-out', headers: { ...OWN_FORM, cookie } });
  expect([out.statusCode, out.headers.location]).toEqual([303, '/sign-in?said=out']);
  expect(out.cookies[0]).toMatchObject({ value: '' });
  expect((await asked()).statusCode).toBe(401);
});

test('a session ends with its time, with that of its token, and with the file that had the token', async () => {
  const { server } = await made();
  const { cookie } = await signIn(server, TOKENS.staff.token);
  const asked = async (of: FastifyInstance) =>
    (await of.inject({ url: '/api/viewer', headers: { cookie } })).statusCode;
  clock = NOW + 8 * HOUR_MS - 1000;
  expect(await asked(server)).toBe(200);
  clock = NOW + 8 * HOUR_MS + 1000;
  expect(await asked(server)).toBe(401);
  const secret = { sessionSecret: 's'.repeat(32) };
  const first = await made(secret);
  const kept = await signIn(first.server, TOKENS.staff.token);
  const after = async (more: object) =>
    (await (await made({ ...secret, ...more })).server.inject({ url: '/api/viewer', headers: { cookie: kept.cookie } }))
      .statusCode;
  expect(await after({})).toBe(200);
  expect(await after({ sessionSecret: 't'.repeat(32) })).toBe(401);
  expect(await after({ publicUrl: 'http://localhost:8080' })).not.toBe(200);
  const others = `${folder}/others.json`;
  await writeFile(others, JSON.stringify([TOKENS.tenant.entry]));
  expect(await after({ tokens: others })).toBe(401);
});

test('without a secret of its own, sessions end with the process', async () => {
  const { cookie } = await signIn((await made()).server, TOKENS.staff.token);
  const again = await made();
  expect((await again.server.inject({ url: '/api/viewer', headers: { cookie } })).statusCode).toBe(401);
});

test('a cookie that somebody changed, or made for something else, is nobody', async () => {
  const { server } = await made();
  const { cookie } = await signIn(server, TOKENS.tenant.token);
  const [name = '', value = ''] = cookie.split('=');
  const parts = value.split('.');
  const changed = [
    ...parts.slice(0, 3),
    `${parts[3]?.startsWith('A') ? 'B' : 'A'}${parts[3]?.slice(1)}`,
    parts[4],
  ].join('.');
  for (const each of [changed, '', 'x', 'a.b.c.d.e', value.slice(0, -2), 'x'.repeat(100_000)]) {
    const response = await server.inject({ url: '/api/viewer', headers: { cookie: `${name}=${each}` } });
    expect(response.statusCode).toBe(401);
  }
  expect(value).not.toContain(Buffer.from('token').toString('base64url'));
});

test.each([
  ['of another page', { 'sec-fetch-site': 'cross-site' }],
  ['of another host of the same domain', { 'sec-fetch-site': 'same-site' }],
  ['of another origin, by an older browser', { origin: 'https://evil.example' }],
  ['of an origin that is hidden', { origin: 'null' }],
  ['that does not say where it is from', {}],
])('a form %s signs nobody in or out', async (_what, from) => {
  const { server } = await made();
  const headers = { 'content-type': OWN_FORM['content-type'], ...from };
  const { response, session } = await signIn(server, TOKENS.staff.token, headers);
  expect([response.headers.location, session]).toEqual(['/sign-in?said=elsewhere', undefined]);
  const { cookie } = await signIn(server, TOKENS.staff.token);
  const out = await server.inject({ method: 'POST', url: '/sign-out', headers: { ...headers, cookie } });
  expect(out.headers.location).toBe('/sign-in?said=elsewhere');
  expect((await server.inject({ url: '/api/viewer', headers: { cookie } })).statusCode).toBe(200);
});

test('a form of an older browser is known by its origin', async () => {
  const { server } = await made();
  const headers = { 'content-type': OWN_FORM['content-type'], origin: 'http://localhost:80', host: 'localhost:80' };
  expect((await signIn(server, TOKENS.staff.token, headers)).session).toBeDefined();
});

test.each([
  ['nothing', ''],
  ['one that nobody has', 'ta_unknown'],
  ['a hash in place of the token', (TOKENS.staff.entry as { sha256: string }).sha256],
  ['one that is over', TOKENS.old.token],
])('%s is no token, neither in the form nor for the API', async (_what, token) => {
  const { server } = await made();
  const { response, session } = await signIn(server, token);
  expect([response.headers.location, session]).toEqual(['/sign-in?said=wrong-token', undefined]);
  const page = await server.inject('/sign-in?said=wrong-token');
  expect([page.statusCode, page.body.includes('role="alert"')]).toEqual([401, true]);
  const api = await server.inject({ url: '/api/viewer', headers: { authorization: `Bearer ${token}` } });
  expect(api.statusCode).toBe(401);
  if (token !== '') expect(`${page.body}${api.body}${warnings.join()}`).not.toContain(token);
});

test('a wrong token is not helped by a good cookie; a token for metrics opens no page', async () => {
  const { server } = await made();
  const { cookie } = await signIn(server, TOKENS.staff.token);
  const headers = { cookie, authorization: 'Bearer ta_unknown' };
  expect((await server.inject({ url: '/api/viewer', headers })).statusCode).toBe(401);
  expect((await signIn(server, TOKENS.metrics.token)).response.headers.location).toBe('/sign-in?said=metrics-token');
});

test('after ten failures from a network nothing is tried for the rest of the minute; others are not held up', async () => {
  const { server } = await made();
  const from = (remoteAddress: string, headers: Record<string, string>) =>
    server.inject({ url: '/api/viewer', remoteAddress, headers });
  for (let tries = 0; tries < 10; tries++) {
    const at = `2001:db8:1:2::${tries}`;
    expect((await from(at, { authorization: 'Bearer ta_guess' })).statusCode).toBe(401);
  }
  const late = await from('2001:db8:1:2::ff', bearer('staff'));
  expect([late.statusCode, Number(late.headers['retry-after']) > 0]).toEqual([429, true]);
  expect((await from('2001:db8:1:3::1', bearer('staff'))).statusCode).toBe(200);
  for (let tries = 0; tries < 10; tries++) await signIn(server, 'ta_guess');
  const form = await signIn(server, TOKENS.staff.token);
  expect([form.response.headers.location, form.session]).toEqual(['/sign-in?said=too-often', undefined]);
  expect((await server.inject('/sign-in?said=too-often')).statusCode).toBe(429);
});

test('nothing that came is shown on the page for signing in', async () => {
  const { server } = await made();
  for (const said of ['<script>', 'constructor', '__proto__', 'toString']) {
    const { statusCode, body } = await server.inject(`/sign-in?said=${encodeURIComponent(said)}`);
    expect([statusCode, body.includes(said)]).toEqual([200, false]);
  }
  const large = await signIn(server, 'x'.repeat(10_000));
  expect(large.response.statusCode).toBe(413);
});

test('known by its public name it answers by that alone, over https, with secure cookies and HSTS', async () => {
  const { server } = await made(AWAY);
  const asked = (headers: Record<string, string>, remoteAddress = '10.0.0.7') =>
    server.inject({
      ...{ url: '/api/viewer', remoteAddress },
      headers: { ...(FROM_PROXY.headers as Record<string, string>), ...bearer('staff'), ...headers },
    });
  const right = await asked({});
  expect(right.statusCode).toBe(200);
  expect(right.headers['strict-transport-security']).toBe('max-age=31536000');
  expect((await asked({ host: 'dash.example.com:443' })).statusCode).toBe(200);
  expect((await asked({ host: 'evil.example' })).statusCode).toBe(421);
  expect((await asked({ host: '127.0.0.1:8080' })).statusCode).toBe(421);
  expect((await asked({ 'x-forwarded-host': 'evil.example' })).statusCode).toBe(421);
  expect((await asked({ 'x-forwarded-proto': 'http' })).statusCode).toBe(421);
  // Whoever is not the proxy is not taken at its word.
  expect((await asked({}, '203.0.113.1')).statusCode).toBe(421);
  expect((await server.inject({ url: '/health', headers: { host: '10.0.0.8:8080' } })).statusCode).toBe(200);
  const payload = new URLSearchParams({ token: TOKENS.staff.token }).toString();
  const headers = { ...FROM_PROXY.headers, ...OWN_FORM };
  const { cookies } = await server.inject({ ...FROM_PROXY, method: 'POST', url: '/sign-in', headers, payload });
  expect(cookies[0]).toMatchObject({
    name: '__Host-tenant-analytics-session',
    secure: true,
    httpOnly: true,
    path: '/',
  });
  expect(cookies[0]?.domain).toBeUndefined();
});

test('behind a proxy the failures of one network do not hold up another', async () => {
  const { server } = await made(AWAY);
  const from = (client: string, headers: object) =>
    server.inject({
      ...{ ...FROM_PROXY, url: '/api/viewer' },
      headers: { ...FROM_PROXY.headers, 'x-forwarded-for': client, ...headers },
    });
  for (let tries = 0; tries < 10; tries++) await from('203.0.113.9', { authorization: 'Bearer ta_guess' });
  expect((await from('203.0.113.9', bearer('staff'))).statusCode).toBe(429);
  // What the client itself says of where it is from is not believed.
  expect((await from('8.8.8.8, 203.0.113.9', bearer('staff'))).statusCode).toBe(429);
  expect((await from('203.0.113.10', bearer('staff'))).statusCode).toBe(200);
});

test('every answer keeps a browser from loading or showing anything of elsewhere, also where people sign in', async () => {
  const { server } = await made(AWAY);
  for (const url of ['/', '/sign-in', '/sign-in?said=failed', '/api/viewer', '/api/nothing', '/assets/app-1.js']) {
    const { headers } = await server.inject({ ...FROM_PROXY, url });
    const policy = String(headers['content-security-policy']);
    expect(policy).toContain("form-action 'self'");
    expect(policy).not.toMatch(/https?:|unsafe|\*/);
    expect(headers['referrer-policy']).toBe('same-origin');
    expect(headers['strict-transport-security']).toBeDefined();
  }
});
