import * as oidc from 'openid-client';
import { messageOf } from '../../../base/errors.ts';
import type { Sees } from './viewer.ts';

export interface ProviderSettings {
  readonly issuer: URL;
  readonly clientID: string;
  /** '': a public client, which proves itself by PKCE alone. */
  readonly clientSecret: string;
  readonly scope: string;
  /** Its value is the company that a user is tied to. */
  readonly tenantClaim: string;
  /** A user whose claim has one of these values sees all; undefined: nobody does by this way. */
  readonly staffClaim: { readonly name: string; readonly values: readonly string[] } | undefined;
}

/** What has to come back with the answer of the provider. */
export interface Asked {
  readonly state: string;
  readonly nonce: string;
  readonly verifier: string;
}

/** Why a sign-in ended without one: words for it are those of the page. */
export type Problem = 'denied' | 'failed' | 'unreachable' | 'not-allowed';

export type Found =
  | { readonly problem: Problem; readonly why: string }
  | { readonly name: string; readonly sees: Exclude<Sees, 'metrics'> };

const PATIENCE_S = 10;
const MOST_NAME_CHARACTERS = 100;
const MOST_COMPANY_CHARACTERS = 256;
/** Its words are told in the log, but not at any length, nor as what steers a terminal. */
const MOST_TOLD_CHARACTERS = 300;

/** Signs in by OpenID Connect: authorization code flow with PKCE, state and nonce. ID tokens are checked with the provider's keys. */
export class Provider {
  readonly #settings: ProviderSettings;
  #found: Promise<oidc.Configuration> | undefined;

  constructor(settings: ProviderSettings) {
    this.#settings = settings;
  }

  /** What people know it by. */
  get name(): string {
    return this.#settings.issuer.host;
  }

  /** Where the browser goes to sign in. `again`: also who is signed in there is asked. Rejects when the provider does not answer. */
  async ask(redirectURI: string, again: boolean): Promise<{ readonly url: URL; readonly asked: Asked }> {
    const provider = await this.#configuration();
    const asked = {
      state: oidc.randomState(),
      nonce: oidc.randomNonce(),
      verifier: oidc.randomPKCECodeVerifier(),
    };
    const url = oidc.buildAuthorizationUrl(provider, {
      redirect_uri: redirectURI,
      scope: this.#settings.scope,
      state: asked.state,
      nonce: asked.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(asked.verifier),
      code_challenge_method: 'S256',
      ...(again ? { prompt: 'login' } : {}),
    });
    return { url, asked };
  }

  /** Who came back, by the address to which the provider sent the browser. Never throws. */
  async read(cameBackTo: URL, { state, nonce, verifier }: Asked): Promise<Found> {
    try {
      const tokens = await oidc.authorizationCodeGrant(await this.#configuration(), cameBackTo, {
        expectedState: state,
        expectedNonce: nonce,
        pkceCodeVerifier: verifier,
        idTokenExpected: true,
      });
      const claims = tokens.claims();
      return claims === undefined ? { problem: 'failed', why: 'there is no ID token' } : this.#viewerOf(claims);
    } catch (error) {
      return { problem: problemOf(error), why: wordsOf(error) };
    }
  }

  /** It is asked once it is needed: a provider that is away for a moment must not keep the dashboard from starting. */
  #configuration(): Promise<oidc.Configuration> {
    this.#found ??= this.#discover().catch((error: unknown) => {
      this.#found = undefined;
      throw error;
    });
    return this.#found;
  }

  #discover(): Promise<oidc.Configuration> {
    const { issuer, clientID, clientSecret } = this.#settings;
    const execute = [oidc.enableNonRepudiationChecks];
    // Only an issuer on this machine: all else was refused at the start.
    if (issuer.protocol === 'http:') execute.push(oidc.allowInsecureRequests);
    return oidc.discovery(issuer, clientID, {}, authentication(clientSecret), { execute, timeout: PATIENCE_S });
  }

  #viewerOf(claims: Readonly<Record<string, unknown>> & { readonly sub: string }): Found {
    const { tenantClaim, staffClaim } = this.#settings;
    const name = nameOf(claims);
    const values = staffClaim === undefined ? [] : [claims[staffClaim.name]].flat();
    if (staffClaim?.values.some((value) => values.includes(value))) return { name, sees: 'all' };
    const companyID = claims[tenantClaim];
    if (typeof companyID === 'string' && companyID.length > 0 && companyID.length <= MOST_COMPANY_CHARACTERS) {
      return { name, sees: { companyID } };
    }
    const staff = staffClaim === undefined ? '' : ` nor ${staffClaim.name} with ${staffClaim.values.join(' or ')}`;
    return {
      problem: 'not-allowed',
      why: told(`the ID token of ${claims.sub} has neither ${tenantClaim} as text${staff}`),
    };
  }
}

/** As the provider says it takes it: `client_secret_basic` is what it does when it says nothing. */
function authentication(secret: string): oidc.ClientAuth {
  if (secret === '') return oidc.None();
  const [basic, post] = [oidc.ClientSecretBasic(secret), oidc.ClientSecretPost(secret)];
  return (server, client, body, headers) => {
    const { token_endpoint_auth_methods_supported: methods = ['client_secret_basic'] } = server;
    return (methods.includes('client_secret_basic') ? basic : post)(server, client, body, headers);
  };
}

function nameOf({ name, preferred_username: user, email, sub }: Readonly<Record<string, unknown>>): string {
  const text = [name, user, email, sub].find((each) => typeof each === 'string' && each.trim() !== '');
  return String(text).trim().slice(0, MOST_NAME_CHARACTERS);
}

function problemOf(error: unknown): Problem {
  if (error instanceof oidc.AuthorizationResponseError) return 'denied';
  // `fetch failed`, or no answer in time; a TypeError without a cause is a mistake of ours.
  const isAway = error instanceof TypeError && error.cause !== undefined;
  return isAway || (error instanceof oidc.ClientError && error.code === 'OAUTH_TIMEOUT') ? 'unreachable' : 'failed';
}

/** What an error says, without what it quotes of the answer: that may have tokens in it. */
function wordsOf(error: unknown): string {
  if (error instanceof oidc.AuthorizationResponseError || error instanceof oidc.ResponseBodyError) {
    return told(`the provider answered ${error.error}`);
  }
  const cause = error instanceof Error && error.cause instanceof Error ? messageOf(error.cause) : '';
  const said = messageOf(error);
  return told(cause === '' || cause === said ? said : `${said} (${cause})`);
}

function told(text: string): string {
  return text.replaceAll(/\p{Cc}/gu, '?').slice(0, MOST_TOLD_CHARACTERS);
}
