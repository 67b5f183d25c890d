import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { VirtualTime } from '../../test/support/virtual-time.ts';
import { ByteReader } from '../base/bytes.ts';
import { seededRandom } from '../base/random.ts';
import { Signal } from '../base/signal.ts';
import { keyChanges } from './checkpoint-format.ts';
import { type DeadLetter, type HttpLimits, type HttpResponse, type HttpStage, Rejection } from './contract.ts';
import { HttpOperator } from './http-operator.ts';
import { Counters, DeadLetterOperator } from './operators.ts';
import { type HttpTransport, TransportFailure, type World } from './ports.ts';
import { Pressure } from './pressure.ts';
import { ServiceCaller } from './service-caller.ts';
import type { KeyChange } from './state-changes.ts';

interface Question {
  readonly key: string;
  readonly nth: number;
  /** What is asked of the service; null: nothing. */
  readonly about: string | null;
}

/** `answer` is null when the input went on without one. */
interface Reply {
  readonly key: string;
  readonly nth: number;
  readonly answer: string | null;
  readonly stale: boolean;
}

const LIMITS: HttpLimits = {
  concurrency: 100,
  timeoutMs: 5000,
  retries: 0,
  breakerFailures: 1_000_000,
  breakerResetMs: 1000,
  cacheEntries: 1000,
  cacheTtlMs: 0,
  negativeTtlMs: 0,
  askAgainCapacity: 1000,
};

/** What becomes of an input while the service cannot be asked. */
type WhenDown = 'hold' | 'emit' | 'emit-and-ask-again';

function questions(limits: HttpLimits, whenDown: WhenDown, servesStale: boolean): HttpStage<Question, string, Reply> {
  return {
    kind: 'http',
    id: 'ask',
    inputs: ['questions'],
    service: 'oracle',
    limits,
    input: {
      version: 1,
      encode(question, to) {
        to.text(question.key);
        to.varint(question.nth);
        to.text(question.about === null ? '' : `=${question.about}`);
      },
      decode(from) {
        const [key, nth, about] = [from.text(), from.varint(), from.text()];
        return { key, nth, about: about === '' ? null : about.slice(1) };
      },
    },
    servesStale,
    orderKey: ({ key }) => key,
    cacheKey: ({ about }) => about,
    request: ({ about }) => ({ method: 'GET', url: `/${about}`, headers: {}, body: null }),
    respond: (_input, { status, body }) =>
      status === 400
        ? { kind: 'status', status, message: 'refused' }
        : { kind: 'answer', value: status === 404 ? 'none' : body, negative: status === 404 },
    complete: ({ key, nth }, answer, stale) => ({ key, nth, answer: answer ?? 'not asked', stale }),
    fail: ({ key, nth }) =>
      whenDown === 'hold' ? { kind: 'hold' } : { kind: whenDown, output: { key, nth, answer: null, stale: false } },
  };
}

/** What the service does with a request: a status after a time. */
interface Reaction {
  readonly status?: number | 'connection';
  readonly afterMs?: number;
}
type React = (about: string, nth: number) => Reaction;

interface Setting {
  readonly limits?: Partial<HttpLimits>;
  readonly whenDown?: WhenDown;
  readonly servesStale?: boolean;
  readonly react?: React;
  readonly random?: () => number;
  readonly time?: VirtualTime;
  /** Rejects the replies it is told to. */
  readonly isRejected?: (reply: Reply) => boolean;
  /** State as of a checkpoint. */
  readonly restore?: ReadonlyMap<string, Uint8Array>;
}

const encoder = new TextEncoder();

class Bench {
  readonly time: VirtualTime;
  readonly asked: string[] = [];
  readonly replies: Reply[] = [];
  readonly letters: DeadLetter[] = [];
  readonly failures: unknown[] = [];
  readonly pressure = new Pressure(1e9, 1e8);
  readonly counters = new Counters();
  readonly operator: HttpOperator<Question, string, Reply>;
  react: React;
  watermark = 0;
  readonly changed = new Signal();
  readonly #over = new AbortController();
  readonly #origin: DeadLetterOperator;

