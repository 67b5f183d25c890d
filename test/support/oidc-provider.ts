// An OpenID Connect provider on this machine: real keys, real signatures, PKCE checked; and what a bad one would answer.
import { createHash, randomUUID } from 'node:crypto';
import formbody from '@fastify/formbody';
import { exportJWK, generateKeyPair, SignJWT } from 'jose';
import { serviceServer } from '../../src/services/server.ts';

export const CLIENT_ID = 'tenant-analytics';
export const CLIENT_SECRET = 'the secret / of + the client';

/** What is wrong with its next answers. */
export interface Fault {
  readonly nonce?: string;
  readonly state?: string;
  readonly audience?: string;
  readonly issuer?: string;
  /** Signed by a key that it does not publish. */
  readonly unknownKey?: true;
  /** Signed by another key under the name of its own. */
  readonly forged?: true;
  /** Seconds from now to the end of the ID token. */
  readonly endsIn?: number;
  /** It answers the browser with this error instead of a code. */
  readonly error?: string;
  /** Its token endpoint fails. */
  readonly tokenStatus?: number;
}

export interface TestProvider {
  readonly issuer: string;
  /** Who signs in next: claims of the ID token. */
  user: Record<string, unknown>;
  fault: Fault;
  /** Queries of the authorizations that were asked for. */
  readonly asked: readonly URLSearchParams[];
  stop(): Promise<void>;
}

/** Port 0 takes a free one. */
export async function startProvider(port = 0): Promise<TestProvider> {
  const [key, other] = [await generateKeyPair('RS256'), await generateKeyPair('RS256')];
  const codes = new Map<string, URLSearchParams>();
  const asked: URLSearchParams[] = [];
  const server = serviceServer();
  await server.register(formbody);
  const provider = { issuer: '', user: { sub: 'nobody' } as Record<string, unknown>, fault: {} as Fault };

  server.get('/.well-known/openid-configuration', async () => ({
    issuer: provider.issuer,
    authorization_endpoint: `${provider.issuer}/authorize`,
    token_endpoint: `${provider.issuer}/token`,
    jwks_uri: `${provider.issuer}/jwks`,
    response_types_supported: ['code'],
    subject_types_supported: ['public'],
    id_token_signing_alg_values_supported: ['RS256'],
    code_challenge_methods_supported: ['S256'],
  }));
  server.get('/jwks', async () => ({
    keys: [{ ...(await exportJWK(key.publicKey)), kid: 'one', alg: 'RS256', use: 'sig' }],
  }));
  server.get('/authorize', async (request, reply) => {
    const query = new URL(request.url, provider.issuer).searchParams;
    asked.push(query);
    const to = new URL(query.get('redirect_uri') ?? '');
    const isRight =
      query.get('client_id') === CLIENT_ID &&
      query.get('response_type') === 'code' &&
      query.get('code_challenge_method') === 'S256' &&
      query.get('scope')?.split(' ').includes('openid');
    if (!isRight) return reply.status(400).send({ error: 'invalid_request' });
    to.searchParams.set('state', provider.fault.state ?? query.get('state') ?? '');
    if (provider.fault.error !== undefined) {
      to.searchParams.set('error', provider.fault.error);
    } else {
      const code = randomUUID();
      codes.set(code, query);
      to.searchParams.set('code', code);
    }
    return reply.redirect(to.href, 303);
  });
  server.post('/token', async (request, reply) => {
    const { code, code_verifier: verifier, redirect_uri: to } = request.body as Record<string, string>;
    const query = codes.get(code ?? '');
    codes.delete(code ?? '');
    if (provider.fault.tokenStatus !== undefined) return reply.status(provider.fault.tokenStatus).send('broken');
    if (!isClient(request.headers.authorization)) return reply.status(401).send({ error: 'invalid_client' });
    const challenge = createHash('sha256')
      .update(verifier ?? '')
      .digest('base64url');
    if (query?.get('code_challenge') !== challenge || query.get('redirect_uri') !== to) {
      return reply.status(400).send({ error: 'invalid_grant' });
    }
    return reply
      .header('cache-control', 'no-store')
      .send({ access_token: 'access', token_type: 'Bearer', id_token: await idToken(query) });
  });

  async function idToken(query: URLSearchParams): Promise<string> {
    const { nonce, audience = CLIENT_ID, issuer = provider.issuer, unknownKey, forged, endsIn = 300 } = provider.fault;
    const now = Math.floor(Date.now() / 1000);
    return new SignJWT({ ...provider.user, nonce: nonce ?? query.get('nonce') ?? '' })
      .setProtectedHeader({ alg: 'RS256', kid: unknownKey ? 'two' : 'one' })
      .setIssuer(issuer)
      .setAudience(audience)
      .setIssuedAt(now - 400)
      .setExpirationTime(now + endsIn)
      .sign(unknownKey || forged ? other.privateKey : key.privateKey);
  }

  provider.issuer = await server.listen({ host: '127.0.0.1', port });
  return Object.assign(provider, {
    asked,
    stop: async () => {
      await server.close();
    },
  });
}

/** As RFC 6749 has it: both parts are form-encoded first. */
function isClient(authorization = ''): boolean {
  const [id = '', secret = ''] = Buffer.from(authorization.replace(/^Basic /, ''), 'base64')
    .toString()
    .split(':');
  const decoded = (text: string) => new URLSearchParams(`_=${text}`).get('_');
  return decoded(id) === CLIENT_ID && decoded(secret) === CLIENT_SECRET;
}
