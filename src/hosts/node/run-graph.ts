import { randomBytes } from 'node:crypto';
import { fileURLToPath } from 'node:url';
import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';
import type { Limits } from '../../base/limits.ts';
import { FilePartStore } from '../../connectors/file/part-store.ts';
import type { Parameters } from '../../pipeline/parameters.ts';
import type { CheckpointStore, FoundCheckpoint } from '../../runtime/checkpoint-store.ts';
import type { CheckpointBody } from '../../runtime/checkpointer.ts';
import type { Graph } from '../../runtime/contract.ts';
import { Engine } from '../../runtime/engine.ts';
import type { HttpTransport, Partition, PartStore, PartsState, World } from '../../runtime/ports.ts';
import { Pressure } from '../../runtime/pressure.ts';

export interface GraphRun {
  readonly graph: Graph;
  readonly parameters: Parameters;
  readonly identity: unknown;
  readonly store: CheckpointStore;
  /** What `store.open` found; partitions stand where it says. */
  readonly found: FoundCheckpoint | undefined;
  readonly world: World;
  readonly partitions: readonly Partition[];
  readonly transport: HttpTransport;
  readonly limits: Limits;
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
  for (const sink of [...graph.sinks, graph.deadLetters]) {
    if (sink.kind === 'stream') continue;
    const { extension, rollBytes, rollAgeMs } = sink;
    const newRunID = randomBytes(4).toString('hex');
    const options = { folder: folderOf(sink.path), extension, rollBytes, rollAgeMs, newRunID, limits };
    const parts = new FilePartStore(world, pressure, options, onFailure);
    await parts.restore(body?.sinks[sink.id] as PartsState | undefined);
    sinks.set(sink.id, parts);
  }
  const engine = new Engine({
    graph,
    world,
    store: run.store,
    found,
    identity: run.identity,
    partitions: run.partitions,
    sinks,
    pressure,
    checkpointIntervalMs: parameters.application['checkpoint.interval'],
    transport: run.transport,
    limits,
  });
  running.engine = engine;
  if (running.failure !== undefined) engine.fail(running.failure.error);
  started(engine);
  const status = await engine.run();
  return { status, counters: engine.counters };
}

export function folderOf(path: string): string {
  try {
    return fileURLToPath(path);
  } catch (error) {
    throw new TenantAnalyticsError('PARAMETER_INVALID', `${path}: expected file:///folder: ${messageOf(error)}`);
  }
}
