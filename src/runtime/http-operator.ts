import { LRUCache } from 'lru-cache';
import { backoffMs } from '../base/backoff.ts';
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { Signal } from '../base/signal.ts';
import type { EpochMs } from '../base/time.ts';
import type { Answer, CallFailure, HttpStage } from './contract.ts';
import type { Latencies } from './latencies.ts';
import type { Counters, DeadLetterOperator, Origin, Push } from './operators.ts';
import type { Pressure } from './pressure.ts';
import type { CallWorld, ServiceCaller } from './service-caller.ts';
import { ServiceNews } from './service-news.ts';
import type { KeyChange, StageChanges } from './state-changes.ts';

/** An input that waits for an answer: held back, or gone on without one and to be asked again. */
interface Waiting<I> {
  readonly id: number;
  readonly input: I;
  readonly origin: Origin | null;
  /** The watermark when it came: none later may be seen behind it. */
  readonly watermark: EpochMs;
  readonly bytes: number;
  askAgain: boolean;
  /** A checkpoint holds it, so that its end must be told to the next one. */
  persisted: boolean;
}

/** What goes on for an input, and whether it is to be asked again. */
interface Outcome<O> {
  readonly output: O;
  readonly askAgain: boolean;
}

interface Cached<A> {
  readonly answer: Answer<A>;
  readonly at: EpochMs;
}

export interface HttpOperatorSetting {
  readonly world: CallWorld;
  readonly caller: ServiceCaller;
  readonly pressure: Pressure;
  readonly targets: readonly Push[];
  readonly deadLetters: DeadLetterOperator;
  readonly counters: Counters;
  /** The watermark of the sources, now. */
  readonly watermark: () => EpochMs;
  /** Notified when something left, or there is room again. */
  readonly changed: Signal;
  readonly onFailure: (error: unknown) => void;
  readonly signal: AbortSignal;
}

/** How a service is doing. */
export interface ServiceStatus {
  readonly service: string;
  readonly breaker: 'closed' | 'open' | 'half-open';
  /** Requests sent since the start of this run, and those of them that failed. */
  readonly sent: number;
  readonly failures: number;
  readonly latencies: Pick<Latencies, 'counts' | 'sumMs'>;
  readonly held: number;
  readonly toAskAgain: number;
}

/** While the service cannot be asked, what is held is tried again after so long, and twice as long each time. */
const HOLD_FIRST_MS = 200;
const HOLD_LONGEST_MS = 5000;

/** What an input held costs beside its own bytes, measured: 4.1 kB, with the call that waits for its turn. */
const HELD_BYTES = 4000;

/**
 * Runs one HTTP stage: asks a service for each input, without ever blocking another key's.
 *
 * Invariants, also over a restore:
 * - Inputs of one order key leave in the order they came; at most one of them is asked for at a time.
 * - The watermark seen behind this stage never overtakes an input that is held in it.
 * - Each input that came leaves once; one that left without an answer waits, and leaves once more with it.
 * - What is held counts as back-pressure, in bytes; a full store of inputs to be asked again blocks the engine.
 */
export class HttpOperator<I, A, O> {
  readonly id: string;
  readonly #stage: HttpStage<I, A, O>;
  readonly #setting: HttpOperatorSetting;
  readonly #queues = new Map<string, Waiting<I>[]>();
  readonly #held = new Map<number, Waiting<I>>();
  readonly #again = new Map<number, Waiting<I>>();
  readonly #asking = new Map<string, Promise<Answer<A> | CallFailure>>();
  /** How many wait to be asked again, by order key. */
  readonly #againByKey = new Map<string, number>();
  readonly #cache: LRUCache<string, Cached<A>>;
  readonly #scratch = new ByteWriter();
  readonly #news: ServiceNews;
  #touched = new Map<number, Waiting<I>>();
  #nextID = 1;
  #oldest: EpochMs = Number.POSITIVE_INFINITY;
  #isDraining = false;
  #roomForAgain = new Signal();

  constructor(stage: HttpStage<I, A, O>, setting: HttpOperatorSetting) {
    this.id = stage.id;
    this.#stage = stage;
    this.#setting = setting;
    this.#cache = new LRUCache({ max: stage.limits.cacheEntries });
    this.#news = new ServiceNews(stage.service, setting.world);
  }

