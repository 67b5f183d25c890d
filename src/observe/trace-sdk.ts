import { createHash } from 'node:crypto';
import { context, propagation, type Tracer } from '@opentelemetry/api';
import { AsyncLocalStorageContextManager } from '@opentelemetry/context-async-hooks';
import { setGlobalErrorHandler, W3CTraceContextPropagator } from '@opentelemetry/core';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import { resourceFromAttributes } from '@opentelemetry/resources';
import {
  BasicTracerProvider,
  BatchSpanProcessor,
  type IdGenerator,
  ParentBasedSampler,
  RandomIdGenerator,
  type SpanExporter,
  type SpanProcessor,
  TraceIdRatioBasedSampler,
} from '@opentelemetry/sdk-trace-base';
import { messageOf, TenantAnalyticsError } from '../base/errors.ts';
import type { Tracing } from './tracing.ts';

export interface TracesTo {
  /** Of a collector: `http://127.0.0.1:4318`; spans go to its `/v1/traces` by OTLP over HTTP. */
  readonly url: string;
  /** The share of traces that are told, 0 to 1; of one trace all or nothing. */
  readonly ratio: number;
  readonly version: string;
  readonly now: () => number;
  readonly warn: (message: string) => void;
}

export interface RunningTraces extends Tracing {
  /** Sends what is left; waits for that a few seconds at most. Never rejects. */
  stop(): Promise<void>;
}

/** Spans that wait to be sent, at most: beyond, new ones are dropped, so that a collector that is away costs no memory. */
const MOST_WAITING = 4096;
const AT_ONCE = 512;
const SEND_EVERY_MS = 1000;
const SEND_TIMEOUT_MS = 3000;
const TOLD_EVERY_MS = 60_000;

/** @throws TenantAnalyticsError USAGE when the URL is none */
export function startTraces(to: TracesTo): RunningTraces {
  const exporter = new OTLPTraceExporter({ url: tracesUrl(to.url), timeoutMillis: SEND_TIMEOUT_MS });
  return tracesTo(exporter, to);
}

/** To any exporter: tests look at spans themselves. */
export function tracesTo(
  exporter: SpanExporter,
  { ratio, version, now, warn }: Omit<TracesTo, 'url'>,
  processor: SpanProcessor = new BatchSpanProcessor(exporter, {
    maxQueueSize: MOST_WAITING,
    maxExportBatchSize: AT_ONCE,
    scheduledDelayMillis: SEND_EVERY_MS,
    exportTimeoutMillis: SEND_TIMEOUT_MS,
  }),
): RunningTraces {
  tellFailures(now, warn);
  const manager = new AsyncLocalStorageContextManager().enable();
  context.setGlobalContextManager(manager);
  propagation.setGlobalPropagator(new W3CTraceContextPropagator());
  const ids = new EventIds();
  const sampler = new ParentBasedSampler({ root: new TraceIdRatioBasedSampler(ratio) });
  const providers = new Map<string, BasicTracerProvider>();
  const tracer = (service: string): Tracer => {
    let provider = providers.get(service);
    if (provider === undefined) {
      const resource = resourceFromAttributes({ 'service.name': service, 'service.version': version });
      provider = new BasicTracerProvider({ resource, sampler, idGenerator: ids, spanProcessors: [processor] });
      providers.set(service, provider);
    }
    return provider.getTracer('tenant-analytics');
  };
  return {
    tracer,
    spanOfEvent(service, eventID, name, options) {
      ids.next = traceIDOf(eventID);
      const span = tracer(service).startSpan(name, { ...options, root: true });
      ids.next = undefined;
      return span;
    },
    async stop() {
      await processor.shutdown().catch(() => undefined);
      manager.disable();
      context.disable();
      propagation.disable();
    },
  };
}

/** The first 16 bytes of the id's SHA-256, in hexadecimal: who knows an event finds its trace. */
export function traceIDOf(eventID: string): string {
  return createHash('sha256').update(eventID).digest('hex').slice(0, 32);
}

/** Random ids, but for the trace of an event. */
class EventIds implements IdGenerator {
  next: string | undefined;
  readonly #random = new RandomIdGenerator();

  generateTraceId(): string {
    return this.next ?? this.#random.generateTraceId();
  }

  generateSpanId(): string {
    return this.#random.generateSpanId();
  }
}

function tracesUrl(url: string): string {
  try {
    const parsed = new URL(url);
    if (!/^https?:$/.test(parsed.protocol)) throw new Error(`got ${parsed.protocol}`);
    if (!parsed.pathname.endsWith('/v1/traces')) parsed.pathname = `${parsed.pathname.replace(/\/+$/, '')}/v1/traces`;
    return parsed.href;
  } catch (error) {
    throw new TenantAnalyticsError(
      'USAGE',
      `--traces (OTEL_EXPORTER_OTLP_ENDPOINT): expected the URL of a collector, http://127.0.0.1:4318 say, got ${url} (${messageOf(error)}).`,
    );
  }
}

/** A collector that is away is told once in a while; nothing else suffers from it. */
function tellFailures(now: () => number, warn: (message: string) => void): void {
  let told = Number.NEGATIVE_INFINITY;
  setGlobalErrorHandler((error) => {
    if (now() - told < TOLD_EVERY_MS) return;
    told = now();
    const why = error instanceof Error ? error.message : 'the collector does not take them';
    warn(`Traces cannot be sent: ${why}. They are left out; all else goes on.`);
  });
}
