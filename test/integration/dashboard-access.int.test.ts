// Signing in to the real dashboard over real sockets, by tokens and by a real OpenID Connect provider on this machine.
import { readFileSync } from 'node:fs';
import { Agent, type RequestOptions, request } from 'node:https';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { type AccessRequest, readAccess } from '../../src/services/dashboard/access/settings.ts';
import { type RunningDashboardService, startDashboard } from '../../src/services/dashboard/start.ts';
import { bearer, NOTHING_SAID, TOKENS, tokensFile } from '../support/dashboard-access.ts';
import { bytes, NOW, row, scored } from '../support/dashboard-rows.ts';
import { startLocalKinesis } from '../support/local-kinesis.ts';
import { CLIENT_ID, CLIENT_SECRET, startProvider, type TestProvider } from '../support/oidc-provider.ts';
import { temporaryFolder } from './folders.ts';
import { run, runCommand, start } from './program.ts';

const TENANT = { sub: 'tom', name: 'Tom', company_id: 'comp_1', groups: ['users'] };
const STAFF = { sub: 'ana', email: 'ana@example.com', groups: ['sales', 'customer-success'] };

let provider: TestProvider;
let tokens: string;
beforeAll(async () => {
  provider = await startProvider();
  tokens = await tokensFile(await temporaryFolder());
});
afterAll(() => provider?.stop());

const closing: (() => Promise<unknown>)[] = [];
let warnings: string[] = [];
let clock = NOW;
afterEach(async () => {
  for (const close of closing.splice(0).reverse()) await close();
  warnings = [];
  clock = NOW;
  provider.fault = {};
});

async function started(more: Partial<AccessRequest> = {}): Promise<RunningDashboardService> {
  const access = await readAccess({
    ...NOTHING_SAID,
    ...{ tokens, oidcIssuer: provider.issuer, oidcClientID: CLIENT_ID, oidcClientSecret: CLIENT_SECRET },
    ...{ oidcStaffClaim: 'groups=customer-success', ...more },
  });
  const service = await startDashboard(
    { port: 0, flag: '--port', webFolder: '/nowhere', access },
    { now: () => clock, warn: (message) => void warnings.push(message) },
  );
  closing.push(() => service.stop());
  for (const companyID of ['comp_1', 'comp_2']) service.dashboard.ingest(bytes(scored(row({ companyID }), 0.9)));
  await service.dashboard.applied();
  return service;
}

/** A browser as far as cookies and redirects go. */
class Browser {
  readonly cookies = new Map<string, string>();

  async get(url: string | URL, init: RequestInit = {}): Promise<Response> {
    const headers = { ...init.headers, cookie: [...this.cookies].map((each) => each.join('=')).join('; ') };
    const response = await fetch(url, { redirect: 'manual', ...init, headers });
    for (const text of response.headers.getSetCookie()) {
      const [, name = '', value = ''] = /^([^=]+)=([^;]*)/.exec(text) ?? [];
      if (value === '') this.cookies.delete(name);
      else this.cookies.set(name, value);
    }
    return response;
  }

  /** To the provider and back; where it ends. `change`: what somebody does to the address that leads back. */
  async signIn(url: string, change: (back: URL) => void = () => undefined): Promise<string | null> {
    const toProvider = await this.get(`${url}/sign-in/provider`);
    const atProvider = await fetch(toProvider.headers.get('location') ?? '', { redirect: 'manual' });
    const back = new URL(atProvider.headers.get('location') ?? '');
    change(back);
    return (await this.get(back)).headers.get('location');
  }

  async viewer(url: string): Promise<unknown> {
    const response = await this.get(`${url}/api/viewer`);
    return response.status === 200 ? response.json() : response.status;
  }
}

test('a user of a tenant signs in by the provider and sees that tenant; staff sees all', async () => {
  const { url } = await started();
  provider.user = TENANT;
  const tom = new Browser();
  expect(await tom.signIn(url)).toBe('/');
  expect(await tom.viewer(url)).toEqual({ signedIn: true, name: 'Tom', companyID: 'comp_1' });
  const companies = async (who: Browser) => {
    const { rows } = (await (await who.get(`${url}/api/insights/companies`)).json()) as {
      rows: { companyID: string }[];
    };
    return rows.map(({ companyID }) => companyID);
  };
  expect(await companies(tom)).toEqual(['comp_1']);
  expect((await tom.get(`${url}/api/insights/overview`)).status).toBe(403);
  provider.user = STAFF;
  const ana = new Browser();
  await ana.signIn(url);
  expect(await ana.viewer(url)).toEqual({ signedIn: true, name: 'ana@example.com', companyID: null });
  expect(await companies(ana)).toEqual(['comp_1', 'comp_2']);
});

