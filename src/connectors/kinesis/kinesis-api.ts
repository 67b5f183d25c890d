import type { EpochMs } from '../../base/time.ts';

/** What this program asks of Kinesis: AWS, a local one, or a simulated one behind the same few calls. */
export interface KinesisApi {
  /** @throws KinesisFailure `not-found` when there is no such stream */
  describeStream(stream: string): Promise<StreamDescription>;
  /** All shards, closed ones within the retention included. */
  listShards(stream: string): Promise<readonly Shard[]>;
  getShardIterator(stream: string, shardId: string, start: StartingPosition): Promise<string>;
  /** At most `limit` records (10,000) and 10 MiB. */
  getRecords(iterator: string, limit: number): Promise<RecordBatch>;
  /** A consumer of this name, registered if it is not; ready or not yet. */
  registerConsumer(streamARN: string, name: string): Promise<StreamConsumer>;
  /** No error when it is not there. */
  deregisterConsumer(streamARN: string, name: string): Promise<void>;
  /** Events of one subscription, which ends by itself (after 5 minutes), by an error, or when the signal is aborted. */
  subscribeToShard(
    consumerARN: string,
    shardId: string,
    start: StartingPosition,
    signal: AbortSignal,
  ): AsyncIterable<SubscriptionEvent>;
  /** At most 500 entries and 5 MiB. The results are those of the entries, in their order. */
  putRecords(stream: string, entries: readonly PutEntry[]): Promise<readonly PutResult[]>;
  close(): void;
}

export interface StreamDescription {
  readonly arn: string;
  /** A stream that was deleted and made anew has another one. */
  readonly createdAt: EpochMs;
  readonly retentionHours: number;
}

export interface Shard {
  readonly shardId: string;
  /** Those it was split or merged from: none, one or two. They need not be listed any more. */
  readonly parents: readonly string[];
  /** Takes no more records. */
  readonly isClosed: boolean;
}

export type StartingPosition =
  | { readonly type: 'TRIM_HORIZON' }
  | { readonly type: 'AT_TIMESTAMP'; readonly timestamp: EpochMs }
  | {
      readonly type: 'AT_SEQUENCE_NUMBER' | 'AFTER_SEQUENCE_NUMBER';
      readonly sequenceNumber: string;
      /** When that record arrived: where to go on if the stream does not know it any more. */
      readonly arrivedAt?: EpochMs;
    };

export interface KinesisRecord {
  readonly sequenceNumber: string;
  readonly arrivalTime: EpochMs;
  readonly partitionKey: string;
  readonly data: Uint8Array;
}

export interface RecordBatch {
  readonly records: readonly KinesisRecord[];
  /** Null at the end of a shard, when `children` says so, too. */
  readonly nextIterator: string | null;
  readonly millisBehindLatest: number;
  /** The shards that go on from this one; only told at its end. */
  readonly children: readonly ChildShard[];
}

export interface SubscriptionEvent {
  readonly records: readonly KinesisRecord[];
  /** Where the next subscription goes on; null at the end of a shard, when `children` says so, too. */
  readonly continuation: string | null;
  readonly millisBehindLatest: number;
  readonly children: readonly ChildShard[];
}

export interface ChildShard {
  readonly shardId: string;
  readonly parents: readonly string[];
}

export interface StreamConsumer {
  readonly arn: string;
  readonly isActive: boolean;
}

export interface PutEntry {
  readonly partitionKey: string;
  readonly data: Uint8Array;
}

/** `errorCode` is null when the entry was accepted. */
export interface PutResult {
  readonly errorCode: string | null;
  readonly errorMessage: string;
}

/**
 * - `throttled`: too many or too large reads or writes, or another subscription is still open; later it may work.
 * - `unavailable`: no answer, or a failure of the service; later it may work.
 * - `iterator-expired`: get a new one.
 * - `not-found`: there is no such stream, shard or consumer.
 * - `refused`: credentials, permissions or arguments; trying again does not help until someone mends it.
 */
export type KinesisFailureKind = 'throttled' | 'unavailable' | 'iterator-expired' | 'not-found' | 'refused';

export class KinesisFailure extends Error {
  readonly kind: KinesisFailureKind;
  /** The name that the service gave it, such as ProvisionedThroughputExceededException. */
  readonly code: string;

  constructor(kind: KinesisFailureKind, code: string, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
    this.code = code;
  }
}
