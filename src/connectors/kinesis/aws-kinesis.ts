import {
  type ChildShard as AwsChildShard,
  type _Record as AwsRecord,
  DeregisterStreamConsumerCommand,
  DescribeStreamConsumerCommand,
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type KinesisClient,
  ListShardsCommand,
  PutRecordsCommand,
  RegisterStreamConsumerCommand,
  SubscribeToShardCommand,
  type SubscribeToShardEvent,
} from '@aws-sdk/client-kinesis';
import { onAbort } from '../../base/abort.ts';
import { kinesisClients } from './aws-clients.ts';
import { failureOf, incomplete } from './aws-failures.ts';
import {
  type ChildShard,
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
} from './kinesis-api.ts';

interface AwsKinesisOptions {
  readonly region: string;
  /** Of a local Kinesis, such as `http://127.0.0.1:4568`; '' is the region's. */
  readonly endpoint: string;
  readonly timeouts?: Partial<Timeouts>;
}

interface Timeouts {
  /** From the call to the last byte of its answer: 10 MiB over a slow line must fit. */
  readonly callMs: number;
  /** Between two events of a subscription. Kinesis sends one at least every 5 s, also without records. */
  readonly silenceMs: number;
}

const TIMEOUTS: Timeouts = { callMs: 30_000, silenceMs: 35_000 };

/** Kinesis of AWS, or a local one. Nothing is tried twice here: what to do about a failure is up to the caller. */
export function awsKinesis({ region, endpoint, timeouts }: AwsKinesisOptions): KinesisApi {
  const { calls, subscriptions } = kinesisClients(region, endpoint);
  return new AwsKinesis(calls, subscriptions, { ...TIMEOUTS, ...timeouts });
}

class AwsKinesis implements KinesisApi {
  readonly #calls: KinesisClient;
  readonly #subscriptions: KinesisClient;
  readonly #timeouts: Timeouts;
  /** Of calls and subscriptions under way. */
  readonly #open = new Set<AbortController>();
  #isClosed = false;

  constructor(calls: KinesisClient, subscriptions: KinesisClient, timeouts: Timeouts) {
    this.#calls = calls;
    this.#subscriptions = subscriptions;
    this.#timeouts = timeouts;
  }

