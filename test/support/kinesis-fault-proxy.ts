import {
  Agent,
  type ClientRequest,
  createServer,
  request as httpRequest,
  type IncomingHttpHeaders,
  type IncomingMessage,
  type ServerResponse,
} from 'node:http';
import type { AddressInfo, Socket } from 'node:net';
import { seededRandom } from '../../src/base/random.ts';

/**
 * What goes wrong between a program and its Kinesis. Shares are in [0, 1]; which requests they meet follows from the seed and
 * the order in which requests come. A fault may be set and taken away at any time.
 */
export interface ProxyFaults {
  /** Of GetRecords: ProvisionedThroughputExceededException, before anything is read. */
  throttledReads: number;
  /** Of the entries of each PutRecords: not accepted, while the others are. */
  rejectedEntries: number;
  /** Of all requests: never answered, and not passed on. */
  hanging: number;
  /** Of all requests: the connection is cut instead of an answer, and nothing was passed on. */
  cut: number;
  /** Of PutRecords: passed on, and the connection cut instead of its answer. The records are there. */
  lostAnswers: number;
  /** Of all requests: 500 InternalFailure. 1 is an outage. */
  failing: number;
}

export type FaultCounts = { [Fault in keyof ProxyFaults]: number } & {
  /** Passed on, whole or in part. */
  forwarded: number;
};

export interface KinesisFaultProxy {
  readonly endpoint: string;
  faults: ProxyFaults;
  /** How often each was done; of `rejectedEntries`, the entries. */
  readonly counts: Readonly<FaultCounts>;
  /** Cuts all connections that are open, subscriptions included. */
  cutAll(): void;
  stop(): Promise<void>;
}

const NONE: ProxyFaults = {
  throttledReads: 0,
  rejectedEntries: 0,
  hanging: 0,
  cut: 0,
  lostAnswers: 0,
  failing: 0,
};
const THROTTLED = 'ProvisionedThroughputExceededException';
const RATE = 'Rate exceeded for shard, says the fault proxy';

interface PutAnswer {
  readonly FailedRecordCount?: number;
  readonly Records: readonly object[];
}

/** Speaks JSON only, which is what the SDK's Kinesis client sends. */
export async function startKinesisFaultProxy(
  target: string,
  seed: number,
  faults: Partial<ProxyFaults> = {},
): Promise<KinesisFaultProxy> {
  const proxy = new FaultProxy(new URL(target), seed, { ...NONE, ...faults });
  await proxy.start();
  return proxy;
}

class FaultProxy implements KinesisFaultProxy {
  faults: ProxyFaults;
  readonly counts: FaultCounts = { ...NONE, forwarded: 0 };
  endpoint = '';
  readonly #target: URL;
  readonly #random: () => number;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #sockets = new Set<Socket>();
  readonly #server = createServer((incoming, response) => this.#take(incoming, response));

  constructor(target: URL, seed: number, faults: ProxyFaults) {
    this.#target = target;
    this.#random = seededRandom(seed);
    this.faults = faults;
  }