  constructor(setting: Setting = {}) {
    const {
      limits = {},
      whenDown = 'hold',
      servesStale = false,
      random = () => 0.5,
      isRejected = () => false,
    } = setting;
    this.time = setting.time ?? new VirtualTime(1_000_000);
    this.react = setting.react ?? (() => ({}));
    const { clock, sleep } = this.time;
    const nothing = () => undefined;
    const world: World = { files: {} as World['files'], clock, probe: nothing, sleep, random, warn: nothing };
    const all = { ...LIMITS, ...limits };
    const { signal } = this.#over;
    this.#origin = new DeadLetterOperator({ push: (letter) => this.letters.push(letter) }, this.counters);
    this.operator = new HttpOperator(questions(all, whenDown, servesStale), {
      world,
      changed: this.changed,
      caller: new ServiceCaller(world, this.#transport(signal), all, signal),
      pressure: this.pressure,
      targets: [
        (value) => {
          const reply = value as Reply;
          if (isRejected(reply)) this.#origin.reject(new Rejection('unknown-company', `no ${reply.key}`));
          else this.replies.push(reply);
        },
      ],
      deadLetters: this.#origin,
      counters: this.counters,
      watermark: () => this.watermark,
      onFailure: (error) => this.failures.push(error),
      signal,
    });
    const states: KeyChange[] = [...(setting.restore ?? [])].map(([key, state]) => ({ key, state }));
    this.operator.restore(states, 1, false);
    this.operator.start();
  }

  #transport(over: AbortSignal): HttpTransport {
    return {
      send: async ({ url }): Promise<HttpResponse> => {
        const about = url.slice(1);
        this.asked.push(about);
        const { status = 200, afterMs = 0 } = this.react(about, this.asked.length - 1);
        if (afterMs > 0) await this.time.after(afterMs, over);
        if (status === 'connection' || over.aborted) throw new TransportFailure('connection', 'lost');
        return { status, headers: {}, body: `answer to ${about}`, receivedAt: this.time.now };
      },
      close: () => Promise.resolve(),
    };
  }

  /** A record arrives: `key:nth`, which are its bytes and its place in the source. */
  push(key: string, nth: number, about: string | null = key): void {
    const bytes = encoder.encode(`..${key}:${nth}.`);
    const place = { source: 'questions', shardId: 'shard-1', sequenceNumber: `${key}:${nth}`, subSequence: null };
    this.#origin.begin(bytes, 2, bytes.length - 1, { ...place, arrivalTime: nth, live: true, columns: { key: 0 } });
    this.operator.push({ key, nth, about });
    this.#origin.end();
  }

  /** Lets time go on until nothing is held nor to be asked again. */
  async finish(withinMs = 1e7): Promise<void> {
    const until = this.time.now + withinMs;
    for (await this.time.settle(); !this.operator.isEmpty; await this.time.settle()) {
      if (this.time.next > until) throw new Error(`not done: ${this.operator.held} held, next ${this.time.next}`);
      this.time.wakeNext();
    }
    expect(this.failures).toEqual([]);
  }

  /** The process is gone. */
  async crash(): Promise<void> {
    this.#over.abort();
    await this.time.settle();
  }

  /** Replies as `key:nth=answer`. */
  get told(): string[] {
    return this.replies.map(({ key, nth, answer, stale }) => `${key}:${nth}=${answer}${stale ? ' (stale)' : ''}`);
  }
}

/** Adds the changes of one barrier to those before it, as a checkpoint store does. */
function merge(state: Map<string, Uint8Array>, bench: Bench): void {
  for (const change of keyChanges(bench.operator.barrier())) {
    if (change.state === null) state.delete(change.key);
    else state.set(change.key, change.state.slice());
  }
}