test('each sign-in is asked for with a state, a nonce and a challenge of its own, and with no secret', async () => {
  const { url } = await started();
  for (let tries = 0; tries < 2; tries++) await new Browser().signIn(url);
  const [one, two] = provider.asked.slice(-2);
  for (const name of ['state', 'nonce', 'code_challenge']) {
    expect(one?.get(name)?.length).toBeGreaterThan(40);
    expect(one?.get(name)).not.toBe(two?.get(name));
  }
  expect(one?.get('redirect_uri')).toBe(`${url}/sign-in/callback`);
  expect(String(one)).not.toContain('secret');
});

test.each<[string, Record<string, unknown>]>([
  ['no claim', { sub: 'x' }],
  ['an empty company', { sub: 'x', company_id: '' }],
  ['several companies', { sub: 'x', company_id: ['comp_1', 'comp_2'] }],
  ['a company that is no text', { sub: 'x', company_id: 1 }],
  ['a company of any length', { sub: 'x', company_id: 'x'.repeat(257) }],
  ['a group that is only alike', { sub: 'x', groups: 'customer-success-readers' }],
  ['groups in one text', { sub: 'x', groups: 'sales customer-success' }],
])('who has %s is known to the provider, and refused with a page that says so', async (_what, user) => {
  const { url } = await started();
  provider.user = user;
  const browser = new Browser();
  expect(await browser.signIn(url)).toBe('/sign-in?said=not-allowed');
  expect(await browser.viewer(url)).toBe(401);
  const page = await browser.get(`${url}/sign-in?said=not-allowed`);
  expect(page.status).toBe(403);
  const text = await page.text();
  expect(text).toContain('you belong to no tenant');
  // Else the provider would send the same one again.
  expect(text).toContain('sign-in/provider?again');
  expect(warnings.at(-1)).toContain('neither company_id as text nor groups');
});

test.each<[string, TestProvider['fault'], string, string]>([
  ['with the nonce of another sign-in', { nonce: 'other' }, 'failed', '"nonce"'],
  ['with another state', { state: 'other' }, 'failed', '"state"'],
  ['for another audience', { audience: 'another-app' }, 'failed', '"aud"'],
  ['of another issuer', { issuer: 'https://evil.example' }, 'failed', '"iss"'],
  ['that is over', { endsIn: -120 }, 'failed', '"exp"'],
  ['signed by a key that the provider does not have', { unknownKey: true }, 'failed', 'no applicable keys'],
  ['signed by another key under the name of its own', { forged: true }, 'failed', 'signature'],
  ['that is an error', { error: 'access_denied' }, 'denied', 'access_denied'],
  ['that never comes, as its token endpoint fails', { tokenStatus: 500 }, 'failed', 'status code'],
])('an answer %s signs nobody in', async (_what, fault, said, why) => {
  const { url } = await started();
  provider.user = STAFF;
  provider.fault = fault;
  const browser = new Browser();
  expect(await browser.signIn(url)).toBe(`/sign-in?said=${said}`);
  expect(await browser.viewer(url)).toBe(401);
  expect(warnings).toHaveLength(1);
  expect(warnings.join()).not.toMatch(/eyJ|secret|code=/);
  expect(warnings[0]).toContain(why);
  provider.fault = {};
  expect(await browser.signIn(url)).toBe('/');
});

test('an answer does for the browser that asked, once, and for ten minutes', async () => {
  const { url } = await started();
  provider.user = STAFF;
  let back = new URL(url);
  const [mine, thief] = [new Browser(), new Browser()];
  const keep = (address: URL) => {
    back = new URL(address);
    address.searchParams.set('code', 'none');
  };
  expect(await mine.signIn(url, keep)).toBe('/sign-in?said=failed');
  for (const browser of [mine, thief]) {
    const response = await browser.get(back);
    expect(response.headers.get('location')).toBe('/sign-in?said=not-asked');
    expect(await browser.viewer(url)).toBe(401);
  }
  const late = new Browser();
  const wait = () => {
    clock += 601_000;
  };
  expect(await late.signIn(url, wait)).toBe('/sign-in?said=not-asked');
});

test('a cookie of a sign-in under way is no session', async () => {
  const { url } = await started();
  const browser = new Browser();
  await browser.get(`${url}/sign-in/provider`);
  const [sealed] = browser.cookies.values();
  browser.cookies.set('tenant-analytics-session', sealed ?? '');
  expect(await browser.viewer(url)).toBe(401);
});

