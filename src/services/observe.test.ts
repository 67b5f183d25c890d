import { SpanStatusCode, trace } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { Registry } from 'prom-client';
import { afterEach, describe, expect, test } from 'vitest';
import type { LogFields } from '../observe/log.ts';
import { NO_LOG } from '../observe/log.ts';
import { metricsText } from '../observe/registry.ts';
import { type RunningTraces, tracesTo } from '../observe/trace-sdk.ts';
import { metricsRoute, type ObserveRequests, observeRequests } from './observe.ts';
import { serviceServer } from './server.ts';

const toStop: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0)) await stop();
});

function service(options: Partial<ObserveRequests> = {}) {
  const registry = new Registry();
  const server = serviceServer();
  observeRequests(server, { service: 'any', registry, ...options });
  server.get<{ Params: { id: string } }>('/things/:id', async ({ params: { id } }, reply) => {
    if (id === 'broken') throw new Error('broken');
    return reply.send({ id, inside: trace.getActiveSpan()?.spanContext().spanId ?? null });
  });
  server.post('/things', async () => ({ inside: trace.getActiveSpan()?.spanContext().spanId ?? null }));
  server.get('/feed', async (_request, reply) => reply.type('text/event-stream; charset=utf-8').send('data: 1\n\n'));
  toStop.push(() => server.close());
  return { server, told: () => metricsText([registry]) };
}

