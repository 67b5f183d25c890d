import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';
import type { EpochMs } from '../../base/time.ts';
import type { PartitionState } from '../../runtime/checkpointer.ts';
import type { Discovery, LivePartition, Position, World } from '../../runtime/ports.ts';
import { type ChildShard, type KinesisApi, KinesisFailure, type Shard, type StartingPosition } from './kinesis-api.ts';
import { PollingReader } from './polling-reader.ts';
import type { ReadBudget } from './read-budget.ts';
import { ShardPartition, type ShardPosition } from './shard-partition.ts';
import { type ShardReader, type ShardReaderSetting, tellLost } from './shard-reader.ts';
import { registeredConsumer } from './stream-consumer.ts';
import { SubscriptionReader } from './subscription-reader.ts';

export interface ShardDiscoverySetting {
  readonly api: KinesisApi;
  readonly world: Pick<World, 'clock' | 'sleep' | 'random' | 'warn'>;
  readonly sourceID: string;
  readonly stream: string;
  readonly consumer: 'POLLING' | 'EFO';
  readonly initial: InitialPosition;
  readonly maxRecordBytes: number;
  readonly budget: ReadBudget;
  /** In the name of the consumer that EFO registers, so that two deployments do not share one. */
  readonly newRunID: string;
  /** Of the checkpoint to go on from, if any. */
  readonly known: {
    readonly state: Position | undefined;
    readonly partitions: Readonly<Record<string, PartitionState>>;
  };
}

export type InitialPosition =
  | { readonly type: 'LATEST' | 'TRIM_HORIZON' }
  | { readonly type: 'AT_TIMESTAMP'; readonly timestamp: EpochMs };

/** What was resolved at the first start. JSON, in every checkpoint. */
interface DiscoveryState {
  readonly createdAt: EpochMs;
  /** Null: from the beginning. */
  readonly timestamp: EpochMs | null;
  /** The shards that were there, which begin at the timestamp; those born later begin at their beginning. */
  readonly shards: readonly string[];
  /** With LATEST: those that took no more records even then; they are never read. */
  readonly passed: readonly string[];
  readonly runID: string;
}

const LISTING_INTERVAL_MS = 10_000;
const MOST_TRIES = 10;
const TRY_AGAIN_MS = 1000;

/**
 * The shards of one stream, as they split and merge.
 *
 * Invariants:
 * - A shard is handed out once all its parents have been worked off, or are beyond the stream's retention.
 * - A listing may lag behind what the end of a shard, or an earlier run, told: shards that it does not have are gone only
 *   when it has newer ones. Their ids grow.
 * - Where the first start begins is resolved once: LATEST is a time, committed before the first read. What arrives while
 *   the program is down, or in shards that are born meanwhile, is read.
 */
export class ShardDiscovery implements Discovery {
  readonly sourceID: string;
  readonly #setting: ShardDiscoverySetting;
  readonly #state: DiscoveryState;
  readonly #consumerARN: string | undefined;
  readonly #streamARN: string;
  readonly #initial: ReadonlySet<string>;
  readonly #handedOut = new Map<string, AbortController>();
  /** Worked off, passed or lost: their children need not wait for them, also once they are forgotten. */
  readonly #done: Set<string>;
  #isClosed = false;
  #listed: Map<string, Shard>;
  /** The greatest id that the stream has listed. */
  #newest: string;

  private constructor(
    setting: ShardDiscoverySetting,
    state: DiscoveryState,
    listed: readonly Shard[],
    streamARN: string,
    consumerARN: string | undefined,
  ) {
    this.sourceID = setting.sourceID;
    this.#setting = setting;
    this.#state = state;
    this.#done = new Set(state.passed);
    this.#initial = new Set(state.shards);
    this.#listed = byID(listed);
    this.#newest = newestOf(listed);
    this.#streamARN = streamARN;
    this.#consumerARN = consumerARN;
  }

