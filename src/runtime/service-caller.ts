import { backoffMs } from '../base/backoff.ts';
import { messageOf } from '../base/errors.ts';
import { Slots } from '../base/slots.ts';
import { Breaker } from './breaker.ts';
import type { CallFailure, HttpLimits, HttpRequest, HttpResponse } from './contract.ts';
import { Latencies } from './latencies.ts';
import { type HttpTransport, TransportFailure, type World } from './ports.ts';

/** What calls need of the world. */
export type CallWorld = Pick<World, 'clock' | 'sleep' | 'random' | 'warn'>;

/** The first wait is up to this long, and each later one up to twice the one before, up to the longest. */
const BACKOFF_FIRST_MS = 100;
const BACKOFF_LONGEST_MS = 10_000;
/** A service that asks for more patience than this is asked again after this. */
const RETRY_AFTER_LONGEST_MS = 60_000;

/**
 * Calls one service: so many calls at a time, each with its timeout, retried on lost connections, timeouts, 429 and 5xx
 * with exponential back-off and full jitter (Retry-After is honoured), never on other statuses. A breaker stands before.
 * Once the signal is aborted no request is sent any more, and each call ends as a lost connection.
 */
export class ServiceCaller {
  readonly breaker: Breaker;
  readonly #world: CallWorld;
  readonly #transport: HttpTransport;
  readonly #limits: HttpLimits;
  readonly #signal: AbortSignal;
  readonly #slots: Slots;
  /** Requests sent, and those that failed, since the start of this run. */
  sent = 0;
  failures = 0;
  /** Of the requests that were answered, whatever the answer. */
  readonly latencies = new Latencies();

  constructor(world: CallWorld, transport: HttpTransport, limits: HttpLimits, signal: AbortSignal) {
    this.breaker = new Breaker(world.clock, limits.breakerFailures, limits.breakerResetMs);
    this.#world = world;
    this.#transport = transport;
    this.#limits = limits;
    this.#signal = signal;
    this.#slots = new Slots(limits.concurrency);
  }

  /** The response (2xx or a 4xx that is not 429), or why there is none after all retries. */
  async call(request: HttpRequest): Promise<HttpResponse | CallFailure> {
    for (let attempt = 0; ; attempt++) {
      const outcome = await this.#attempt(request);
      if (!isFailure(outcome)) return outcome.response;
      const isLast = attempt >= this.#limits.retries || outcome.failure.kind === 'breaker-open';
      if (isLast || this.#signal.aborted) return outcome.failure;
      const jitter = backoffMs(this.#world.random, attempt, BACKOFF_FIRST_MS, BACKOFF_LONGEST_MS);
      await this.#world.sleep(Math.max(jitter, outcome.retryAfterMs), this.#signal);
    }
  }

  async #attempt(request: HttpRequest): Promise<{ response: HttpResponse } | Failed> {
    await this.#slots.take();
    try {
      if (this.#signal.aborted) return failed('connection', null, 'the run is over', 0);
      if (!this.breaker.tryCall()) return failed('breaker-open', null, 'the circuit breaker is open', 0);
      this.sent++;
      const sentAt = this.#world.clock.now();
      const response = await this.#transport.send(request, this.#limits.timeoutMs, this.#signal);
      this.latencies.add(this.#world.clock.now() - sentAt);
      if (response.status !== 429 && response.status < 500) {
        this.breaker.succeeded();
        return { response };
      }
      const wait = retryAfterMs(response, this.#world.clock.now());
      return this.#failed(failed('status', response.status, `answered ${response.status}`, wait));
    } catch (error) {
      if (!(error instanceof TransportFailure)) throw error;
      return this.#failed(failed(error.kind, null, messageOf(error), 0));
    } finally {
      this.#slots.give();
    }
  }

  #failed(outcome: Failed): Failed {
    this.failures++;
    this.breaker.failed();
    return outcome;
  }
}

interface Failed {
  readonly failure: CallFailure;
  readonly retryAfterMs: number;
}

function failed(kind: CallFailure['kind'], status: number | null, message: string, retryAfterMs: number): Failed {
  return { failure: { kind, status, message }, retryAfterMs };
}

function isFailure(outcome: { response: HttpResponse } | Failed): outcome is Failed {
  return 'failure' in outcome;
}

/** RFC 9110: seconds, or a date. */
function retryAfterMs({ headers }: HttpResponse, now: number): number {
  const value = headers['retry-after']?.trim() ?? '';
  const wait = /^\d+$/.test(value) ? Number(value) * 1000 : Date.parse(value) - now;
  return Number.isFinite(wait) ? Math.min(Math.max(0, wait), RETRY_AFTER_LONGEST_MS) : 0;
}
