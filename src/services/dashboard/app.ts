import { existsSync } from 'node:fs';
import helmet from '@fastify/helmet';
import fastifyStatic from '@fastify/static';
import swagger from '@fastify/swagger';
import swaggerUI from '@fastify/swagger-ui';
import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import type { Registry } from 'prom-client';
import type { Alerts } from '../alerts/alerts.ts';
import { metricsRoute } from '../observe.ts';
import { guard, whileSignedIn } from './access/guard.ts';
import { type Access, HERE_FOR_ANYBODY } from './access/settings.ts';
import { SignIn } from './access/sign-in.ts';
import { companyOf } from './access/viewer.ts';
import { type ViewerAnswer, viewerSchema } from './access/viewer-schema.ts';
import { alertsRoute } from './alert-route.ts';
import type { Dashboard, DashboardWorld } from './dashboard.ts';
import { pipelineRoute } from './pipeline-route.ts';
import { Pipeline, type PipelinePlaces } from './pipeline-source.ts';
import { insightRoutes, openApi } from './routes.ts';

export interface DashboardAppOptions {
  readonly dashboard: Dashboard;
  /** Where the built page lies. */
  readonly webFolder: string;
  /** Where the application runs, and tells how it is; nowhere unless given. */
  readonly pipeline?: PipelinePlaces;
  /** None are sent unless given. */
  readonly alerts?: Pick<Alerts, 'report'> | undefined;
  readonly version: string;
  /** Anybody who can reach it is answered unless given: for servers that answer on their own machine only. */
  readonly access?: Access;
  /** For sessions; the clock of the machine, and no warnings, unless given. */
  readonly world?: DashboardWorld;
  /** What it tells at /metrics. */
  readonly registries?: readonly Registry[];
}

const NOWHERE: PipelinePlaces = { metricsUrl: '' };

/** The page asks for nothing from elsewhere, and nobody shows it inside theirs. */
const SELF_ONLY = {
  defaultSrc: ["'self'"],
  baseUri: ["'none'"],
  formAction: ["'self'"],
  frameAncestors: ["'none'"],
  objectSrc: ["'none'"],
};
/** Swagger UI writes styles of its own, and has its icons in them. */
const DOCS_CSP = {
  'default-src': "'self'",
  'img-src': "'self' data:",
  'style-src': "'self' 'unsafe-inline'",
  'frame-ancestors': "'none'",
};

/** The dashboard's HTTP: its page, its insights, its feed. */
export const dashboardApp: FastifyPluginAsync<DashboardAppOptions> = async (server, options) => {
  const { dashboard, webFolder, pipeline: places = NOWHERE, alerts, version, access = HERE_FOR_ANYBODY } = options;
  const { world = { now: Date.now, warn: () => undefined } } = options;
  const { place, signIn: settings } = access;
  await server.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: SELF_ONLY },
    // On this machine plain HTTP will do.
    strictTransportSecurity:
      place.publicUrl?.protocol === 'https:' ? { maxAge: YEAR_S, includeSubDomains: false } : false,
    // Where people sign in, browsers must tell from where a form was sent; elsewhere nothing is told.
    referrerPolicy: { policy: settings === undefined ? 'no-referrer' : 'same-origin' },
  });
  const signIn =
    settings === undefined ? undefined : await SignIn.prepare(server, { settings, place, webFolder, ...world });
  guard(server, signIn);
  signIn?.routes(server);
  await server.register(swagger, { openapi: description(version) });
  await server.register(swaggerUI, { routePrefix: '/docs', uiConfig: { validatorUrl: null }, staticCSP: DOCS_CSP });
  server.get('/openapi.json', { config: { access: 'staff' }, schema: { hide: true } }, async () => server.swagger());
  server.get('/health', { config: { access: 'public' }, schema: { summary: 'whether it answers' } }, async () => {
    await dashboard.status();
    return { status: 'ok' };
  });
  await server.register(metricsRoute, { registries: options.registries ?? [] });
  viewerRoute(server);
  const pipeline = new Pipeline(places, world.now);
  insightRoutes(server, dashboard, pipeline.isKnown, alerts !== undefined);
  pipelineRoute(server, dashboard, pipeline);
  alertsRoute(server, dashboard, alerts);
  feedRoute(server, dashboard, signIn, world);
  await page(server, webFolder);
};

