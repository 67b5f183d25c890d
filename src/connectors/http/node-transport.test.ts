// Real sockets, on this machine only: what is promised is about connections.
import { getEventListeners } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { type AddressInfo, createServer as createTcpServer, type Socket } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import type { HttpRequest } from '../../runtime/contract.ts';
import { type HttpTransport, TransportFailure } from '../../runtime/ports.ts';
import { nodeTransport } from './node-transport.ts';

const NOW = 1_234_567;
/** Long enough that no test ever meets it. */
const LONG_MS = 60_000;

const toClose: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of toClose.splice(0).reverse()) await close();
});

function transport(connections = 10): HttpTransport {
  const made = nodeTransport(connections, () => NOW);
  toClose.push(() => made.close());
  return made;
}

type Handler = (request: IncomingMessage, response: ServerResponse, body: string) => void;

/** A server; `connections` counts those that were ever opened. */
async function serve(handle: Handler): Promise<{ url: string; connections: Socket[] }> {
  const connections: Socket[] = [];
  const server = createServer((request, response) => {
    let body = '';
    request.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    request.on('end', () => handle(request, response, body));
  });
  server.on('connection', (socket) => connections.push(socket));
  const url = await listening(server);
  toClose.push(async () => {
    server.closeAllConnections();
    await new Promise((resolve) => server.close(resolve));
  });
  return { url, connections };
}

async function listening(server: ReturnType<typeof createTcpServer>): Promise<string> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
}

const get = (url: string): HttpRequest => ({ method: 'GET', url, headers: {}, body: null });
const never = () => new AbortController().signal;

async function failureOf(call: Promise<unknown>): Promise<TransportFailure> {
  const failure = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(failure instanceof TransportFailure)) throw new Error(`expected a TransportFailure, got ${String(failure)}`);
  return failure;
}

describe('one request', () => {
  it('arrives with its method, path, headers and body, to the last byte', async () => {
    const seen: { method: unknown; url: unknown; key: unknown; body: string }[] = [];
    const { url } = await serve(({ method, url: path, headers }, response, body) => {
      seen.push({ method, url: path, key: headers['x-api-key'], body });
      response.end();
    });
    const body = JSON.stringify({ name: 'Zoë 🚀', text: 'x'.repeat(100_000) });
    const request: HttpRequest = { method: 'POST', url: `${url}/prod/a%2Fb?q=1`, headers: { 'x-api-key': 'k' }, body };
    await transport().send(request, LONG_MS, never());
    expect(seen).toEqual([{ method: 'POST', url: '/prod/a%2Fb?q=1', key: 'k', body }]);
  });

  it('brings the status, the headers with names in lower case, the body as text, and when it came', async () => {
    const { url } = await serve((_request, response) => {
      response.writeHead(418, { 'Retry-After': '7', 'X-Many': ['a', 'b'], 'Content-Type': 'application/json' });
      response.end('{"grüße":"🚀"}');
    });
    const response = await transport().send(get(url), LONG_MS, never());
    expect(response).toMatchObject({ status: 418, body: '{"grüße":"🚀"}', receivedAt: NOW });
    expect(response.headers).toMatchObject({
      'retry-after': '7',
      'x-many': 'a, b',
      'content-type': 'application/json',
    });
  });

  it.each([200, 204, 301, 404, 429, 500, 503])(
    'status %i is a response, not a failure; nothing is followed',
    async (status) => {
      let asked = 0;
      const { url } = await serve((_request, response) => {
        asked++;
        response.writeHead(status, { location: '/elsewhere' }).end();
      });
      expect(await transport().send(get(url), LONG_MS, never())).toMatchObject({ status, body: '' });
      expect(asked).toBe(1);
    },
  );
});

describe('connections', () => {
  // Undici sees a connection as free a turn after the body's end: who asks at once may get a second one.
  it('are kept: requests one after another go over the same', async () => {
    const { url, connections } = await serve((_request, response) => response.end('ok'));
    const client = transport();
    for (let nth = 0; nth < 20; nth++) await client.send(get(`${url}/${nth}`), LONG_MS, never());
    expect(connections.length).toBeLessThanOrEqual(2);
  });

  it('are no more than told, also with many requests at once, and all requests are answered', async () => {
    let inFlight = 0;
    let inFlightMost = 0;
    const { url, connections } = await serve((_request, response) => {
      inFlightMost = Math.max(inFlightMost, ++inFlight);
      setTimeout(() => {
        inFlight--;
        response.end('ok');
      }, 2);
    });
    const client = transport(5);
    const answers = await Promise.all(
      Array.from({ length: 100 }, (_, nth) => client.send(get(`${url}/${nth}`), LONG_MS, never())),
    );
    expect(answers.every(({ body }) => body === 'ok')).toBe(true);
    expect(connections).toHaveLength(5);
    expect(inFlightMost).toBe(5);
  });

  it('one that was used for a failed answer is used again', async () => {
    const { url, connections } = await serve((_request, response) => response.writeHead(500).end('x'.repeat(10_000)));
    const client = transport();
    for (let nth = 0; nth < 20; nth++) await client.send(get(url), LONG_MS, never());
    expect(connections.length).toBeLessThanOrEqual(2);
  });

  it('one that the server closed between two requests is no failure of the second', async () => {
    const { url, connections } = await serve((_request, response) => response.end('ok'));
    const client = transport();
    await client.send(get(url), LONG_MS, never());
    const [first] = connections;
    const closed = new Promise((resolve) => first?.on('close', resolve));
    first?.end();
    await closed;
    await new Promise((resolve) => setTimeout(resolve, 20)); // Until the client has seen it.
    expect(await client.send(get(url), LONG_MS, never())).toMatchObject({ body: 'ok' });
    expect(connections).toHaveLength(2);
  });
});