describe('order', () => {
  it('inputs of one key leave in their order, whichever is answered first; other keys do not wait', async () => {
    const bench = new Bench({ react: (about) => ({ afterMs: about === 'slow' ? 100 : 10 }) });
    bench.push('a', 1, 'slow');
    bench.push('a', 2, 'x');
    bench.push('b', 1, 'y');
    bench.push('a', 3, null);
    await bench.finish();
    expect(bench.told).toEqual(['b:1=answer to y', 'a:1=answer to slow', 'a:2=answer to x', 'a:3=not asked']);
  });

  it('an input whose answer is cached does not overtake one of its key that waits', async () => {
    const bench = new Bench({
      limits: { cacheTtlMs: 1e6 },
      react: (about) => ({ afterMs: about === 'known' ? 0 : 50 }),
    });
    bench.push('a', 1, 'known');
    await bench.finish();
    bench.push('a', 2, 'new');
    bench.push('a', 3, 'known');
    bench.push('b', 1, 'known');
    await bench.finish();
    expect(bench.told.map((told) => told.split('=')[0])).toEqual(['a:1', 'b:1', 'a:2', 'a:3']);
  });

  it('what needs no answer goes on at once, within the push', () => {
    const bench = new Bench();
    bench.push('a', 1, null);
    expect(bench.told).toEqual(['a:1=not asked']);
    expect(bench.pressure.bytes).toBe(0);
  });

  it('holds for any keys, delays and failures: each key in order, each input once', async () => {
    const question = fc.record({
      key: fc.constantFrom('a', 'b', 'c'),
      about: fc.option(fc.constantFrom('x', 'y', 'z', 'w')),
    });
    const reaction = fc.record({
      status: fc.constantFrom<NonNullable<Reaction['status']>>(200, 200, 404, 500, 'connection'),
      afterMs: fc.nat(500),
    });
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(question, fc.nat(100)), { maxLength: 40 }),
        fc.array(reaction, { minLength: 1, maxLength: 20 }),
        fc.constantFrom<WhenDown>('hold', 'emit', 'emit-and-ask-again'),
        fc.record({
          concurrency: fc.integer({ min: 1, max: 4 }),
          retries: fc.nat(2),
          breakerFailures: fc.constantFrom(2, 1000),
          cacheTtlMs: fc.constantFrom(0, 200),
          cacheEntries: fc.integer({ min: 1, max: 3 }),
          askAgainCapacity: fc.integer({ min: 1, max: 3 }),
        }),
        async (pushes, reactions, whenDown, limits) => {
          // After all of it was used the service is well: a run ends.
          const react: React = (_about, nth) => reactions[nth] ?? {};
          const bench = new Bench({
            limits,
            whenDown,
            react,
            random: seededRandom(3),
            servesStale: whenDown === 'hold',
          });
          const expected = new Map<string, number[]>();
          for (const [{ key, about }, waitMs] of pushes) {
            const nth = (expected.get(key)?.length ?? 0) + 1;
            expected.set(key, [...(expected.get(key) ?? []), nth]);
            bench.push(key, nth, about);
            await bench.time.advance(waitMs);
          }
          await bench.finish();
          expect(bench.pressure.bytes).toBe(0);
          expect(bench.operator.lowWatermark).toBe(Number.POSITIVE_INFINITY);
          checkReplies(bench.replies, expected, whenDown);
        },
      ),
      { numRuns: 300 },
    );
  });
});

/** First each input of a key once, in order; and of those that left without an answer, a second time with it. */
function checkReplies(replies: readonly Reply[], expected: ReadonlyMap<string, number[]>, whenDown: WhenDown): void {
  for (const [key, nths] of expected) {
    const firsts: number[] = [];
    const owed = new Set<number>();
    for (const reply of replies.filter((candidate) => candidate.key === key)) {
      if (owed.has(reply.nth)) {
        expect(reply.answer).not.toBeNull();
        owed.delete(reply.nth);
        continue;
      }
      firsts.push(reply.nth);
      if (reply.answer === null && whenDown === 'emit-and-ask-again') owed.add(reply.nth);
      if (whenDown === 'hold') expect(reply.answer).not.toBeNull();
    }
    expect(firsts).toEqual(nths);
    expect([...owed]).toEqual([]);
  }
}

