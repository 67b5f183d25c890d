import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { storageError, systemCode, TenantAnalyticsError } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { FilePartition, type FilePosition } from '../../connectors/file/file-partition.ts';
import { lockFolder } from '../../connectors/file/folder-lock.ts';
import { type InputFile, inspectInput } from '../../connectors/file/input-file.ts';
import { nodeTransport } from '../../connectors/http/node-transport.ts';
import { companyJobProcessing } from '../../pipeline/company-job-processing.ts';
import { type ParameterTexts, readParameters } from '../../pipeline/parameters.ts';
import { CheckpointStore } from '../../runtime/checkpoint-store.ts';
import type { CheckpointBody } from '../../runtime/checkpointer.ts';
import type { Graph } from '../../runtime/contract.ts';
import type { Engine } from '../../runtime/engine.ts';
import type { World } from '../../runtime/ports.ts';
import { callsAtOnce } from './calls-at-once.ts';
import { folderOf } from './part-stores.ts';
import { checkIdentity, identityOf, type ReplayIdentity } from './replay-identity.ts';
import { runGraph } from './run-graph.ts';
import { withSecrets } from './secret-parameters.ts';
import { refuseSharedFolders } from './sink-paths.ts';

export interface ReplayRequest {
  readonly companies: string;
  readonly jobs: string;
  readonly output: string;
  readonly texts: ParameterTexts;
}

export interface ReplayObserver {
  /** Once the engine is ready to run: where to look for progress, and how to stop it. */
  started(engine: Pick<Engine, 'stop' | 'progress' | 'counters'>, resumed: boolean): void;
}

export interface ReplayResult {
  readonly status: 'done' | 'already-done' | 'stopped';
  /** Over all calls for this output. */
  readonly counters: Readonly<Record<string, number>>;
  readonly deadLetterFolder: string;
}

/**
 * Runs the graph over files, to their end. Called again after a crash it goes on from the last checkpoint; after the end
 * it changes nothing.
 */
export async function replay(request: ReplayRequest, world: World, observer: ReplayObserver): Promise<ReplayResult> {
  const output = resolve(request.output);
  const parameters = await withSecrets(readParameters(withSinkPath(request.texts, output)));
  const graph = companyJobProcessing(parameters);
  const inputs = await inspectInputs(graph, request);
  const identity = identityOf(graph.name, inputs, parameters);
  refuseUnconnected(graph);
  refuseSharedFolders(graph);

  await makeOutput(output, world);
  const lock = await lockFolder(`${output}/.state`);
  try {
    const store = new CheckpointStore(world, `${output}/.state/checkpoints`);
    const found = await store.open();
    const body = found?.body as CheckpointBody | undefined;
    const deadLetterFolder = folderOf(graph.deadLetters.path);
    if (body === undefined) await refuseForeignRows(output, deadLetterFolder, world);
    const known = body === undefined ? identity : checkIdentity(identity, body.identity, request.output);
    if (body?.ended === true) return { status: 'already-done', counters: body.counters, deadLetterFolder };
    const partitions = [...inputs].map(([id, input]) => openPartition(graph, id, input, known, body));
    const transport = nodeTransport(callsAtOnce(graph), world.clock.now);
    const run = { graph, parameters, identity: known, store, found, world, partitions, transport, limits: LIMITS };
    const result = await runGraph(run, (engine) => observer.started(engine, found !== undefined));
    return { status: result.status === 'ended' ? 'done' : 'stopped', counters: result.counters, deadLetterFolder };
  } catch (error) {
    throw systemCode(error) === undefined ? error : storageError(error, `Working in ${output} failed`);
  } finally {
    await lock.release();
  }
}

function openPartition(
  graph: Graph,
  id: string,
  input: InputFile,
  identity: ReplayIdentity,
  body: CheckpointBody | undefined,
): FilePartition {
  const sourceID = id.slice(0, id.indexOf(':'));
  const source = graph.sources.find((candidate) => candidate.id === sourceID);
  return new FilePartition(
    {
      path: input.path,
      baseName: input.identity.name,
      sourceID,
      gzip: input.gzip,
      size: input.identity.size,
      arrivalTime: identity.arrivalTimes[id] ?? input.modifiedAt,
      columns: input.columns,
      maxRecordBytes: source?.maxRecordBytes ?? Number.MAX_SAFE_INTEGER,
    },
    (body?.partitions[id]?.position as FilePosition | undefined) ?? input.start,
  );
}

function withSinkPath(texts: ParameterTexts, output: string): ParameterTexts {
  return {
    ...texts,
    ApplicationConfigProperties: { ...texts.ApplicationConfigProperties, S3SinkPath: pathToFileURL(output).href },
  };
}

/** Inputs by partition id, `<source>:<base name>`. */
async function inspectInputs(graph: Graph, request: ReplayRequest): Promise<Map<string, InputFile>> {
  const inputs = new Map<string, InputFile>();
  for (const source of graph.sources) {
    const path = source.id === 'companies' ? request.companies : request.jobs;
    inputs.set(`${source.id}:${basename(path)}`, await inspectInput(path, source));
  }
  return inputs;
}

/** @throws TenantAnalyticsError NOT_CONNECTED for what a replay does not reach */
function refuseUnconnected(graph: Graph): void {
  for (const sink of [...graph.sinks, graph.deadLetters]) {
    if (sink.kind === 'stream' || sink.path.startsWith('file://')) continue;
    throw new TenantAnalyticsError('NOT_CONNECTED', `${sink.path}: a replay writes to file:/// only.`);
  }
}

async function makeOutput(output: string, world: World): Promise<void> {
  await world.files.makeFolder(`${output}/.state`).catch((error: unknown) => {
    const code = systemCode(error);
    if (code === 'EEXIST' || code === 'ENOTDIR') {
      throw new TenantAnalyticsError('OUTPUT_OCCUPIED', `${output}: expected a folder, or nothing, got a file.`);
    }
    throw storageError(error, `Cannot make the output folder ${output}`);
  });
}

/** A folder with rows but no state: whose rows they are cannot be known, so nothing is added to them. */
async function refuseForeignRows(output: string, deadLetters: string, world: World): Promise<void> {
  const found = [...(await world.files.list(output)), ...(await world.files.list(deadLetters))];
  const rows = found.filter((entry) => entry.isFolder && entry.name.startsWith('dt='));
  if (rows.length === 0) return;
  throw new TenantAnalyticsError(
    'OUTPUT_OCCUPIED',
    `${output} holds rows or dead letters (${rows[0]?.name}, …) but no state of a replay. Choose an empty folder as --output.`,
  );
}
