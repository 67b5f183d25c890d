import { SpanStatusCode } from '@opentelemetry/api';
import { InMemorySpanExporter, SimpleSpanProcessor } from '@opentelemetry/sdk-trace-base';
import { afterEach, describe, expect, test } from 'vitest';
import { type LogFields, NO_LOG } from '../../observe/log.ts';
import type { Observation } from '../../observe/observation.ts';
import { Secrets } from '../../observe/secrets.ts';
import { traceIDOf, tracesTo } from '../../observe/trace-sdk.ts';
import type { HttpRequest } from '../../runtime/contract.ts';
import { type HttpTransport, TransportFailure } from '../../runtime/ports.ts';
import { observedTransport, tracedProbe, tracedPublish } from './observed.ts';

const toStop: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const stop of toStop.splice(0)) await stop();
});

function tracing(ratio = 1) {
  const exporter = new InMemorySpanExporter();
  const options = { ratio, version: '1', now: () => 0, warn: () => undefined };
  const traces = tracesTo(exporter, options, new SimpleSpanProcessor(exporter));
  toStop.push(() => traces.stop());
  return { exporter, traces };
}

const REQUEST: HttpRequest = {
  method: 'GET',
  url: 'http://tenants.local:8081/api/v1/tenants/comp_4?token=abc',
  headers: { authorization: 'Bearer s3cr3t', 'x-correlation-id': 'shardId-0:17' },
  body: null,
};
const quiet: Observation = { log: NO_LOG, secrets: new Secrets() };
const signal = new AbortController().signal;

function transport(status: number | 'lost' = 200) {
  const asked: HttpRequest[] = [];
  const made: HttpTransport = {
    async send(request) {
      asked.push(request);
      if (status === 'lost') throw new TransportFailure('connection', 'it is gone');
      return { status, headers: {}, body: '', receivedAt: 0 };
    },
    close: async () => undefined,
  };
  return { made, asked };
}

test('without traces and debug it is the transport itself: what is off costs nothing', () => {
  const { made } = transport();
  expect(observedTransport(made, undefined)).toBe(made);
  expect(observedTransport(made, quiet)).toBe(made);
  const probe = () => undefined;
  expect(tracedProbe(probe, undefined)).toBe(probe);
});

describe('at debug', () => {
  test.each([
    [200, 'call', { status: 200 }],
    ['lost', 'call failed', { why: 'it is gone' }],
  ] as const)(
    'a call (%s) is a line with the id of its event, and without headers and query',
    async (status, said, more) => {
      const lines: [string, LogFields | undefined][] = [];
      const log = {
        ...NO_LOG,
        isDebug: true,
        debug: (message: string, fields?: LogFields) => void lines.push([message, fields]),
      };
      const told = observedTransport(transport(status).made, { ...quiet, log: { ...log, of: () => log } });
      await told.send(REQUEST, 100, signal).catch(() => undefined);
      const url = 'http://tenants.local:8081/api/v1/tenants/comp_4';
      expect(lines).toEqual([
        [said, { correlationID: 'shardId-0:17', method: 'GET', url, ms: expect.any(Number), ...more }],
      ]);
    },
  );
});