describe('the cache', () => {
  it('one call answers all who wait for the same', async () => {
    const bench = new Bench({ limits: { cacheTtlMs: 0 }, react: () => ({ afterMs: 50 }) });
    for (const key of ['a', 'b', 'c', 'd']) bench.push(key, 1, 'x');
    await bench.finish();
    expect(bench.asked).toEqual(['x']);
    expect(bench.replies).toHaveLength(4);
  });

  it('one failed call is the failure of all who wait for the same', async () => {
    const bench = new Bench({ whenDown: 'emit', react: () => ({ status: 500, afterMs: 50 }) });
    for (const key of ['a', 'b', 'c']) bench.push(key, 1, 'x');
    await bench.finish();
    expect(bench.asked).toEqual(['x']);
    expect(bench.told).toEqual(['a:1=null', 'b:1=null', 'c:1=null']);
  });

  it('an answer serves until its TTL, counted from when it came', async () => {
    const bench = new Bench({ limits: { cacheTtlMs: 1000, negativeTtlMs: 10 }, react: () => ({ afterMs: 300 }) });
    bench.push('a', 1);
    await bench.finish();
    await bench.time.advance(999);
    bench.push('a', 2);
    expect(bench.replies).toHaveLength(2);
    await bench.time.advance(1);
    bench.push('a', 3);
    expect(bench.replies).toHaveLength(2);
    await bench.finish();
    expect(bench.asked).toEqual(['a', 'a']);
  });

  it('that there is no such thing serves for a time of its own', async () => {
    const bench = new Bench({ limits: { cacheTtlMs: 100_000, negativeTtlMs: 500 }, react: () => ({ status: 404 }) });
    bench.push('a', 1);
    await bench.finish();
    await bench.time.advance(499);
    bench.push('a', 2);
    await bench.finish();
    expect(bench.asked).toEqual(['a']);
    await bench.time.advance(1);
    bench.react = () => ({});
    bench.push('a', 3);
    await bench.finish();
    expect(bench.asked).toEqual(['a', 'a']);
    expect(bench.told).toEqual(['a:1=none', 'a:2=none', 'a:3=answer to a']);
  });

  it('holds no more answers than told: the one not used for longest goes', async () => {
    const bench = new Bench({ limits: { cacheTtlMs: 1e6, cacheEntries: 2 } });
    for (const [nth, about] of ['x', 'y', 'x', 'z', 'x', 'y'].entries()) {
      bench.push('a', nth, about);
      await bench.finish();
    }
    expect(bench.asked).toEqual(['x', 'y', 'z', 'y']);
  });

  it('failures are not remembered', async () => {
    const bench = new Bench({
      whenDown: 'emit',
      limits: { cacheTtlMs: 1e6 },
      react: (_, nth) => ({ status: nth === 0 ? 500 : 200 }),
    });
    bench.push('a', 1);
    await bench.finish();
    bench.push('a', 2);
    await bench.finish();
    expect(bench.told).toEqual(['a:1=null', 'a:2=answer to a']);
  });
});

