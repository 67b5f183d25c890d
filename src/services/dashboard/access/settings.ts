import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { BlockList, isIP } from 'node:net';
import { createSecureContext } from 'node:tls';
import { messageOf, TenantAnalyticsError } from '../../../base/errors.ts';
import type { ProviderSettings } from './provider.ts';
import { Tokens } from './tokens.ts';

/** Where the dashboard listens and who may sign in, as the command line and the environment say it. '' is what was not said. */
export interface AccessRequest {
  readonly host: string;
  readonly publicUrl: string;
  readonly tlsCert: string;
  readonly tlsKey: string;
  /** Addresses, comma-separated. */
  readonly trustProxy: string;
  /** A file. */
  readonly tokens: string;
  readonly oidcIssuer: string;
  readonly oidcClientID: string;
  readonly oidcClientSecret: string;
  readonly oidcScope: string;
  readonly oidcTenantClaim: string;
  /** `name=value,value`. */
  readonly oidcStaffClaim: string;
  readonly sessionHours: number;
  readonly sessionSecret: string;
}

/** Where it listens, and how it knows that it was asked by the right name. */
export interface Place {
  readonly host: string;
  /** How it is known from elsewhere; undefined: on this machine only. */
  readonly publicUrl: URL | undefined;
  readonly tls: { readonly cert: string; readonly key: string } | undefined;
  /** Whose word is taken for who asks, by which name and how. */
  readonly trustProxy: string | undefined;
}

export interface SignInSettings {
  readonly tokens: Tokens | undefined;
  readonly provider: ProviderSettings | undefined;
  readonly sessionMs: number;
  readonly sessionSecret: string;
  /** What a session of before must have in common with this process: with other rules it is nobody's. */
  readonly belongsTo: string;
}

export interface Access {
  readonly place: Place;
  /** Undefined: nobody has to sign in, which is for this machine only. */
  readonly signIn: SignInSettings | undefined;
}

/** Of this machine, without signing in. */
export const HERE_FOR_ANYBODY: Access = {
  place: { host: '127.0.0.1', publicUrl: undefined, tls: undefined, trustProxy: undefined },
  signIn: undefined,
};

const HOUR_MS = 3_600_000;
const LEAST_SECRET_CHARACTERS = 32;

const usage = (message: string) => new TenantAnalyticsError('USAGE', `${message} docs/access.md shows how.`);

/**
 * What was asked for, when it is safe: beyond this machine nobody gets in without signing in, and no secret goes in the clear.
 * @throws TenantAnalyticsError USAGE, or INPUT_UNREADABLE of a file
 */
export async function readAccess(request: AccessRequest): Promise<Access> {
  const place = await placeOf(request);
  const provider = providerOf(request, place);
  if (request.tokens === '' && provider === undefined) {
    const pointless = pointlessFlag(request);
    if (pointless !== undefined) {
      throw usage(`${pointless}: expected a way to sign in beside it, --tokens or --oidc-issuer, got none.`);
    }
    return { place, signIn: undefined };
  }
  const { sessionSecret, sessionHours } = request;
  if (sessionSecret !== '' && sessionSecret.length < LEAST_SECRET_CHARACTERS) {
    throw usage(
      `DASHBOARD_SESSION_SECRET: expected at least ${LEAST_SECRET_CHARACTERS} random characters, got ${sessionSecret.length}.`,
    );
  }
  const { clientSecret: _, ...rules } = provider ?? { clientSecret: '' };
  return {
    place,
    signIn: {
      tokens: request.tokens === '' ? undefined : await Tokens.read(request.tokens),
      provider,
      sessionMs: sessionHours * HOUR_MS,
      sessionSecret: sessionSecret === '' ? randomBytes(32).toString('hex') : sessionSecret,
      belongsTo: JSON.stringify([place.publicUrl, rules]),
    },
  };
}

async function placeOf(request: AccessRequest): Promise<Place> {
  const { host, trustProxy } = request;
  const publicUrl = request.publicUrl === '' ? undefined : publicUrlOf(request.publicUrl);
  const hasTls = request.tlsCert !== '' || request.tlsKey !== '';
  if (!isLoopback(host)) {
    const missing = [
      ...(request.tokens === '' && request.oidcIssuer === '' ? ['a way to sign in (--tokens, or --oidc-issuer)'] : []),
      ...(publicUrl === undefined ? ['--public-url https://…'] : []),
      ...(hasTls || trustProxy !== ''
        ? []
        : ['--tls-cert and --tls-key, or --trust-proxy with the address of the proxy that ends TLS']),
    ];
    if (missing.length > 0) {
      throw usage(`--host ${host}: to listen beyond this machine, expected also ${missing.join('; ')}.`);
    }
  }
  if (trustProxy !== '') checkAddresses(trustProxy);
  return { host, publicUrl, tls: hasTls ? await tlsOf(request) : undefined, trustProxy: trustProxy || undefined };
}

