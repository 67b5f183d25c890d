import { onAbort } from '../../base/abort.ts';
import { KinesisFailure, type KinesisRecord, type StartingPosition, type SubscriptionEvent } from './kinesis-api.ts';
import { PollingReader } from './polling-reader.ts';
import {
  belongsTo,
  bytesOf,
  Outage,
  positionAfter,
  type ShardBatch,
  type ShardReader,
  type ShardReaderSetting,
  tellForgotten,
} from './shard-reader.ts';

/** A live subscription sends an event, with or without records, every few seconds. */
const SILENCE_MS = 60_000;
/** Kinesis takes no second subscription to a shard so soon. */
const SHORTEST_SUBSCRIPTION_MS = 5000;

/**
 * Reads a shard with SubscribeToShard: events are pushed as records arrive, on a subscription that lasts 5 minutes and is
 * then renewed after the last record that came.
 *
 * Invariant: at the end of a closed shard the reader ends, also where a subscription does not tell of it (a local
 * Kinesis does not): once the stream lists the shard as closed, and nothing comes any more, the rest is polled.
 */
export class SubscriptionReader implements ShardReader {
  readonly #setting: ShardReaderSetting;
  readonly #consumerARN: string;
  /** What the last listing says: cheap, and perhaps late. */
  readonly #isListedClosed: () => boolean;
  readonly #outage: Outage;
  #position: StartingPosition;
  #events: AsyncIterator<SubscriptionEvent> | undefined;
  #endSubscription = () => {};
  #subscribedAt = 0;
  #poll: PollingReader | undefined;
  #isForgotten = false;

  constructor(
    setting: ShardReaderSetting,
    start: StartingPosition,
    consumerARN: string,
    isListedClosed: () => boolean,
  ) {
    this.#setting = setting;
    this.#position = start;
    this.#consumerARN = consumerARN;
    this.#isListedClosed = isListedClosed;
    this.#outage = new Outage(setting);
  }

  async read(): Promise<ShardBatch | undefined> {
    const { signal } = this.#setting;
    while (this.#poll === undefined) {
      if (signal.aborted) return undefined;
      try {
        const event = await this.#nextEvent();
        if (event === undefined) continue;
        this.#outage.over();
        const batch = await this.#take(event);
        if (batch !== undefined) return batch;
      } catch (error) {
        this.#unsubscribe();
        const isGone = error instanceof KinesisFailure && error.kind === 'not-found' && this.#isListedClosed();
        if (isGone) this.#pollTheRest();
        else await this.#outage.pause(error);
      }
    }
    return this.#poll.read();
  }

  /** Undefined when the subscription ended, as each does. */
  async #nextEvent(): Promise<SubscriptionEvent | undefined> {
    const { api, shardId, world, signal } = this.#setting;
    if (this.#events === undefined) {
      const subscription = new AbortController();
      // Not AbortSignal.any: on Node 20 each one that was listened to stays in memory.
      const takeBack = onAbort(signal, () => subscription.abort());
      this.#endSubscription = () => {
        takeBack();
        subscription.abort();
      };
      this.#subscribedAt = world.clock.now();
      const events = api.subscribeToShard(this.#consumerARN, shardId, this.#position, subscription.signal);
      this.#events = events[Symbol.asyncIterator]();
    }
    const heard = new AbortController();
    const silence = world.sleep(SILENCE_MS, heard.signal).then(() => 'silence' as const);
    const next = this.#events.next();
    const result = await Promise.race([next, silence]).finally(() => heard.abort());
    if (result === 'silence') {
      next.catch(() => undefined);
      throw new KinesisFailure('unavailable', 'Silence', `no event within ${SILENCE_MS / 1000} s`);
    }
    if (result.done !== true) return result.value;
    const lastedMs = world.clock.now() - this.#subscribedAt;
    if (lastedMs < SHORTEST_SUBSCRIPTION_MS) {
      throw new KinesisFailure('unavailable', 'EndedEarly', `the subscription ended after ${lastedMs} ms`);
    }
    this.#unsubscribe();
    return undefined;
  }

  /** Undefined when there is nothing to hand on, and the rest is to be polled. */
  async #take(event: SubscriptionEvent): Promise<ShardBatch | undefined> {
    const { millisBehindLatest, continuation, children } = event;
    const records = this.#belonging(event.records);
    this.#position = positionAfter(records, this.#position);
    const isEnd = continuation === null && children.length > 0;
    if (continuation === null) this.#unsubscribe(); // without children a fault: it goes on with a new one
    if (records.length === 0 && !isEnd && this.#isListedClosed()) {
      this.#pollTheRest();
      return undefined;
    }
    const bytes = bytesOf(records);
    await this.#setting.budget.add(bytes);
    return { records, millisBehindLatest, bytes, end: isEnd ? children : undefined };
  }

  /**
   * A local Kinesis that was killed forgets what it took last, and gives all of the shard to who subscribes after a record that it
   * does not know: what was read is left out. Records come in order, so a look at the first one tells.
   */
  #belonging(records: readonly KinesisRecord[]): readonly KinesisRecord[] {
    const [first] = records;
    const belongs = belongsTo(this.#position);
    if (first === undefined || belongs(first)) return records;
    if (!this.#isForgotten && 'sequenceNumber' in this.#position) {
      this.#isForgotten = true;
      tellForgotten(this.#setting, this.#position.sequenceNumber, 'Leaving out what was read before.');
    }
    return records.filter(belongs);
  }

  #pollTheRest(): void {
    this.#unsubscribe();
    this.#poll = new PollingReader(this.#setting, this.#position);
  }

  #unsubscribe(): void {
    this.#events = undefined;
    this.#endSubscription();
  }
}
