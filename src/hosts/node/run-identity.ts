import * as z from 'zod';
import { TenantAnalyticsError } from '../../base/errors.ts';
import type { Parameters } from '../../pipeline/parameters.ts';
import type { FoundCheckpoint } from '../../runtime/checkpoint-store.ts';
import type { Graph } from '../../runtime/contract.ts';

/** What the state of a live run belongs to. With something else it does not go on. */
export const runIdentity = z.object({
  graph: z.string(),
  /** Positions are those of these streams, counts are made by these rules, parts under way lie at these paths. */
  fixed: z.record(z.string(), z.unknown()),
  /** Stages in which inputs may be held. */
  httpStages: z.array(z.string()),
});

export type RunIdentity = z.infer<typeof runIdentity>;

export function runIdentityOf(graph: Graph, parameters: Parameters): RunIdentity {
  return {
    graph: graph.name,
    fixed: fixedOf(parameters),
    httpStages: graph.stages.filter(({ kind }) => kind === 'http').map(({ id }) => id),
  };
}

/** The values of parameters that state depends on, by name. */
export function fixedOf({ consumer, application }: Parameters): RunIdentity['fixed'] {
  return {
    'aws.region': consumer['aws.region'],
    'jobs.stream.name': consumer['jobs.stream.name'],
    'companies.stream.name': consumer['companies.stream.name'],
    'activity.counting': application['activity.counting'],
    S3SinkPath: application.S3SinkPath,
    S3SinkFormat: application.S3SinkFormat,
    deadLetterPath: application.deadLetterPath,
  };
}

/**
 * Whether a run with this identity may go on from what was found.
 * @throws TenantAnalyticsError STATE_MISMATCH naming each difference
 */
export function checkRunIdentity(asked: RunIdentity, found: FoundCheckpoint, identity: unknown, folder: string): void {
  const parsed = runIdentity.safeParse(identity);
  if (!parsed.success) throw mismatch(folder, ['its state is not that of a run, but of a replay or another program']);
  const known = parsed.data;
  const differences = differencesOf(asked, known);
  for (const id of known.httpStages) {
    if (asked.httpStages.includes(id)) continue;
    const held = [...(found.stages.get(id)?.states ?? [])].length;
    if (held > 0) {
      differences.push(
        `${held} events are held in ${id}, which would be gone: run it as before until its service has answered them`,
      );
    }
  }
  if (differences.length > 0) throw mismatch(folder, differences);
}

/** In what a run differs from the one that some state belongs to, but for what may be held. */
export function differencesOf(asked: RunIdentity, known: RunIdentity): string[] {
  const differences = fixedDifferences(asked.fixed, known.fixed);
  if (known.graph !== asked.graph) differences.push(`graph ${known.graph}, now ${asked.graph}`);
  return differences;
}

/** `S3SinkFormat was "json", now "csv"`. */
export function fixedDifferences(asked: RunIdentity['fixed'], known: RunIdentity['fixed']): string[] {
  return Object.keys({ ...known, ...asked }).flatMap((name) => {
    const [was, is] = [JSON.stringify(known[name]), JSON.stringify(asked[name])];
    return was === is ? [] : [`${name} was ${was ?? 'not known'}, now ${is ?? 'not known'}`];
  });
}

export function mismatch(folder: string, differences: readonly string[]): TenantAnalyticsError {
  return new TenantAnalyticsError(
    'STATE_MISMATCH',
    `The state in ${folder} belongs to another run: ${differences.join('; ')}. Run it as before, or choose another data.dir to begin anew.`,
  );
}