describe('with traces', () => {
  test('each call is a span in the trace of its event, which the service can carry on', async () => {
    const { exporter, traces } = tracing();
    const { made, asked } = transport();
    const told = observedTransport(made, { ...quiet, tracing: traces });
    await told.send(REQUEST, 100, signal);
    await told.send({ ...REQUEST, url: 'http://scoring.local/prod/assessChurn' }, 100, signal);
    await told.send({ ...REQUEST, headers: { 'x-correlation-id': 'another' } }, 100, signal);
    const spans = exporter.getFinishedSpans();
    expect(spans.map((span) => span.spanContext().traceId)).toEqual(
      ['shardId-0:17', 'shardId-0:17', 'another'].map(traceIDOf),
    );
    const { traceId, spanId } = spans[0]?.spanContext() ?? {};
    expect(asked[0]?.headers).toEqual({ ...REQUEST.headers, traceparent: `00-${traceId}-${spanId}-01` });
    expect(spans[0]?.attributes).toEqual({
      'http.request.method': 'GET',
      'url.full': 'http://tenants.local:8081/api/v1/tenants/comp_4',
      'server.address': 'tenants.local',
      'server.port': 8081,
      'tenant_analytics.event_id': 'shardId-0:17',
      'http.response.status_code': 200,
    });
    expect(JSON.stringify(spans.map(({ attributes, name }) => [attributes, name]))).not.toMatch(/s3cr3t|abc/);
  });

  test.each([500, 403, 'lost'] as const)(
    'a call that ends as %s is a failed span, and ends as it would without',
    async (status) => {
      const { exporter, traces } = tracing();
      const { made } = transport(status);
      const came = observedTransport(made, { ...quiet, tracing: traces }).send(REQUEST, 100, signal);
      if (status === 'lost') await expect(came).rejects.toBeInstanceOf(TransportFailure);
      else expect(await came).toMatchObject({ status });
      expect(exporter.getFinishedSpans()[0]?.status.code).toBe(SpanStatusCode.ERROR);
    },
  );

  test('a share is sampled: of one event all calls or none, and the service is told which', async () => {
    const { exporter, traces } = tracing(0.25);
    const { made, asked } = transport();
    const told = observedTransport(made, { ...quiet, tracing: traces });
    for (let nth = 0; nth < 400; nth++) {
      for (const _of of ['lookup', 'score']) {
        await told.send({ ...REQUEST, headers: { 'x-correlation-id': `shardId-0:${nth}` } }, 100, signal);
      }
    }
    const counts = new Map<string, number>();
    for (const span of exporter.getFinishedSpans()) {
      const { traceId } = span.spanContext();
      counts.set(traceId, (counts.get(traceId) ?? 0) + 1);
    }
    expect(counts.size).toBeGreaterThan(60);
    expect(counts.size).toBeLessThan(140);
    expect(new Set(counts.values())).toEqual(new Set([2]));
    const sampled = asked.filter(({ headers }) => headers.traceparent?.endsWith('-01'));
    expect(sampled).toHaveLength(counts.size * 2);
  });

  test('a change that is published is a span of TenantManager, with the company and no record', async () => {
    const { exporter, traces } = tracing();
    const sent: string[] = [];
    const publish = tracedPublish(async (companyID) => void sent.push(companyID), 'companies', traces);
    await publish('comp_4', new Uint8Array());
    const failing = tracedPublish(() => Promise.reject(new Error('throttled')), 'companies', traces);
    await expect(failing('comp_4', new Uint8Array())).rejects.toThrow('throttled');
    expect(sent).toEqual(['comp_4']);
    expect(exporter.getFinishedSpans().map(({ name, status }) => [name, status.message])).toEqual([
      ['publish companies', undefined],
      ['publish companies', 'throttled'],
    ]);
    expect(exporter.getFinishedSpans()[0]?.resource.attributes['service.name']).toBe('tenant-manager');
  });

  test('a checkpoint is a span from cut to commit; one that was not committed is marked', () => {
    const { exporter, traces } = tracing();
    const points: string[] = [];
    const probe = tracedProbe((point) => points.push(point), traces);
    const whole = ['barrier-taken', 'parts-synced', 'file-written', 'committed'] as const;
    for (const step of whole) probe(`checkpoint:${step}`);
    probe('checkpoint:barrier-taken');
    probe('sink:part-opened');
    probe('checkpoint:barrier-taken');
    expect(points).toHaveLength(7);
    const spans = exporter.getFinishedSpans();
    expect(spans.map(({ name, status, events }) => [name, status.code, events.map((event) => event.name)])).toEqual([
      ['checkpoint', SpanStatusCode.UNSET, ['parts-synced', 'file-written']],
      ['checkpoint', SpanStatusCode.ERROR, []],
    ]);
  });
});
