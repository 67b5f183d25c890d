import {
  type InitialPosition,
  ShardDiscovery,
  type ShardDiscoverySetting,
} from '../../src/connectors/kinesis/shard-discovery.ts';
import type { PartitionState } from '../../src/runtime/checkpointer.ts';
import type { LivePartition, Position } from '../../src/runtime/ports.ts';
import { type ShardLife, STREAM } from './shard-life.ts';

export interface StreamState {
  readonly state: Position;
  readonly partitions: Record<string, PartitionState>;
}

/** One run over all shards of a stream: reads whatever may be read, as the engine does, and remembers what came. */
export class StreamRun {
  readonly texts: string[] = [];
  /** Shards in the order in which they were handed out. */
  readonly handedOut: string[] = [];
  readonly ended = new Set<string>();
  readonly discovery: ShardDiscovery;
  readonly #open = new Map<string, LivePartition>();
  readonly #over = new AbortController();

  private constructor(discovery: ShardDiscovery) {
    this.discovery = discovery;
  }

  static async start(
    life: ShardLife,
    initial: InitialPosition,
    found?: StreamState,
    more: Partial<ShardDiscoverySetting> = {},
  ): Promise<StreamRun> {
    const discovery = ShardDiscovery.open({
      api: life.kinesis,
      world: life.world,
      sourceID: 'jobs',
      stream: STREAM,
      consumer: 'POLLING',
      initial,
      maxRecordBytes: 1000,
      budget: life.budget,
      newRunID: 'run',
      known: { state: found?.state, partitions: found?.partitions ?? {} },
      ...more,
    });
    discovery.catch(() => undefined);
    await life.time.advance(2000);
    const run = new StreamRun(await discovery);
    for (const [id, { ended }] of Object.entries(found?.partitions ?? {})) if (ended) run.ended.add(id);
    run.#discover();
    run.discovery.watch(() => run.#discover(), run.#over.signal).catch(() => undefined);
    return run;
  }

  #discover(): void {
    for (const partition of this.discovery.next(this.ended)) {
      this.handedOut.push(partition.id.slice('jobs:'.length));
      this.#open.set(partition.id, partition);
      this.#read(partition).catch(() => undefined);
    }
    for (const id of this.discovery.forgotten(this.ended)) this.ended.delete(id);
  }

  async #read(partition: LivePartition): Promise<void> {
    const visit = (bytes: Uint8Array) => this.texts.push(Buffer.from(bytes).toString()) > 0;
    for (;;) {
      const status = partition.deliver(visit, () => true);
      if (status === 'empty') await partition.fill();
      if (status !== 'ended') continue;
      this.#open.delete(partition.id);
      this.ended.add(partition.id);
      this.#discover();
      return partition.close();
    }
  }

  /** As a checkpoint holds it. */
  get state(): StreamState {
    const partitions: Record<string, PartitionState> = {};
    for (const id of this.ended) partitions[id] = { position: {}, maxTime: null, ended: true };
    for (const [id, open] of this.#open) partitions[id] = { position: open.position(), maxTime: null, ended: false };
    return JSON.parse(JSON.stringify({ state: this.discovery.state, partitions })) as StreamState;
  }

  async stop(): Promise<StreamState> {
    const { state } = this;
    this.#over.abort();
    for (const partition of this.#open.values()) await partition.close();
    await this.discovery.close();
    return state;
  }
}
