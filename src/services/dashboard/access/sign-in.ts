import cookie from '@fastify/cookie';
import formbody from '@fastify/formbody';
import rateLimit from '@fastify/rate-limit';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { messageOf } from '../../../base/errors.ts';
import type { EpochMs } from '../../../base/time.ts';
import { type Asked, Provider } from './provider.ts';
import { Sessions } from './sessions.ts';
import type { Access, SignInSettings } from './settings.ts';
import { type Said, SignInPage } from './sign-in-page.ts';
import type { Tokens } from './tokens.ts';
import type { Viewer } from './viewer.ts';

/** That fail, of one address (an IPv6 one: of its network of 64 bits), by whatever way; then none is looked at for the rest of the minute. */
const ATTEMPTS_A_MINUTE = 10;
const MINUTE_MS = 60_000;
/** Addresses counted at a time. */
const MOST_ADDRESSES = 10_000;
/** How long somebody may take at the provider. */
const ASKED_MS = 600_000;
/** Of the forms here; the largest has a token. */
const MOST_FORM_BYTES = 4096;

const CALLBACK = '/sign-in/callback';

const sessionSchema = z.union([
  z.object({ way: z.literal('token'), token: z.string() }),
  z.object({
    way: z.literal('provider'),
    name: z.string(),
    sees: z.union([z.literal('all'), z.object({ companyID: z.string() })]),
  }),
]);
type Session = z.infer<typeof sessionSchema>;

const askedSchema = z.object({ state: z.string(), nonce: z.string(), verifier: z.string() });

/** Who asks; or why it is nobody, or how many seconds to wait before another token is looked at. */
export type Came = Viewer | { readonly nobody: string } | { readonly wait: number };

export interface SignInOptions {
  readonly settings: SignInSettings;
  readonly place: Access['place'];
  readonly webFolder: string;
  readonly now: () => EpochMs;
  readonly warn: (message: string) => void;
}

type Limit = ReturnType<FastifyInstance['createRateLimit']>;

/** Signing in and out, and who did. */
export class SignIn {
  readonly sessions: Sessions;
  readonly #options: SignInOptions;
  readonly #tokens: Tokens | undefined;
  readonly #provider: Provider | undefined;
  readonly #limit: Limit;
  readonly #page: SignInPage;

  private constructor(options: SignInOptions, limit: Limit) {
    const { settings, webFolder, now } = options;
    this.#options = options;
    this.#limit = limit;
    this.#tokens = settings.tokens;
    this.#provider = settings.provider === undefined ? undefined : new Provider(settings.provider);
    this.#page = new SignInPage(webFolder, { tokens: this.#tokens !== undefined, provider: this.#provider?.name });
    this.sessions = new Sessions(settings.sessionSecret, settings.belongsTo, now);
  }

  /** What it needs of the server; its routes come by `routes`. */
  static async prepare(server: FastifyInstance, options: SignInOptions): Promise<SignIn> {
    await server.register(cookie);
    await server.register(formbody, { bodyLimit: MOST_FORM_BYTES });
    const limits = { max: ATTEMPTS_A_MINUTE, timeWindow: MINUTE_MS, ipv6Subnet: 64, cache: MOST_ADDRESSES };
    await server.register(rateLimit, { global: false, ...limits });
    return new SignIn(options, server.createRateLimit());
  }

