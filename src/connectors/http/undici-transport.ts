import { Agent, errors, request as send } from 'undici';
import { messageOf } from '../../base/errors.ts';
import type { HttpResponse } from '../../runtime/contract.ts';
import { type HttpTransport, TransportFailure } from '../../runtime/ports.ts';

/** Larger answers than this are not answers of our services. */
const MOST_BODY_BYTES = 1024 * 1024;

/** HTTP/1.1 with kept connections, `connections` to each origin at most. */
export function undiciTransport(connections: number, now: () => number): HttpTransport {
  const agent = new Agent({ connections, pipelining: 1, keepAliveTimeout: 30_000, maxResponseSize: MOST_BODY_BYTES });
  return {
    async send({ method, url, headers, body }, timeoutMs, signal): Promise<HttpResponse> {
      const limit = AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]);
      try {
        const response = await send(url, { dispatcher: agent, method, headers, body, signal: limit });
        const text = await response.body.text();
        return { status: response.statusCode, headers: plainHeaders(response.headers), body: text, receivedAt: now() };
      } catch (error) {
        throw failureOf(error, timeoutMs);
      }
    },
    close: () => agent.destroy(),
  };
}

function failureOf(error: unknown, timeoutMs: number): TransportFailure {
  const isTimeout =
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError ||
    error instanceof errors.ConnectTimeoutError ||
    (error instanceof Error && error.name === 'TimeoutError');
  if (isTimeout) return new TransportFailure('timeout', `no answer within ${timeoutMs} ms`, { cause: error });
  return new TransportFailure('connection', messageOf(error) || 'the connection was lost', { cause: error });
}

function plainHeaders(headers: Record<string, string | string[] | undefined>): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) plain[name.toLowerCase()] = Array.isArray(value) ? value.join(', ') : value;
  }
  return plain;
}