describe('while the service cannot be asked', () => {
  it('the last answer serves, marked as stale, beyond its TTL', async () => {
    const bench = new Bench({ servesStale: true, limits: { cacheTtlMs: 100 } });
    bench.push('a', 1);
    await bench.finish();
    bench.react = () => ({ status: 'connection' });
    await bench.time.advance(1e6);
    bench.push('a', 2);
    await bench.finish();
    bench.react = () => ({});
    bench.push('a', 3);
    await bench.finish();
    expect(bench.told).toEqual(['a:1=answer to a', 'a:2=answer to a (stale)', 'a:3=answer to a']);
  });

  it('a stage that may not serve stale answers does not', async () => {
    const bench = new Bench({ whenDown: 'emit', limits: { cacheTtlMs: 100 } });
    bench.push('a', 1);
    await bench.finish();
    bench.react = () => ({ status: 503 });
    await bench.time.advance(1e6);
    bench.push('a', 2);
    await bench.finish();
    expect(bench.told).toEqual(['a:1=answer to a', 'a:2=null']);
  });

  it('with none the input is held for as long as it takes; then all go on, in order', async () => {
    const bench = new Bench({ servesStale: true, react: () => ({ status: 'connection' }) });
    for (const nth of [1, 2, 3]) for (const key of ['a', 'b']) bench.push(key, nth);
    await bench.time.advance(3_600_000);
    expect(bench.replies).toEqual([]);
    expect(bench.operator.held).toBe(6);
    expect(bench.pressure.bytes).toBeGreaterThan(0);
    expect(bench.counters.get('calls-failed.oracle')).toBeGreaterThan(100);
    bench.react = () => ({});
    await bench.time.advance(5000); // The longest pause.
    for (const key of ['a', 'b']) {
      expect(bench.replies.filter((reply) => reply.key === key).map(({ nth }) => nth)).toEqual([1, 2, 3]);
    }
    expect(bench.pressure.bytes).toBe(0);
  });

  it('it is asked less and less often, but at least every five seconds', async () => {
    const times: number[] = [];
    const bench = new Bench({ random: () => 0.999_999, react: () => ({ status: 500 }) });
    bench.react = () => {
      times.push(bench.time.now);
      return { status: 500 };
    };
    bench.push('a', 1);
    await bench.time.advance(60_000);
    const gaps = times.slice(1).map((at, index) => Math.round(at - (times[index] ?? 0)));
    expect(gaps.slice(0, 7)).toEqual([200, 400, 800, 1600, 3200, 5000, 5000]);
  });

  it('an open breaker lets one call through at each reset, however many are held', async () => {
    const bench = new Bench({ limits: { breakerFailures: 5, breakerResetMs: 10_000 }, react: () => ({ status: 500 }) });
    for (let key = 0; key < 200; key++) bench.push(`k${key}`, 1);
    await bench.time.advance(9999);
    const before = bench.asked.length; // Those in flight when it opened came to their end.
    expect(before).toBeLessThanOrEqual(LIMITS.concurrency);
    await bench.time.advance(100_000);
    expect(bench.asked.length - before).toBeLessThanOrEqual(11);
    expect(bench.asked.length - before).toBeGreaterThanOrEqual(9);
    bench.react = () => ({});
    await bench.time.advance(20_100);
    expect(bench.replies).toHaveLength(200);
  });
});

