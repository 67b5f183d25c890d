import { existsSync } from 'node:fs';
import helmet from '@fastify/helmet';
import fastifyStatic from '@fastify/static';
import swagger from '@fastify/swagger';
import swaggerUI from '@fastify/swagger-ui';
import type { FastifyInstance, FastifyPluginAsync } from 'fastify';
import type { Dashboard } from './dashboard.ts';
import { insightRoutes } from './routes.ts';

export interface DashboardAppOptions {
  readonly dashboard: Dashboard;
  /** Where the built page lies. */
  readonly webFolder: string;
  /** Where the application tells its metrics (`…/metrics`); none unless given. */
  readonly metricsUrl?: string;
  readonly version: string;
}

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
  const { dashboard, webFolder, metricsUrl = '', version } = options;
  await server.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: SELF_ONLY },
    // Plain HTTP on this machine only.
    strictTransportSecurity: false,
    referrerPolicy: { policy: 'no-referrer' },
  });
  await server.register(swagger, { openapi: description(version) });
  await server.register(swaggerUI, { routePrefix: '/docs', uiConfig: { validatorUrl: null }, staticCSP: DOCS_CSP });
  server.get('/openapi.json', { schema: { hide: true } }, async () => server.swagger());
  server.get('/health', { schema: { summary: 'whether it answers' } }, async () => {
    await dashboard.status();
    return { status: 'ok' };
  });
  insightRoutes(server, dashboard, metricsUrl);
  feedRoute(server, dashboard);
  await page(server, webFolder);
};

function feedRoute(server: FastifyInstance, dashboard: Dashboard): void {
  server.get(
    '/api/feed',
    {
      schema: {
        summary: 'Server-Sent Events: company, flip, status',
        description: 'Data is JSON. Comes back with Last-Event-ID where it was, as far as events are kept.',
        produces: ['text/event-stream'],
      },
    },
    async (request, reply) => {
      const status = await dashboard.status();
      const { raw } = reply;
      for (const [name, value] of Object.entries(reply.getHeaders()))
        if (value !== undefined) raw.setHeader(name, value);
      raw.setHeader('content-type', 'text/event-stream; charset=utf-8');
      raw.setHeader('cache-control', 'no-store');
      const last = request.headers['last-event-id'];
      if (!dashboard.feed.read(raw, typeof last === 'string' ? last : undefined, status)) {
        return reply.status(503).header('retry-after', '30').send({ message: 'too many read the feed; try again' });
      }
      reply.hijack();
      return reply;
    },
  );
}

async function page(server: FastifyInstance, webFolder: string): Promise<void> {
  if (!existsSync(`${webFolder}/index.html`)) {
    server.get('/', { schema: { hide: true } }, async (_request, reply) => reply.type('text/html').send(NOT_BUILT));
    return;
  }
  await server.register(fastifyStatic, {
    root: webFolder,
    cacheControl: false,
    setHeaders(response, path) {
      // Names of what Vite builds change with their content; index.html names them.
      response.setHeader(
        'cache-control',
        /[/\\]assets[/\\]/.test(path) ? 'public, max-age=31536000, immutable' : 'no-cache',
      );
    },
  });
}

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
