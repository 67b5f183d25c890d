import { createHash } from 'node:crypto';
import { hostname } from 'node:os';
import { resolve } from 'node:path';
import { storageError, systemCode, TenantAnalyticsError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { parseTime } from '../../base/time.ts';
import { lockFolder } from '../../connectors/file/folder-lock.ts';
import { nodeTransport } from '../../connectors/http/node-transport.ts';
import { type KinesisApi, KinesisFailure } from '../../connectors/kinesis/kinesis-api.ts';
import { ReadBudget } from '../../connectors/kinesis/read-budget.ts';
import { KinesisRowStream } from '../../connectors/kinesis/record-writer.ts';
import { type InitialPosition, ShardDiscovery } from '../../connectors/kinesis/shard-discovery.ts';
import { companyJobProcessing } from '../../pipeline/company-job-processing.ts';
import { type Parameters, type ParameterTexts, readParameters } from '../../pipeline/parameters.ts';
import { CheckpointStore, type FoundCheckpoint } from '../../runtime/checkpoint-store.ts';
import type { CheckpointBody } from '../../runtime/checkpointer.ts';
import type { Graph, Source } from '../../runtime/contract.ts';
import type { Engine, EngineStatus } from '../../runtime/engine.ts';
import type { World } from '../../runtime/ports.ts';
import { callsAtOnce } from './calls-at-once.ts';
import { loggedGraph } from './logged-graph.ts';
import type { HostWorld } from './node-world.ts';
import { observedTransport, tracedProbe } from './observed.ts';
import { openKinesis } from './open-kinesis.ts';
import { type LiveEnds, runGraph } from './run-graph.ts';
import { checkRunIdentity, runIdentityOf } from './run-identity.ts';
import { withSecrets } from './secret-parameters.ts';
import { refuseSharedFolders } from './sink-paths.ts';

/** A run: where to look at it, and how to stop it: with a last checkpoint, or at once because something failed. */
export type Running = Pick<Engine, 'stop' | 'fail' | 'status' | 'counters'>;
export type RunStatus = EngineStatus;

export interface RunObserver {
  /** Once the engine is ready to run. */
  started(running: Running, parameters: Parameters, resumed: boolean): void;
}

/**
 * Runs the application on live streams until it is stopped: from the last checkpoint in `data.dir`, or, the first time,
 * from the initial positions.
 * @param kinesis in place of the region's, or of `aws.endpoint`; closed at the end
 * @throws TenantAnalyticsError for what keeps it from starting, naming the parameter, and for what ends it
 */
export async function run(
  texts: ParameterTexts,
  hostWorld: HostWorld,
  observer: RunObserver,
  kinesis?: KinesisApi,
): Promise<Readonly<Record<string, number>>> {
  const parameters = await withSecrets(readParameters(texts));
  const { observation } = hostWorld;
  const world = { ...hostWorld, probe: tracedProbe(hostWorld.probe, observation?.tracing) };
  observation?.secrets.hide(parameters.application.predictChurnApiKey, parameters.application.tenantManagerToken);
  const graph = loggedGraph(companyJobProcessing(parameters), observation?.log);
  refuseSharedFolders(graph);
  const identity = runIdentityOf(graph, parameters);
  const folder = resolve(parameters.application['data.dir'], 'state');
  await world.files.makeFolder(folder).catch((error: unknown) => {
    throw storageError(error, `data.dir: cannot make the folder ${folder}`);
  });
  const lock = await lockFolder(folder);
  const { region, endpoint } = whereOf(parameters);
  const api = kinesis ?? openKinesis(region, endpoint);
  const discoveries: ShardDiscovery[] = [];
  try {
    const store = new CheckpointStore(world, `${folder}/checkpoints`);
    const found = await store.open();
    const body = found?.body as CheckpointBody | undefined;
    if (found !== undefined) checkRunIdentity(identity, found, body?.identity, folder);
    await checkRowStreams(graph, api, parameters);
    const budget = new ReadBudget();
    for (const source of graph.sources) {
      discoveries.push(await discover(source, api, world, budget, parameters, found));
    }
    const transport = observedTransport(nodeTransport(callsAtOnce(graph), world.clock.now), observation);
    const live: LiveEnds = {
      discoveries,
      stream: ({ id, stream }, pressure, onFailure) =>
        new KinesisRowStream(api, world, pressure, { stream, parameter: `${id}.stream.name`, onFailure }),
    };
    const whole = { graph, parameters, identity, store, found, world, partitions: [], live, transport, limits: LIMITS };
    const result = await runGraph(whole, (engine) => observer.started(engine, parameters, found !== undefined));
    return result.counters;
  } catch (error) {
    throw systemCode(error) === undefined ? error : storageError(error, `Working in ${folder} failed`);
  } finally {
    for (const discovery of discoveries) await discovery.close();
    api.close();
    await lock.release();
  }
}

function whereOf({ consumer, producer }: Parameters): { region: string; endpoint: string } {
  const [region, other] = [consumer['aws.region'], producer['aws.region']];
  if (region !== other) {
    throw new TenantAnalyticsError(
      'PARAMETER_INVALID',
      `aws.region: expected one region for all streams, got ${region} (ConsumerConfigProperties) and ${other} (ProducerConfigProperties).`,
    );
  }
  return { region, endpoint: consumer['aws.endpoint'] };
}

async function checkRowStreams(graph: Graph, api: KinesisApi, parameters: Parameters): Promise<void> {
  for (const sink of graph.sinks) {
    if (sink.kind === 'stream') await orExplain(api.describeStream(sink.stream), sink.stream, sink.id, parameters);
  }
}

async function discover(
  source: Source<unknown>,
  api: KinesisApi,
  world: World,
  budget: ReadBudget,
  parameters: Parameters,
  found: FoundCheckpoint | undefined,
): Promise<ShardDiscovery> {
  const body = found?.body as CheckpointBody | undefined;
  const opening = ShardDiscovery.open({
    api,
    world,
    budget,
    newRunID: runIDOf(resolve(parameters.application['data.dir'])),
    sourceID: source.id,
    stream: source.stream,
    consumer: parameters.consumer[`${sourceName(source)}.stream.consumer`],
    initial: initialPosition(source, parameters),
    maxRecordBytes: source.maxRecordBytes,
    known: { state: body?.discoveries?.[source.id], partitions: body?.partitions ?? {} },
  });
  return orExplain(opening, source.stream, source.id, parameters);
}

/** The same at each start, so that a consumer registered before a crash is found again, and another one for each folder. */
function runIDOf(folder: string): string {
  return createHash('sha256').update(`${hostname()}:${folder}`).digest('hex').slice(0, 8);
}

function initialPosition(source: Source<unknown>, { consumer }: Parameters): InitialPosition {
  const name = sourceName(source);
  const type = consumer[`${name}.stream.initial.position`];
  if (type !== 'AT_TIMESTAMP') return { type };
  return { type, timestamp: parseTime(consumer[`${name}.stream.initial.timestamp`]) ?? 0 };
}

function sourceName({ id }: Source<unknown>): 'jobs' | 'companies' {
  if (id === 'jobs' || id === 'companies') return id;
  throw new Error(`there are no parameters for source ${id}`);
}

/** What keeps a stream from being used at the start, for the person who can mend it. */
async function orExplain<T>(work: Promise<T>, stream: string, id: string, parameters: Parameters): Promise<T> {
  try {
    return await work;
  } catch (error) {
    if (!(error instanceof KinesisFailure)) throw error;
    const { region, endpoint } = whereOf(parameters);
    const where = endpoint === '' ? `in ${region}` : `at ${endpoint}`;
    if (error.kind === 'not-found') {
      throw new TenantAnalyticsError(
        'STREAM_NOT_FOUND',
        `${id}.stream.name: there is no stream ${stream} ${where}. Create it, or name another one with --set ${id}.stream.name=….`,
        { cause: error },
      );
    }
    if (error.kind !== 'refused') {
      throw new TenantAnalyticsError(
        'KINESIS_UNREACHABLE',
        `Cannot reach stream ${stream} ${where}: ${error.message} (${error.code}). Look at the network and aws.endpoint, and start again.`,
        { cause: error },
      );
    }
    throw new TenantAnalyticsError(
      'KINESIS_REFUSED',
      `Cannot use stream ${stream} ${where}: ${error.message} (${error.code}). Look at credentials, permissions and aws.region.`,
      { cause: error },
    );
  }
}