  /** By a token of the API, or else by the cookie. */
  async viewerOf(request: FastifyRequest): Promise<Came> {
    const { authorization } = request.headers;
    if (authorization !== undefined) return this.#bearer(request, authorization);
    const opened = await this.sessions.open(SESSION, request.cookies[this.#cookieName(SESSION)]);
    const read = sessionSchema.safeParse(opened?.content);
    if (opened === undefined || !read.success) {
      return { nobody: 'sign in first: at /sign-in, or with a token as Authorization: Bearer' };
    }
    const viewer = this.#viewerIn(read.data);
    if (viewer === undefined)
      return { nobody: 'the token that you signed in with is not valid any more; sign in again' };
    return { ...viewer, until: Math.min(opened.until, viewer.until ?? opened.until), session: opened.id };
  }

  routes(server: FastifyInstance): void {
    const open = { config: { access: 'public' }, schema: { hide: true } } as const;
    server.get('/sign-in', open, async (request, reply) => {
      const came = await this.#signedIn(request);
      const { said } = request.query as { readonly said?: unknown };
      if (came !== undefined && said === undefined) return reply.redirect('/', 303);
      return this.#page.send(reply, said);
    });
    server.post('/sign-in', open, (request, reply) => this.#byToken(request, reply));
    server.post('/sign-out', open, (request, reply) => this.#out(request, reply));
    if (this.#provider === undefined) return;
    const provider = this.#provider;
    server.get('/sign-in/provider', open, (request, reply) => this.#toProvider(provider, request, reply));
    server.get(CALLBACK, open, (request, reply) => this.#fromProvider(provider, request, reply));
  }

  async #bearer(request: FastifyRequest, authorization: string): Promise<Came> {
    const wait = await this.#secondsToWait(request);
    if (wait > 0) return { wait };
    const [, token] = /^Bearer +([^ ]+) *$/i.exec(authorization) ?? [];
    const found = token === undefined ? undefined : this.#tokens?.find(token, this.#options.now());
    if (found !== undefined) return found.viewer;
    await this.#limit(request);
    return { nobody: 'expected a valid token as Authorization: Bearer, got none' };
  }

  #viewerIn(session: Session): Viewer | undefined {
    if (session.way === 'token') return this.#tokens?.viewerOf(session.token, this.#options.now());
    return { name: session.name, sees: session.sees };
  }

  async #signedIn(request: FastifyRequest): Promise<Viewer | undefined> {
    const came = await this.viewerOf(request);
    return 'sees' in came ? came : undefined;
  }

  async #byToken(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if (!this.#isOwn(request)) return this.#say(reply, 'elsewhere');
    if ((await this.#secondsToWait(request)) > 0) return this.#say(reply, 'too-often');
    const { token } = (request.body ?? {}) as { readonly token?: unknown };
    const found = typeof token === 'string' ? this.#tokens?.find(token.trim(), this.#options.now()) : undefined;
    if (found === undefined) return this.#fail(request, reply, 'wrong-token');
    if (found.viewer.sees === 'metrics') return this.#say(reply, 'metrics-token');
    return this.#in(request, reply, { way: 'token', token: found.id }, found.viewer.until);
  }

  async #toProvider(provider: Provider, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if ((await this.#secondsToWait(request)) > 0) return this.#say(reply, 'too-often');
    const { again } = request.query as { readonly again?: unknown };
    try {
      const { url, asked } = await provider.ask(`${this.#originOf(request)}${CALLBACK}`, again !== undefined);
      const until = this.#options.now() + ASKED_MS;
      await this.#setCookie(reply, ASKED, { ...asked }, until);
      return reply.header('cache-control', 'no-store').redirect(url.href, 303);
    } catch (error) {
      this.#options.warn(`The dashboard cannot ask ${provider.name} who signs in: ${messageOf(error)}.`);
      return this.#fail(request, reply, 'unreachable');
    }
  }

  async #fromProvider(provider: Provider, request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if ((await this.#secondsToWait(request)) > 0) return this.#say(reply, 'too-often');
    const opened = await this.sessions.open(ASKED, request.cookies[this.#cookieName(ASKED)]);
    const asked = askedSchema.safeParse(opened?.content);
    this.#clearCookie(reply, ASKED);
    if (opened === undefined || !asked.success) return this.#fail(request, reply, 'not-asked');
    // Its state does for one answer.
    this.sessions.end(opened);
    const found = await provider.read(new URL(request.url, this.#originOf(request)), asked.data satisfies Asked);
    if ('problem' in found) {
      this.#options.warn(`The dashboard refused a sign-in by ${provider.name}: ${found.why}.`);
      return this.#fail(request, reply, found.problem);
    }
    return this.#in(request, reply, { way: 'provider', name: found.name, sees: found.sees }, undefined);
  }

  async #in(
    request: FastifyRequest,
    reply: FastifyReply,
    session: Session,
    until: EpochMs | undefined,
  ): Promise<FastifyReply> {
    await this.#endSession(request);
    const end = this.#options.now() + this.#options.settings.sessionMs;
    await this.#setCookie(reply, SESSION, session, Math.min(end, until ?? end));
    return reply.header('cache-control', 'no-store').redirect('/', 303);
  }

  async #out(request: FastifyRequest, reply: FastifyReply): Promise<FastifyReply> {
    if (!this.#isOwn(request)) return this.#say(reply, 'elsewhere');
    await this.#endSession(request);
    this.#clearCookie(reply, SESSION);
    return this.#say(reply, 'out');
  }

  async #endSession(request: FastifyRequest): Promise<void> {
    const opened = await this.sessions.open(SESSION, request.cookies[this.#cookieName(SESSION)]);
    if (opened !== undefined) this.sessions.end(opened);
  }

  async #secondsToWait(request: FastifyRequest): Promise<number> {
    const counted = await this.#limit(request, { increment: false });
    return counted.isAllowed || counted.remaining > 0 ? 0 : Math.max(1, counted.ttlInSeconds);
  }

  async #fail(request: FastifyRequest, reply: FastifyReply, said: Said): Promise<FastifyReply> {
    await this.#limit(request);
    return this.#say(reply, said);
  }

  #say(reply: FastifyReply, said: Said): FastifyReply {
    return reply.header('cache-control', 'no-store').redirect(`/sign-in?said=${said}`, 303);
  }

  /** Sent by a page of ours. Browsers tell it of each form; what tells neither is no browser that somebody signs in with. */
  #isOwn(request: FastifyRequest): boolean {
    const { origin, 'sec-fetch-site': site } = request.headers;
    if (site !== undefined) return site === 'same-origin';
    return origin === this.#originOf(request);
  }

  /** As the browser sees it: its host was checked before. */
  #originOf({ protocol, host }: FastifyRequest): string {
    return this.#options.place.publicUrl?.origin ?? `${protocol}://${host}`;
  }

  get #isSecure(): boolean {
    const { publicUrl, tls } = this.#options.place;
    return publicUrl === undefined ? tls !== undefined : publicUrl.protocol === 'https:';
  }

  /** The prefix keeps other hosts of the same domain from setting it. */
  #cookieName(purpose: string): string {
    return `${this.#isSecure ? '__Host-' : ''}tenant-analytics-${purpose}`;
  }

  async #setCookie(reply: FastifyReply, purpose: string, content: object, until: EpochMs): Promise<void> {
    const sealed = await this.sessions.seal(purpose, { ...content }, until);
    const maxAge = Math.floor((until - this.#options.now()) / 1000);
    reply.setCookie(this.#cookieName(purpose), sealed, { ...this.#cookieOptions(), maxAge });
  }

  #clearCookie(reply: FastifyReply, purpose: string): void {
    reply.clearCookie(this.#cookieName(purpose), this.#cookieOptions());
  }

  #cookieOptions() {
    return { path: '/', httpOnly: true, sameSite: 'lax', secure: this.#isSecure } as const;
  }
}

/** What cookies are for: one cannot stand in for the other. */
const SESSION = 'session';
const ASKED = 'sign-in';
