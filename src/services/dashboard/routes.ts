import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import { z } from 'zod';
import { companyOf, FOR_TENANTS } from './access/viewer.ts';
import { csvOf } from './csv.ts';
import type { Dashboard } from './dashboard.ts';
import {
  alertsSchema,
  type Catalogue,
  catalogueSchema,
  INSIGHTS,
  type InsightName,
  problemSchema,
  statusSchema,
} from './insights-schema.ts';
import { PIPELINE } from './pipeline-schema.ts';

export const FORMAT = {
  format: z.enum(['json', 'csv']).optional().meta({ description: 'also chosen by Accept: text/csv' }),
};
/** zod reads what came (its messages name the field), and answers are ours: the schemas given to Fastify are for OpenAPI. */
export const OWN = { validatorCompiler: () => () => true, serializerCompiler: () => JSON.stringify };
/** Asked by a route of its own. */
export const ALERTS = {
  name: 'alerts',
  title: 'Alerts: what was told to whom, and what waits',
  href: '/api/insights/alerts',
  columns: Object.keys(alertsSchema.shape.rows.element.shape),
};
const NAMES = Object.keys(INSIGHTS) as InsightName[];

/** The insights API: one route for each question, the list of them, and how far the dashboard is. */
export function insightRoutes(
  api: FastifyInstance,
  dashboard: Dashboard,
  hasPipeline: boolean,
  hasAlerts: boolean,
): void {
  for (const name of NAMES) insightRoute(api, dashboard, name);
  api.get(
    '/api/insights',
    {
      ...OWN,
      config: { access: 'tenant' },
      schema: { summary: 'all questions that one may ask', response: { 200: openApi(catalogueSchema) } },
    },
    async ({ viewer }) => {
      const isForAll = companyOf(viewer) === undefined;
      const names = isForAll ? NAMES : NAMES.filter((name) => FOR_TENANTS.has(name));
      return catalogue(names, isForAll && hasPipeline, isForAll && hasAlerts);
    },
  );
  api.get(
    '/api/status',
    {
      ...OWN,
      config: { access: 'tenant' },
      schema: { summary: 'how far it is', response: { 200: openApi(statusSchema) } },
    },
    async ({ viewer }) => dashboard.status(companyOf(viewer)),
  );
}

function insightRoute(api: FastifyInstance, dashboard: Dashboard, name: InsightName): void {
  const { title, query, answer, row } = INSIGHTS[name];
  const asked = z.strictObject({ ...query.shape, ...FORMAT });
  const isOfCompany = 'companyID' in query.shape;
  const problem = openApi(problemSchema);
  const response = {
    200: {
      description: title,
      content: { 'application/json': { schema: openApi(answer) }, 'text/csv': { schema: { type: 'string' } } },
    },
    400: { description: 'names the parameter that cannot be used', ...problem },
    ...(isOfCompany ? { 404: { description: 'no row of this company is known', ...problem } } : {}),
  };
  api.get<{ Querystring: Record<string, unknown> }>(
    `/api/insights/${name}`,
    {
      ...OWN,
      config: { access: FOR_TENANTS.has(name) ? 'tenant' : 'staff' },
      schema: { summary: title, querystring: openApi(asked, 'input'), response },
    },
    async (request, reply) => {
      const read = asked.safeParse(given(request.query));
      if (!read.success) return reply.status(400).send({ message: problemOf(read.error) });
      const { format, ...questions } = read.data;
      // One question's parameters are checked by its own schema: no type can say that for a name of any of them.
      const found = await dashboard.answer(name, questions as never, companyOf(request.viewer));
      if (found === undefined) {
        const { companyID } = questions as { companyID?: string };
        return reply.status(404).send({ message: `no row of company ${companyID} is known` });
      }
      reply.header('cache-control', 'no-store');
      if (!wantsCsv(request, format)) return found;
      return sendCsv(reply, name, found.asOf, csvOf(Object.keys(row.shape), found.rows));
    },
  );
}

export function sendCsv(
  reply: FastifyReply,
  name: InsightName | 'pipeline' | 'alerts',
  { appliedAt, today }: { readonly appliedAt: string | null; readonly today: string },
  csv: string,
): FastifyReply {
  reply.serializer((text: string) => text);
  if (appliedAt !== null) reply.header('last-modified', new Date(appliedAt).toUTCString());
  return reply
    .header('content-disposition', `attachment; filename="${name}-${today}.csv"`)
    .type('text/csv; charset=utf-8; header=present')
    .send(csv);
}

export function wantsCsv(request: FastifyRequest, format: 'json' | 'csv' | undefined): boolean {
  if (format !== undefined) return format === 'csv';
  return /^\s*text\/csv\b/i.test(request.headers.accept ?? '');
}

function catalogue(names: readonly InsightName[], withPipeline: boolean, withAlerts: boolean): Catalogue {
  const insights = names.map((name) => ({
    name,
    title: INSIGHTS[name].title,
    href: `/api/insights/${name}`,
    columns: Object.keys(INSIGHTS[name].row.shape),
    parameters: Object.keys(INSIGHTS[name].query.shape),
  }));
  return {
    insights: [
      ...insights,
      ...(withPipeline ? [{ ...PIPELINE, parameters: [] }] : []),
      ...(withAlerts ? [{ ...ALERTS, parameters: [] }] : []),
    ],
  };
}

/** A parameter without a value is one that was left out, as forms send it. */
export function given(query: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ''));
}

export function problemOf({ issues }: z.ZodError): string {
  return issues.map(({ path, message }) => (path.length === 0 ? message : `${path.join('.')}: ${message}`)).join('; ');
}

export function openApi(schema: z.ZodType, io: 'input' | 'output' = 'output'): Record<string, unknown> {
  const { $schema: _, ...rest } = z.toJSONSchema(schema, { io });
  return rest;
}
