import TinyQueue from 'tinyqueue';
import type { ByteWriter } from '../../base/bytes.ts';
import type { EpochMs } from '../../base/time.ts';
import type { HttpRequest, HttpResponse } from '../../runtime/contract.ts';
import type { HttpTransport, World } from '../../runtime/ports.ts';

interface Sleeper {
  readonly until: EpochMs;
  readonly wake: () => void;
}

interface Call {
  readonly resolve: (response: HttpResponse) => void;
  readonly reject: (error: unknown) => void;
}

/** What the operators need of the world, inside a script engine that has no clock, no timers and no network of its own. */
export type ScriptSurroundings = Pick<World, 'clock' | 'sleep' | 'random' | 'warn'>;

/**
 * Time and the network as the Java operator brings them: it says what time it is with each exchange, wakes when it was
 * asked to, sends the requests that it is handed, and brings their answers.
 */
export class ScriptWorld {
  readonly surroundings: ScriptSurroundings;
  readonly transport: HttpTransport;
  readonly #sleepers = new TinyQueue<Sleeper>([], (a, b) => a.until - b.until);
  readonly #calls = new Map<number, Call>();
  #warnings: string[] = [];
  #requests: { readonly id: number; readonly request: HttpRequest; readonly timeoutMs: number }[] = [];
  #now: EpochMs = 0;
  #lastCall = 0;

  constructor() {
    this.surroundings = {
      clock: { now: () => this.#now },
      sleep: (ms) => new Promise((wake) => this.#sleepers.push({ until: this.#now + ms, wake })),
      random: () => Math.random(),
      warn: (message) => void this.#warnings.push(message),
    };
    this.transport = {
      send: (request, timeoutMs) =>
        new Promise((resolve, reject) => {
          const id = ++this.#lastCall;
          this.#calls.set(id, { resolve, reject });
          this.#requests.push({ id, request, timeoutMs });
        }),
      close: async () => undefined,
    };
  }

  get now(): EpochMs {
    return this.#now;
  }

  /** It is so late now: who slept until then goes on. Time never goes back. */
  advance(now: EpochMs): void {
    this.#now = Math.max(this.#now, now);
    for (let next = this.#sleepers.peek(); next !== undefined && next.until <= this.#now; ) {
      this.#sleepers.pop();
      next.wake();
      next = this.#sleepers.peek();
    }
  }

  /** When somebody wants to be woken; infinity for never. */
  get wakeAt(): EpochMs {
    return this.#sleepers.peek()?.until ?? Number.POSITIVE_INFINITY;
  }

  answered(id: number, response: Omit<HttpResponse, 'receivedAt'>): void {
    this.#take(id)?.resolve({ ...response, receivedAt: this.#now });
  }

  lost(id: number, failure: Error): void {
    this.#take(id)?.reject(failure);
  }

  #take(id: number): Call | undefined {
    const call = this.#calls.get(id);
    this.#calls.delete(id);
    return call;
  }

  takeWarnings(): readonly string[] {
    const warnings = this.#warnings;
    if (warnings.length > 0) this.#warnings = [];
    return warnings;
  }

  /** Hands over the requests to send, each written by `begin` and this. */
  takeRequests(to: ByteWriter, begin: () => void): void {
    for (const { id, request, timeoutMs } of this.#requests) {
      begin();
      to.varint(id);
      to.varint(timeoutMs);
      to.text(request.method);
      to.text(request.url);
      const headers = Object.entries(request.headers);
      to.varint(headers.length);
      for (const [name, value] of headers) {
        to.text(name);
        to.text(value);
      }
      to.byte(request.body === null ? 0 : 1);
      if (request.body !== null) to.text(request.body);
    }
    if (this.#requests.length > 0) this.#requests = [];
  }
}

/** No run ends from inside a script: the operator is closed as a whole. */
export const NEVER_ABORTED = {
  aborted: false,
  reason: undefined,
  onabort: null,
  throwIfAborted: () => undefined,
  addEventListener: () => undefined,
  removeEventListener: () => undefined,
  dispatchEvent: () => false,
} as unknown as AbortSignal;