  /**
   * Looks at the stream, and resolves where to begin if that is not known yet.
   * @throws TenantAnalyticsError STREAM_CHANGED when the stream is not the one that the checkpoint read
   */
  static async open(setting: ShardDiscoverySetting): Promise<ShardDiscovery> {
    const { api, stream, known, consumer, newRunID, world } = setting;
    const description = await unlessThrottled(world, () => api.describeStream(stream));
    const listed = await unlessThrottled(world, () => api.listShards(stream));
    const state = (known.state as DiscoveryState | undefined) ?? firstState(setting, description.createdAt, listed);
    if (state.createdAt !== description.createdAt) throw streamChanged(stream, state.createdAt, description.createdAt);
    const consumerARN =
      consumer === 'EFO'
        ? await registeredConsumer(api, world, description.arn, stream, `tenant-analytics-${state.runID || newRunID}`)
        : undefined;
    const discovery = new ShardDiscovery(setting, state, listed, description.arn, consumerARN);
    discovery.#goOnWithKnown();
    return discovery;
  }

  get state(): Position {
    return { ...this.#state };
  }

  /** Shards that were being read and are not listed: beyond the stream's retention now, or not listed yet. */
  #goOnWithKnown(): void {
    const { known, sourceID, stream, world } = this.#setting;
    for (const [id, { ended }] of Object.entries(known.partitions)) {
      const shardId = id.slice(sourceID.length + 1);
      if (ended || !id.startsWith(`${sourceID}:`) || this.#listed.has(shardId)) continue;
      if (this.#isGone(shardId)) {
        this.#done.add(shardId);
        tellLost({ world, stream, shardId });
      } else {
        this.#learn([{ shardId, parents: [] }]);
      }
    }
  }

  #isGone(shardId: string): boolean {
    return !this.#listed.has(shardId) && shardId < this.#newest;
  }