test('a provider that is away is told, tokens go on working, and so does the provider once it is back', async () => {
  const first = await startProvider();
  await first.stop();
  const { issuer } = first;
  const { url } = await started({ oidcIssuer: issuer });
  const browser = new Browser();
  const response = await browser.get(`${url}/sign-in/provider`);
  expect(response.headers.get('location')).toBe('/sign-in?said=unreachable');
  expect(warnings[0]).toContain(new URL(issuer).host);
  expect((await fetch(`${url}/api/viewer`, { headers: bearer('staff') })).status).toBe(200);
  const back = await startProvider(Number(new URL(issuer).port));
  closing.push(() => back.stop());
  back.user = STAFF;
  expect(await browser.signIn(url)).toBe('/');
});

test('a session of a provider ends when what makes staff is changed, whatever its cookie says', async () => {
  const sessionSecret = 'x'.repeat(40);
  const first = await started({ sessionSecret });
  provider.user = STAFF;
  const ana = new Browser();
  await ana.signIn(first.url);
  const same = await started({ sessionSecret });
  expect(await ana.viewer(same.url)).toMatchObject({ companyID: null });
  const changed = await started({ sessionSecret, oidcStaffClaim: 'groups=admins' });
  expect(await ana.viewer(changed.url)).toBe(401);
});

async function signedIn(url: string, who: keyof typeof TOKENS): Promise<Browser> {
  const browser = new Browser();
  await browser.get(`${url}/sign-in`, {
    method: 'POST',
    headers: { 'sec-fetch-site': 'same-origin' },
    body: new URLSearchParams({ token: TOKENS[who].token }),
  });
  return browser;
}

/** What the feed tells, from now on. */
async function feedOf(browser: Browser, url: string, lastEventID = '') {
  const told = { text: '', isOver: false };
  const response = await browser.get(`${url}/api/feed`, { headers: { 'last-event-id': lastEventID } });
  const decoder = new TextDecoder();
  const reading = async () => {
    for await (const chunk of response.body ?? []) told.text += decoder.decode(chunk, { stream: true });
  };
  const end = () => {
    told.isOver = true;
  };
  void reading().then(end, end);
  await expect.poll(() => told.text).toContain('event: status');
  return told;
}

