import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualTime } from '../../test/support/virtual-time.ts';
import { seededRandom } from '../base/random.ts';
import type { CallFailure, HttpLimits, HttpRequest, HttpResponse } from './contract.ts';
import { type HttpTransport, TransportFailure, type World } from './ports.ts';
import { ServiceCaller } from './service-caller.ts';

const LIMITS: HttpLimits = {
  concurrency: 3,
  timeoutMs: 5000,
  retries: 2,
  breakerFailures: 1000,
  breakerResetMs: 10_000,
  cacheEntries: 1,
  cacheTtlMs: 0,
  negativeTtlMs: 0,
  askAgainCapacity: 0,
};

/** What the service does with one request: a status, at once or after a time; or a lost connection, or a timeout. */
interface Reaction {
  readonly status?: number | 'connection' | 'timeout';
  readonly afterMs?: number;
  readonly headers?: Record<string, string>;
}

class ScriptedService implements HttpTransport {
  readonly sent: { readonly url: string; readonly at: number; readonly timeoutMs: number }[] = [];
  inFlight = 0;
  inFlightMost = 0;
  readonly #time: VirtualTime;
  readonly #react: (nth: number, request: HttpRequest) => Reaction;

  constructor(time: VirtualTime, react: (nth: number, request: HttpRequest) => Reaction) {
    this.#time = time;
    this.#react = react;
  }

