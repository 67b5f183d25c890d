import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/**
 * What to do with a request instead of, or besides, serving it:
 * - `status` and `code`: answers with this error.
 * - `hang`: reads nothing, never answers.
 * - `cut`: cuts the connection in the middle of the body, nothing is done.
 * - `lose-answer`: serves it, and cuts the connection instead of answering.
 */
export type Fault =
  | { readonly status: number; readonly code: string }
  | { readonly kind: 'hang' | 'cut' | 'lose-answer' };

export interface S3Request {
  /** As S3 calls it: PutObject, UploadPart, … */
  readonly operation: string;
  readonly key: string;
}

interface Upload {
  readonly key: string;
  readonly pieces: Map<number, Uint8Array>;
}

const NO_BUCKET: Fault = { status: 404, code: 'NoSuchBucket' };
const SERVED = new Set(['ListObjectsV2', 'ListMultipartUploads']);

/** A small S3 in memory, with one bucket, addressed by path; it refuses, hangs and cuts as it is told to. */
export class S3Server {
  readonly bucket = 'bucket';
  readonly objects = new Map<string, Uint8Array>();
  readonly uploads = new Map<string, Upload>();
  /** All requests, in the order they came. */
  readonly requests: S3Request[] = [];
  /** Every value that an object has had, and its end as undefined: a visible object must never change. */
  readonly history: { readonly key: string; readonly bytes: Uint8Array | undefined }[] = [];
  /** Asked for each request; set by a test. */
  fault: (request: S3Request) => Fault | undefined = () => undefined;
  /** Keys of a page of a list. */
  pageSize = 1000;
  readonly #server: Server;
  #nextUpload = 1;
  #waiting: { readonly isSo: () => boolean; readonly resolve: () => void }[] = [];

  private constructor() {
    this.#server = createServer((request, response) => {
      this.#serve(request, response).catch(() => response.destroy());
    });
  }

  static async start(): Promise<S3Server> {
    const server = new S3Server();
    await new Promise<void>((resolve) => server.#server.listen(0, '127.0.0.1', resolve));
    return server;
  }

  get endpoint(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  /** Resolves once it is so; looked at after each request. */
  until(isSo: () => boolean): Promise<void> {
    if (isSo()) return Promise.resolve();
    return new Promise((resolve) => this.#waiting.push({ isSo, resolve }));
  }

  count(operation: string): number {
    return this.requests.filter((request) => request.operation === operation).length;
  }

  texts(): Record<string, string> {
    const sorted = [...this.objects].sort(([a], [b]) => (a < b ? -1 : 1));
    return Object.fromEntries(sorted.map(([key, bytes]) => [key, new TextDecoder().decode(bytes)]));
  }

  async stop(): Promise<void> {
    this.#server.closeAllConnections();
    await new Promise((resolve) => this.#server.close(resolve));
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://s3');
    const [, bucket = '', ...path] = url.pathname.split('/').map(decodeURIComponent);
    const key = path.join('/');
    const operation = operationOf(request.method ?? '', key, url.searchParams);
    const fault = this.fault({ operation, key }) ?? (bucket === this.bucket ? undefined : NO_BUCKET);
    try {
      if (fault !== undefined && 'kind' in fault && fault.kind !== 'lose-answer') {
        const hasBody = Number(request.headers['content-length'] ?? 0) > 0;
        if (fault.kind === 'cut' && hasBody) request.once('data', () => request.socket.destroy());
        else if (fault.kind === 'cut') request.socket.destroy();
        return;
      }
      const body = await bodyOf(request);
      if (fault !== undefined && 'status' in fault) return sendError(response, fault.status, fault.code);
      const answer = this.#answer(operation, key, url.searchParams, body, request);
      if (fault !== undefined) request.socket.destroy();
      else if ('code' in answer) sendError(response, answer.status, answer.code);
      else response.writeHead(answer.status, answer.headers).end(answer.body);
    } finally {
      this.requests.push({ operation, key });
      const met = this.#waiting.filter(({ isSo }) => isSo());
      this.#waiting = this.#waiting.filter((waiting) => !met.includes(waiting));
      for (const { resolve } of met) resolve();
    }
  }

  #answer(operation: string, key: string, query: URLSearchParams, body: Uint8Array, request: IncomingMessage): Answer {
    const md5 = createHash('md5').update(body);
    const claimed = request.headers['content-md5'];
    if (claimed !== undefined && claimed !== md5.copy().digest('base64')) return { status: 400, code: 'BadDigest' };
    const upload = this.uploads.get(query.get('uploadId') ?? '');
    const etag = `"${md5.digest('hex')}"`;
    if (SERVED.has(operation)) return operation === 'ListObjectsV2' ? this.#list(query) : this.#listUploads(query);
    if (operation === 'PutObject') {
      this.#set(key, body);
      return { status: 200, headers: { etag } };
    }
    if (operation === 'DeleteObject') {
      this.#set(key, undefined);
      return { status: 204 };
    }
    if (operation === 'GetObject' || operation === 'HeadObject') {
      const bytes = this.objects.get(key);
      if (bytes === undefined) return { status: 404, code: 'NoSuchKey' };
      const headers = { 'content-length': String(bytes.length) };
      return operation === 'GetObject' ? { status: 200, headers, body: bytes } : { status: 200, headers };
    }
    if (operation === 'CreateMultipartUpload') {
      const id = `upload-${this.#nextUpload++}`;
      this.uploads.set(id, { key, pieces: new Map() });
      return xml(`<InitiateMultipartUploadResult><UploadId>${id}</UploadId></InitiateMultipartUploadResult>`);
    }
    if (upload === undefined || upload.key !== key) return { status: 404, code: 'NoSuchUpload' };
    if (operation === 'UploadPart') {
      upload.pieces.set(Number(query.get('partNumber')), body);
      return { status: 200, headers: { etag } };
    }
    this.uploads.delete(query.get('uploadId') ?? '');
    if (operation === 'AbortMultipartUpload') return { status: 204 };
    return this.#complete(key, upload, new TextDecoder().decode(body));
  }

  #complete(key: string, upload: Upload, body: string): Answer {
    const numbers = [...body.matchAll(/<PartNumber>(\d+)<\/PartNumber>/g)].map((match) => Number(match[1]));
    const pieces = numbers.map((number) => upload.pieces.get(number));
    if (pieces.length === 0 || pieces.some((piece) => piece === undefined)) return { status: 400, code: 'InvalidPart' };
    this.#set(key, Buffer.concat(pieces.filter((piece) => piece !== undefined)));
    return xml('<CompleteMultipartUploadResult></CompleteMultipartUploadResult>');
  }

  #set(key: string, bytes: Uint8Array | undefined): void {
    if (bytes === undefined) this.objects.delete(key);
    else this.objects.set(key, bytes);
    this.history.push({ key, bytes });
  }

  #list(query: URLSearchParams): Answer {
    const prefix = query.get('prefix') ?? '';
    const delimiter = query.get('delimiter');
    const after = query.get('continuation-token') ?? '';
    const names = new Set<string>();
    for (const key of this.objects.keys()) {
      if (!key.startsWith(prefix)) continue;
      const end = delimiter === null ? -1 : key.indexOf(delimiter, prefix.length);
      names.add(end === -1 ? key : key.slice(0, end + 1));
    }
    const sorted = [...names].sort().filter((name) => name > after);
    const most = Math.min(this.pageSize, Number(query.get('max-keys') ?? 1000));
    const page = sorted.slice(0, most);
    const isTruncated = sorted.length > most;
    const items = page.map((name) =>
      this.objects.has(name)
        ? `<Contents><Key>${name}</Key><Size>${this.objects.get(name)?.length}</Size></Contents>`
        : `<CommonPrefixes><Prefix>${name}</Prefix></CommonPrefixes>`,
    );
    const next = isTruncated ? `<NextContinuationToken>${page.at(-1)}</NextContinuationToken>` : '';
    return xml(
      `<ListBucketResult><IsTruncated>${isTruncated}</IsTruncated>${next}${items.join('')}</ListBucketResult>`,
    );
  }

  #listUploads(query: URLSearchParams): Answer {
    const prefix = query.get('prefix') ?? '';
    const marker = query.get('upload-id-marker') ?? '';
    const all = [...this.uploads].filter(([id, { key }]) => key.startsWith(prefix) && id > marker);
    const page = all.sort(([a], [b]) => (a < b ? -1 : 1)).slice(0, this.pageSize);
    const isTruncated = all.length > page.length;
    const items = page.map(([id, { key }]) => `<Upload><Key>${key}</Key><UploadId>${id}</UploadId></Upload>`);
    const [lastID = '', last] = page.at(-1) ?? [];
    const next = `<NextKeyMarker>${last?.key ?? ''}</NextKeyMarker><NextUploadIdMarker>${lastID}</NextUploadIdMarker>`;
    const body = `<IsTruncated>${isTruncated}</IsTruncated>${next}${items.join('')}`;
    return xml(`<ListMultipartUploadsResult>${body}</ListMultipartUploadsResult>`);
  }
}

