import { type ClientRequest, Agent as HttpAgent, request as httpRequest, type IncomingMessage } from 'node:http';
import { Agent as HttpsAgent, request as httpsRequest } from 'node:https';
import { onAbort } from '../../base/abort.ts';
import { messageOf } from '../../base/errors.ts';
import type { HttpRequest, HttpResponse } from '../../runtime/contract.ts';
import { type HttpTransport, TransportFailure } from '../../runtime/ports.ts';

/** Larger answers than this are not answers of our services. */
const MOST_BODY_BYTES = 1024 * 1024;

/** HTTP/1.1 with kept connections, `connections` to each origin at most: Node's own client (bench/CALLS.md). */
export function nodeTransport(connections: number, now: () => number): HttpTransport {
  const options = { keepAlive: true, maxSockets: connections, maxFreeSockets: connections };
  const plain = new HttpAgent(options);
  const secure = new HttpsAgent(options);
  const open = ({ method, url, headers, body }: HttpRequest): ClientRequest => {
    const whole = body === null ? headers : { ...headers, 'content-length': Buffer.byteLength(body) };
    const isSecure = url.startsWith('https:');
    const request = isSecure
      ? httpsRequest(url, { agent: secure, method, headers: whole })
      : httpRequest(url, { agent: plain, method, headers: whole });
    request.end(body ?? undefined);
    return request;
  };
  const underWay = new Set<(failure: TransportFailure) => void>();
  return {
    async send(request, timeoutMs, signal): Promise<HttpResponse> {
      if (signal.aborted) throw isOver();
      const { status, headers, body } = await receive(() => open(request), timeoutMs, signal, underWay);
      return { status, headers, body, receivedAt: now() };
    },
    async close() {
      for (const end of [...underWay]) end(isOver());
      plain.destroy();
      secure.destroy();
    },
  };
}

/** One request, within its time: from the wait for a connection to the last byte of the answer. */
function receive(
  open: () => ClientRequest,
  timeoutMs: number,
  signal: AbortSignal,
  underWay: Set<(failure: TransportFailure) => void>,
): Promise<Omit<HttpResponse, 'receivedAt'>> {
  return new Promise((resolve, reject) => {
    let sent: ClientRequest;
    try {
      sent = open();
    } catch (error) {
      reject(failureOf(error)); // a URL or a header that cannot be sent
      return;
    }
    const end = (error: unknown) => {
      over();
      // At once: one that waits for a connection would tell of its end only when it has one.
      reject(failureOf(error));
      sent.destroy();
    };
    const timer = setTimeout(() => end(new TransportFailure('timeout', `no answer within ${timeoutMs} ms`)), timeoutMs);
    const takeBack = onAbort(signal, () => end(isOver()));
    const over = () => {
      clearTimeout(timer);
      takeBack();
      underWay.delete(end);
    };
    underWay.add(end);
    sent.on('error', end);
    sent.on('response', (response) => {
      const parts: Buffer[] = [];
      let size = 0;
      response.on('data', (part: Buffer) => {
        parts.push(part);
        size += part.length;
        if (size > MOST_BODY_BYTES) end(new TransportFailure('connection', TOO_LARGE));
      });
      response.on('error', end);
      response.on('end', () => {
        over();
        const body = (parts.length === 1 ? (parts[0] ?? '') : Buffer.concat(parts)).toString('utf8');
        resolve({ status: response.statusCode ?? 0, headers: plainHeaders(response.headers), body });
      });
    });
  });
}

function isOver(): TransportFailure {
  return new TransportFailure('connection', 'the run is over');
}

const TOO_LARGE = `expected an answer of at most ${MOST_BODY_BYTES} bytes, got more`;

function failureOf(error: unknown): TransportFailure {
  if (error instanceof TransportFailure) return error;
  return new TransportFailure('connection', messageOf(error) || 'the connection was lost', { cause: error });
}

function plainHeaders(headers: IncomingMessage['headers']): Record<string, string> {
  const plain: Record<string, string> = {};
  for (const [name, value] of Object.entries(headers)) {
    if (value !== undefined) plain[name] = Array.isArray(value) ? value.join(', ') : value;
  }
  return plain;
}
