import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { NOTHING_SAID, TOKENS, tokensFile } from '../../../../test/support/dashboard-access.ts';
import { type AccessRequest, isLoopback, readAccess } from './settings.ts';
import { newToken, Tokens } from './tokens.ts';

const pem = (name: string) => fileURLToPath(new URL(`../../../../test/fixtures/tls/${name}.pem`, import.meta.url));
const TLS = { tlsCert: pem('cert'), tlsKey: pem('key') };
const PUBLIC = { publicUrl: 'https://dash.example.com' };
const OIDC = { oidcIssuer: 'https://login.example.com', oidcClientID: 'dashboard' };

let folder: string;
let tokens: string;
beforeAll(async () => {
  folder = await mkdtemp(`${tmpdir()}/tenant-analytics-`);
  tokens = await tokensFile(folder);
});
afterAll(() => rm(folder, { recursive: true, force: true }));

const read = (more: Partial<AccessRequest>) => readAccess({ ...NOTHING_SAID, ...more });

test('without configuration it is on this machine only, and nobody has to sign in', async () => {
  expect(await read({})).toEqual({
    place: { host: '127.0.0.1', publicUrl: undefined, tls: undefined, trustProxy: undefined },
    signIn: undefined,
  });
  for (const host of ['localhost', '::1', '127.0.0.2']) expect((await read({ host })).signIn).toBeUndefined();
});

test.each(['0.0.0.0', '::', '10.0.0.8', 'dash.example.com', '192.168.1.2', '::ffff:10.0.0.1'])(
  'on %s it does not start without all that it takes, and names the flags',
  async (host) => {
    const refused = (more: Partial<AccessRequest>) =>
      read({ host, ...more }).then(
        () => '',
        ({ code, message }) => `${code} ${message}`,
      );
    expect(await refused({})).toMatch(
      /^USAGE --host .*--tokens.*--oidc-issuer.*--public-url.*--tls-cert.*--trust-proxy/,
    );
    expect(await refused({ ...PUBLIC, ...TLS })).toMatch(/expected also a way to sign in/);
    expect(await refused({ tokens, ...TLS })).toMatch(/expected also --public-url/);
    expect(await refused({ tokens, ...PUBLIC })).toMatch(/expected also --tls-cert and --tls-key, or --trust-proxy/);
    expect(await refused({ tokens, ...PUBLIC, ...TLS })).toBe('');
    expect(await refused({ ...OIDC, ...PUBLIC, trustProxy: '10.0.0.7' })).toBe('');
  },
);

test.each<[string, Partial<AccessRequest>]>([
  ['--public-url', { ...PUBLIC }],
  ['--trust-proxy', { trustProxy: '10.0.0.7' }],
  ['--oidc-staff-claim', { oidcStaffClaim: 'groups=staff' }],
  ['--public-url', { ...OIDC, publicUrl: 'http://dash.example.com' }],
  ['--public-url', { ...OIDC, publicUrl: 'https://dash.example.com/below' }],
  ['--public-url', { ...OIDC, publicUrl: 'https://user:password@dash.example.com' }],
  ['--public-url', { ...OIDC, publicUrl: 'dash.example.com' }],
  ['--trust-proxy', { ...OIDC, ...PUBLIC, trustProxy: 'proxy.example.com' }],
  ['--trust-proxy', { ...OIDC, ...PUBLIC, trustProxy: '0.0.0.0/0' }],
  ['--trust-proxy', { ...OIDC, ...PUBLIC, trustProxy: '10.0.0.0/33' }],
  ['--trust-proxy', { ...OIDC, ...PUBLIC, trustProxy: '10.0.0.7,' }],
  ['--public-url', { ...OIDC, trustProxy: '10.0.0.7' }],
  ['--oidc-client-id', { oidcIssuer: OIDC.oidcIssuer }],
  ['--oidc-issuer', { oidcClientID: 'dashboard' }],
  ['--oidc-issuer', { ...OIDC, oidcIssuer: 'http://login.example.com' }],
  ['--oidc-issuer', { ...OIDC, oidcIssuer: 'login' }],
  ['--oidc-scope', { ...OIDC, oidcScope: 'profile' }],
  ['--oidc-tenant-claim', { ...OIDC, oidcTenantClaim: '' }],
  ['--oidc-staff-claim', { ...OIDC, oidcStaffClaim: 'groups' }],
  ['--oidc-staff-claim', { ...OIDC, oidcStaffClaim: 'groups=' }],
  ['--oidc-staff-claim', { ...OIDC, oidcStaffClaim: 'groups=staff,,' }],
  ['DASHBOARD_SESSION_SECRET', { ...OIDC, sessionSecret: 'short' }],
  ['--tls-key', { ...OIDC, tlsCert: TLS.tlsCert }],
  ['--tls-cert', { ...OIDC, tlsCert: TLS.tlsKey, tlsKey: TLS.tlsCert }],
])('%s is refused when it cannot be meant: %o', async (name, more) => {
  await expect(read(more)).rejects.toMatchObject({ code: 'USAGE', message: expect.stringContaining(name) });
});