  async describeStream(stream: string): Promise<StreamDescription> {
    const operation = `DescribeStreamSummary of ${stream}`;
    const { StreamDescriptionSummary: summary } = await this.#call(operation, (options) =>
      this.#calls.send(new DescribeStreamSummaryCommand({ StreamName: stream }), options),
    );
    return {
      arn: told(summary?.StreamARN, operation, 'StreamARN'),
      createdAt: told(summary?.StreamCreationTimestamp, operation, 'StreamCreationTimestamp').getTime(),
      retentionHours: told(summary?.RetentionPeriodHours, operation, 'RetentionPeriodHours'),
    };
  }

  async listShards(stream: string): Promise<readonly Shard[]> {
    const operation = `ListShards of ${stream}`;
    const shards: Shard[] = [];
    let page: string | undefined;
    do {
      // A token stands for the stream: both together are refused.
      const input = page === undefined ? { StreamName: stream } : { NextToken: page };
      const answer = await this.#call(operation, (options) => this.#calls.send(new ListShardsCommand(input), options));
      for (const shard of told(answer.Shards, operation, 'Shards')) {
        shards.push({
          shardId: told(shard.ShardId, operation, 'ShardId'),
          parents: [shard.ParentShardId, shard.AdjacentParentShardId].filter(isNamed),
          isClosed: isNamed(shard.SequenceNumberRange?.EndingSequenceNumber),
        });
      }
      page = answer.NextToken;
    } while (isNamed(page));
    return shards;
  }

  async getShardIterator(stream: string, shardId: string, start: StartingPosition): Promise<string> {
    const { Type, ...position } = startingPosition(start);
    const operation = `GetShardIterator of ${stream}, ${shardId}`;
    const { ShardIterator } = await this.#call(operation, (options) =>
      this.#calls.send(
        new GetShardIteratorCommand({
          StreamName: stream,
          ShardId: shardId,
          ShardIteratorType: Type,
          StartingSequenceNumber: position.SequenceNumber,
          Timestamp: position.Timestamp,
        }),
        options,
      ),
    );
    return told(ShardIterator, operation, 'ShardIterator');
  }

  async getRecords(iterator: string, limit: number): Promise<RecordBatch> {
    const answer = await this.#call('GetRecords', (options) =>
      this.#calls.send(new GetRecordsCommand({ ShardIterator: iterator, Limit: limit }), options),
    );
    return {
      records: (answer.Records ?? []).map(record),
      nextIterator: answer.NextShardIterator || null,
      millisBehindLatest: answer.MillisBehindLatest ?? 0,
      children: (answer.ChildShards ?? []).map(childShard),
    };
  }

  async registerConsumer(streamARN: string, name: string): Promise<StreamConsumer> {
    try {
      const operation = `RegisterStreamConsumer ${name} of ${streamARN}`;
      const { Consumer } = await this.#call(operation, (options) =>
        this.#calls.send(new RegisterStreamConsumerCommand({ StreamARN: streamARN, ConsumerName: name }), options),
      );
      return consumer(Consumer, operation);
    } catch (failure) {
      if (!(failure instanceof KinesisFailure) || failure.code !== 'ResourceInUseException') throw failure;
      return (await this.#describeConsumer(streamARN, name)) ?? Promise.reject(failure);
    }
  }

  /** Undefined when there is none: then it was the stream that was in use, or the consumer has just gone. */
  async #describeConsumer(streamARN: string, name: string): Promise<StreamConsumer | undefined> {
    const operation = `DescribeStreamConsumer ${name} of ${streamARN}`;
    try {
      const { ConsumerDescription } = await this.#call(operation, (options) =>
        this.#calls.send(new DescribeStreamConsumerCommand({ StreamARN: streamARN, ConsumerName: name }), options),
      );
      return consumer(ConsumerDescription, operation);
    } catch (failure) {
      if (failure instanceof KinesisFailure && failure.kind === 'not-found') return undefined;
      throw failure;
    }
  }

  async deregisterConsumer(streamARN: string, name: string): Promise<void> {
    try {
      await this.#call(`DeregisterStreamConsumer ${name} of ${streamARN}`, (options) =>
        this.#calls.send(new DeregisterStreamConsumerCommand({ StreamARN: streamARN, ConsumerName: name }), options),
      );
    } catch (failure) {
      if (!(failure instanceof KinesisFailure) || failure.kind !== 'not-found') throw failure;
    }
  }

  /** Over HTTP/2 a lost connection may look like an end by the server: only an event tells the end of a shard. */
  async *subscribeToShard(
    consumerARN: string,
    shardId: string,
    start: StartingPosition,
    signal: AbortSignal,
  ): AsyncGenerator<SubscriptionEvent, void, undefined> {
    if (signal.aborted) return;
    const operation = `SubscribeToShard ${shardId} of ${consumerARN}`;
    const { silenceMs } = this.#timeouts;
    const abort = this.#begun(operation);
    const takeBack = onAbort(signal, () => abort.abort());
    try {
      const command = new SubscribeToShardCommand({
        ConsumerARN: consumerARN,
        ShardId: shardId,
        StartingPosition: startingPosition(start),
      });
      const sent = this.#subscriptions.send(command, { abortSignal: abort.signal });
      const { EventStream } = await within(silenceMs, operation, abort, sent);
      const events = told(EventStream, operation, 'EventStream')[Symbol.asyncIterator]();
      for (;;) {
        const { done, value } = await within(silenceMs, operation, abort, events.next());
        if (done) return;
        if (value.SubscribeToShardEvent !== undefined) yield subscriptionEvent(value.SubscribeToShardEvent);
      }
    } catch (error) {
      if (!signal.aborted) throw failureOf(error, operation);
    } finally {
      takeBack();
      this.#open.delete(abort);
      // The SDK leaves the socket open when its events are not read to the end.
      abort.abort();
    }
  }

  async putRecords(stream: string, entries: readonly PutEntry[]): Promise<readonly PutResult[]> {
    const operation = `PutRecords to ${stream}`;
    const { Records } = await this.#call(operation, (options) =>
      this.#calls.send(
        new PutRecordsCommand({
          StreamName: stream,
          Records: entries.map(({ partitionKey, data }) => ({ PartitionKey: partitionKey, Data: data })),
        }),
        options,
      ),
    );
    if (Records?.length !== entries.length) {
      throw incomplete(operation, `${entries.length} results, got ${Records?.length ?? 'none'}`);
    }
    return Records.map(({ ErrorCode, ErrorMessage }) => ({
      errorCode: ErrorCode ?? null,
      errorMessage: ErrorMessage ?? '',
    }));
  }

  /** Calls and subscriptions under way end with a failure, and so do later ones. */
  close(): void {
    this.#isClosed = true;
    for (const abort of this.#open) abort.abort(closed('what was under way'));
    this.#calls.destroy();
    this.#subscriptions.destroy();
  }

  #begun(operation: string): AbortController {
    if (this.#isClosed) throw closed(operation);
    const abort = new AbortController();
    this.#open.add(abort);
    return abort;
  }

  async #call<Answer>(
    operation: string,
    send: (options: { abortSignal: AbortSignal }) => Promise<Answer>,
  ): Promise<Answer> {
    const abort = this.#begun(operation);
    try {
      return await within(this.#timeouts.callMs, operation, abort, send({ abortSignal: abort.signal }));
    } catch (error) {
      throw failureOf(error, operation);
    } finally {
      this.#open.delete(abort);
    }
  }
}

