import type { FastifyPluginAsync } from 'fastify';
import { isSameSecret } from '../server.ts';
import type { Tenant } from './seed-companies.ts';

export interface TenantManagerOptions {
  /** Never changed here: this TenantManager only answers. */
  readonly tenants: readonly Tenant[];
  /** The bearer token asked for; empty for none. */
  readonly token: string;
}

const MOST_TENANTS = 500;

const PAGE = {
  type: 'object',
  properties: {
    limit: { type: 'integer', minimum: 1, maximum: MOST_TENANTS, default: 100 },
    offset: { type: 'integer', minimum: 0, default: 0 },
    industry: { type: 'string' },
  },
} as const;

interface Page {
  readonly limit: number;
  readonly offset: number;
  /** In any case. */
  readonly industry?: string;
}

/** TenantManager's HTTP contract (DESIGN section 5) over a seed in memory: nothing can be changed, so nothing is kept. */
export const tenantManager: FastifyPluginAsync<TenantManagerOptions> = async (server, { tenants, token }) => {
  const byID = new Map(tenants.map((tenant) => [tenant.companyID, tenant]));
  const ofIndustry = (industry: string | undefined) =>
    industry === undefined
      ? tenants
      : tenants.filter((tenant) => tenant.industry.toLowerCase() === industry.toLowerCase());

  server.get('/health', async () => ({ status: 'ok' }));
  server.get('/version', async () => ({ service: 'tenant-manager', data: 'a seed in memory, read only' }));

  await server.register(async (api) => {
    api.addHook('onRequest', async (request, reply) => {
      const came = /^Bearer +(\S+)$/i.exec(request.headers.authorization ?? '')?.[1];
      if (token === '' || isSameSecret(came, token)) return;
      reply.header('www-authenticate', 'Bearer');
      return reply.status(401).send({ message: 'expected the header "authorization: Bearer <token>" with the token' });
    });

    api.get<{ Querystring: Page }>('/api/v1/tenants', { schema: { querystring: PAGE } }, async ({ query }) => {
      const { limit, offset, industry } = query;
      const found = ofIndustry(industry);
      return { tenants: found.slice(offset, offset + limit), total: found.length, limit, offset };
    });

    api.get<{ Querystring: Pick<Page, 'industry'> }>('/api/v1/tenants/count', async ({ query }) => ({
      count: ofIndustry(query.industry).length,
    }));

    api.get<{ Params: { companyID: string } }>('/api/v1/tenants/:companyID', async ({ params }, reply) => {
      const tenant = byID.get(params.companyID);
      return tenant ?? reply.status(404).send({ message: `there is no tenant ${params.companyID}` });
    });
  });
};