type Answer =
  | { readonly status: number; readonly headers?: Record<string, string>; readonly body?: string | Uint8Array }
  | { readonly status: number; readonly code: string };

function xml(body: string): Answer {
  return { status: 200, headers: { 'content-type': 'application/xml' }, body: `<?xml version="1.0"?>${body}` };
}

function sendError(response: ServerResponse, status: number, code: string): void {
  const body = `<?xml version="1.0"?><Error><Code>${code}</Code><Message>${code} said the test</Message></Error>`;
  response.writeHead(status, { 'content-type': 'application/xml' }).end(body);
}

function operationOf(method: string, key: string, query: URLSearchParams): string {
  if (key === '') return query.has('uploads') ? 'ListMultipartUploads' : 'ListObjectsV2';
  const inUpload = query.has('uploadId');
  if (method === 'PUT') return inUpload ? 'UploadPart' : 'PutObject';
  if (method === 'POST') return inUpload ? 'CompleteMultipartUpload' : 'CreateMultipartUpload';
  if (method === 'DELETE') return inUpload ? 'AbortMultipartUpload' : 'DeleteObject';
  return method === 'HEAD' ? 'HeadObject' : 'GetObject';
}

/** @throws when the connection is cut before all has come: then nothing is done, as S3 does nothing */
async function bodyOf(request: IncomingMessage): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of request as AsyncIterable<Uint8Array>) chunks.push(chunk);
  const body = Buffer.concat(chunks);
  const isChunked = String(request.headers['content-encoding'] ?? '').includes('aws-chunked');
  return isChunked ? withoutChunks(body) : body;
}

/** `<hex size>[;extension]\r\n<bytes>\r\n` again and again, to one of size 0, and trailers. */
function withoutChunks(body: Buffer): Uint8Array {
  const pieces: Uint8Array[] = [];
  for (let at = 0; ; ) {
    const end = body.indexOf('\r\n', at);
    const size = Number.parseInt(body.subarray(at, end).toString().split(';')[0] ?? '0', 16);
    if (size === 0) return Buffer.concat(pieces);
    pieces.push(body.subarray(end + 2, end + 2 + size));
    at = end + 2 + size + 2;
  }
}
