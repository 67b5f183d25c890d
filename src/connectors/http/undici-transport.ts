import { Agent, errors, request as send } from 'undici';
import { onAbort } from '../../base/abort.ts';
import { messageOf } from '../../base/errors.ts';
import type { HttpRequest, HttpResponse } from '../../runtime/contract.ts';
import { type HttpTransport, TransportFailure } from '../../runtime/ports.ts';

/** Larger answers than this are not answers of our services. */
const MOST_BODY_BYTES = 1024 * 1024;

/** HTTP/1.1 with kept connections, `connections` to each origin at most. */
export function undiciTransport(connections: number, now: () => number): HttpTransport {
  const agent = new Agent({ connections, pipelining: 1, keepAliveTimeout: 30_000, maxResponseSize: MOST_BODY_BYTES });
  const ask = async ({ method, url, headers, body }: HttpRequest, signal: AbortSignal): Promise<HttpResponse> => {
    const response = await send(url, { dispatcher: agent, method, headers, body, signal });
    const text = await response.body.text();
    return { status: response.statusCode, headers: plainHeaders(response.headers), body: text, receivedAt: now() };
  };
  return {
    async send(request, timeoutMs, signal): Promise<HttpResponse> {
      if (signal.aborted) throw new TransportFailure('connection', 'the run is over');
      const limit = limitOf(timeoutMs, signal);
      try {
        // Undici heeds a signal only once the request has a connection: one that waits for it must end, too.
        return await Promise.race([ask(request, limit.signal), limit.reached]);
      } catch (error) {
        throw failureOf(error, timeoutMs);
      } finally {
        limit.lift();
      }
    },
    close: () => agent.destroy(),
  };
}

interface Limit {
  /** Aborted when `reached` rejects. */
  readonly signal: AbortSignal;
  readonly reached: Promise<never>;
  /** The call is over: nothing of the limit stays behind. */
  lift(): void;
}

/** `AbortSignal.timeout` would do but for its cost: it lives, and fires, long after the call is over. */
function limitOf(timeoutMs: number, signal: AbortSignal): Limit {
  const controller = new AbortController();
  let lift: () => void = () => undefined;
  const reached = new Promise<never>((_resolve, reject) => {
    const end = (kind: TransportFailure['kind'], message: string) => {
      const failure = new TransportFailure(kind, message);
      reject(failure);
      controller.abort(failure);
    };
    const timer = setTimeout(() => end('timeout', `no answer within ${timeoutMs} ms`), timeoutMs);
    const takeBack = onAbort(signal, () => end('connection', 'the run is over'));
    lift = () => {
      clearTimeout(timer);
      takeBack();
    };
  });
  return { signal: controller.signal, reached, lift: () => lift() };
}

function failureOf(error: unknown, timeoutMs: number): TransportFailure {
  if (error instanceof TransportFailure) return error;
  const isTimeout =
    error instanceof errors.HeadersTimeoutError ||
    error instanceof errors.BodyTimeoutError ||
    error instanceof errors.ConnectTimeoutError;
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
