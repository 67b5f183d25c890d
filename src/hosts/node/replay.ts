import { storageError, systemCode } from '../../base/errors.ts';
import { LIMITS } from '../../base/limits.ts';
import { FilePartition } from '../../connectors/file/file-partition.ts';
import type { FilePosition } from '../../connectors/file/first-line.ts';
import { lockFolder } from '../../connectors/file/folder-lock.ts';
import type { InputFile } from '../../connectors/file/input-file.ts';
import { nodeTransport } from '../../connectors/http/node-transport.ts';
import { CheckpointStore } from '../../runtime/checkpoint-store.ts';
import type { CheckpointBody } from '../../runtime/checkpointer.ts';
import type { Graph } from '../../runtime/contract.ts';
import type { Engine } from '../../runtime/engine.ts';
import type { World } from '../../runtime/ports.ts';
import { callsAtOnce } from './calls-at-once.ts';
import { checkIdentity, type ReplayIdentity } from './replay-identity.ts';
import { makeOutput, otherHost, planReplay, type ReplayRequest, refuseForeignRows } from './replay-request.ts';
import { runGraph } from './run-graph.ts';
import { withSecrets } from './secret-parameters.ts';

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
  const { output, parameters, graph, inputs, identity, deadLetterFolder } = await planReplay(request, withSecrets);
  await makeOutput(output, world);
  const lock = await lockFolder(`${output}/.state`);
  try {
    const state = await world.files.list(`${output}/.state`);
    if (state.some(({ name }) => name === 'flink')) throw otherHost(request.output, 'Flink', 'flink');
    const store = new CheckpointStore(world, `${output}/.state/checkpoints`);
    const found = await store.open();
    const body = found?.body as CheckpointBody | undefined;
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
