import { onAbort } from '../../src/base/abort.ts';
import type { EpochMs } from '../../src/base/time.ts';
import {
  type KinesisApi,
  KinesisFailure,
  type KinesisRecord,
  type PutEntry,
  type PutResult,
  type RecordBatch,
  type Shard,
  type StartingPosition,
  type StreamConsumer,
  type StreamDescription,
  type SubscriptionEvent,
} from '../../src/connectors/kinesis/kinesis-api.ts';
import type { World } from '../../src/runtime/ports.ts';
import {
  checkRequest,
  childShard,
  invalid,
  kplAggregate,
  notFound,
  parseIterator,
  resourceInUse,
  type SimulatedShard,
  SimulatedStream,
} from './simulated-stream.ts';

const ITERATOR_LIFE_MS = 5 * 60_000;
const SUBSCRIPTION_LIFE_MS = 5 * 60_000;
const SUBSCRIPTION_PAUSE_MS = 5000;
const READS_PER_SECOND = 5;
const ANSWER_BYTES = 10 * 1024 * 1024;

export type KinesisCall = Exclude<keyof KinesisApi, 'close'> | 'subscription-event';

/** What goes wrong; each may be set and taken away at any time. */
export interface KinesisFaults {
  /** Makes a call fail before it has any effect. `shardId` is null for calls that are about no shard. */
  fault?: ((call: KinesisCall, shardId: string | null, stream: string) => KinesisFailure | undefined) | undefined;
  /** Makes a call fail after it took effect: the answer was lost on its way. */
  lostAnswer?: ((call: KinesisCall, shardId: string | null, stream: string) => KinesisFailure | undefined) | undefined;
  /** How long a call hangs before anything happens, in ms. */
  delayMs?: ((call: KinesisCall, shardId: string | null, stream: string) => number) | undefined;
  /** The error code of an entry that is not accepted while others of the same request are. */
  rejectEntry?: ((entry: PutEntry, stream: string) => string | undefined) | undefined;
  /** A read of this shard says that there is nothing more, without children: a lie. */
  falseEnd?: ((shardId: string) => boolean) | undefined;
  /** A read of this shard returns nothing although it is behind, as the service may. */
  emptyRead?: ((shardId: string) => boolean) | undefined;
}

interface Consumer {
  readonly arn: string;
  readonly stream: SimulatedStream;
  readonly activeAt: EpochMs;
  /** The last subscription to each shard that was accepted. */
  readonly subscriptions: Map<string, Subscription>;
}

interface Subscription {
  readonly startedAt: EpochMs;
  wake(): void;
}

/**
 * Kinesis in memory, with its promises and limits and no more, and faults on demand. Time is that of `time`: give a
 * `VirtualTime` as `{ clock: time.clock, sleep: (ms, signal) => time.after(ms, signal) }`, and its waits are not among those
 * that the program under test asked for (`slept`).
 */
export class SimulatedKinesis implements KinesisApi {
  faults: KinesisFaults = {};
  /** Reads beyond 5 a second from one shard fail; they are in `violations` in either case. */
  enforcesReadLimit = true;
  /** Subscriptions tell the end of a shard. The local Kinesis never does: it goes on with empty events. */
  signalsShardEnd = true;
  /** After registration; until then a consumer cannot be subscribed with. */
  consumerActiveAfterMs = 1000;
  heartbeatMs = 5000;
  /** Records in one event of a subscription. */
  eventRecords = 1000;
  /** Every call so far, those that failed included. */
  readonly calls: { readonly call: KinesisCall; readonly shardId: string | null; readonly at: EpochMs }[] = [];
  /** Calls beyond the limit of 5 a second and shard. A reader that keeps to it leaves this empty. */
  readonly violations: { readonly call: KinesisCall; readonly shardId: string; readonly at: EpochMs }[] = [];
  readonly #time: Pick<World, 'clock' | 'sleep'>;
  readonly #streams = new Map<string, SimulatedStream>();
  readonly #consumers = new Map<string, Consumer>();
  readonly #recent = new Map<string, EpochMs[]>();
  readonly #closing = new AbortController();

  constructor(time: Pick<World, 'clock' | 'sleep'>) {
    this.#time = time;
  }

  // What a test does to the streams.

  createStream(name: string, shards = 1, retentionHours = 24): void {
    this.#streams.set(name, new SimulatedStream(name, this.#now, shards, retentionHours));
  }

  deleteStream(name: string): void {
    this.#streams.delete(name);
  }

  /** Bytes of any kind; text as UTF-8. */
  put(stream: string, partitionKey: string, data: Uint8Array | string, arrivalTime = this.#now) {
    return this.#stream(stream).put(partitionKey, typeof data === 'string' ? Buffer.from(data) : data, arrivalTime);
  }

  /** Many user records in one record, under the first one's partition key, as the KPL puts them. */
  putAggregate(stream: string, userRecords: readonly PutEntry[]) {
    return this.put(stream, userRecords[0]?.partitionKey ?? 'none', kplAggregate(userRecords));
  }