describe('metrics of requests', () => {
  test('count and time by pattern, method and status, and never by what was asked for', async () => {
    const { server, told } = service();
    for (let nth = 0; nth < 50; nth++) await server.inject(`/things/${nth}?secret=${nth}`);
    for (let nth = 0; nth < 50; nth++) await server.inject(`/nothing/${nth}`);
    await server.inject('/things/broken');
    await server.inject({ url: '/things/1', headers: { host: 'elsewhere.example' } });
    const lines = (await told()).split('\n').filter((line) => line.startsWith('tenant_analytics_http_requests_total{'));
    expect(lines.sort()).toEqual([
      'tenant_analytics_http_requests_total{service="any",method="GET",route="/things/:id",status="200"} 50',
      'tenant_analytics_http_requests_total{service="any",method="GET",route="/things/:id",status="421"} 1',
      'tenant_analytics_http_requests_total{service="any",method="GET",route="/things/:id",status="500"} 1',
      'tenant_analytics_http_requests_total{service="any",method="GET",route="none",status="404"} 50',
    ]);
    expect(await told()).toMatch(/http_request_seconds_count\{.*route="\/things\/:id",status="200".*\} 50/);
    expect(await told()).not.toContain('secret');
  });

  test('a feed counts, and its time does not: it is open as long as the page', async () => {
    const { server, told } = service();
    await server.inject('/feed');
    expect(await told()).toContain('route="/feed",status="200"} 1');
    expect(await told()).not.toMatch(/request_seconds_\w+\{.*feed/);
  });
});

describe('/metrics', () => {
  test('tells of the service and of the process, in the format of Prometheus', async () => {
    const registry = new Registry();
    const server = serviceServer();
    toStop.push(() => server.close());
    observeRequests(server, { service: 'any', registry });
    await server.register(metricsRoute, { registries: [registry] });
    await server.inject('/metrics');
    const { body, headers } = await server.inject('/metrics');
    expect(headers['content-type']).toBe('text/plain; version=0.0.4; charset=utf-8');
    expect(body).toContain('route="/metrics",status="200"} 1\n');
    expect(body).toMatch(/^process_resident_memory_bytes \d+$/m);
    // Each metric is described once, and lines are whole.
    const names = [...body.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name);
    expect(new Set(names).size).toBe(names.length);
    expect(
      body.split('\n').filter((line) => line !== '' && !/^(# (HELP|TYPE) \S+ .+|\w+(\{.*\})? \S+)$/.test(line)),
    ).toEqual([]);
  });
});

describe('correlation', () => {
  test('an id comes back with the answer, also of a failure; what is no id does not', async () => {
    const { server } = service();
    const ask = async (url: string, id: string) =>
      (await server.inject({ url, headers: { 'x-correlation-id': id } })).headers['x-correlation-id'];
    expect(await ask('/things/1', 'shardId-0:17')).toBe('shardId-0:17');
    expect(await ask('/things/broken', 'shardId-0:17')).toBe('shardId-0:17');
    expect(await ask('/nothing', 'shardId-0:17')).toBe('shardId-0:17');
    expect(await ask('/things/1', 'a b')).toBeUndefined();
    expect(await ask('/things/1', 'x'.repeat(257))).toBeUndefined();
  });

  test('at debug each request is a line with its id, path without query, status and time; else there are none', async () => {
    const lines: [string, LogFields | undefined][] = [];
    const log = {
      ...NO_LOG,
      isDebug: true,
      debug: (message: string, fields?: LogFields) => void lines.push([message, fields]),
    };
    const { server } = service({ log: { ...log, of: () => log } });
    await server.inject({
      url: '/things/1?token=abc',
      headers: { 'x-correlation-id': 'e-1', authorization: 'Bearer abc' },
    });
    const fields = { correlationID: 'e-1', method: 'GET', path: '/things/1', status: 200, ms: expect.any(Number) };
    expect(lines).toEqual([['request', fields]]);
    const quiet = service({ log: { ...log, isDebug: false, of: () => log } });
    await quiet.server.inject('/things/1');
    expect(lines).toHaveLength(1);
  });
});

describe('traces', () => {
  function tracing(ratio = 1): { exporter: InMemorySpanExporter; traces: RunningTraces } {
    const exporter = new InMemorySpanExporter();
    const options = { ratio, version: '1.2.3', now: () => 0, warn: () => undefined };
    const traces = tracesTo(exporter, options, new SimpleSpanProcessor(exporter));
    toStop.push(() => traces.stop());
    return { exporter, traces };
  }
  const TRACE = '0af7651916cd43dd8448eb211c80319c';
  const headers = { traceparent: `00-${TRACE}-b7ad6b7169203331-01`, 'x-correlation-id': 'e-1' };

  test.each([
    ['GET', '/things/1', 'GET /things/:id'],
    ['POST', '/things', 'POST /things'],
  ] as const)(
    'a request (%s %s) carries on the trace that it came with, and what it does is inside',
    async (method, url, name) => {
      const { exporter, traces } = tracing();
      const { server } = service({ tracing: traces });
      const { inside } = (
        await server.inject({ method, url, headers, ...(method === 'POST' ? { payload: { a: 1 } } : {}) })
      ).json();
      const [span, ...others] = exporter.getFinishedSpans();
      expect(others).toEqual([]);
      expect(span?.spanContext()).toMatchObject({ traceId: TRACE, spanId: inside });
      expect(span).toMatchObject({ name, parentSpanContext: { spanId: 'b7ad6b7169203331' } });
      expect(span?.attributes).toMatchObject({ 'tenant_analytics.event_id': 'e-1', 'http.response.status_code': 200 });
      expect(span?.resource.attributes['service.name']).toBe('any');
    },
  );

  test('a failure is marked; what machines ask all the time makes none', async () => {
    const { exporter, traces } = tracing();
    const { server } = service({ tracing: traces });
    await server.register(metricsRoute, { registries: [] });
    await server.inject('/things/broken');
    expect(exporter.getFinishedSpans()[0]?.status.code).toBe(SpanStatusCode.ERROR);
    expect((await server.inject('/metrics')).statusCode).toBe(200);
    expect(exporter.getFinishedSpans()).toHaveLength(1);
  });

  test('a caller that does not sample its trace is not sampled here either', async () => {
    const { exporter, traces } = tracing();
    const { server } = service({ tracing: traces });
    await server.inject({ url: '/things/1', headers: { traceparent: `00-${TRACE}-b7ad6b7169203331-00` } });
    expect(exporter.getFinishedSpans()).toEqual([]);
  });
});
