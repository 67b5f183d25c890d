import { type Context, context, type Span, SpanKind, trace } from '@opentelemetry/api';
import type { FastifyInstance, FastifyPluginAsync, FastifyRequest } from 'fastify';
import { Counter, Histogram, type Registry } from 'prom-client';
import { CORRELATION_HEADER, readCorrelationID } from '../core/correlation.ts';
import { type Log, NO_LOG } from '../observe/log.ts';
import { HTTP_METRICS } from '../observe/metric-table.ts';
import { METRICS_TYPE, metricsText, processMetrics } from '../observe/registry.ts';
import { contextOf, EVENT_ID_ATTRIBUTE, failed, type Tracing } from '../observe/tracing.ts';

export interface ObserveRequests {
  /** Its name in metrics, logs and traces. */
  readonly service: string;
  /** Takes counts and times. */
  readonly registry: Registry;
  readonly log?: Log | undefined;
  readonly tracing?: Tracing | undefined;
  /** Where correlation id and trace come from, if not from headers of these names. */
  readonly carried?: (request: FastifyRequest) => Readonly<Record<string, unknown>>;
}

const BUCKETS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5];
/** Asked all the time, by machines. */
const NOT_TRACED: ReadonlySet<string> = new Set(['/metrics', '/health', '/ping']);

/**
 * Counts and times each request of a server, tells it at `debug`, carries on its trace, and sends its correlation id back.
 * To be called before routes are added. Labels are patterns of routes: there are so many, whatever is asked for.
 */
export function observeRequests(server: FastifyInstance, options: ObserveRequests): void {
  const { service, log = NO_LOG, tracing, carried = ({ headers }) => headers } = options;
  const correlationOf = (request: FastifyRequest) => readCorrelationID(carried(request)[CORRELATION_HEADER]);
  count(server, options);
  server.addHook('onRequest', (request, reply, done) => {
    const id = correlationOf(request);
    if (id !== undefined) reply.header(CORRELATION_HEADER, id);
    done();
  });
  if (log.isDebug) {
    const told = log.of(service);
    server.addHook('onResponse', (request, reply, done) => {
      told.debug('request', {
        correlationID: correlationOf(request),
        method: request.method,
        path: request.url.split('?')[0],
        status: reply.statusCode,
        ms: Math.round(reply.elapsedTime * 10) / 10,
      });
      done();
    });
  }
  if (tracing !== undefined) traceRequests(server, service, tracing, carried, correlationOf);
}

function count(server: FastifyInstance, { service, registry }: ObserveRequests): void {
  const options = (name: keyof typeof HTTP_METRICS) => {
    const { meaning, labels } = HTTP_METRICS[name];
    return { name, help: meaning, labelNames: [...labels], registers: [registry] };
  };
  const requests = new Counter(options('tenant_analytics_http_requests_total'));
  const seconds = new Histogram({ ...options('tenant_analytics_http_request_seconds'), buckets: BUCKETS });
  server.addHook('onResponse', (request, reply, done) => {
    const labels = {
      service,
      method: request.method,
      route: request.routeOptions.url ?? 'none',
      status: String(reply.statusCode),
    };
    requests.inc(labels);
    // A feed is an answer as long as the page is open.
    const isFeed = String(reply.raw.getHeader('content-type') ?? '').startsWith('text/event-stream');
    if (!isFeed) seconds.observe(labels, reply.elapsedTime / 1000);
    done();
  });
}

function traceRequests(
  server: FastifyInstance,
  service: string,
  tracing: Tracing,
  carried: (request: FastifyRequest) => Readonly<Record<string, unknown>>,
  correlationOf: (request: FastifyRequest) => string | undefined,
): void {
  const tracer = tracing.tracer(service);
  const spans = new WeakMap<FastifyRequest, { readonly span: Span; readonly inside: Context }>();
  server.addHook('onRequest', async (request) => {
    const route = request.routeOptions.url ?? 'none';
    if (NOT_TRACED.has(route)) return;
    const parent = contextOf(carried(request));
    const id = correlationOf(request);
    const attributes = {
      'http.request.method': request.method,
      'http.route': route,
      ...(id === undefined ? {} : { [EVENT_ID_ATTRIBUTE]: id }),
    };
    const span = tracer.startSpan(`${request.method} ${route}`, { kind: SpanKind.SERVER, attributes }, parent);
    spans.set(request, { span, inside: trace.setSpan(parent, span) });
  });
  // Only here: a body that is read in between comes from another context.
  server.addHook('preHandler', (request, _reply, done) => {
    const inside = spans.get(request)?.inside;
    if (inside === undefined) done();
    else context.with(inside, done);
  });
  server.addHook('onResponse', async (request, reply) => {
    const span = spans.get(request)?.span;
    span?.setAttribute('http.response.status_code', reply.statusCode);
    if (span !== undefined && reply.statusCode >= 500) failed(span, `answered ${reply.statusCode}`);
    span?.end();
  });
}

export interface MetricsRouteOptions {
  /** Of this service; those of the process are told with them. */
  readonly registries: readonly Registry[];
}

/** `GET /metrics`, for Prometheus. */
export const metricsRoute: FastifyPluginAsync<MetricsRouteOptions> = async (server, { registries }) => {
  const schema = { summary: 'metrics for Prometheus', security: [] };
  // Where people sign in (the dashboard), it is for staff and for tokens made for it.
  server.get('/metrics', { config: { access: 'metrics' }, schema }, async (_request, reply) =>
    reply.type(METRICS_TYPE).send(await metricsText([...registries, processMetrics()])),
  );
};
