import { backoffMs } from '../../base/backoff.ts';
import { messageOf } from '../../base/errors.ts';
import type { World } from '../../runtime/ports.ts';
import {
  type ChildShard,
  type KinesisApi,
  KinesisFailure,
  type KinesisRecord,
  type StartingPosition,
} from './kinesis-api.ts';
import type { ReadBudget } from './read-budget.ts';

/** What one read of a shard gave. */
export interface ShardBatch {
  readonly records: readonly KinesisRecord[];
  /** Held in the budget until it is given back. */
  readonly bytes: number;
  readonly millisBehindLatest: number;
  /** The shards that go on from this one, once all of it was read; undefined before. */
  readonly end: readonly ChildShard[] | undefined;
}

/** Reads one shard from a position on: by polling, or by subscription. */
export interface ShardReader {
  /**
   * The next batch, perhaps without records. Failures that may pass are waited for and told; it goes on after the last
   * record it gave. Undefined once the signal is aborted.
   */
  read(): Promise<ShardBatch | undefined>;
}

export interface ShardReaderSetting {
  readonly api: KinesisApi;
  readonly world: Pick<World, 'clock' | 'sleep' | 'random' | 'warn'>;
  readonly stream: string;
  readonly shardId: string;
  readonly budget: ReadBudget;
  /** A read failed: what the reader last knew of the stream's tip does not hold any more. */
  readonly onFailure: () => void;
  /** Whether the stream says that this shard is closed, as of now; true also for one that is gone. */
  readonly isClosed: () => Promise<boolean>;
  readonly signal: AbortSignal;
}

const BACKOFF_FIRST_MS = 250;
const BACKOFF_LONGEST_MS = 10_000;

/** Failures in a row of one shard: waits longer after each, with full jitter, and tells of it once. */
export class Outage {
  readonly #setting: ShardReaderSetting;
  #failures = 0;
  #isTold = false;

  constructor(setting: ShardReaderSetting) {
    this.#setting = setting;
  }

  /** Waits after a failure. A throttled read is no news, unless it lasts. */
  async pause(error: unknown): Promise<void> {
    const { world, stream, shardId, signal, onFailure } = this.#setting;
    if (signal.aborted) return;
    onFailure();
    this.#failures++;
    const isThrottled = error instanceof KinesisFailure && error.kind === 'throttled';
    if (!this.#isTold && (!isThrottled || this.#failures > 10)) {
      this.#isTold = true;
      const code = error instanceof KinesisFailure ? ` [${error.code}]` : '';
      world.warn(`Cannot read ${stream}/${shardId}: ${messageOf(error)}${code}. Trying again; other shards go on.`);
    }
    const jitter = backoffMs(world.random, this.#failures, BACKOFF_FIRST_MS, BACKOFF_LONGEST_MS);
    await world.sleep(BACKOFF_FIRST_MS + jitter, signal);
  }

  over(): void {
    const { world, stream, shardId } = this.#setting;
    if (this.#isTold) world.warn(`Reading ${stream}/${shardId} again.`);
    this.#failures = 0;
    this.#isTold = false;
  }
}

/** The shard is not there any more. */
export function tellLost({ world, stream, shardId }: Pick<ShardReaderSetting, 'world' | 'stream' | 'shardId'>): void {
  world.warn(
    `${stream}/${shardId} is beyond the retention of its stream; what was not read of it by then is lost. Keep the program running, or raise the retention.`,
  );
}

export function bytesOf(records: readonly KinesisRecord[]): number {
  let bytes = 0;
  for (const { data } of records) bytes += data.length + RECORD_BYTES;
  return bytes;
}

/** What a record costs beside its data. */
const RECORD_BYTES = 300;

/** After the last record of a batch, or where it was when there is none. */
export function positionAfter(records: readonly KinesisRecord[], before: StartingPosition): StartingPosition {
  const last = records.at(-1);
  return last === undefined ? before : afterRecord(last);
}

/** Whether a record belongs to what is to be read from a position on, where that names a record. */
export function belongsTo(start: StartingPosition): (record: { readonly sequenceNumber: string }) => boolean {
  if (!('sequenceNumber' in start)) return () => true;
  const named = BigInt(start.sequenceNumber);
  if (start.type === 'AT_SEQUENCE_NUMBER') return ({ sequenceNumber }) => BigInt(sequenceNumber) >= named;
  return ({ sequenceNumber }) => BigInt(sequenceNumber) > named;
}

/** @param doing what follows from it */
export function tellForgotten(
  { world, stream, shardId }: Pick<ShardReaderSetting, 'world' | 'stream' | 'shardId'>,
  sequenceNumber: string,
  doing: string,
): void {
  world.warn(
    `${stream}/${shardId} does not know the record ${sequenceNumber} any more, which was read last: the stream lost what it took then. ${doing}`,
  );
}

export function afterRecord({ sequenceNumber, arrivalTime }: KinesisRecord): StartingPosition {
  return { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber, arrivedAt: arrivalTime };
}