describe('asking again', () => {
  it('an input goes on without an answer, and once more with it, under the same name', async () => {
    let isUp = false;
    const bench = new Bench({ whenDown: 'emit-and-ask-again', react: () => ({ status: isUp ? 200 : 500 }) });
    bench.push('a', 1, 'x');
    bench.push('a', 2, 'y');
    await bench.time.advance(60_000);
    expect(bench.told).toEqual(['a:1=null', 'a:2=null']);
    expect(bench.operator.toAskAgain).toBe(2);
    expect(bench.pressure.bytes).toBe(0); // Bounded by its capacity, not by bytes.
    isUp = true;
    await bench.finish();
    expect(bench.told).toEqual(['a:1=null', 'a:2=null', 'a:1=answer to x', 'a:2=answer to y']);
  });

  it('a full store blocks: no more goes on than it has room for, nothing is lost, and it unblocks', async () => {
    let isUp = false;
    const bench = new Bench({
      whenDown: 'emit-and-ask-again',
      limits: { askAgainCapacity: 3 },
      react: () => ({ status: isUp ? 200 : 500 }),
    });
    for (let key = 0; key < 10; key++) bench.push(`k${key}`, 1);
    await bench.time.advance(600_000);
    expect(bench.operator.isFull).toBe(true);
    expect(bench.operator.toAskAgain).toBe(3);
    expect(bench.replies).toHaveLength(3);
    expect(bench.operator.held).toBe(7);
    const seen = { isWoken: false };
    const woken = bench.changed.wait().then(() => {
      seen.isWoken = true;
    });
    await bench.time.settle();
    expect(seen.isWoken).toBe(false);
    isUp = true;
    await bench.finish();
    await woken;
    expect(bench.operator.isFull).toBe(false);
    expect(bench.pressure.bytes).toBe(0);
    const answered = bench.replies.filter(({ answer }) => answer !== null).map(({ key }) => key);
    expect(answered.sort()).toEqual(Array.from({ length: 10 }, (_, key) => `k${key}`));
  });

  it('one that the service always refuses keeps no other waiting', async () => {
    let isUp = false;
    const react: React = (about) => ({ status: about === 'poison' ? 400 : isUp ? 200 : 500 });
    const bench = new Bench({ whenDown: 'emit-and-ask-again', react });
    bench.push('a', 1, 'poison');
    for (let key = 0; key < 20; key++) bench.push(`k${key}`, 1);
    await bench.time.advance(60_000);
    isUp = true;
    await bench.time.advance(300_000);
    expect(bench.operator.toAskAgain).toBe(1);
    expect(bench.replies.filter(({ answer }) => answer !== null)).toHaveLength(20);
  });

  it('a thousand that wait are asked at the stage’s concurrency once it is back, not one by one', async () => {
    let isUp = false;
    const react: React = () => ({ status: isUp ? 200 : 500, afterMs: 20 });
    const bench = new Bench({ whenDown: 'emit-and-ask-again', limits: { askAgainCapacity: 5000 }, react });
    for (let key = 0; key < 1000; key++) bench.push(`k${key}`, 1);
    await bench.time.advance(60_000);
    isUp = true;
    await bench.time.advance(5000 + 20 * (1000 / LIMITS.concurrency) + 2000);
    expect(bench.operator.isEmpty).toBe(true);
  });
});

describe('the watermark', () => {
  it('never overtakes an input that is held, and goes on with the oldest', async () => {
    const bench = new Bench({ react: (about) => ({ afterMs: Number(about) }) });
    for (const [watermark, key, about] of [
      [10, 'a', '300'],
      [20, 'b', '100'],
      [30, 'c', '200'],
      [40, 'd', '400'],
    ] as const) {
      bench.watermark = watermark;
      bench.push(key, 1, about);
    }
    bench.watermark = 1000;
    const seen: number[] = [bench.operator.lowWatermark];
    for (let hundreds = 0; hundreds < 4; hundreds++) {
      await bench.time.advance(100);
      seen.push(bench.operator.lowWatermark);
    }
    expect(seen).toEqual([10, 10, 10, 40, Number.POSITIVE_INFINITY]);
  });

  it('is that of the oldest held at every moment, also over a restart', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(
          fc.record({ rise: fc.nat(5), key: fc.nat(3), afterMs: fc.integer({ min: 1, max: 50 }), waitMs: fc.nat(20) }),
          {
            minLength: 1,
            maxLength: 25,
          },
        ),
        fc.nat(24),
        async (steps, restartAt) => {
          const react: React = (about) => ({ afterMs: Number(about.split('-')[1]) });
          let bench = new Bench({ react });
          const heldAt = new Map<string, number>();
          const state = new Map<string, Uint8Array>();
          let watermark = 0;
          for (const [index, { rise, key, afterMs, waitMs }] of steps.entries()) {
            watermark += rise;
            bench.watermark = watermark;
            bench.push(String(key), index, `${index}-${afterMs}`);
            heldAt.set(`${key}:${index}`, watermark);
            await bench.time.advance(waitMs);
            for (const reply of bench.replies.splice(0)) heldAt.delete(`${reply.key}:${reply.nth}`);
            expect(bench.operator.lowWatermark).toBe(Math.min(Number.POSITIVE_INFINITY, ...heldAt.values()));
            if (index !== restartAt) continue;
            merge(state, bench);
            const low = bench.operator.lowWatermark;
            await bench.crash();
            bench = new Bench({ react, restore: state, time: bench.time });
            expect(bench.operator.lowWatermark).toBe(low);
          }
          await bench.finish();
          expect(bench.operator.lowWatermark).toBe(Number.POSITIVE_INFINITY);
        },
      ),
      { numRuns: 200 },
    );
  });
});

