import type { FastifyPluginAsync, FastifyRequest } from 'fastify';
import { Counter, Registry } from 'prom-client';
import type { LogFields } from '../../observe/log.ts';
import { CHURN_SCORING_METRICS } from '../../observe/metric-table.ts';
import { metricsRoute } from '../observe.ts';
import { isSameSecret } from '../same-secret.ts';
import { type AssessOutcome, assessChurn, type InvokeModel, type ProxyEvent } from './assess-churn.ts';
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
  readonly warn?: (message: string, fields?: LogFields) => void;
  /** Where its requests are counted, if they are; told at /metrics with what it counts itself. */
  readonly registry?: Registry;
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
  const registry = options.registry ?? new Registry();
  const { answers, came } = counters(registry);
  const handler = assessChurn({ apiKey, usage: new UsageLimit(usage, now), model: churnModel, invoke, warn, came });

  server.get('/health', async () => ({ status: 'ok' }));
  await server.register(metricsRoute, { registries: [registry, health.registry] });

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

function counters(registry: Registry) {
  const counter = (name: keyof typeof CHURN_SCORING_METRICS) => {
    const { meaning, labels } = CHURN_SCORING_METRICS[name];
    return new Counter<string>({ name, help: meaning, labelNames: [...labels], registers: [registry] });
  };
  const scores = counter('churn_scoring_scores_total');
  const refusals = counter('churn_scoring_usage_refusals_total');
  return {
    answers: counter('churn_scoring_answers_total'),
    came(outcome: AssessOutcome) {
      if (outcome === 'usage-refused') refusals.inc();
      else scores.labels(outcome).inc();
    },
  };
}

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
