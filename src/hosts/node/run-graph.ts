import type { Limits } from '../../base/limits.ts';
import type { Parameters } from '../../pipeline/parameters.ts';
import type { CheckpointStore, FoundCheckpoint } from '../../runtime/checkpoint-store.ts';
import type { CheckpointBody } from '../../runtime/checkpointer.ts';
import type { Graph, StreamSink } from '../../runtime/contract.ts';
import { Engine } from '../../runtime/engine.ts';
import type {
  Discovery,
  HttpTransport,
  Partition,
  PartStore,
  PartsState,
  RowStream,
  World,
} from '../../runtime/ports.ts';
import { Pressure } from '../../runtime/pressure.ts';
import { openPartStore } from './part-stores.ts';

export interface GraphRun {
  readonly graph: Graph;
  readonly parameters: Parameters;
  readonly identity: unknown;
  readonly store: CheckpointStore;
  /** What `store.open` found; partitions stand where it says. */
  readonly found: FoundCheckpoint | undefined;
  readonly world: World;
  readonly partitions: readonly Partition[];
  /** None in a bounded run. */
  readonly live?: LiveEnds;
  readonly transport: HttpTransport;
  readonly limits: Limits;
}

/** The live sources, and the streams that rows go to. */
export interface LiveEnds {
  readonly discoveries: readonly Discovery[];
  /** Opens the stream of a sink. */
  stream(sink: StreamSink<unknown>, pressure: Pressure, onFailure: (error: unknown) => void): RowStream;
}

export interface GraphResult {
  readonly status: 'ended' | 'stopped';
  readonly counters: Readonly<Record<string, number>>;
}

/** Puts the sinks where the checkpoint says, and runs the engine to the end, or until it is stopped. */
export async function runGraph(run: GraphRun, started: (engine: Engine) => void): Promise<GraphResult> {
  const { graph, parameters, found, world, limits } = run;
  const body = found?.body as CheckpointBody | undefined;
  const pressure = new Pressure(limits.pressureHighBytes, limits.pressureLowBytes);
  const running: { engine?: Engine; failure?: { readonly error: unknown } } = {};
  const onFailure = (error: unknown) => {
    running.failure ??= { error };
    running.engine?.fail(error);
  };
  const sinks = new Map<string, PartStore>();
  const streams = new Map<string, RowStream>();
  const openSinks = async () => {
    for (const sink of [...graph.sinks, graph.deadLetters]) {
      if (sink.kind === 'stream') {
        if (run.live !== undefined) streams.set(sink.id, run.live.stream(sink, pressure, onFailure));
        continue;
      }
      const parts = await openPartStore(sink, { world, pressure, parameters, limits, onFailure });
      sinks.set(sink.id, parts);
      await parts.restore(body?.sinks[sink.id] as PartsState | undefined);
    }
  };
  const openEngine = async () => {
    await openSinks();
    return new Engine({
      graph,
      world,
      store: run.store,
      found,
      identity: run.identity,
      partitions: run.partitions,
      discoveries: run.live?.discoveries ?? [],
      sinks,
      streams,
      pressure,
      checkpointIntervalMs: parameters.application['checkpoint.interval'],
      transport: run.transport,
      limits,
    });
  };
  const engine = await openEngine().catch(async (error: unknown) => {
    for (const sink of [...streams.values(), ...sinks.values()]) await sink.close(); // one may be sending already
    await run.transport.close();
    throw error;
  });
  running.engine = engine;
  if (running.failure !== undefined) engine.fail(running.failure.error);
  started(engine);
  const status = await engine.run();
  return { status, counters: engine.counters };
}