describe('failures', () => {
  it('no answer within the time: timeout', async () => {
    const { url } = await serve(() => undefined);
    const failure = await failureOf(transport().send(get(url), 30, never()));
    expect(failure).toMatchObject({ kind: 'timeout', message: 'no answer within 30 ms' });
  });

  it('a body that does not end within the time: timeout', async () => {
    const { url } = await serve((_request, response) => {
      response.writeHead(200);
      response.write('the beg');
    });
    expect(await failureOf(transport().send(get(url), 50, never()))).toMatchObject({ kind: 'timeout' });
  });

  it('the time that a request waits for a connection counts', async () => {
    const { url } = await serve(() => undefined);
    const client = transport(1);
    const first = failureOf(client.send(get(url), LONG_MS, never()));
    expect(await failureOf(client.send(get(url), 30, never()))).toMatchObject({ kind: 'timeout' });
    await client.close();
    await first;
  });

  it('nobody listens: connection', async () => {
    const server = createTcpServer();
    const url = await listening(server);
    await new Promise((resolve) => server.close(resolve));
    const failure = await failureOf(transport().send(get(url), LONG_MS, never()));
    expect(failure.kind).toBe('connection');
    expect(failure.message).toContain('ECONNREFUSED');
  });

  it('a host that does not exist: connection', async () => {
    const failure = await failureOf(transport().send(get('http://no-such-host.invalid/'), LONG_MS, never()));
    expect(failure.kind).toBe('connection');
  });

  it('the connection is reset before an answer, or within it: connection', async () => {
    const { url } = await serve(({ url: path, socket }, response) => {
      if (path === '/within') response.writeHead(200, { 'content-length': '100' }).write('half');
      setTimeout(() => socket.resetAndDestroy(), 5);
    });
    for (const path of ['/before', '/within']) {
      expect(await failureOf(transport().send(get(url + path), LONG_MS, never()))).toMatchObject({
        kind: 'connection',
      });
    }
  });

  it('what answers does not speak HTTP: connection', async () => {
    const sockets: Socket[] = [];
    const server = createTcpServer((socket) => {
      sockets.push(socket);
      socket.on('error', () => undefined).write('SSH-2.0-OpenSSH_9.6\r\n');
    });
    const url = await listening(server);
    toClose.push(async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    });
    expect(await failureOf(transport().send(get(url), LONG_MS, never()))).toMatchObject({ kind: 'connection' });
  });

  it('a body of 1 MiB is an answer, one byte more is not: connection', async () => {
    const { url } = await serve(({ url: path }, response) =>
      response.end('x'.repeat(1024 * 1024 + Number(path?.slice(1)))),
    );
    const client = transport();
    expect((await client.send(get(`${url}/0`), LONG_MS, never())).body).toHaveLength(1024 * 1024);
    expect(await failureOf(client.send(get(`${url}/1`), LONG_MS, never()))).toMatchObject({ kind: 'connection' });
  });

  it('a failed request spoils none after it', async () => {
    const { url } = await serve(({ url: path }, response) => {
      if (path !== '/hangs') response.end('ok');
    });
    const client = transport(1);
    await failureOf(client.send(get(`${url}/hangs`), 30, never()));
    expect(await client.send(get(url), LONG_MS, never())).toMatchObject({ body: 'ok' });
  });
});

describe('abort', () => {
  it('ends a request in flight, and its connection', async () => {
    const over = new AbortController();
    let asked = 0;
    const { url, connections } = await serve(() => {
      asked++;
      over.abort();
    });
    expect(await failureOf(transport().send(get(url), LONG_MS, over.signal))).toMatchObject({ kind: 'connection' });
    const [socket] = connections;
    if (socket?.closed === false) await new Promise((resolve) => socket.on('close', resolve));
    expect(asked).toBe(1);
  });

  it('before the request nothing is sent', async () => {
    let asked = 0;
    const { url } = await serve((_request, response) => {
      asked++;
      response.end();
    });
    expect(await failureOf(transport().send(get(url), LONG_MS, AbortSignal.abort()))).toMatchObject({
      kind: 'connection',
    });
    expect(asked).toBe(0);
  });

  it('closing ends what is in flight', async () => {
    const { url } = await serve(() => undefined);
    const client = transport();
    const call = failureOf(client.send(get(url), LONG_MS, never()));
    await new Promise((resolve) => setTimeout(resolve, 20));
    await client.close();
    expect(await call).toMatchObject({ kind: 'connection' });
  });

  it('a signal that lives as long as the program does not hold on to requests that are over', async () => {
    const { url } = await serve((_request, response) => response.end('ok'));
    const client = transport(50);
    const { signal } = new AbortController();
    for (let round = 0; round < 10; round++) {
      await Promise.all(Array.from({ length: 50 }, () => client.send(get(url), LONG_MS, signal)));
    }
    expect(getEventListeners(signal, 'abort').length).toBeLessThan(10);
  });
});
