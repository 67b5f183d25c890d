import { readFileSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createSecureServer, type Http2ServerRequest, type Http2ServerResponse } from 'node:http2';
import { createRequire } from 'node:module';
import type { AddressInfo, Server } from 'node:net';
import { crc32 } from 'node:zlib';
import { KinesisFailure } from '../../src/connectors/kinesis/kinesis-api.ts';

/** A server that speaks the wire format of AWS's JSON services, and answers what a test tells it to. */
export interface WireServer {
  readonly endpoint: string;
  /** All that came. */
  readonly requests: readonly WireRequest[];
  close(): void;
}

export interface WireRequest {
  /** Such as `GetRecords`. */
  readonly operation: string;
  readonly input: Readonly<Record<string, unknown>>;
  readonly accessKey: string;
  /** Region and service, such as `us-west-2/kinesis`. */
  readonly signedFor: string;
  readonly signedAt: number;
  readonly httpVersion: string;
  /** Resolves when the connection is gone. */
  readonly closed: Promise<void>;
  /** Cuts the connection. */
  cut(): void;
}

export type WireResponse = ServerResponse | Http2ServerResponse;
export type WireHandler = (request: WireRequest, response: WireResponse) => void;

/** `http`: without TLS, HTTP/1.1 only, as a local Kinesis. `https`: HTTP/2 and 1.1, as AWS, with a certificate of nobody's. */
export async function wireServer(protocol: 'http' | 'https', handle: WireHandler): Promise<WireServer> {
  const requests: WireRequest[] = [];
  const connections = new Set<{ destroy(): void }>();
  const listener = (incoming: IncomingMessage | Http2ServerRequest, response: WireResponse) => {
    let body = '';
    incoming.setEncoding('utf8').on('data', (text: string) => {
      body += text;
    });
    const connection = 'stream' in incoming ? incoming.stream.session : incoming.socket;
    const closed = new Promise<void>((resolve) => connection?.once('close', resolve));
    incoming.on('end', () => {
      const { headers, httpVersion } = incoming;
      const credential = /Credential=([^/]+)\/\d+\/([^/]+\/[^/]+)/.exec(String(headers.authorization));
      const basic = /(....)(..)(..)T(..)(..)(..)Z/; // 20261122T180000Z
      const request: WireRequest = {
        operation: String(headers['x-amz-target']).replace(/^.*\./, ''),
        input: JSON.parse(body),
        accessKey: credential?.[1] ?? '',
        signedFor: credential?.[2] ?? '',
        signedAt: Date.parse(String(headers['x-amz-date']).replace(basic, '$1-$2-$3T$4:$5:$6Z')),
        httpVersion,
        closed,
        cut: () => connection?.destroy(),
      };
      requests.push(request);
      handle(request, response);
    });
  };
  const server: Server =
    protocol === 'http' ? createServer(listener) : createSecureServer({ ...certificate(), allowHTTP1: true }, listener);
  server.on('connection', (socket) => connections.add(socket));
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    endpoint: `${protocol}://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    close() {
      for (const connection of connections) connection.destroy();
      server.close();
    },
  };
}

/** The one that kinesis-local comes with. */
function certificate(): { key: string; cert: string } {
  const file = createRequire(import.meta.url).resolve('kinesis-local/server.json');
  return JSON.parse(readFileSync(file, 'utf8')).server;
}

export function answer(response: WireResponse, body: unknown, status = 200): void {
  response.statusCode = status;
  response.setHeader('content-type', 'application/x-amz-json-1.1');
  response.end(JSON.stringify(body));
}

export function refuse(response: WireResponse, code: string, message = 'as told', status = 400): void {
  answer(response, { __type: `com.amazonaws.any#${code}`, message }, status);
}

/** One message of an event stream: https://smithy.io/2.0/aws/amazon-eventstream.html */
export function eventMessage(headers: Readonly<Record<string, string>>, body: unknown = {}): Buffer {
  const encoded = Object.entries(headers).map(([name, value]) => {
    const length = Buffer.alloc(3);
    length.writeUInt8(7); // The value is a string.
    length.writeUInt16BE(value.length, 1);
    return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), length, Buffer.from(value)]);
  });
  const head = Buffer.concat(encoded);
  const payload = Buffer.from(JSON.stringify(body));
  const prelude = Buffer.alloc(12);
  prelude.writeUInt32BE(head.length + payload.length + 16);
  prelude.writeUInt32BE(head.length, 4);
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8);
  const summed = Buffer.concat([prelude, head, payload]);
  const sum = Buffer.alloc(4);
  sum.writeUInt32BE(crc32(summed));
  return Buffer.concat([summed, sum]);
}

/** Begins the answer to SubscribeToShard; events are to follow. */
export function startEvents(response: WireResponse): void {
  response.statusCode = 200;
  response.setHeader('content-type', 'application/vnd.amazon.eventstream');
  send(response, eventMessage({ ':message-type': 'event', ':event-type': 'initial-response' }));
}

/** Both kinds of response can write bytes; their types do not agree on how. */
export function send(response: WireResponse, bytes: string | Uint8Array, written?: () => void): void {
  if ('stream' in response) response.stream.write(bytes, written);
  else response.write(bytes, written);
}

/** What a call failed with, which was to fail. */
export async function failureOf(call: Promise<unknown>): Promise<KinesisFailure> {
  const failure = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (!(failure instanceof KinesisFailure)) throw new Error(`expected a KinesisFailure, got ${String(failure)}`);
  return failure;
}
