import {
  type Attributes,
  type Context,
  context,
  propagation,
  ROOT_CONTEXT,
  type Span,
  type SpanKind,
  SpanStatusCode,
  type Tracer,
  trace,
} from '@opentelemetry/api';
import { messageOf } from '../base/errors.ts';

/**
 * Traces, when they are on; who is given none makes none. Of OpenTelemetry only its API is known here: what makes and
 * sends spans is in trace-sdk.ts, which is loaded when traces are switched on.
 */
export interface Tracing {
  /** Of a part of the program, which shows as a service of its own. */
  tracer(service: string): Tracer;
  /**
   * A first span in the trace of one event: its id is made of the event's, so that all calls made for the event are in one
   * trace, and are all sampled or none.
   */
  spanOfEvent(service: string, eventID: string, name: string, options: SpanOptions): Span;
}

export interface SpanOptions {
  readonly kind: SpanKind;
  readonly attributes: Attributes;
}

export const EVENT_ID_ATTRIBUTE = 'tenant_analytics.event_id';

/** Headers of a request that carries on the trace of this span. */
export function headersOf(span: Span): Record<string, string> {
  const carrier: Record<string, string> = {};
  propagation.inject(trace.setSpan(ROOT_CONTEXT, span), carrier);
  return carrier;
}

/** The trace that a request carries on; without one a trace begins here. */
export function contextOf(headers: Readonly<Record<string, unknown>>): Context {
  return propagation.extract(ROOT_CONTEXT, headers);
}

/** Runs in a span, inside the one that is active; its error, and where it was thrown, is the span's. */
export async function inSpan<T>(
  tracer: Tracer,
  name: string,
  options: SpanOptions,
  work: (span: Span) => Promise<T>,
): Promise<T> {
  const span = tracer.startSpan(name, options, context.active());
  try {
    return await work(span);
  } catch (error) {
    failed(span, messageOf(error));
    throw error;
  } finally {
    span.end();
  }
}

export function failed(span: Span, message: string): void {
  span.setStatus({ code: SpanStatusCode.ERROR, message });
}