  /** The ids of the two halves. */
  split(stream: string, shardId: string): readonly string[] {
    const children = this.#stream(stream).split(shardId, this.#now);
    return children.map((child) => child.shardId);
  }

  merge(stream: string, shardId: string, otherID: string): string {
    return this.#stream(stream).merge(shardId, otherID, this.#now).shardId;
  }

  /** Removes records that arrived, and shards that were closed, before: as of now, before the retention. */
  trim(stream: string, before: EpochMs = this.#stream(stream).trimHorizon(this.#now)): void {
    this.#stream(stream).trim(before);
  }

  /** All records of a stream that are there, in the order in which they arrived. */
  arrived(stream: string): readonly KinesisRecord[] {
    const records = this.#stream(stream).shards.flatMap((shard) => shard.records);
    return records.sort((a, b) => (a.sequence < b.sequence ? -1 : 1));
  }

  // What a program calls.

  async describeStream(name: string): Promise<StreamDescription> {
    return this.#call('describeStream', null, name, () => {
      const { arn, createdAt, retentionHours } = this.#stream(name);
      return { arn, createdAt, retentionHours };
    });
  }

  async listShards(name: string): Promise<readonly Shard[]> {
    return this.#call('listShards', null, name, () =>
      this.#stream(name).shards.map((shard) => ({ ...childShard(shard), isClosed: shard.closedAt !== undefined })),
    );
  }

  async getShardIterator(name: string, shardId: string, start: StartingPosition): Promise<string> {
    return this.#call('getShardIterator', shardId, name, () => {
      const stream = this.#stream(name);
      const shard = stream.shard(shardId);
      this.#countCall('getShardIterator', shard, name);
      return this.#iterator(name, shardId, stream.position(shard, start, this.#now));
    });
  }

  async getRecords(iterator: string, limit: number): Promise<RecordBatch> {
    const { name, shardId, from, issuedAt } = parseIterator(iterator);
    return this.#call('getRecords', shardId, name, () => {
      if (!Number.isInteger(limit) || limit < 1 || limit > 10_000) throw invalid(`limit ${limit} is not in 1..10000`);
      const shard = this.#stream(name).shard(shardId);
      if (this.#now - issuedAt > ITERATOR_LIFE_MS) {
        throw new KinesisFailure('iterator-expired', 'ExpiredIteratorException', 'Iterator expired after 5 minutes');
      }
      this.#countCall('getRecords', shard, name);
      const { next, ...answer } = this.#read(shard, from, limit, true);
      return { ...answer, nextIterator: next === null ? null : this.#iterator(name, shardId, next) };
    });
  }

  async registerConsumer(streamARN: string, consumerName: string): Promise<StreamConsumer> {
    const stream = this.#streamOf(streamARN);
    return this.#call('registerConsumer', null, stream.name, () => {
      const arn = `${streamARN}/consumer/${consumerName}`;
      const activeAt = this.#now + this.consumerActiveAfterMs;
      const consumer = this.#consumers.get(arn) ?? { arn, stream, activeAt, subscriptions: new Map() };
      this.#consumers.set(arn, consumer);
      return { arn, isActive: this.#now >= consumer.activeAt };
    });
  }

  async deregisterConsumer(streamARN: string, consumerName: string): Promise<void> {
    return this.#call('deregisterConsumer', null, this.#streamOf(streamARN).name, () => {
      const consumer = this.#consumers.get(`${streamARN}/consumer/${consumerName}`);
      if (consumer === undefined) return;
      this.#consumers.delete(consumer.arn);
      for (const subscription of consumer.subscriptions.values()) subscription.wake();
    });
  }

  async *subscribeToShard(
    consumerARN: string,
    shardId: string,
    start: StartingPosition,
    signal: AbortSignal,
  ): AsyncGenerator<SubscriptionEvent> {
    if (signal.aborted) return;
    const consumer = this.#consumer(consumerARN);
    const { stream } = consumer;
    let wake = () => {};
    const subscription: Subscription = { startedAt: this.#now, wake: () => wake() };
    const shard = stream.shard(shardId);
    let from = await this.#call('subscribeToShard', shardId, stream.name, () => {
      const position = stream.position(shard, start, this.#now);
      this.#admit(consumer, shard, subscription);
      return position;
    });
    const endsAt = this.#now + SUBSCRIPTION_LIFE_MS;
    let heartbeatAt = this.#now;
    const stopListening = [onAbort(signal, subscription.wake), onAbort(this.#closing.signal, subscription.wake)];
    shard.watchers.add(subscription.wake);
    try {
      while (!signal.aborted && !this.#closing.signal.aborted && this.#now < endsAt) {
        this.#consumer(consumerARN);
        if (consumer.subscriptions.get(shardId) !== subscription) throw resourceInUse('Another subscription took over');
        const failure = this.faults.fault?.('subscription-event', shardId, stream.name);
        if (failure !== undefined) throw failure;
        const { next, ...event } = this.#read(shard, from, this.eventRecords, this.signalsShardEnd);
        if (event.records.length > 0 || next === null || this.#now >= heartbeatAt) {
          heartbeatAt = this.#now + this.heartbeatMs;
          yield { ...event, continuation: next === null ? null : String(next - 1n) };
          if (next === null) return;
          from = next;
        } else {
          const waiting = new AbortController();
          wake = () => waiting.abort();
          await this.#time.sleep(Math.min(heartbeatAt, endsAt) - this.#now, waiting.signal);
        }
      }
    } finally {
      shard.watchers.delete(subscription.wake);
      for (const stop of stopListening) stop();
    }
  }

  async putRecords(name: string, entries: readonly PutEntry[]): Promise<readonly PutResult[]> {
    return this.#call('putRecords', null, name, () => {
      const stream = this.#stream(name);
      checkRequest(entries);
      return entries.map((entry) => {
        const errorCode = this.faults.rejectEntry?.(entry, name) ?? null;
        if (errorCode === null) stream.put(entry.partitionKey, entry.data, this.#now);
        return { errorCode, errorMessage: errorCode === null ? '' : `simulated ${errorCode}` };
      });
    });
  }

  /** Ends what hangs, and all subscriptions; later calls fail. */
  close(): void {
    this.#closing.abort();
  }

  get #now(): EpochMs {
    return this.#time.clock.now();
  }

  async #call<T>(call: KinesisCall, shardId: string | null, stream: string, act: () => T): Promise<T> {
    this.calls.push({ call, shardId, at: this.#now });
    const delay = this.faults.delayMs?.(call, shardId, stream) ?? 0;
    if (delay > 0) await this.#time.sleep(delay, this.#closing.signal);
    if (this.#closing.signal.aborted) throw new KinesisFailure('unavailable', 'Closed', 'the client was closed');
    const failure = this.faults.fault?.(call, shardId, stream);
    if (failure !== undefined) throw failure;
    const answer = act();
    const lost = this.faults.lostAnswer?.(call, shardId, stream);
    if (lost !== undefined) throw lost;
    return answer;
  }

  #countCall(call: KinesisCall, { shardId }: SimulatedShard, stream: string): void {
    const key = `${call} ${stream} ${shardId}`;
    const recent = (this.#recent.get(key) ?? []).filter((at) => at > this.#now - 1000);
    this.#recent.set(key, recent);
    if (recent.length >= READS_PER_SECOND) {
      this.violations.push({ call, shardId, at: this.#now });
      const message = `Rate exceeded for shard ${shardId} in stream ${stream}`;
      if (this.enforcesReadLimit) {
        throw new KinesisFailure('throttled', 'ProvisionedThroughputExceededException', message);
      }
    }
    recent.push(this.#now);
  }

  #read(shard: SimulatedShard, from: bigint, limit: number, tellsEnd: boolean) {
    const first = shard.indexOf(from);
    let last = this.faults.emptyRead?.(shard.shardId) ? first : Math.min(first + limit, shard.records.length);
    for (let index = first, bytes = 0; index < last; index++) {
      bytes += shard.records[index]?.data.length ?? 0;
      if (bytes > ANSWER_BYTES) last = index;
    }
    const records = shard.records.slice(first, last);
    const remaining = shard.records[last];
    const isAtEnd = tellsEnd && remaining === undefined && shard.children.length > 0;
    const isFalseEnd = !isAtEnd && this.faults.falseEnd?.(shard.shardId) === true;
    const newest = records.at(-1);
    return {
      records,
      next: isAtEnd || isFalseEnd ? null : newest === undefined ? from : newest.sequence + 1n,
      millisBehindLatest: remaining === undefined ? 0 : Math.max(1, this.#now - remaining.arrivalTime),
      children: isAtEnd ? shard.children.map(childShard) : [],
    };
  }

  #iterator(stream: string, shardId: string, from: bigint): string {
    return `${stream} ${shardId} ${from} ${this.#now}`;
  }

  #stream(name: string): SimulatedStream {
    const stream = this.#streams.get(name);
    if (stream !== undefined) return stream;
    throw notFound(`Stream ${name} under account 000000000000 not found`);
  }

  #streamOf(arn: string): SimulatedStream {
    for (const stream of this.#streams.values()) if (stream.arn === arn) return stream;
    throw notFound(`Stream ${arn} not found`);
  }

  #consumer(arn: string): Consumer {
    const consumer = this.#consumers.get(arn);
    if (consumer !== undefined) return consumer;
    throw notFound(`Consumer ${arn} not found`);
  }

  /** A subscription is refused within 5 seconds of the last one; after that it takes over. */
  #admit(consumer: Consumer, shard: SimulatedShard, subscription: Subscription): void {
    if (this.#now < consumer.activeAt) throw resourceInUse('The consumer is not ACTIVE yet');
    const last = consumer.subscriptions.get(shard.shardId);
    if (last !== undefined && this.#now - last.startedAt < SUBSCRIPTION_PAUSE_MS) {
      throw resourceInUse('Another active subscription exists for this consumer and shard');
    }
    consumer.subscriptions.set(shard.shardId, subscription);
    last?.wake();
  }
}