function publicUrlOf(text: string): URL {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  const isWhole =
    url?.pathname === '/' && url.search === '' && url.hash === '' && url.username === '' && url.password === '';
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopback(url.hostname));
  if (url === undefined || !isWhole || !isSafe) {
    throw usage(`--public-url: expected https://host, or https://host:port, and nothing behind it, got ${text}.`);
  }
  return url;
}

function checkAddresses(trustProxy: string): void {
  for (const each of trustProxy.split(',')) {
    const [address = '', prefix] = each.trim().split('/');
    const version = isIP(address);
    const most = version === 4 ? 32 : 128;
    // A prefix of 0 would take anybody's word.
    const isPrefix = prefix === undefined || (/^\d{1,3}$/.test(prefix) && Number(prefix) > 0 && Number(prefix) <= most);
    if (version === 0 || !isPrefix) {
      throw usage(`--trust-proxy: expected addresses such as 10.0.0.7 or 10.0.0.0/24, comma-separated, got ${each}.`);
    }
  }
}

async function tlsOf({ tlsCert, tlsKey }: AccessRequest): Promise<{ readonly cert: string; readonly key: string }> {
  if (tlsCert === '' || tlsKey === '') {
    throw usage('--tls-cert and --tls-key: expected both, the certificate chain and its key as PEM files, got one.');
  }
  const read = (flag: string, path: string) =>
    readFile(path, 'utf8').catch((error: unknown) => {
      throw new TenantAnalyticsError('INPUT_UNREADABLE', `${flag}: cannot read ${path}: ${messageOf(error)}.`);
    });
  const tls = { cert: await read('--tls-cert', tlsCert), key: await read('--tls-key', tlsKey) };
  try {
    createSecureContext(tls);
  } catch (error) {
    throw usage(`--tls-cert and --tls-key: expected a certificate and its own key as PEM, got: ${messageOf(error)}.`);
  }
  return tls;
}

function providerOf(request: AccessRequest, place: Place): ProviderSettings | undefined {
  const { oidcIssuer, oidcClientID, oidcClientSecret, oidcScope, oidcTenantClaim, oidcStaffClaim } = request;
  if (oidcIssuer === '' && oidcClientID === '') return undefined;
  if (oidcIssuer === '' || oidcClientID === '') {
    throw usage('--oidc-issuer and --oidc-client-id: expected both, got one.');
  }
  const issuer = URL.canParse(oidcIssuer) ? new URL(oidcIssuer) : undefined;
  if (
    issuer === undefined ||
    !(issuer.protocol === 'https:' || (issuer.protocol === 'http:' && isLoopback(issuer.hostname)))
  ) {
    throw usage(`--oidc-issuer: expected the https URL of the provider, got ${oidcIssuer}.`);
  }
  if (place.publicUrl === undefined && place.trustProxy !== undefined) {
    throw usage(
      '--trust-proxy: expected --public-url beside it, got none: that is where the provider sends people back to.',
    );
  }
  if (!oidcScope.split(' ').includes('openid')) {
    throw usage(`--oidc-scope: expected openid among them, got ${oidcScope}.`);
  }
  if (oidcTenantClaim === '') throw usage('--oidc-tenant-claim: expected the name of a claim, got nothing.');
  return {
    issuer,
    clientID: oidcClientID,
    clientSecret: oidcClientSecret,
    scope: oidcScope,
    tenantClaim: oidcTenantClaim,
    staffClaim: staffClaimOf(oidcStaffClaim),
  };
}

function staffClaimOf(text: string): ProviderSettings['staffClaim'] {
  if (text === '') return undefined;
  const equals = text.indexOf('=');
  const values = text
    .slice(equals + 1)
    .split(',')
    .map((value) => value.trim());
  if (equals < 1 || values.includes('')) {
    throw usage(`--oidc-staff-claim: expected a claim and its values, such as groups=customer-success, got ${text}.`);
  }
  return { name: text.slice(0, equals), values };
}

/** What was said, and does nothing as nobody signs in: it would look safe, and is not. */
function pointlessFlag({ publicUrl, trustProxy, oidcStaffClaim }: AccessRequest): string | undefined {
  if (publicUrl !== '') return '--public-url';
  if (trustProxy !== '') return '--trust-proxy';
  return oidcStaffClaim === '' ? undefined : '--oidc-staff-claim';
}

const LOOPBACK = new BlockList();
LOOPBACK.addSubnet('127.0.0.0', 8);
LOOPBACK.addAddress('::1', 'ipv6');

/** Whether only this machine can reach a host of that name. */
export function isLoopback(host: string): boolean {
  const name = host.replace(/^\[(.*)\]$/, '$1');
  if (name === 'localhost') return true;
  const version = isIP(name);
  return version !== 0 && LOOPBACK.check(name, version === 4 ? 'ipv4' : 'ipv6');
}
