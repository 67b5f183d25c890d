import { onAbort } from '../../src/base/abort.ts';
import { TenantAnalyticsError } from '../../src/base/errors.ts';
import type { Limits } from '../../src/base/limits.ts';
import type { Random } from '../../src/base/random.ts';
import { type KinesisApi, KinesisFailure } from '../../src/connectors/kinesis/kinesis-api.ts';
import { ReadBudget } from '../../src/connectors/kinesis/read-budget.ts';
import { KinesisRowStream } from '../../src/connectors/kinesis/record-writer.ts';
import { type InitialPosition, ShardDiscovery } from '../../src/connectors/kinesis/shard-discovery.ts';
import { runGraph } from '../../src/hosts/node/run-graph.ts';
import { companyJobProcessing } from '../../src/pipeline/company-job-processing.ts';
import { readParameters } from '../../src/pipeline/parameters.ts';
import { CheckpointStore } from '../../src/runtime/checkpoint-store.ts';
import type { CheckpointBody } from '../../src/runtime/checkpointer.ts';
import type { Engine } from '../../src/runtime/engine.ts';
import type { CrashPoint, World as HostWorld } from '../../src/runtime/ports.ts';
import { noCalls } from '../support/no-calls.ts';
import type { SimulatedKinesis } from '../support/simulated-kinesis.ts';
import type { VirtualTime } from '../support/virtual-time.ts';
import type { LateListings } from './live-streams.ts';
import type { SimulatedDisk } from './simulated-files.ts';

export const OUTPUT = '/out';
export const STATE = '/state/checkpoints';

export type LiveEnd =
  | { readonly kind: 'stopped'; readonly counters: Readonly<Record<string, number>> }
  | { readonly kind: 'crashed'; readonly at: string }
  | { readonly kind: 'failed'; readonly code: string };

export interface LiveSetting {
  readonly limits: Limits;
  readonly texts: Record<string, string>;
  readonly consumer: 'POLLING' | 'EFO';
  readonly initial: InitialPosition;
}

/** What strikes a life: at a crash point, between operations of the disk, or never. */
export interface Strikes {
  readonly at: CrashPoint | undefined;
  /** When that point is reached for so many times. */
  readonly occurrence: number;
  readonly atOperation: number;
}

/** Thrown into the program where the simulated power fails. */
class PowerFailure extends Error {}

const never = <T>() => new Promise<T>(() => undefined);

/** One run of the live program, on a time of its own: when it is dead, that time stands still. */
export class LiveLife {
  end: LiveEnd | undefined;
  engine: Engine | undefined;
  readonly #disk: SimulatedDisk;
  readonly #kinesis: SimulatedKinesis;
  readonly #listings: LateListings;
  readonly #time: VirtualTime;
  readonly #random: Random;
  readonly #strikes: Strikes;
  readonly #warn: (message: string) => void;
  /** Its connections end with it. */
  readonly #death = new AbortController();
  /** Closed at its end: their signals would hold all of it in memory. */
  readonly #discoveries: ShardDiscovery[] = [];
  #isFirst = true;
  #probes = 0;
  #operations = 0;

  constructor(
    ends: { disk: SimulatedDisk; kinesis: SimulatedKinesis; listings: LateListings; time: VirtualTime },
    random: Random,
    strikes: Strikes,
    warn: (message: string) => void,
  ) {
    this.#disk = ends.disk;
    this.#kinesis = ends.kinesis;
    this.#listings = ends.listings;
    this.#time = ends.time;
    this.#random = random;
    this.#strikes = strikes;
    this.#warn = warn;
  }

  get isDead(): boolean {
    return this.#death.signal.aborted;
  }