function closed(operation: string): KinesisFailure {
  return new KinesisFailure(
    'unavailable',
    'Closed',
    `${operation}: this program has closed its connections to Kinesis`,
  );
}

/** The answer, or the reason of the abort; not to be there in time is one. What was waited for is given up then. */
function within<Answer>(ms: number, operation: string, abort: AbortController, step: Promise<Answer>): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const late = () => {
      const message = `${operation}: nothing came within ${ms} ms`;
      abort.abort(new KinesisFailure('unavailable', 'TimeoutError', message));
    };
    const timer = setTimeout(late, ms);
    const takeBack = onAbort(abort.signal, () => settle(() => reject(abort.signal.reason)));
    const settle = (tell: () => void) => {
      clearTimeout(timer);
      takeBack();
      tell();
    };
    step.then(
      (answer) => settle(() => resolve(answer)),
      (error) => settle(() => reject(error)),
    );
    if (abort.signal.aborted) settle(() => reject(abort.signal.reason));
  });
}

function startingPosition(start: StartingPosition) {
  if (start.type === 'TRIM_HORIZON') return { Type: start.type };
  if (start.type === 'AT_TIMESTAMP') return { Type: start.type, Timestamp: new Date(start.timestamp) };
  return { Type: start.type, SequenceNumber: start.sequenceNumber };
}

function record({ SequenceNumber, ApproximateArrivalTimestamp, PartitionKey, Data }: AwsRecord): KinesisRecord {
  return {
    sequenceNumber: told(SequenceNumber, 'a record', 'SequenceNumber'),
    arrivalTime: told(ApproximateArrivalTimestamp, 'a record', 'ApproximateArrivalTimestamp').getTime(),
    partitionKey: told(PartitionKey, 'a record', 'PartitionKey'),
    data: told(Data, 'a record', 'Data'),
  };
}

function childShard({ ShardId, ParentShards }: AwsChildShard): ChildShard {
  return { shardId: told(ShardId, 'a child shard', 'ShardId'), parents: ParentShards ?? [] };
}

function subscriptionEvent(event: SubscribeToShardEvent): SubscriptionEvent {
  return {
    records: (event.Records ?? []).map(record),
    continuation: event.ContinuationSequenceNumber || null,
    millisBehindLatest: event.MillisBehindLatest ?? 0,
    children: (event.ChildShards ?? []).map(childShard),
  };
}

function consumer(
  described: { ConsumerARN?: string | undefined; ConsumerStatus?: string | undefined } | undefined,
  operation: string,
): StreamConsumer {
  return {
    arn: told(described?.ConsumerARN, operation, 'ConsumerARN'),
    isActive: described?.ConsumerStatus === 'ACTIVE',
  };
}

const isNamed = (value: string | undefined): value is string => value !== undefined && value !== '';

/** What an answer must tell, although the SDK's types allow for its absence. */
function told<Value>(value: Value | undefined, where: string, name: string): Value {
  if (value === undefined || value === null) throw incomplete(where, name);
  return value;
}
