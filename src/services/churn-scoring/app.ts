import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import { Counter } from 'prom-client';
import { isSameSecret } from '../same-secret.ts';
import { assessChurn, type InvokeModel, type ProxyEvent } from './assess-churn.ts';
import { churnModel } from './churn-model.ts';
import { invocation } from './invocations.ts';
import { ModelHealth, type Outcome } from './model-health.ts';
import { GENEROUS, UsageLimit, type UsagePlan } from './usage-limit.ts';

export interface ChurnScoringOptions {
  /** The key asked for as `x-api-key`; empty for none. */
  readonly apiKey: string;
  readonly usage?: UsagePlan;
  /** The endpoint asked; unless given, the committed model in this process, without a call. */
  readonly invoke?: InvokeModel;
  /** Of the model behind the endpoint, if it is served by this process, too. */
  readonly health?: ModelHealth;
  /** Milliseconds that only go forward. */
  readonly now?: () => number;
  readonly warn?: (message: string) => void;
}

/** In API Gateway's place; the handler has a tighter limit of its own. */
const MOST_BODY_BYTES = 64 * 1024;
const MOST_OUTCOMES = 1000;

const OUTCOMES = {
  type: 'object',
  required: ['outcomes'],
  properties: {
    outcomes: {
      type: 'array',
      minItems: 1,
      maxItems: MOST_OUTCOMES,
      items: {
        type: 'object',
        required: ['probability', 'left'],
        properties: { probability: { type: 'number', minimum: 0, maximum: 1 }, left: { type: 'boolean' } },
      },
    },
  },
} as const;

/**
 * The scoring API on this machine, in the place of API Gateway: it hands each request to the handler that is deployed on
 * AWS, as the event that API Gateway makes of it. Beside it, what only a server that stays can give: metrics of the model,
 * and a place to tell how it ended with companies that were scored.
 */
export const churnScoring: FastifyPluginAsync<ChurnScoringOptions> = async (server, options) => {
  const { apiKey, usage = GENEROUS, now = () => performance.now(), warn = () => undefined } = options;
  const health = options.health ?? new ModelHealth(churnModel);
  const invoke = options.invoke ?? inProcess(health);
  const handler = assessChurn({ apiKey, usage: new UsageLimit(usage, now), model: churnModel, invoke, warn });
  const answers = new Counter({
    name: 'churn_scoring_answers_total',
    help: 'Answers of POST /prod/assessChurn, by status.',
    labelNames: ['status'],
    registers: [health.registry],
  });

  server.get('/health', async () => ({ status: 'ok' }));
  server.get('/metrics', async (_request, reply) =>
    reply.type(health.registry.contentType).send(await health.metrics()),
  );

  await server.register(async (api) => {
    // The handler reads the body itself, as it does on AWS.
    api.removeAllContentTypeParsers();
    api.addContentTypeParser('*', { parseAs: 'string' }, (_request, body, done) => done(null, body));
    api.post('/prod/assessChurn', { bodyLimit: MOST_BODY_BYTES }, async (request, reply) => {
      const { statusCode, headers, body } = await handler(eventOf(request));
      answers.labels(String(statusCode)).inc();
      return reply.status(statusCode).headers(headers).send(body);
    });
  });

  server.post<{ Body: { outcomes: readonly Outcome[] } }>(
    '/prod/outcomes',
    {
      schema: { body: OUTCOMES },
      bodyLimit: MOST_BODY_BYTES,
      onRequest: async (request, reply) => {
        if (apiKey === '' || isSameSecret(eventOf(request).headers['x-api-key'], apiKey)) return;
        return reply.status(403).send({ message: 'Forbidden' });
      },
    },
    async ({ body }, reply) => {
      for (const outcome of body.outcomes) health.outcome(outcome);
      return reply.status(202).send({ taken: body.outcomes.length });
    },
  );
};

/** API Gateway's event of a request; of a header sent twice it gives the last. */
function eventOf({ headers, body }: FastifyRequest): ProxyEvent {
  const single = Object.entries(headers).map(([name, value]) => [name, Array.isArray(value) ? value.at(-1) : value]);
  return {
    headers: Object.fromEntries(single),
    body: typeof body === 'string' ? body : null,
    isBase64Encoded: false,
  };
}

function inProcess(health: ModelHealth): InvokeModel {
  return async (csv) => ({ kind: 'answer', body: invocation(churnModel, health, 'text/csv', csv).body });
}
