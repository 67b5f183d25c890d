import swagger from '@fastify/swagger';
import swaggerUI from '@fastify/swagger-ui';
import type { FastifyInstance, FastifyPluginAsync, FastifyReply } from 'fastify';
import { isSameSecret } from '../server.ts';
import { etagOf, ifMatch } from './etag.ts';
import {
  BAD_REQUEST,
  COUNT,
  COUNT_QUERY,
  IF_MATCH,
  NEW_TENANT,
  ONE_TENANT,
  PAGE_QUERY,
  PATH,
  PROBLEM,
  STALE,
  TENANT_PAGE,
  UNAUTHORIZED,
  UNKNOWN,
  WHOLE_TENANT,
} from './schemas.ts';
import { readNewTenant, readWholeTenant } from './tenant-body.ts';
import type { Change, Page, TenantRepository } from './tenant-repository.ts';

export interface TenantManagerOptions {
  readonly tenants: TenantRepository;
  /** The bearer token asked for; empty for none. */
  readonly token: string;
  /** As /version tells them. */
  readonly version: string;
  readonly database: string;
  /** Told once in a row: an answer 500 tells its caller nothing. */
  readonly failed: (error: unknown) => void;
}

const TENANTS = '/api/v1/tenants';
const ONE = `${TENANTS}/:companyID`;
/** A body is checked by tenant-body.ts, which takes nothing for something else: "10" for 10, null for 0. */
const ownCheck = { validatorCompiler: () => () => true };

interface OneTenant {
  Params: { companyID: string };
  Headers: { 'if-match'?: string };
}

/** TenantManager's HTTP contract. Whoever can reach it may read what it is and can do; tenants are told with the token only. */
export const tenantManager: FastifyPluginAsync<TenantManagerOptions> = async (server, options) => {
  const { tenants, token, version, database, failed } = options;
  server.addHook('onError', async (_request, _reply, error) => {
    if ((error.statusCode ?? 500) >= 500) failed(error);
  });
  await server.register(swagger, { openapi: description(version) });
  await server.register(swaggerUI, { routePrefix: '/docs', uiConfig: { validatorUrl: null }, staticCSP: LOCAL_ONLY });
  server.get('/openapi.json', { schema: { hide: true } }, async () => server.swagger());

  server.get(
    '/health',
    { schema: { summary: 'whether tenants can be told', security: [] } },
    async (_request, reply) => {
      try {
        await tenants.check();
        return { status: 'ok' };
      } catch (error) {
        failed(error);
        return reply.status(503).send({ message: 'the database does not answer' });
      }
    },
  );
  const about = { service: 'tenant-manager', version, database };
  server.get('/version', { schema: { summary: 'what answers here', security: [] } }, async () => about);

  await server.register(async (api) => {
    api.addHook('onRequest', async (request, reply) => {
      const came = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
      if (token === '' || isSameSecret(came, token)) return;
      reply.header('www-authenticate', 'Bearer');
      return reply.status(401).send({ message: 'expected the header "authorization: Bearer <token>" with the token' });
    });
    reads(api, tenants);
    changes(api, tenants);
  });
};

function reads(api: FastifyInstance, tenants: TenantRepository): void {
  api.get<{ Querystring: Page }>(
    TENANTS,
    {
      schema: {
        summary: 'tenants, in pages',
        querystring: PAGE_QUERY,
        response: { 200: TENANT_PAGE, 400: BAD_REQUEST, 401: UNAUTHORIZED },
      },
    },
    async ({ query }) => ({ ...(await tenants.page(query)), limit: query.limit, offset: query.offset }),
  );

  api.get<{ Querystring: Pick<Page, 'industry'> }>(
    `${TENANTS}/count`,
    {
      schema: { summary: 'how many tenants', querystring: COUNT_QUERY, response: { 200: COUNT, 401: UNAUTHORIZED } },
    },
    async ({ query }) => ({ count: await tenants.count(query.industry) }),
  );

  api.get<OneTenant>(
    ONE,
    {
      schema: {
        summary: 'one tenant',
        params: PATH,
        response: { 200: ONE_TENANT('the tenant'), 401: UNAUTHORIZED, 404: UNKNOWN },
      },
    },
    async ({ params: { companyID } }, reply) => {
      const tenant = await tenants.find(companyID);
      return tenant === undefined
        ? unknown(reply, companyID)
        : reply.header('etag', etagOf(tenant.updatedAt)).send(tenant);
    },
  );
}