  get codecVersion(): number {
    return this.#stage.input.version;
  }

  /** Nothing is held, nothing is to be asked again. */
  get isEmpty(): boolean {
    return this.#held.size === 0 && this.#again.size === 0;
  }

  status(): ServiceStatus {
    const { breaker, sent, failures, latencies } = this.#setting.caller;
    const { held, toAskAgain } = this;
    return { service: this.#stage.service, breaker: breaker.state, sent, failures, latencies, held, toAskAgain };
  }

  /** Reading must stop until `changed`. */
  get isFull(): boolean {
    return this.#stage.limits.askAgainCapacity > 0 && this.#again.size >= this.#stage.limits.askAgainCapacity;
  }

  get held(): number {
    return this.#held.size;
  }

  get toAskAgain(): number {
    return this.#again.size;
  }

  /** Whether something of this order key is held, or will leave once more with an answer. */
  isWaiting(orderKey: string): boolean {
    return this.#queues.has(orderKey) || this.#againByKey.has(orderKey);
  }

  /** The watermark as of the oldest input held; infinity when none is. */
  get lowWatermark(): EpochMs {
    return this.#oldest;
  }

  push(input: I): void {
    const key = this.#stage.orderKey(input);
    const queue = this.#queues.get(key);
    if (queue === undefined) {
      const cacheKey = this.#stage.cacheKey(input);
      const cached = cacheKey === null ? null : this.#fresh(cacheKey);
      if (cached !== undefined) {
        this.#emit(this.#stage.complete(input, cached === null ? null : cached.value, false));
        return;
      }
    }
    const { deadLetters, watermark } = this.#setting;
    const waiting = this.#hold(this.#nextID++, input, deadLetters.originCopy(), watermark());
    this.#touched.set(waiting.id, waiting);
    this.#enqueue(key, waiting);
  }

  #enqueue(key: string, waiting: Waiting<I>): void {
    const queue = this.#queues.get(key);
    if (queue !== undefined) {
      queue.push(waiting);
      return;
    }
    this.#queues.set(key, [waiting]);
    this.#work(key).catch(this.#setting.onFailure);
  }

  #hold(id: number, input: I, origin: Origin | null, watermark: EpochMs): Waiting<I> {
    this.#scratch.clear();
    this.#stage.input.encode(input, this.#scratch);
    const bytes = this.#scratch.length + (origin?.payload.length ?? 0) + HELD_BYTES;
    const waiting: Waiting<I> = { id, input, origin, watermark, bytes, askAgain: false, persisted: false };
    this.#held.set(id, waiting);
    if (this.#held.size === 1) this.#oldest = watermark;
    this.#setting.pressure.add(bytes);
    return waiting;
  }

  /** Works off the queue of one key, in order. */
  async #work(key: string): Promise<void> {
    const queue = this.#queues.get(key) ?? [];
    for (let waiting = queue[0]; waiting !== undefined; waiting = queue[0]) {
      const { output, askAgain } = await this.#outcomeOf(waiting);
      while (askAgain && this.isFull && !this.#setting.signal.aborted) await this.#roomForAgain.wait();
      if (this.#setting.signal.aborted) return;
      // From here on without a wait: a checkpoint sees it held, or gone on and waiting to be asked again.
      queue.shift();
      this.#release(waiting);
      this.#emitFor(waiting, output);
      if (askAgain) this.#keepForLater(waiting);
      this.#setting.changed.notify();
    }
    this.#queues.delete(key);
  }

  /** Waits as long as it takes until there is something to hand on. */
  async #outcomeOf({ input }: Waiting<I>): Promise<Outcome<O>> {
    const complete = (answer: A | null, stale: boolean) => ({
      output: this.#stage.complete(input, answer, stale),
      askAgain: false,
    });
    const cacheKey = this.#stage.cacheKey(input);
    if (cacheKey === null) return complete(null, false);
    for (let attempt = 0; ; attempt++) {
      const answer = this.#fresh(cacheKey) ?? (await this.#ask(cacheKey, input));
      if (answer.kind === 'answer') return complete(answer.value, false);
      this.#setting.counters.add(`calls-failed.${this.#stage.service}`);
      const stale = this.#stage.servesStale ? this.#cache.get(cacheKey) : undefined;
      if (stale !== undefined && !stale.answer.negative) return complete(stale.answer.value, true);
      const outcome = this.#stage.fail(input, answer);
      if (outcome.kind !== 'hold') return { output: outcome.output, askAgain: outcome.kind === 'emit-and-ask-again' };
      await this.#pause(attempt);
      if (this.#setting.signal.aborted) return new Promise(() => undefined);
    }
  }

  #fresh(cacheKey: string): Answer<A> | undefined {
    const cached = this.#cache.get(cacheKey);
    if (cached === undefined) return undefined;
    const { cacheTtlMs, negativeTtlMs } = this.#stage.limits;
    const ttl = cached.answer.negative ? negativeTtlMs : cacheTtlMs;
    return this.#setting.world.clock.now() - cached.at < ttl ? cached.answer : undefined;
  }