describe('a record that waited', () => {
  const letter = (key: string, nth: number) => ({
    source: 'questions',
    shardId: 'shard-1',
    sequenceNumber: `${key}:${nth}`,
    arrivalTime: nth,
    reason: 'unknown-company',
    payload: encoder.encode(`${key}:${nth}`),
  });

  it('is rejected with its own bytes and origin, not those of the record that is read meanwhile', async () => {
    const bench = new Bench({ isRejected: ({ key }) => key !== 'good', react: () => ({ afterMs: 10 }) });
    bench.push('a', 1);
    bench.push('good', 1);
    bench.push('a', 2);
    bench.push('b', 7);
    await bench.finish();
    expect(bench.letters).toMatchObject([letter('a', 1), letter('b', 7), letter('a', 2)]);
    expect(bench.replies).toHaveLength(1);
    expect(bench.counters.get('dead-letters.unknown-company')).toBe(3);
  });

  it('is so also after a restart', async () => {
    const first = new Bench({ react: () => ({ afterMs: 1e6 }) });
    first.push('a', 1);
    first.push('b', 7);
    const state = new Map<string, Uint8Array>();
    merge(state, first);
    await first.crash();
    const second = new Bench({ isRejected: () => true, restore: state });
    await second.finish();
    expect(second.letters).toMatchObject([letter('a', 1), letter('b', 7)]);
    expect(second.letters[0]?.payload).toEqual(encoder.encode('a:1'));
  });
});

/** Of what a checkpoint holds, what has gone on without an answer; the record's bytes are its name. */
function goneOn(state: ReadonlyMap<string, Uint8Array>): string[] {
  const names: string[] = [];
  for (const bytes of state.values()) {
    const from = new ByteReader(bytes);
    const isGoneOn = from.byte() === 1;
    from.text(); // The watermark.
    from.text(); // Where it came from.
    if (isGoneOn) names.push(new TextDecoder().decode(from.block()));
  }
  return names.sort();
}

function withoutAnswer(replies: readonly Reply[]): string[] {
  const owed = new Set<string>();
  for (const { key, nth, answer } of replies) {
    if (answer === null) owed.add(`${key}:${nth}`);
    else owed.delete(`${key}:${nth}`);
  }
  return [...owed].sort();
}

