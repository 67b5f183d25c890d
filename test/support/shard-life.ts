import { KinesisFailure, type KinesisRecord, type StartingPosition } from '../../src/connectors/kinesis/kinesis-api.ts';
import { ReadBudget } from '../../src/connectors/kinesis/read-budget.ts';
import type { ShardBatch, ShardReader, ShardReaderSetting } from '../../src/connectors/kinesis/shard-reader.ts';
import { SimulatedKinesis } from './simulated-kinesis.ts';
import { VirtualTime } from './virtual-time.ts';

export const STREAM = 'jobs';
export const FIRST = 'shardId-000000000000';
export const HORIZON: StartingPosition = { type: 'TRIM_HORIZON' };
export const MINUTE = 60_000;

export const throttled = new KinesisFailure('throttled', 'ProvisionedThroughputExceededException', 'simulated');
export const unavailable = new KinesisFailure('unavailable', 'InternalFailure', 'simulated');

export const textOf = ({ data }: Pick<KinesisRecord, 'data'>) => Buffer.from(data).toString();

/** A simulated stream of one shard in virtual time, and what a reader of that shard gives. */
export class ShardLife {
  readonly time = new VirtualTime(1_800_000_000_000);
  readonly kinesis: SimulatedKinesis;
  readonly world;
  readonly warnings: string[] = [];
  readonly budget = new ReadBudget();
  readonly texts: string[] = [];
  readonly batches: ShardBatch[] = [];
  readonly closing = new AbortController();
  failures = 0;
  /** Undefined until the shard is at its end. */
  end: ShardBatch['end'];
  #puts = 0;

  constructor(shards = 1) {
    const { clock } = this.time;
    this.kinesis = new SimulatedKinesis({ clock, sleep: (ms, signal) => this.time.after(ms, signal) });
    this.kinesis.createStream(STREAM, shards);
    const warn = (message: string) => this.warnings.push(message);
    this.world = { clock, sleep: this.time.sleep, random: () => 0.5, warn };
  }

  setting(shardId = FIRST): ShardReaderSetting {
    return {
      api: this.kinesis,
      world: this.world,
      stream: STREAM,
      shardId,
      budget: this.budget,
      onFailure: () => this.failures++,
      isClosed: () => this.isListedClosed(shardId),
      signal: this.closing.signal,
    };
  }

  async isListedClosed(shardId = FIRST): Promise<boolean> {
    const shards = await this.kinesis.listShards(STREAM);
    return shards.find((shard) => shard.shardId === shardId)?.isClosed ?? true;
  }

  /** Puts so many numbered records. */
  put(count = 1): void {
    for (; count > 0; count--) this.kinesis.put(STREAM, 'key', `${this.#puts++}`);
  }

  /** What `put` has put so far. */
  get expected(): string[] {
    return Array.from({ length: this.#puts }, (_, index) => `${index}`);
  }

  /** Reads in the background, to the end of the shard. */
  read(reader: ShardReader): Promise<void> {
    const go = async () => {
      while (this.end === undefined) {
        const batch = await reader.read();
        if (batch === undefined) return;
        this.batches.push(batch);
        this.texts.push(...batch.records.map(textOf));
        this.budget.free(batch.bytes);
        this.end = batch.end;
      }
    };
    return go();
  }

  callsOf(call: string): readonly number[] {
    return this.kinesis.calls.filter((each) => each.call === call).map(({ at }) => at);
  }
}