const YEAR_S = 31_536_000;

function viewerRoute(server: FastifyInstance): void {
  const schema = { summary: 'whom the answers are for', response: { 200: openApi(viewerSchema) } };
  server.get('/api/viewer', { config: { access: 'tenant' }, schema }, async ({ viewer }): Promise<ViewerAnswer> => {
    return { signedIn: viewer.name !== null, name: viewer.name, companyID: companyOf(viewer) ?? null };
  });
}

function feedRoute(
  server: FastifyInstance,
  dashboard: Dashboard,
  signIn: SignIn | undefined,
  { now }: DashboardWorld,
): void {
  server.get(
    '/api/feed',
    {
      config: { access: 'tenant' },
      schema: {
        summary: 'Server-Sent Events: company, flip, status',
        description:
          'Data is JSON. Comes back with Last-Event-ID where it was, as far as events are kept. Who is tied to a company is told of that one only.',
        produces: ['text/event-stream'],
      },
    },
    async (request, reply) => {
      const companyID = companyOf(request.viewer);
      const status = await dashboard.status(companyID);
      const { raw } = reply;
      for (const [name, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) raw.setHeader(name, value);
      raw.setHeader('content-type', 'text/event-stream; charset=utf-8');
      raw.setHeader('cache-control', 'no-store');
      const last = request.headers['last-event-id'];
      const lastEventID = typeof last === 'string' ? last : undefined;
      if (!dashboard.feed.read(raw, { lastEventID, status, companyID })) {
        return reply.status(503).header('retry-after', '30').send({ message: 'too many read the feed; try again' });
      }
      const over = whileSignedIn(request.viewer, signIn, now(), () => raw.end());
      if (raw.destroyed) over();
      else raw.on('close', over);
      reply.hijack();
      return reply;
    },
  );
}

async function page(server: FastifyInstance, webFolder: string): Promise<void> {
  if (!existsSync(`${webFolder}/index.html`)) {
    const options = { config: OF_PAGE, schema: { hide: true } };
    server.get('/', options, async (_request, reply) => reply.type('text/html').send(NOT_BUILT));
    return;
  }
  await server.register(files, { webFolder });
}

/** A scope of its own: what is set for its routes is for no others. */
const files: FastifyPluginAsync<{ readonly webFolder: string }> = async (scope, { webFolder }) => {
  scope.addHook('onRoute', (route) => {
    route.config = { ...route.config, ...OF_PAGE };
  });
  await scope.register(fastifyStatic, {
    root: webFolder,
    cacheControl: false,
    // A template, and no page.
    allowedPath: (path) => path !== '/sign-in.html',
    setHeaders(response, path) {
      // Names of what Vite builds change with their content; index.html names them. What the guard says of it stands.
      response.setHeader(
        'cache-control',
        /[/\\]assets[/\\]/.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache',
      );
    },
  });
};

const OF_PAGE = { access: 'page' } as const;

const NOT_BUILT = `<!doctype html><html lang="en"><title>tenant-analytics</title>
<h1>The page is not built</h1>
<p>Run <code>npm run build</code>, and start the dashboard again.</p>
<p>Its numbers are there: <a href="/api/insights">all questions</a>, <a href="/docs">how to ask them</a>.</p></html>
`;

function description(version: string) {
  return {
    openapi: '3.1.0' as const,
    info: {
      title: 'Insights',
      version,
      description: 'What the rows of enriched companies tell. Each answer says as of when it is.',
    },
  };
}