  async start(): Promise<void> {
    this.#server.on('connection', (socket) => {
      this.#sockets.add(socket);
      socket.on('close', () => this.#sockets.delete(socket));
    });
    await new Promise<void>((resolve) => this.#server.listen(0, '127.0.0.1', resolve));
    this.endpoint = `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  cutAll(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    const closed = new Promise<void>((resolve) => this.#server.close(() => resolve()));
    this.cutAll();
    this.#agent.destroy();
    await closed;
  }

  #take(incoming: IncomingMessage, response: ServerResponse): void {
    const pieces: Buffer[] = [];
    incoming.on('data', (piece: Buffer) => pieces.push(piece));
    incoming.on('end', () => this.#treat(incoming, Buffer.concat(pieces), response));
  }

  #treat(incoming: IncomingMessage, body: Buffer, response: ServerResponse): void {
    const operation = String(incoming.headers['x-amz-target']).replace(/^.*\./, '');
    if (this.#meets('failing')) refuse(response, 500, 'InternalFailureException', 'says the fault proxy');
    else if (this.#meets('hanging'))
      return; // Its connection stays open until the program gives up.
    else if (this.#meets('cut')) incoming.socket.destroy();
    else if (operation === 'GetRecords' && this.#meets('throttledReads')) refuse(response, 400, THROTTLED, RATE);
    else if (operation === 'PutRecords') this.#put(incoming, body, response);
    else this.#pass(incoming, body, response);
  }

  /** Takes one number whether or not a fault is set, so that one fault does not move where another one strikes. */
  #meets(fault: keyof ProxyFaults): boolean {
    const isMet = this.#random() < this.faults[fault];
    if (isMet) this.counts[fault]++;
    return isMet;
  }

  #pass(incoming: IncomingMessage, body: Buffer, response: ServerResponse): void {
    const forwarded = this.#forward(incoming.headers, body, (answer) => {
      response.writeHead(answer.statusCode ?? 500, answer.headers);
      // The headers of a subscription are wanted before its first event.
      response.flushHeaders();
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    forwarded.on('error', () => response.destroy());
    // A subscription that its reader gave up must not go on behind the proxy.
    response.on('close', () => forwarded.destroy());
  }

  #put(incoming: IncomingMessage, body: Buffer, response: ServerResponse): void {
    const { Records: entries, ...input }: { Records: readonly object[] } = JSON.parse(body.toString());
    const isRejected = entries.map(() => this.#meets('rejectedEntries'));
    const isLost = this.#meets('lostAnswers');
    const accepted = entries.filter((_, index) => isRejected[index] === false);
    // The service refuses a request without entries.
    if (accepted.length === 0) {
      this.#answerPut(response, merged(isRejected, { Records: [] }), isLost);
      return;
    }
    const rest = Buffer.from(JSON.stringify({ ...input, Records: accepted }));
    const forwarded = this.#forward(incoming.headers, rest, (answer) => {
      const pieces: Buffer[] = [];
      answer.on('data', (piece: Buffer) => pieces.push(piece));
      answer.on('error', () => response.destroy());
      answer.on('end', () => {
        const whole = Buffer.concat(pieces);
        if (answer.statusCode !== 200) response.writeHead(answer.statusCode ?? 500, answer.headers).end(whole);
        else this.#answerPut(response, merged(isRejected, JSON.parse(whole.toString())), isLost);
      });
    });
    forwarded.on('error', () => response.destroy());
  }

  #answerPut(response: ServerResponse, answer: PutAnswer, isLost: boolean): void {
    if (isLost) response.destroy();
    else sendJSON(response, 200, answer);
  }

  #forward(headers: IncomingHttpHeaders, body: Buffer, answered: (answer: IncomingMessage) => void): ClientRequest {
    this.counts.forwarded++;
    const { hostname, port } = this.#target;
    const sent = httpRequest({
      hostname,
      port,
      method: 'POST',
      path: '/',
      agent: this.#agent,
      headers: { ...headers, host: this.#target.host, 'content-length': body.length },
    });
    sent.on('response', answered);
    sent.end(body);
    return sent;
  }
}

/** The answer to all entries from that to those that were passed on. */
function merged(isRejected: readonly boolean[], { Records, ...answer }: PutAnswer): PutAnswer {
  const passed = Records.values();
  const all = isRejected.map((rejected): object =>
    rejected ? { ErrorCode: THROTTLED, ErrorMessage: RATE } : (passed.next().value ?? { ErrorCode: 'InternalFailure' }),
  );
  return {
    ...answer,
    FailedRecordCount: all.filter((each) => 'ErrorCode' in each && each.ErrorCode).length,
    Records: all,
  };
}

function refuse(response: ServerResponse, status: number, code: string, message: string): void {
  sendJSON(response, status, { __type: code, message });
}

function sendJSON(response: ServerResponse, status: number, body: unknown): void {
  response.writeHead(status, { 'content-type': 'application/x-amz-json-1.1' }).end(JSON.stringify(body));
}