  async send(request: HttpRequest, timeoutMs: number, signal: AbortSignal): Promise<HttpResponse> {
    if (signal.aborted) throw new TransportFailure('connection', 'aborted');
    this.sent.push({ url: request.url, at: this.#time.now, timeoutMs });
    const { status = 200, afterMs = 0, headers = {} } = this.#react(this.sent.length - 1, request);
    this.inFlight++;
    this.inFlightMost = Math.max(this.inFlightMost, this.inFlight);
    await this.#time.after(afterMs, signal);
    this.inFlight--;
    if (signal.aborted) throw new TransportFailure('connection', 'aborted');
    if (typeof status === 'string') throw new TransportFailure(status, `scripted ${status}`);
    return { status, headers, body: '', receivedAt: this.#time.now };
  }

  async close(): Promise<void> {}
}

interface Setting {
  readonly limits?: Partial<HttpLimits>;
  readonly random?: () => number;
  readonly now?: number;
  readonly react?: (nth: number, request: HttpRequest) => Reaction;
}

function start({ limits = {}, random = () => 0.5, now = 0, react = () => ({}) }: Setting) {
  const time = new VirtualTime(now);
  const nothing = () => undefined;
  const files = {} as World['files'];
  const world: World = { files, clock: time.clock, probe: nothing, sleep: time.sleep, random, warn: nothing };
  const service = new ScriptedService(time, react);
  const over = new AbortController();
  const caller = new ServiceCaller(world, service, { ...LIMITS, ...limits }, over.signal);
  return { time, service, over, caller };
}

const to = (url: string): HttpRequest => ({ method: 'GET', url, headers: {}, body: null });

/** Lets time go on until the call is over. */
async function outcome<T>(time: VirtualTime, call: Promise<T>): Promise<T> {
  let isOver = false;
  const ended = call.finally(() => {
    isOver = true;
  });
  ended.catch(() => undefined); // It is told to who waits for it, once it is over.
  for (await time.settle(); !isOver; await time.settle()) time.wakeNext();
  return ended;
}

describe('answers', () => {
  it.each([200, 201, 204, 301, 400, 401, 404, 409, 422])('%i is an answer: never asked twice', async (status) => {
    const { time, service, caller } = start({ react: () => ({ status }) });
    expect(await outcome(time, caller.call(to('/')))).toMatchObject({ status, body: '' });
    expect(service.sent).toHaveLength(1);
    expect(caller.failures).toBe(0);
  });

  it.each([429, 500, 502, 503, 599])('%i is tried again, as often as told and no more', async (status) => {
    const { time, service, caller } = start({ limits: { retries: 4 }, react: () => ({ status }) });
    const failure: CallFailure = { kind: 'status', status, message: `answered ${status}` };
    expect(await outcome(time, caller.call(to('/')))).toEqual(failure);
    expect(service.sent).toHaveLength(5);
    expect(caller).toMatchObject({ sent: 5, failures: 5 });
  });

  it.each(['timeout', 'connection'] as const)('a %s is tried again, and told as what it was', async (status) => {
    const { time, service, caller } = start({ react: () => ({ status }) });
    expect(await outcome(time, caller.call(to('/')))).toEqual({
      kind: status,
      status: null,
      message: `scripted ${status}`,
    });
    expect(service.sent).toHaveLength(3);
  });

  it('the first answer after failures is the answer', async () => {
    const reactions: Reaction[] = [{ status: 503 }, { status: 'connection' }, { status: 200 }];
    const { time, service, caller } = start({ react: (nth) => reactions[nth] ?? {} });
    expect(await outcome(time, caller.call(to('/')))).toMatchObject({ status: 200 });
    expect(service.sent).toHaveLength(3);
  });

  it('without retries there is one request', async () => {
    const { time, service, caller } = start({ limits: { retries: 0 }, react: () => ({ status: 500 }) });
    await outcome(time, caller.call(to('/')));
    expect(service.sent).toHaveLength(1);
    expect(time.slept).toEqual([]);
  });

  it('each request has the timeout of the stage', async () => {
    const { time, service, caller } = start({ limits: { timeoutMs: 1234 }, react: () => ({ status: 'timeout' }) });
    await outcome(time, caller.call(to('/')));
    expect(service.sent.map(({ timeoutMs }) => timeoutMs)).toEqual([1234, 1234, 1234]);
  });

  it('an error of the program is thrown, not retried, and gives its slot back', async () => {
    const { time, service, caller } = start({
      limits: { concurrency: 1 },
      react: (nth) => {
        if (nth === 0) throw new RangeError('a fault of the program');
        return {};
      },
    });
    await expect(outcome(time, caller.call(to('/')))).rejects.toThrow('a fault of the program');
    expect(service.sent).toHaveLength(1);
    expect(await outcome(time, caller.call(to('/')))).toMatchObject({ status: 200 });
  });
});

describe('waiting between tries', () => {
  it('is random from nothing up to a bound that doubles, to a longest one', async () => {
    const most = [100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000, 10_000];
    for (const random of [0, 0.25, 0.999]) {
      const { time, caller } = start({
        limits: { retries: most.length },
        random: () => random,
        react: () => ({ status: 500 }),
      });
      await outcome(time, caller.call(to('/')));
      expect(time.slept).toEqual(most.map((ms) => ms * random));
    }
  });

  it('spreads over all of the range', async () => {
    const { time, caller } = start({
      limits: { retries: 1 },
      random: seededRandom(7),
      react: () => ({ status: 500 }),
    });
    for (let call = 0; call < 200; call++) await outcome(time, caller.call(to('/')));
    expect(time.slept).toHaveLength(200);
    const tenths = new Set(time.slept.map((ms) => Math.floor(ms / 10)));
    expect([...tenths].sort()).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
  });

  const now = Date.UTC(2026, 0, 1);
  it.each([
    ['seconds', '7', 7000],
    ['seconds with blanks around', ' 3 ', 3000],
    ['a date', new Date(now + 9000).toUTCString(), 9000],
    ['a date that is past', new Date(now - 9000).toUTCString(), 50],
    ['less than the back-off', '0', 50],
    ['more patience than anyone has', '86400', 60_000],
    ['a number beyond all bounds', '9'.repeat(400), 50],
    ['nonsense', 'soon', 50],
    ['nothing', '', 50],
  ])('Retry-After: %s', async (_name, value, expected) => {
    const react = () => ({ status: 429, headers: { 'retry-after': value } });
    const { time, caller } = start({ limits: { retries: 1 }, now, react });
    await outcome(time, caller.call(to('/')));
    expect(time.slept).toEqual([expected]);
  });

  it('who waits holds no slot: others are asked meanwhile', async () => {
    const { time, service, caller } = start({
      limits: { concurrency: 1, retries: 1 },
      react: (_nth, { url }) => (url === '/down' ? { status: 503, headers: { 'retry-after': '30' } } : {}),
    });
    const down = caller.call(to('/down'));
    const up = caller.call(to('/up'));
    expect(await outcome(time, up)).toMatchObject({ status: 200 });
    expect(time.now).toBe(0);
    await outcome(time, down);
    expect(service.sent.map(({ url, at }) => [url, at])).toEqual([
      ['/down', 0],
      ['/up', 0],
      ['/down', 30_000],
    ]);
  });
});

describe('concurrency', () => {
  it('slots are given in the order they were asked for', async () => {
    const { time, service, caller } = start({
      limits: { concurrency: 2 },
      react: (nth) => ({ afterMs: 10 + (nth % 3) }),
    });
    const urls = Array.from({ length: 20 }, (_, index) => `/${index}`);
    await outcome(time, Promise.all(urls.map((url) => caller.call(to(url)))));
    expect(service.sent.map(({ url }) => url)).toEqual(urls);
  });

  it('is never exceeded and never left unused, and every call ends, whatever the service does', async () => {
    const reaction = fc.record({
      status: fc.constantFrom<NonNullable<Reaction['status']>>(200, 404, 429, 500, 'connection', 'timeout'),
      afterMs: fc.nat(50),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 5 }),
        fc.array(reaction, { minLength: 1, maxLength: 60 }),
        async (concurrency, reactions) => {
          const limits = { concurrency, retries: 3 };
          const { time, service, caller } = start({ limits, react: (nth) => reactions[nth % reactions.length] ?? {} });
          const calls = reactions.map((_, index) => caller.call(to(`/${index}`)));
          await time.settle();
          expect(service.inFlight).toBe(Math.min(concurrency, calls.length));
          await outcome(time, Promise.all(calls));
          expect(service.inFlightMost).toBe(Math.min(concurrency, calls.length));
          expect(service.inFlight).toBe(0);
          await outcome(time, Promise.all(calls.slice(0, concurrency).map(() => caller.call(to('/last')))));
        },
      ),
      { numRuns: 100 },
    );
  });
});

describe('the breaker', () => {
  it('once open no request is sent, and the call fails without a wait', async () => {
    const limits = { breakerFailures: 3, retries: 9 };
    const { time, service, caller } = start({ limits, react: () => ({ status: 500 }) });
    expect(await outcome(time, caller.call(to('/')))).toMatchObject({ kind: 'breaker-open', status: null });
    expect(service.sent).toHaveLength(3);
    const { now } = time;
    expect(await outcome(time, caller.call(to('/')))).toMatchObject({ kind: 'breaker-open' });
    expect(service.sent).toHaveLength(3);
    expect(time.now).toBe(now);
  });

  it('counts 429, 5xx, timeouts and lost connections; an answer of 4xx says that the service is there', async () => {
    const reactions = (['connection', 'timeout', 404, 429, 500, 503] as const).map((status) => ({ status }));
    const limits = { breakerFailures: 3, retries: 0 };
    const { time, caller } = start({ limits, react: (nth) => reactions[nth] ?? {} });
    const states: string[] = [];
    for (const _ of reactions) {
      await outcome(time, caller.call(to('/')));
      states.push(caller.breaker.state);
    }
    expect(states).toEqual(['closed', 'closed', 'closed', 'closed', 'closed', 'open']);
  });

  it('after the reset one call probes; the others fail fast until it has succeeded', async () => {
    let isUp = false;
    const limits = { breakerFailures: 1, retries: 0, breakerResetMs: 1000 };
    const { time, service, caller } = start({ limits, react: () => ({ status: isUp ? 200 : 500, afterMs: 20 }) });
    await outcome(time, caller.call(to('/')));
    isUp = true;
    await time.advance(1000);
    const three = await outcome(time, Promise.all([1, 2, 3].map((nth) => caller.call(to(`/${nth}`)))));
    expect(three.map((one) => ('kind' in one ? one.kind : one.status))).toEqual([200, 'breaker-open', 'breaker-open']);
    expect(service.sent).toHaveLength(2);
    expect(await outcome(time, caller.call(to('/4')))).toMatchObject({ status: 200 });
  });
});

describe('abort', () => {
  it('ends the calls in flight, those that wait for a slot, and those that wait to try again, sending nothing more', async () => {
    const { time, service, over, caller } = start({
      limits: { concurrency: 2, retries: 5 },
      react: (nth) => (nth === 0 ? { status: 500 } : { afterMs: 1e9 }),
    });
    const calls = Array.from({ length: 10 }, (_, index) => caller.call(to(`/${index}`)));
    await time.settle();
    await time.advance(1);
    const before = service.sent.length;
    over.abort();
    const ended = await Promise.all(calls); // No time passes.
    for (const one of ended) expect(one).toMatchObject({ kind: 'connection' });
    expect(service.sent).toHaveLength(before);
    expect(caller.sent).toBe(before);
  });
});