  /** Asks once for equal inputs, however many wait for the answer. */
  #ask(cacheKey: string, input: I): Promise<Answer<A> | CallFailure> {
    const asked = this.#asking.get(cacheKey);
    if (asked !== undefined) return asked;
    const asking = this.#call(cacheKey, input).finally(() => this.#asking.delete(cacheKey));
    this.#asking.set(cacheKey, asking);
    return asking;
  }

  async #call(cacheKey: string, input: I): Promise<Answer<A> | CallFailure> {
    const response = await this.#setting.caller.call(this.#stage.request(input));
    const answer = 'status' in response && 'body' in response ? this.#stage.respond(input, response) : response;
    if (answer.kind === 'answer') {
      this.#cache.set(cacheKey, { answer, at: this.#setting.world.clock.now() });
      this.#news.answered();
    } else if (!this.#setting.signal.aborted) {
      this.#news.failed(answer);
    }
    return answer;
  }

  #keepForLater(waiting: Waiting<I>): void {
    waiting.askAgain = true;
    this.#again.set(waiting.id, waiting);
    this.#countAgain(waiting.input, 1);
    this.#drain().catch(this.#setting.onFailure);
  }

  /**
   * Asks again for what left without an answer until all of it is answered: oldest first, but what failed goes behind
   * the others, so that one that the service never answers does not keep them waiting.
   */
  async #drain(): Promise<void> {
    if (this.#isDraining) return;
    this.#isDraining = true;
    for (let attempt = 0; this.#again.size > 0; ) {
      await this.#pause(attempt++);
      if (this.#setting.signal.aborted) return;
      const batch = [...this.#again.values()].slice(0, attempt === 1 ? this.#stage.limits.concurrency : 1);
      const answered = await Promise.all(batch.map((waiting) => this.#answerLater(waiting)));
      if (answered.every(Boolean)) attempt = 0;
    }
    this.#isDraining = false;
  }

  async #answerLater(waiting: Waiting<I>): Promise<boolean> {
    const cacheKey = this.#stage.cacheKey(waiting.input) ?? '';
    const answer = this.#fresh(cacheKey) ?? (await this.#ask(cacheKey, waiting.input));
    if (this.#setting.signal.aborted) return false;
    this.#again.delete(waiting.id);
    if (answer.kind !== 'answer') {
      this.#again.set(waiting.id, waiting);
      return false;
    }
    this.#touched.set(waiting.id, waiting);
    this.#emitFor(waiting, this.#stage.complete(waiting.input, answer.value, false));
    this.#countAgain(waiting.input, -1);
    this.#roomForAgain.notify();
    this.#setting.changed.notify();
    return true;
  }

  #countAgain(input: I, more: 1 | -1): void {
    const key = this.#stage.orderKey(input);
    const count = (this.#againByKey.get(key) ?? 0) + more;
    if (count > 0) this.#againByKey.set(key, count);
    else this.#againByKey.delete(key);
  }

  #pause(attempt: number): Promise<void> {
    const { world, caller, signal } = this.#setting;
    const jitter = backoffMs(world.random, attempt, HOLD_FIRST_MS, HOLD_LONGEST_MS);
    return world.sleep(Math.max(caller.breaker.waitMs, jitter), signal);
  }

  #release(waiting: Waiting<I>): void {
    this.#held.delete(waiting.id);
    this.#touched.set(waiting.id, waiting);
    this.#setting.pressure.remove(waiting.bytes);
    const [oldest] = this.#held.values();
    this.#oldest = oldest?.watermark ?? Number.POSITIVE_INFINITY;
  }

  /** Hands on what had waited: the operators behind see the record it came from, as if it came now. */
  #emitFor(waiting: Waiting<I>, output: O): void {
    this.#setting.deadLetters.resume(waiting.origin);
    this.#emit(output);
    this.#setting.deadLetters.end();
  }

  #emit(output: O): void {
    for (const push of this.#setting.targets) push(output);
  }

  /** What came to wait and what left since the last barrier, as changes by id. */
  barrier(): StageChanges {
    const entries = new ByteWriter(1024);
    let count = 0;
    for (const [id, waiting] of this.#touched) {
      const isHere = this.#held.has(id) || this.#again.has(id);
      if (!isHere && !waiting.persisted) continue;
      count++;
      entries.text(String(id));
      entries.byte(isHere ? 1 : 0);
      if (isHere) entries.block(this.#encode(waiting));
      waiting.persisted = isHere;
    }
    this.#touched = new Map();
    return { stage: this.id, codecVersion: this.codecVersion, count, entries: entries.take(0) };
  }

  #encode(waiting: Waiting<I>): Uint8Array {
    const to = this.#scratch;
    to.clear();
    to.byte(waiting.askAgain ? 1 : 0);
    to.text(JSON.stringify({ watermark: Number.isFinite(waiting.watermark) ? waiting.watermark : null }));
    to.text(waiting.origin === null ? '' : JSON.stringify(waiting.origin.meta));
    to.block(waiting.origin?.payload ?? new Uint8Array(0));
    this.#stage.input.encode(waiting.input, to);
    return to.view();
  }

  #decode(state: Uint8Array, codecVersion: number): Pick<Waiting<I>, 'askAgain' | 'watermark' | 'origin' | 'input'> {
    const from = new ByteReader(state);
    const askAgain = from.byte() === 1;
    const { watermark } = JSON.parse(from.text()) as { watermark: number | null };
    const meta = from.text();
    const payload = from.block().slice();
    const origin: Origin | null = meta === '' ? null : { meta: JSON.parse(meta) as Origin['meta'], payload };
    const input = this.#stage.input.decode(from, codecVersion);
    return { askAgain, watermark: watermark ?? Number.NEGATIVE_INFINITY, origin, input };
  }

  /** What a host must know of an input as a barrier wrote it, to keep it by key, and to number several again in order. */
  describe(state: Uint8Array, codecVersion: number): { readonly orderKey: string; readonly watermark: EpochMs } {
    const { input, watermark } = this.#decode(state, codecVersion);
    return { orderKey: this.#stage.orderKey(input), watermark };
  }

  /** What waited as of the checkpoint waits again, in the order of ids; watermarks must not fall in it. */
  restore(states: Iterable<KeyChange>, codecVersion: number, migrated: boolean): void {
    const sorted = [...states].sort((a, b) => Number(a.key) - Number(b.key));
    for (const { key, state } of sorted) {
      if (state === null) continue;
      const { askAgain, watermark, origin, input } = this.#decode(state, codecVersion);
      const waiting = this.#hold(Number(key), input, origin, watermark);
      waiting.persisted = true;
      this.#nextID = Math.max(this.#nextID, waiting.id + 1);
      if (askAgain) {
        waiting.askAgain = true;
        this.#again.set(waiting.id, waiting);
        this.#countAgain(input, 1);
        this.#release(waiting);
        this.#touched.delete(waiting.id);
      }
      if (migrated) this.#touched.set(waiting.id, waiting);
    }
  }

  /** Begins to work on what was restored. */
  start(): void {
    for (const waiting of [...this.#held.values()]) this.#enqueue(this.#stage.orderKey(waiting.input), waiting);
    if (this.#again.size > 0) this.#drain().catch(this.#setting.onFailure);
  }
}