test('a secret that is refused is not quoted', async () => {
  await expect(read({ ...OIDC, sessionSecret: 'short' })).rejects.not.toMatchObject({
    message: expect.stringContaining('short'),
  });
});

test('claims of staff are a name and its values; what was left open is as documented', async () => {
  const { signIn } = await read({ ...OIDC, oidcStaffClaim: 'https://example.com/roles=a, b=c' });
  expect(signIn?.provider).toMatchObject({
    tenantClaim: 'company_id',
    staffClaim: { name: 'https://example.com/roles', values: ['a', 'b=c'] },
    clientSecret: '',
  });
  expect(signIn?.belongsTo).not.toContain('clientSecret');
});

test.each<[string, unknown]>([
  ['no JSON', 'x'],
  ['an empty list', []],
  ['no list', {}],
  ['a token that is not hashed', [{ name: 'Ana', token: 'ta_secret', sees: 'all' }]],
  ['a hash that is none', [{ name: 'Ana', sha256: 'abc', sees: 'all' }]],
  ['nobody in particular', [{ ...TOKENS.staff.entry, name: ' ' }]],
  ['somebody who sees something else', [{ ...TOKENS.staff.entry, sees: 'everything' }]],
  ['somebody who sees no company', [{ ...TOKENS.staff.entry, sees: { companyID: '' } }]],
  ['an end that is no time', [{ ...TOKENS.staff.entry, expires: 'tomorrow' }]],
  ['the same token twice', [TOKENS.staff.entry, { ...TOKENS.staff.entry, name: 'Bob' }]],
])('a file of tokens with %s is refused, and nothing of it is quoted', async (_what, content) => {
  const path = `${folder}/bad.json`;
  await writeFile(path, typeof content === 'string' ? content : JSON.stringify(content));
  const error = await Tokens.read(path).then(
    () => undefined,
    (thrown) => thrown,
  );
  expect(error).toMatchObject({ code: 'INPUT_UNREADABLE', message: expect.stringContaining(path) });
  expect(error.message).not.toMatch(/ta_secret|"sha256"/);
});

test('a file of tokens that is not there is told; one of more tokens than are kept is refused', async () => {
  await expect(Tokens.read(`${folder}/none.json`)).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' });
  const many = Array.from({ length: 10_001 }, (_, index) => newToken(`user ${index}`, 'all').entry);
  await writeFile(`${folder}/many.json`, JSON.stringify(many));
  await expect(Tokens.read(`${folder}/many.json`)).rejects.toMatchObject({ code: 'INPUT_UNREADABLE' });
  await writeFile(`${folder}/many.json`, JSON.stringify(many.slice(1)));
  await expect(Tokens.read(`${folder}/many.json`)).resolves.toBeDefined();
});

test('a new token is long, of its own, and known by the entry that was made for it', async () => {
  const one = newToken('Ana', { companyID: 'comp_4' }, '2030-01-01T00:00:00Z');
  expect(one.token).toMatch(/^ta_[\w-]{43}$/);
  expect(JSON.stringify(one.entry)).not.toContain(one.token);
  await writeFile(`${folder}/one.json`, JSON.stringify([one.entry]));
  const known = await Tokens.read(`${folder}/one.json`);
  expect(known.find(one.token, 0)?.viewer).toMatchObject({ name: 'Ana', sees: { companyID: 'comp_4' } });
  expect(known.find(one.token, Date.parse('2030-01-01'))).toBeUndefined();
  expect(known.find(newToken('Ana', 'all').token, 0)).toBeUndefined();
  expect(() => newToken('', 'all')).toThrow(/name/);
});

test('only what cannot be reached from elsewhere is this machine', () => {
  for (const host of ['127.0.0.1', '127.255.0.1', 'localhost', '::1', '[::1]'])
    expect([host, isLoopback(host)]).toEqual([host, true]);
  for (const host of ['0.0.0.0', '::', '10.0.0.1', 'localhost.example.com', '128.0.0.1', '', '127.0.0.1.nip.io']) {
    expect([host, isLoopback(host)]).toEqual([host, false]);
  }
});