  next(ended: ReadonlySet<string>): readonly LivePartition[] {
    if (this.#isClosed) return []; // a read that was under way may still end its shard
    const partitions: LivePartition[] = [];
    for (const id of ended) this.#done.add(id.slice(this.sourceID.length + 1));
    const { partitions: known } = this.#setting.known;
    for (const { shardId, parents } of this.#listed.values()) {
      if (this.#done.has(shardId) || this.#handedOut.has(shardId)) continue;
      const wasRead = known[this.#partitionID(shardId)] !== undefined; // so its parents were worked off
      const waits =
        !wasRead &&
        parents.some((parent) => !this.#done.has(parent) && (this.#listed.has(parent) || this.#handedOut.has(parent)));
      if (!waits) partitions.push(this.#open(shardId));
    }
    return partitions;
  }

  forgotten(ended: ReadonlySet<string>): readonly string[] {
    return [...ended].filter((id) => this.#isGone(id.slice(this.sourceID.length + 1)));
  }

  async watch(changed: () => void, signal: AbortSignal): Promise<void> {
    const { world, stream } = this.#setting;
    let isTold = false;
    for (;;) {
      await world.sleep(LISTING_INTERVAL_MS, signal);
      if (signal.aborted) return;
      try {
        await this.#list();
        if (isTold) world.warn(`The shards of ${stream} can be listed again.`);
        isTold = false;
        changed();
      } catch (error) {
        if (!isTold) world.warn(`Cannot list the shards of ${stream}: ${messageOf(error)}. Trying again.`);
        isTold = true;
      }
    }
  }

  async #list(): Promise<void> {
    const shards = await this.#setting.api.listShards(this.#setting.stream);
    const listed = byID(shards);
    this.#newest = newestOf(shards);
    for (const [id, shard] of this.#listed) if (id > this.#newest && !listed.has(id)) listed.set(id, shard);
    this.#listed = listed;
  }

  #learn(children: readonly ChildShard[]): void {
    for (const { shardId, parents } of children) {
      if (!this.#listed.has(shardId)) this.#listed.set(shardId, { shardId, parents, isClosed: false });
    }
  }

  #open(shardId: string): LivePartition {
    const { api, world, stream, sourceID, maxRecordBytes, budget, known } = this.#setting;
    const closing = new AbortController();
    this.#handedOut.set(shardId, closing);
    const position = (known.partitions[this.#partitionID(shardId)]?.position as ShardPosition | undefined) ?? {
      start: this.#firstPosition(shardId),
      skip: 0,
    };
    const reader = this.#reader(
      {
        api,
        world,
        stream,
        shardId,
        budget,
        onFailure: () => partition.readFailed(),
        isClosed: async () => {
          await this.#list();
          return this.#isListedClosed(shardId);
        },
        signal: closing.signal,
      },
      position.start,
    );
    const partition = new ShardPartition(
      {
        sourceID,
        stream,
        shardId,
        clock: world.clock,
        budget,
        maxRecordBytes,
        reader,
        onEnd: (children) => this.#learn(children),
        onClose: () => closing.abort(),
      },
      position,
    );
    return partition;
  }

  #reader(setting: ShardReaderSetting, start: StartingPosition): ShardReader {
    if (this.#consumerARN === undefined) return new PollingReader(setting, start);
    return new SubscriptionReader(setting, start, this.#consumerARN, () => this.#isListedClosed(setting.shardId));
  }

  #isListedClosed(shardId: string): boolean {
    return this.#listed.get(shardId)?.isClosed ?? this.#isGone(shardId);
  }

  #firstPosition(shardId: string): StartingPosition {
    const { timestamp } = this.#state;
    if (timestamp === null || !this.#initial.has(shardId)) return { type: 'TRIM_HORIZON' };
    return { type: 'AT_TIMESTAMP', timestamp };
  }

  #partitionID(shardId: string): string {
    return `${this.sourceID}:${shardId}`;
  }

  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    for (const closing of this.#handedOut.values()) closing.abort();
    if (this.#consumerARN === undefined) return;
    const { api, stream, world } = this.#setting;
    const name = `tenant-analytics-${this.#state.runID}`;
    await api.deregisterConsumer(this.#streamARN, name).catch((error: unknown) => {
      world.warn(`The consumer ${name} of ${stream} stays registered, and costs: ${messageOf(error)}.`);
    });
  }
}

function firstState(setting: ShardDiscoverySetting, createdAt: EpochMs, listed: readonly Shard[]): DiscoveryState {
  const { initial, world, newRunID } = setting;
  const all = listed.map(({ shardId }) => shardId);
  const common = { createdAt, runID: newRunID };
  if (initial.type === 'TRIM_HORIZON') return { ...common, timestamp: null, shards: [], passed: [] };
  if (initial.type === 'AT_TIMESTAMP') return { ...common, timestamp: initial.timestamp, shards: all, passed: [] };
  const passed = listed.filter(({ isClosed }) => isClosed).map(({ shardId }) => shardId);
  return { ...common, timestamp: world.clock.now(), shards: all, passed };
}

function streamChanged(stream: string, was: EpochMs, is: EpochMs): TenantAnalyticsError {
  const [before, now] = [new Date(was).toISOString(), new Date(is).toISOString()];
  return new TenantAnalyticsError(
    'STREAM_CHANGED',
    `Stream ${stream} was created at ${now}, the state of this run belongs to one created at ${before}: its positions mean nothing in the new one. Choose another data.dir to start from the beginning, or name the old stream.`,
  );
}

/** Both calls have limits of a few a second for the whole account: others may be asking, too. */
async function unlessThrottled<T>(world: Pick<World, 'sleep' | 'random'>, ask: () => Promise<T>): Promise<T> {
  for (let tries = 1; ; tries++) {
    try {
      return await ask();
    } catch (error) {
      if (!(error instanceof KinesisFailure && error.kind === 'throttled') || tries === MOST_TRIES) throw error;
      await world.sleep(TRY_AGAIN_MS * (0.5 + world.random()), new AbortController().signal);
    }
  }
}

function newestOf(shards: readonly Shard[]): string {
  return shards.reduce((newest, { shardId }) => (shardId > newest ? shardId : newest), '');
}

function byID(shards: readonly Shard[]): Map<string, Shard> {
  return new Map(shards.map((shard) => [shard.shardId, shard]));
}
