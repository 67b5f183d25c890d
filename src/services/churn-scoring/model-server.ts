import type { FastifyPluginAsync, FastifyReply, FastifyRequest } from 'fastify';
import { Registry } from 'prom-client';
import { metricsRoute } from '../observe.ts';
import { invocation } from './invocations.ts';
import type { ModelHealth } from './model-health.ts';
import type { Scorecard } from './scorecard.ts';

export interface ModelServerOptions {
  readonly model: Scorecard;
  readonly health: ModelHealth;
  /** Also answers as SageMaker's runtime API does for an endpoint of this name. */
  readonly endpointName: string;
  /** Where its requests are counted, if they are. */
  readonly registry?: Registry;
}

/** SageMaker's own limit of a payload. */
const MOST_BODY_BYTES = 6 * 1024 * 1024;

/**
 * The model behind SageMaker's container protocol (`GET /ping`, `POST /invocations`), and, for use on one machine, behind
 * the path under which SageMaker's runtime API offers an endpoint, so that its SDK reaches it unchanged.
 */
export const modelServer: FastifyPluginAsync<ModelServerOptions> = async (server, options) => {
  const { model, health, endpointName, registry = new Registry() } = options;
  server.removeAllContentTypeParsers();
  server.addContentTypeParser('*', { parseAs: 'string', bodyLimit: MOST_BODY_BYTES }, (_request, body, done) => {
    done(null, body);
  });

  server.get('/ping', async () => ({ status: 'ok' }));

  await server.register(metricsRoute, { registries: [registry, health.registry] });

  const limits = { bodyLimit: MOST_BODY_BYTES };
  server.post('/invocations', limits, async (request, reply) => {
    if (!takesJson(request)) return refuseType(reply);
    const { status, body } = answer(request);
    return reply.status(status).type('application/json').send(body);
  });

  server.post<{ Params: { name: string } }>('/endpoints/:name/invocations', limits, async (request, reply) => {
    const { name } = request.params;
    if (name !== endpointName) {
      return asSageMaker(reply, 400, 'ValidationError', {
        Message: `Endpoint ${name} not found; there is ${endpointName}.`,
      });
    }
    const { status, body } = answer(request);
    if (status === 200) return reply.type('application/json').send(body);
    // What a container refuses is an error of the model to who asked the endpoint.
    return asSageMaker(reply, 424, 'ModelError', {
      Message: `Received client error (${status}) from the model with message "${body}".`,
      OriginalStatusCode: status,
      OriginalMessage: body,
    });
  });

  function answer(request: FastifyRequest) {
    const body = typeof request.body === 'string' ? request.body : '';
    return invocation(model, health, request.headers['content-type'] ?? '', body);
  }
};

function takesJson({ headers }: FastifyRequest): boolean {
  const accept = headers.accept ?? '';
  return accept === '' || /\*\/\*|application\/(json|\*)/i.test(accept);
}

function refuseType(reply: FastifyReply) {
  return reply.status(406).send({ message: 'predictions are application/json: accept that, or anything' });
}

function asSageMaker(reply: FastifyReply, status: number, type: string, body: object) {
  return reply.status(status).header('x-amzn-errortype', type).send(body);
}
