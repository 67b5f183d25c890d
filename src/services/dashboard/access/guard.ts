import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import type { EpochMs } from '../../../base/time.ts';
import type { SignIn } from './sign-in.ts';
import { ANYBODY, companyOf, maySee, type RouteAccess, type Viewer } from './viewer.ts';

/** Of the page, what the page for signing in needs as well; it has no numbers in it. */
const OF_ANY_PAGE = /^\/(assets\/|favicon\.svg$)/;

/**
 * The one place that decides who is answered: before any route, it finds out who asks (`request.viewer`), and refuses what the
 * route is not for. A route that does not say whom it is for is for those who see all.
 */
export function guard(server: FastifyInstance, signIn: SignIn | undefined): void {
  server.decorateRequest('viewer', undefined as unknown as Viewer);
  server.addHook('onRequest', async (request, reply) => {
    const access = accessOf(request);
    if (signIn === undefined) {
      request.viewer = ANYBODY;
      return;
    }
    if (access === 'public') return;
    // What is told to one must not be kept for another.
    reply.header('cache-control', 'no-store');
    const came = await signIn.viewerOf(request);
    if ('wait' in came) {
      reply.header('retry-after', came.wait);
      return refuse(reply, 429, 'too many wrong tokens came from this address; try again later');
    }
    if ('nobody' in came) {
      if (isOpened(request)) return reply.redirect('/sign-in', 303);
      reply.header('www-authenticate', 'Bearer realm="tenant-analytics"');
      return refuse(reply, 401, came.nobody);
    }
    if (!maySee(access, came)) return refuse(reply, 403, 'this is for those who see all companies');
    const only = companyOf(came);
    const { companyID } = request.query as { readonly companyID?: unknown };
    if (only !== undefined && companyID !== undefined && companyID !== only) {
      return refuse(reply, 403, `you are signed in for company ${only}; of others nothing is told`);
    }
    request.viewer = came;
  });
}

/** When the viewer is nobody any more, `end` is called, once. Returns how to take that back. */
export function whileSignedIn(
  { until, session }: Viewer,
  signIn: SignIn | undefined,
  now: EpochMs,
  end: () => void,
): () => void {
  const timer = until === undefined ? undefined : setTimeout(end, Math.min(Math.max(0, until - now), MOST_TIMER_MS));
  timer?.unref();
  const takeBack = session === undefined ? undefined : signIn?.sessions.onEnd(session, end);
  return () => {
    clearTimeout(timer);
    takeBack?.();
  };
}

/** Node fires later ones at once. */
const MOST_TIMER_MS = 2 ** 31 - 1;

function accessOf(request: FastifyRequest): RouteAccess {
  const { access = 'staff' } = request.routeOptions.config;
  if (access !== 'page') return access;
  return OF_ANY_PAGE.test(request.url.split('?', 1)[0] ?? '') ? 'public' : 'page';
}

/** By a person in a browser, and not by a program or the page. */
function isOpened({ method, url, headers }: FastifyRequest): boolean {
  const isNavigation = headers['sec-fetch-mode'] === undefined || headers['sec-fetch-mode'] === 'navigate';
  return method === 'GET' && isNavigation && !url.startsWith('/api/') && /\btext\/html\b/.test(headers.accept ?? '');
}

function refuse(reply: FastifyReply, status: number, message: string): FastifyReply {
  return reply.status(status).send({ message });
}
