import { basename, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { storageError, systemCode, TenantAnalyticsError } from '../../base/errors.ts';
import { type InputFile, inspectInput } from '../../connectors/file/input-file.ts';
import { companyJobProcessing } from '../../pipeline/company-job-processing.ts';
import { type Parameters, type ParameterTexts, readParameters } from '../../pipeline/parameters.ts';
import type { Graph } from '../../runtime/contract.ts';
import type { World } from '../../runtime/ports.ts';
import { folderOf } from './part-stores.ts';
import { identityOf, type ReplayIdentity } from './replay-identity.ts';
import { refuseSharedFolders } from './sink-paths.ts';

export interface ReplayRequest {
  readonly companies: string;
  readonly jobs: string;
  readonly output: string;
  readonly texts: ParameterTexts;
}

/** What a replay is asked to do, checked; nothing was written yet. */
export interface ReplayPlan {
  readonly output: string;
  /** With `S3SinkPath` set to the output. */
  readonly texts: ParameterTexts;
  readonly parameters: Parameters;
  readonly graph: Graph;
  /** By partition id, `<source>:<base name>`. */
  readonly inputs: ReadonlyMap<string, InputFile>;
  readonly identity: ReplayIdentity;
  readonly deadLetterFolder: string;
}

/**
 * @param withSecrets puts secrets in the place of their names, where this process is who needs them
 * @throws TenantAnalyticsError for a parameter or an input that cannot be used
 */
export async function planReplay(
  request: ReplayRequest,
  withSecrets: (parameters: Parameters) => Promise<Parameters> = (parameters) => Promise.resolve(parameters),
): Promise<ReplayPlan> {
  const output = resolve(request.output);
  const texts = withSinkPath(request.texts, output);
  const parameters = await withSecrets(readParameters(texts));
  const graph = companyJobProcessing(parameters);
  const inputs = await inspectInputs(graph, request);
  const identity = identityOf(graph.name, inputs, parameters);
  refuseUnconnected(graph);
  refuseSharedFolders(graph);
  return { output, texts, parameters, graph, inputs, identity, deadLetterFolder: folderOf(graph.deadLetters.path) };
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

/** With `.state` in it. */
export async function makeOutput(output: string, world: World): Promise<void> {
  await world.files.makeFolder(`${output}/.state`).catch((error: unknown) => {
    const code = systemCode(error);
    if (code === 'EEXIST' || code === 'ENOTDIR') {
      throw new TenantAnalyticsError('OUTPUT_OCCUPIED', `${output}: expected a folder, or nothing, got a file.`);
    }
    throw storageError(error, `Cannot make the output folder ${output}`);
  });
}

/** A folder with rows but no state: whose rows they are cannot be known, so nothing is added to them. */
export async function refuseForeignRows(output: string, deadLetters: string, world: World): Promise<void> {
  const found = [...(await world.files.list(output)), ...(await world.files.list(deadLetters))];
  const rows = found.filter((entry) => entry.isFolder && entry.name.startsWith('dt='));
  if (rows.length === 0) return;
  throw new TenantAnalyticsError(
    'OUTPUT_OCCUPIED',
    `${output} holds rows or dead letters (${rows[0]?.name}, …) but no state of a replay. Choose an empty folder as --output.`,
  );
}

/** A replay goes on with the host that began it: neither reads the other's state. */
export function otherHost(output: string, host: string, word: string): TenantAnalyticsError {
  return new TenantAnalyticsError(
    'OUTPUT_OCCUPIED',
    `${output} belongs to a replay on the ${host} host. Call it with --host ${word}, or choose another --output.`,
  );
}