  start(setting: LiveSetting): void {
    this.#live(setting).then(
      (counters) => this.#ended({ kind: 'stopped', counters }),
      (error: unknown) => {
        if (error instanceof TenantAnalyticsError) this.#ended({ kind: 'failed', code: error.code });
        else if (error instanceof KinesisFailure) this.#ended({ kind: 'failed', code: error.code });
        else if (!this.isDead) throw error;
      },
    );
  }

  crash(at: string): void {
    this.#ended({ kind: 'crashed', at });
  }

  #ended(end: LiveEnd): void {
    if (this.end !== undefined) return;
    this.end = end;
    this.#death.abort();
    for (const discovery of this.#discoveries) discovery.close().catch(() => undefined);
  }

  async #live({ limits, texts, consumer, initial }: LiveSetting): Promise<Readonly<Record<string, number>>> {
    const parameters = readParameters({
      ApplicationConfigProperties: { S3SinkPath: `file://${OUTPUT}`, enrichment: 'join', scoring: 'off', ...texts },
    });
    const host: HostWorld = {
      files: this.#disk.mount({ before: (operation) => this.#before(operation) }, () => this.isDead),
      sleep: (ms, signal) => (this.isDead ? never() : this.#time.sleep(ms, signal)),
      random: this.#random,
      clock: this.#time.clock,
      probe: (point) => this.#probe(point),
      warn: this.#warn,
    };
    const store = new CheckpointStore(host, STATE, limits);
    const found = await store.open();
    const body = found?.body as CheckpointBody | undefined;
    this.#isFirst = body === undefined;
    const graph = companyJobProcessing(parameters);
    const api = this.#api();
    const budget = new ReadBudget(limits);
    const discoveries = this.#discoveries;
    for (const source of graph.sources) {
      const isJobs = source.id === 'jobs';
      discoveries.push(
        await ShardDiscovery.open({
          api,
          world: host,
          budget,
          newRunID: 'simulated',
          sourceID: source.id,
          stream: source.stream,
          consumer,
          initial: isJobs ? initial : { type: 'TRIM_HORIZON' },
          maxRecordBytes: source.maxRecordBytes,
          known: { state: body?.discoveries?.[source.id], partitions: body?.partitions ?? {} },
        }),
      );
    }
    this.#isFirst = false;
    const run = { graph, parameters, identity: 'simulated', store, found, world: host, partitions: [], limits };
    const live = {
      discoveries,
      stream: ({ id, stream }: { id: string; stream: string }, pressure: never, onFailure: (error: unknown) => void) =>
        new KinesisRowStream(api, host, pressure, { stream, parameter: id, onFailure }),
    };
    const result = await runGraph({ ...run, live, transport: noCalls }, (engine) => {
      this.engine = engine;
    });
    return result.counters;
  }

  /** What this life can reach of Kinesis; once it is dead no call returns. */
  #api(): KinesisApi {
    const kinesis = this.#kinesis;
    const alive = async <T>(call: () => Promise<T>): Promise<T> => {
      if (this.isDead) return never();
      const answer = await call().catch((error: unknown) => {
        if (!this.isDead) throw error;
        return never<T>();
      });
      return this.isDead ? never() : answer;
    };
    return {
      describeStream: (stream) => alive(() => kinesis.describeStream(stream)),
      listShards: (stream) =>
        alive(async () => this.#listings.tell(stream, await kinesis.listShards(stream), this.#isFirst)),
      getShardIterator: (stream, shardId, start) => alive(() => kinesis.getShardIterator(stream, shardId, start)),
      getRecords: (iterator, limit) => alive(() => kinesis.getRecords(iterator, limit)),
      registerConsumer: (arn, name) => alive(() => kinesis.registerConsumer(arn, name)),
      deregisterConsumer: (arn, name) => alive(() => kinesis.deregisterConsumer(arn, name)),
      subscribeToShard: (arn, shardId, start, signal) => {
        const connection = new AbortController();
        for (const end of [signal, this.#death.signal]) onAbort(end, () => connection.abort());
        return kinesis.subscribeToShard(arn, shardId, start, connection.signal);
      },
      putRecords: (stream, entries) => alive(() => kinesis.putRecords(stream, entries)),
      close: () => undefined,
    };
  }

  #probe(point: CrashPoint): void {
    if (this.isDead) throw new PowerFailure();
    if (point === this.#strikes.at && ++this.#probes === this.#strikes.occurrence) this.#strike(point);
  }

  #before(operation: string): void {
    if (++this.#operations === this.#strikes.atOperation) this.#strike(`operation ${operation}`);
  }

  #strike(at: string): never {
    this.crash(at);
    throw new PowerFailure(at);
  }
}