describe('checkpoints', () => {
  it('tell only what changed: nothing of what came and went between two of them', async () => {
    const bench = new Bench({ react: (about) => ({ afterMs: Number(about) }) });
    bench.push('a', 1, '10');
    bench.push('b', 1, '10000');
    await bench.time.advance(100);
    expect(bench.operator.barrier().count).toBe(1);
    expect(bench.operator.barrier().count).toBe(0);
    await bench.finish();
    const [change] = [...keyChanges(bench.operator.barrier())];
    expect(change?.state).toBeNull();
    expect(bench.operator.barrier().count).toBe(0);
  });

  it('what was to be asked again goes on waiting after a restart, and does not leave without an answer once more', async () => {
    const first = new Bench({ whenDown: 'emit-and-ask-again', react: () => ({ status: 500 }) });
    first.push('a', 1);
    first.push('a', 2);
    await first.time.advance(1000);
    const state = new Map<string, Uint8Array>();
    merge(state, first);
    await first.crash();
    const second = new Bench({ whenDown: 'emit-and-ask-again', restore: state });
    expect(second.operator).toMatchObject({ held: 0, toAskAgain: 2 });
    expect(second.pressure.bytes).toBe(0);
    second.push('a', 3);
    await second.finish();
    expect(second.told).toEqual(['a:3=answer to a', 'a:1=answer to a', 'a:2=answer to a']);
  });

  it('with many crashes at any moment nothing is lost, doubled or out of order', async () => {
    const step = fc.oneof(
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('push' as const), key: fc.nat(2), about: fc.nat(3) }) },
      // So many continuations run, then: not only between two turns of the event loop.
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('tick' as const), count: fc.nat(12) }) },
      { weight: 4, arbitrary: fc.record({ kind: fc.constant('wake' as const), count: fc.nat(4) }) },
      { weight: 3, arbitrary: fc.record({ kind: fc.constant('barrier' as const) }) },
      { weight: 1, arbitrary: fc.record({ kind: fc.constant('crash' as const) }) },
    );
    await fc.assert(
      fc.asyncProperty(
        fc.array(step, { maxLength: 80 }),
        fc.constantFrom<WhenDown>('hold', 'emit-and-ask-again'),
        fc.array(fc.constantFrom<NonNullable<Reaction['status']>>(200, 404, 500, 'connection'), { maxLength: 30 }),
        fc.integer({ min: 1, max: 3 }),
        async (steps, whenDown, statuses, askAgainCapacity) => {
          const time = new VirtualTime(1000);
          let asked = 0;
          const react: React = () => {
            asked++;
            return { status: statuses[asked] ?? 200, afterMs: asked % 3 };
          };
          const setting = { whenDown, react, time, limits: { askAgainCapacity, cacheTtlMs: 40, retries: 1 } };
          let bench = new Bench(setting);
          // As of the last barrier: the state, how much was read of the source, and the rows that belong to it.
          const committed = { state: new Map<string, Uint8Array>(), read: 0, replies: [] as readonly Reply[] };
          const pushes = steps.flatMap((one) => (one.kind === 'push' ? [one] : []));
          const expected = new Map<string, number[]>();
          const names = pushes.map(({ key }) => {
            const nths = expected.get(`k${key}`) ?? [];
            expected.set(`k${key}`, [...nths, nths.length]);
            return { key: `k${key}`, nth: nths.length };
          });
          let read = 0;
          const pushNext = () => {
            const [name, push] = [names[read], pushes[read]];
            if (name === undefined || push === undefined) return;
            read++;
            bench.push(name.key, name.nth, push.about === 0 ? null : String(push.about));
          };
          const before: Reply[] = [];
          for (const one of steps) {
            if (one.kind === 'push') pushNext();
            if (one.kind === 'tick') for (let left = one.count; left > 0; left--) await Promise.resolve();
            if (one.kind === 'wake') for (let left = one.count; left > 0 && time.sleeping > 0; left--) time.wakeNext();
            if (one.kind === 'barrier') {
              merge(committed.state, bench);
              committed.read = read;
              committed.replies = [...before, ...bench.replies];
              expect(goneOn(committed.state)).toEqual(withoutAnswer(committed.replies));
            }
            if (one.kind === 'crash') {
              await bench.crash();
              before.splice(0, before.length, ...committed.replies);
              read = committed.read;
              bench = new Bench({ ...setting, restore: committed.state });
            }
          }
          while (read < names.length) pushNext();
          await bench.finish();
          checkReplies([...before, ...bench.replies], expected, whenDown);
          merge(committed.state, bench);
          expect(committed.state.size).toBe(0);
        },
      ),
      { numRuns: 1000 },
    );
  });
});

describe('an error of the program', () => {
  it('in what reads the answer is told, and stops nothing silently', async () => {
    const bench = new Bench();
    bench.react = () => {
      throw new RangeError('a fault of the program');
    };
    bench.push('a', 1);
    await bench.time.settle();
    expect(bench.failures).toMatchObject([{ message: 'a fault of the program' }]);
    expect(bench.operator.held).toBe(1);
  });
});
