import * as z from 'zod';
import { TenantAnalyticsError } from '../../base/errors.ts';
import type { InputFile } from '../../connectors/file/input-file.ts';
import { describeParameters, type Parameters, SECRET_PARAMETERS } from '../../pipeline/parameters.ts';

/** What a replay's state belongs to. With another one it does not go on. */
const replayIdentity = z.object({
  graph: z.string(),
  /** By `<source>:<base name>`. */
  inputs: z.record(z.string(), z.object({ name: z.string(), size: z.number(), digest: z.string() })),
  parameters: z.record(z.string(), z.unknown()),
  /** Arrival of the records of each input: its modification time as of the first checkpoint. */
  arrivalTimes: z.record(z.string(), z.number()),
});

export type ReplayIdentity = z.infer<typeof replayIdentity>;

/** They decide where and how often, not what comes out: a later call may change them. */
const FREE_PARAMETERS: ReadonlySet<string> = new Set(['S3SinkPath', 'data.dir', 'checkpoint.interval', 'engine']);

export function identityOf(
  graph: string,
  inputs: ReadonlyMap<string, InputFile>,
  { consumer, producer, application }: Parameters,
): ReplayIdentity {
  const all = Object.entries({ ...prefixed('consumer', consumer), ...prefixed('producer', producer), ...application });
  return {
    graph,
    inputs: Object.fromEntries([...inputs].map(([id, input]) => [id, input.identity])),
    parameters: Object.fromEntries(all.filter(([name]) => !FREE_PARAMETERS.has(name) && !SECRET_PARAMETERS.has(name))),
    arrivalTimes: Object.fromEntries([...inputs].map(([id, input]) => [id, input.modifiedAt])),
  };
}

function prefixed(prefix: string, values: object): Record<string, unknown> {
  return Object.fromEntries(Object.entries(values).map(([name, value]) => [`${prefix} ${name}`, value]));
}

/**
 * Compares what is asked for with what the state belongs to, and returns the latter.
 * @throws TenantAnalyticsError INPUT_CHANGED naming each difference
 */
export function checkIdentity(asked: ReplayIdentity, found: unknown, output: string): ReplayIdentity {
  const parsed = replayIdentity.safeParse(found);
  const differences = parsed.success ? differencesOf(asked, parsed.data) : ['its state is not that of a replay'];
  if (parsed.success && differences.length === 0) return parsed.data;
  throw new TenantAnalyticsError(
    'INPUT_CHANGED',
    `${output} belongs to another replay: ${differences.join('; ')}. Call it as before, or choose another --output.`,
  );
}

function differencesOf(asked: ReplayIdentity, known: ReplayIdentity): string[] {
  const differences: string[] = [];
  if (asked.graph !== known.graph) differences.push(`graph ${known.graph}, now ${asked.graph}`);
  for (const id of new Set([...Object.keys(known.inputs), ...Object.keys(asked.inputs)])) {
    const [was, is] = [known.inputs[id], asked.inputs[id]];
    if (was === undefined) differences.push(`${id} is a new input`);
    else if (is === undefined) differences.push(`${id} is missing`);
    else if (was.size !== is.size) differences.push(`${id} had ${was.size} bytes, now ${is.size}`);
    else if (was.digest !== is.digest) differences.push(`${id} has other content`);
  }
  const byDefault = new Map(describeParameters().map((parameter) => [parameter.name, parameter.byDefault]));
  for (const name of new Set([...Object.keys(known.parameters), ...Object.keys(asked.parameters)])) {
    // An earlier version did not know it: it did what the default does.
    const isNewDefault = known.parameters[name] === undefined && byDefault.get(name) === String(asked.parameters[name]);
    if (isNewDefault) continue;
    const [was, is] = [JSON.stringify(known.parameters[name]), JSON.stringify(asked.parameters[name])];
    if (was !== is) differences.push(`${name} was ${was ?? 'not known'}, now ${is ?? 'not known'}`);
  }
  return differences;
}