test('the feed of a tenant tells of it alone: live, in its status, and when it comes back', async () => {
  const { url, dashboard } = await started();
  const tom = await signedIn(url, 'tenant');
  const mine = await feedOf(tom, url);
  const all = await feedOf(await signedIn(url, 'staff'), url);
  // More than are told at a time: what is of a company that somebody looks at is told anyway.
  const next = (companyID: string, version: number) =>
    dashboard.ingest(
      bytes(scored(row({ companyID, version, eventTime: NOW - 1000 }), 0.9, { riskChanged: 'at-risk' })),
    );
  next('comp_1', 2);
  for (let other = 100; other < 150; other++) dashboard.ingest(bytes(row({ companyID: `comp_${other}` })));
  next('comp_2', 2);
  await dashboard.applied();
  await expect.poll(() => all.text).toMatch(/"companyID":"comp_2".*"change":"at-risk"/);
  await expect.poll(() => mine.text).toMatch(/event: company\ndata: \{"companyID":"comp_1".*\n\n.*\nevent: flip/);
  const statuses = () =>
    [...mine.text.matchAll(/event: status\ndata: (.*)/g)].map(
      (match) => JSON.parse(match[1] ?? '') as { rows: number },
    );
  // One of before may come between: it is told every two seconds.
  await expect.poll(() => statuses().at(-1)?.rows).toBe(2);
  expect(mine.text).not.toMatch(/comp_2|comp_1\d\d/);
  expect(statuses()[0]?.rows).toBe(1);
  for (const status of statuses()) expect(status).toMatchObject({ tenants: 1, companiesNotShown: 0 });
  const ids = [...all.text.matchAll(/^id: (.*)$/gm)].map((match) => match[1] ?? '');
  for (const id of [ids[0], `${ids[0]?.split('-')[0]}-0`, /^id: (.*)$/m.exec(mine.text)?.[1]]) {
    const back = await feedOf(tom, url, id ?? '');
    expect(back.text).not.toMatch(/comp_2|comp_1\d\d/);
    expect(back.text).toContain('"companyID":"comp_1"');
  }
});

test('the feed ends with the session: when it is signed out, and when its time is over', async () => {
  const { url } = await started({ sessionHours: 1 / 1800 });
  const short = await feedOf(await signedIn(url, 'tenant'), url);
  await expect.poll(() => short.isOver).toBe(true);
  const long = await started();
  const tom = await signedIn(long.url, 'tenant');
  const feeds = [await feedOf(tom, long.url), await feedOf(tom, long.url)];
  const other = await feedOf(await signedIn(long.url, 'tenant'), long.url);
  await tom.get(`${long.url}/sign-out`, { method: 'POST', headers: { 'sec-fetch-site': 'same-origin' } });
  for (const feed of feeds) await expect.poll(() => feed.isOver).toBe(true);
  expect(other.isOver).toBe(false);
  expect((await tom.get(`${long.url}/api/feed`)).status).toBe(401);
});

test('with a certificate it speaks TLS, and answers by its public name only', async () => {
  const pem = (name: string) => fileURLToPath(new URL(`../fixtures/tls/${name}.pem`, import.meta.url));
  const tls = { tlsCert: pem('cert'), tlsKey: pem('key') };
  // All addresses of this machine: what is tested is that it may.
  const service = await started({ ...tls, host: '0.0.0.0', publicUrl: 'https://dash.example.com' });
  expect(service.url).toBe('https://dash.example.com');
  expect(service.listensAt).toMatch(/^https:/);
  const port = Number(new URL(service.listensAt).port);
  const agent = new Agent({ ca: readFileSync(pem('cert')), checkServerIdentity: () => undefined });
  const asked = (headers: RequestOptions['headers']) =>
    new Promise<readonly [number | undefined, string | undefined]>((resolve, reject) => {
      const options = { agent, port, host: '127.0.0.1', path: '/api/viewer', headers };
      const sent = request(options, (response) => {
        response.resume();
        resolve([response.statusCode, response.headers['strict-transport-security']]);
      });
      sent.on('error', reject).end();
    });
  expect(await asked({ host: 'dash.example.com', ...bearer('staff') })).toEqual([200, 'max-age=31536000']);
  expect((await asked({ host: 'dash.example.com' }))[0]).toBe(401);
  expect((await asked({ host: '127.0.0.1', ...bearer('staff') }))[0]).toBe(421);
  await expect(fetch(`http://127.0.0.1:${port}/api/viewer`)).rejects.toThrow();
});

test('the program refuses to listen beyond this machine without a way to sign in, before it asks for anything', async () => {
  const { code, stderr } = await run('dashboard', '--host', '0.0.0.0', '--port', '0');
  expect(code).toBe(2);
  expect(stderr).toMatch(/--host 0\.0\.0\.0: .*--tokens.*--oidc-issuer.*--public-url.*\[USAGE\]/);
});

test('the program makes a token that its file of tokens takes', async () => {
  const made = await run('dashboard', 'token', '--name', 'Tom', '--company', 'comp_1');
  expect(made.code).toBe(0);
  expect(JSON.parse(made.stdout)).toMatchObject({ name: 'Tom', sees: { companyID: 'comp_1' } });
  expect(made.stderr).toMatch(/ta_[\w-]{43}/);
  expect((await run('dashboard', 'token', '--name', 'Tom', '--company', 'comp_1', '--all')).code).toBe(2);
});

test('the real program asks for a token, on the page and from the terminal, and prints none', async () => {
  const kinesis = await startLocalKinesis();
  closing.push(() => kinesis.stop());
  await kinesis.createStream('enrichedcompanies', 1);
  const program = start('dashboard', '--port', '0', '--tokens', tokens, '--endpoint', kinesis.endpoint);
  closing.push(() => program.ended);
  closing.push(async () => program.send('SIGTERM'));
  await expect.poll(() => program.stdout()).toMatch(/^Dashboard: http:.*\n/);
  const url = /^Dashboard: (.*)$/m.exec(program.stdout())?.[1] ?? '';
  expect((await fetch(`${url}/api/insights`)).status).toBe(401);
  expect(await (await fetch(`${url}/sign-in`)).text()).toContain('/assets/sign-in-');
  const insights = (...environment: readonly string[]) =>
    runCommand('env', ...environment, process.execPath, 'bin/tenant-analytics.js', 'insights', '--url', url);
  const [refused, answered] = [await insights(), await insights(`DASHBOARD_TOKEN=${TOKENS.tenant.token}`)];
  expect([refused.code, refused.stderr]).toEqual([2, expect.stringContaining('DASHBOARD_TOKEN')]);
  expect([answered.code, answered.stdout]).toEqual([0, expect.stringContaining('company-jobs')]);
  expect(answered.stdout).not.toContain('company-peers');
  expect(`${program.stdout()}${program.stderr()}`).not.toContain('ta_');
});
