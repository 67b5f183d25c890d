import { type Span, SpanKind, SpanStatusCode } from '@opentelemetry/api';
import { messageOf } from '../../base/errors.ts';
import { CORRELATION_HEADER } from '../../core/correlation.ts';
import type { Log } from '../../observe/log.ts';
import type { Observation } from '../../observe/observation.ts';
import { EVENT_ID_ATTRIBUTE, failed, headersOf, inSpan, type Tracing } from '../../observe/tracing.ts';
import type { HttpRequest, HttpResponse } from '../../runtime/contract.ts';
import type { HttpTransport, Probe } from '../../runtime/ports.ts';
import type { Publish } from '../../services/tenant-manager/outbox-publisher.ts';

const SERVICE = 'tenant-analytics';

/**
 * The transport of the calls of HTTP stages, each told at `debug` and in a span of its event's trace, which the service
 * carries on. Without either it is the transport itself: what is off costs nothing.
 */
export function observedTransport(transport: HttpTransport, observation: Observation | undefined): HttpTransport {
  const { log, tracing } = observation ?? {};
  const told = log?.isDebug === true ? logged(transport, log.of('calls')) : transport;
  return tracing === undefined ? told : traced(told, tracing);
}

function logged(transport: HttpTransport, log: Log): HttpTransport {
  return {
    async send(request, timeoutMs, signal) {
      const { method, url, headers } = request;
      const about = { correlationID: headers[CORRELATION_HEADER], method, url: url.split('?')[0] };
      const at = performance.now();
      const ms = () => Math.round((performance.now() - at) * 10) / 10;
      try {
        const response = await transport.send(request, timeoutMs, signal);
        log.debug('call', { ...about, status: response.status, ms: ms() });
        return response;
      } catch (error) {
        log.debug('call failed', { ...about, why: messageOf(error), ms: ms() });
        throw error;
      }
    },
    close: () => transport.close(),
  };
}

function traced(transport: HttpTransport, tracing: Tracing): HttpTransport {
  return {
    async send(request, timeoutMs, signal): Promise<HttpResponse> {
      const span = spanOf(request, tracing);
      try {
        const headers = { ...request.headers, ...headersOf(span) };
        const response = await transport.send({ ...request, headers }, timeoutMs, signal);
        span.setAttribute('http.response.status_code', response.status);
        if (response.status >= 400 && response.status !== 404) failed(span, `answered ${response.status}`);
        return response;
      } catch (error) {
        failed(span, messageOf(error));
        throw error;
      } finally {
        span.end();
      }
    },
    close: () => transport.close(),
  };
}

function spanOf({ method, url, headers }: HttpRequest, tracing: Tracing): Span {
  const { hostname, port, protocol, origin, pathname } = new URL(url);
  const id = headers[CORRELATION_HEADER] ?? '';
  const attributes = {
    'http.request.method': method,
    'url.full': origin + pathname,
    'server.address': hostname,
    'server.port': Number(port || (protocol === 'https:' ? 443 : 80)),
    [EVENT_ID_ATTRIBUTE]: id,
  };
  return tracing.spanOfEvent(SERVICE, id, method, { kind: SpanKind.CLIENT, attributes });
}

/** Sends a change of a tenant to its stream, in a span. */
export function tracedPublish(publish: Publish, stream: string, tracing: Tracing): Publish {
  const tracer = tracing.tracer('tenant-manager');
  return (companyID, record) => {
    const attributes = {
      'messaging.system': 'aws.kinesis',
      'messaging.destination.name': stream,
      'messaging.operation.type': 'send',
      'tenant_analytics.company_id': companyID,
    };
    return inSpan(tracer, `publish ${stream}`, { kind: SpanKind.PRODUCER, attributes }, () =>
      publish(companyID, record),
    );
  };
}

/** A span for each checkpoint, from cut to commit, with the steps between as events. */
export function tracedProbe(probe: Probe, tracing: Tracing | undefined): Probe {
  if (tracing === undefined) return probe;
  const tracer = tracing.tracer(SERVICE);
  let checkpoint: Span | undefined;
  return (point) => {
    probe(point);
    if (point === 'checkpoint:barrier-taken') {
      checkpoint?.setStatus({ code: SpanStatusCode.ERROR, message: 'not committed' }).end();
      checkpoint = tracer.startSpan('checkpoint', { kind: SpanKind.INTERNAL, root: true });
    } else if (point === 'checkpoint:committed') {
      checkpoint?.end();
      checkpoint = undefined;
    } else if (point.startsWith('checkpoint:')) {
      checkpoint?.addEvent(point.slice('checkpoint:'.length));
    }
  };
}