function changes(api: FastifyInstance, tenants: TenantRepository): void {
  api.post(
    TENANTS,
    {
      ...ownCheck,
      schema: {
        summary: 'a new tenant',
        body: NEW_TENANT,
        response: {
          201: ONE_TENANT('the tenant, as it was made'),
          400: BAD_REQUEST,
          401: UNAUTHORIZED,
          409: PROBLEM('there is one already'),
        },
      },
    },
    async (request, reply) => {
      const read = readNewTenant(request.body);
      if ('problem' in read) return reply.status(400).send({ message: read.problem });
      const { companyID, fields } = read;
      const change = await tenants.create(companyID, fields);
      if (change.kind === 'done') {
        reply.status(201).header('location', `${TENANTS}/${encodeURIComponent(companyID)}`);
      }
      return answer(reply, companyID, change);
    },
  );

  const changed = { 400: BAD_REQUEST, 401: UNAUTHORIZED, 404: UNKNOWN, 412: STALE };
  api.put<OneTenant>(
    ONE,
    {
      ...ownCheck,
      schema: {
        summary: 'replaces a tenant by a whole record',
        params: PATH,
        headers: IF_MATCH,
        body: WHOLE_TENANT,
        response: { 200: ONE_TENANT('the tenant, as it is now'), ...changed },
      },
    },
    async (request, reply) => {
      const { companyID } = request.params;
      const isCurrent = ifMatch(request.headers['if-match']);
      if (isCurrent === undefined) return unreadable(reply);
      const read = readWholeTenant(request.body, companyID);
      if ('problem' in read) return reply.status(400).send({ message: read.problem });
      return answer(reply, companyID, await tenants.replace(companyID, read.fields, isCurrent));
    },
  );

  api.delete<OneTenant>(
    ONE,
    {
      schema: {
        summary: 'removes a tenant',
        params: PATH,
        headers: IF_MATCH,
        response: { 204: { description: 'it is gone', type: 'null' }, ...changed },
      },
    },
    async (request, reply) => {
      const { companyID } = request.params;
      const isCurrent = ifMatch(request.headers['if-match']);
      if (isCurrent === undefined) return unreadable(reply);
      const change = await tenants.remove(companyID, isCurrent);
      return change.kind === 'done' ? reply.status(204).send() : answer(reply, companyID, change);
    },
  );
}

function answer(reply: FastifyReply, companyID: string, change: Change): FastifyReply {
  switch (change.kind) {
    case 'done':
      return reply.header('etag', etagOf(change.tenant.updatedAt)).send(change.tenant);
    case 'unknown':
      return unknown(reply, companyID);
    case 'exists':
      return reply.status(409).send({ message: `companyID: there is a tenant ${companyID} already; PUT changes it` });
    case 'stale': {
      const since = new Date(change.updatedAt).toISOString();
      const message = `tenant ${companyID} was changed at ${since}, after what if-match names; GET it again`;
      return reply.status(412).send({ message });
    }
  }
}

function unknown(reply: FastifyReply, companyID: string): FastifyReply {
  return reply.status(404).send({ message: `there is no tenant ${companyID}` });
}

function unreadable(reply: FastifyReply): FastifyReply {
  return reply.status(400).send({ message: 'if-match: expected ETags in double quotes, or *' });
}

/** The page loads nothing from elsewhere. */
const LOCAL_ONLY = {
  'default-src': "'self'",
  'img-src': "'self' data:",
  'style-src': "'self' 'unsafe-inline'",
  'script-src': "'self'",
  'frame-ancestors': "'none'",
};

function description(version: string) {
  return {
    openapi: '3.1.0' as const,
    info: {
      title: 'TenantManager',
      version,
      description: 'The companies that use the platform. Each change goes to the companies stream.',
    },
    components: { securitySchemes: { token: { type: 'http' as const, scheme: 'bearer' } } },
    security: [{ token: [] }],
  };
}
