import type { FastifyInstance } from 'fastify';
import { z } from 'zod';
import { csvOf } from './csv.ts';
import type { Dashboard } from './dashboard.ts';
import { problemSchema } from './insights-schema.ts';
import { PIPELINE, type PipelineAnswer, pipelineSchema } from './pipeline-schema.ts';
import type { Pipeline } from './pipeline-source.ts';
import { FORMAT, given, OWN, openApi, problemOf, sendCsv, wantsCsv } from './routes.ts';

const NOT_TOLD =
  'this dashboard was not told where the application runs: start it with --metrics-url (Node host) or --flink-url (Flink)';

/** How the application is; for staff. */
export function pipelineRoute(api: FastifyInstance, dashboard: Dashboard, pipeline: Pipeline): void {
  const problem = openApi(problemSchema);
  const response = {
    200: {
      description: PIPELINE.title,
      content: { 'application/json': { schema: openApi(pipelineSchema) }, 'text/csv': { schema: { type: 'string' } } },
    },
    404: { description: 'the dashboard does not know where the application runs', ...problem },
    503: { description: 'the application does not answer', ...problem },
  };
  api.get<{ Querystring: Record<string, unknown> }>(
    PIPELINE.href,
    {
      ...OWN,
      config: { access: 'staff' },
      schema: { summary: PIPELINE.title, querystring: openApi(z.strictObject(FORMAT), 'input'), response },
    },
    async (request, reply) => {
      const read = z.strictObject(FORMAT).safeParse(given(request.query));
      if (!read.success) return reply.status(400).send({ message: problemOf(read.error) });
      if (!pipeline.isKnown) return reply.status(404).send({ message: NOT_TOLD });
      const told = await pipeline.ask();
      if ('problem' in told) return reply.status(503).header('retry-after', '2').send({ message: told.problem });
      const { tenants: _, companiesNotShown: __, ...asOf } = await dashboard.status();
      const answer: PipelineAnswer = {
        insight: PIPELINE.name,
        title: PIPELINE.title,
        asOf: { ...asOf, appliedAt: asOf.now, eventTime: null },
        totals: {},
        ...told,
      };
      reply.header('cache-control', 'no-store');
      if (!wantsCsv(request, read.data.format)) return answer;
      return sendCsv(reply, PIPELINE.name, answer.asOf, csvOf(PIPELINE.columns, answer.rows));
    },
  );
}
