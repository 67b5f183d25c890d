import { z } from 'zod';
import { messageOf } from '../../base/errors.ts';
import { PIPELINE_METRICS } from '../../observe/metric-table.ts';
import type { MetricRow, PipelineAnswer } from './pipeline-schema.ts';

/* How the application is on Flink: what its REST API tells of the job, as the rows that the Node host would tell. */

export interface FlinkPlace {
  /** Of the web UI, such as http://127.0.0.1:8081. */
  readonly url: string;
  /** '' is the only job named GRAPH that runs. */
  readonly job: string;
}

export interface FlinkTold {
  readonly host: Omit<PipelineAnswer['host'], 'besides'>;
  readonly failedCheckpoints: number | null;
  readonly vertices: PipelineAnswer['vertices'];
  readonly rows: readonly MetricRow[];
}

const GRAPH = 'CompanyJobProcessing';
const PATIENCE_MS = 4000;
const MOST_CHARACTERS = 4 * 1024 * 1024;
/** Flink refuses a request line of more than 4096 characters. */
const MOST_NAMES_CHARACTERS = 3000;
/** Of one vertex; the application has some 50, and one a shard. */
const MOST_METRICS = 1000;
const MOST_VERTICES = 50;

const overview = z.object({
  jobs: z.array(z.object({ jid: z.string(), name: z.string(), state: z.string(), 'start-time': z.number() })),
});
const details = z.object({
  jid: z.string(),
  name: z.string(),
  state: z.string(),
  'start-time': z.number(),
  vertices: z.array(z.object({ id: z.string(), name: z.string(), parallelism: z.int(), status: z.string() })),
});
const checkpoints = z.object({
  counts: z.object({ failed: z.int() }),
  latest: z.object({
    completed: z
      .object({ end_to_end_duration: z.number(), state_size: z.number(), latest_ack_timestamp: z.number() })
      .nullish(),
  }),
});
const names = z.array(z.object({ id: z.string() }));
const aggregated = z.array(
  z.object({ id: z.string(), sum: z.coerce.number(), min: z.coerce.number(), max: z.coerce.number() }),
);
const values = z.array(z.object({ id: z.string(), value: z.coerce.number() }));

type Job = z.infer<typeof details>;
type Aggregated = z.infer<typeof aggregated>[number];

/** Never throws: Flink may be away, or starting. */
export async function askFlink(place: FlinkPlace, now: number): Promise<FlinkTold | { readonly problem: string }> {
  const base = place.url.replace(/\/+$/, '');
  // One bound for all that is asked: a slow cluster must not hold the page.
  const signal = AbortSignal.timeout(PATIENCE_MS);
  const ask: Ask = (schema, path) => get(schema, base, path, signal);
  try {
    const found = await jobOf(ask, base, place.job);
    if ('problem' in found) return found;
    return await told(ask, base, found, now);
  } catch (error) {
    return { problem: error instanceof NoAnswer ? error.message : `Flink at ${base}: ${messageOf(error)}` };
  }
}

type Ask = <T>(schema: z.ZodType<T>, path: string) => Promise<T>;

class NoAnswer extends Error {
  readonly status: number | undefined;
  constructor(message: string, status?: number) {
    super(message);
    this.status = status;
  }
}

async function get<T>(schema: z.ZodType<T>, base: string, path: string, signal: AbortSignal): Promise<T> {
  let response: Response;
  let text: string;
  try {
    response = await fetch(base + path, { signal, redirect: 'error' });
    text = await response.text();
  } catch (error) {
    const cause = error instanceof Error && error.cause !== undefined ? error.cause : error;
    throw new NoAnswer(`Flink at ${base} does not answer: ${messageOf(cause)}`);
  }
  const what = `${base}${path.replace(/\?.*/, '')}`;
  if (!response.ok) throw new NoAnswer(`${what} answers ${response.status}`, response.status);
  if (text.length > MOST_CHARACTERS) throw new NoAnswer(`${what} tells more than ${MOST_CHARACTERS} characters`);
  try {
    return schema.parse(JSON.parse(text));
  } catch {
    throw new NoAnswer(`${what} does not answer as Flink 1.20 does; look whether --flink-url is that of its web UI`);
  }
}

async function jobOf(ask: Ask, base: string, wanted: string): Promise<Job | { readonly problem: string }> {
  const of = (id: string) => ask(details, `/jobs/${encodeURIComponent(id)}`);
  if (wanted !== '') {
    return of(wanted).catch((error: unknown) => {
      if (!(error instanceof NoAnswer) || (error.status !== 404 && error.status !== 400)) throw error;
      return { problem: `Flink at ${base} has no job ${wanted}; name another with --flink-job` };
    });
  }
  const known = (await ask(overview, '/jobs/overview')).jobs.filter(({ name }) => name === GRAPH);
  const active = known.filter(({ state }) => !isOver(state));
  if (active.length > 1) {
    const ids = active.map(({ jid }) => jid).join(', ');
    return { problem: `Flink at ${base} runs ${active.length} jobs named ${GRAPH} (${ids}); choose with --flink-job` };
  }
  // One that is over says more than none: that it failed, and when.
  const last = active[0] ?? known.sort((one, other) => other['start-time'] - one['start-time'])[0];
  if (last === undefined) return { problem: `Flink at ${base} answers, and has no job named ${GRAPH}` };
  return of(last.jid);
}

function isOver(state: string): boolean {
  return state === 'FINISHED' || state === 'FAILED' || state === 'CANCELED';
}

async function told(ask: Ask, url: string, job: Job, now: number): Promise<FlinkTold> {
  const { jid, name, state, vertices } = job;
  const [taken, ofJob, ofVertices] = await Promise.all([
    ask(checkpoints, `/jobs/${jid}/checkpoints`).catch(unlessAway),
    ask(values, `/jobs/${jid}/metrics?get=numRestarts`).catch(unlessAway),
    Promise.all(vertices.slice(0, MOST_VERTICES).map((vertex) => metricsOf(ask, jid, vertex.id))),
  ]);
  const restarts = ofJob?.find(({ id }) => id === 'numRestarts')?.value;
  const shown = vertices.map(({ name, parallelism, status }, at) => ({
    name,
    parallelism,
    status,
    recordsInPerSecond: sumOf(ofVertices[at], 'numRecordsInPerSecond'),
    recordsOutPerSecond: sumOf(ofVertices[at], 'numRecordsOutPerSecond'),
  }));
  const last = taken?.latest.completed;
  return {
    host: {
      kind: 'flink',
      url,
      since: job['start-time'] > 0 ? new Date(job['start-time']).toISOString() : null,
      state,
      isRunning: state === 'RUNNING',
      job: { id: jid, name },
      restarts: restarts === undefined || restarts < 0 ? null : restarts,
    },
    failedCheckpoints: taken?.counts.failed ?? null,
    vertices: shown,
    rows: [
      ...merged(ofVertices.flat().flatMap(rowOf)),
      ...(last == null
        ? []
        : [
            row('tenant_analytics_checkpoint_age_seconds', '', Math.max(0, now - last.latest_ack_timestamp) / 1000),
            row('tenant_analytics_checkpoint_duration_seconds', '', last.end_to_end_duration / 1000),
            row('tenant_analytics_checkpoint_bytes', '', last.state_size),
          ]),
    ],
  };
}

/** A job that ended has no metrics any more; what else it tells is told. */
function unlessAway(error: unknown): undefined {
  if (error instanceof NoAnswer && error.status !== undefined) return;
  throw error;
}

async function metricsOf(ask: Ask, job: string, vertex: string): Promise<readonly Aggregated[]> {
  const path = `/jobs/${job}/vertices/${vertex}/subtasks/metrics`;
  const known = (await ask(names, path).catch(unlessAway)) ?? [];
  const wanted = known.map(({ id }) => id).filter((id) => IS_RATE.test(id) || readName(id) !== undefined);
  const asked = batches(wanted.slice(0, MOST_METRICS).map(encodeURIComponent));
  const found = await Promise.all(
    asked.map((ids) => ask(aggregated, `${path}?get=${ids}&agg=sum,min,max`).catch(unlessAway)),
  );
  return found.flatMap((each) => each ?? []);
}

/** Of the vertex; those of its operators have the operator's name before them. */
const IS_RATE = /^numRecords(In|Out)PerSecond$/;

function batches(ids: readonly string[]): readonly string[] {
  const made: string[] = [];
  for (const id of ids) {
    const last = made.at(-1);
    if (last === undefined || last.length + id.length >= MOST_NAMES_CHARACTERS) made.push(id);
    else made[made.length - 1] = `${last},${id}`;
  }
  return made;
}

function sumOf(metrics: readonly Aggregated[] | undefined, id: string): number | null {
  const sum = metrics?.find((each) => each.id === id)?.sum;
  return sum !== undefined && Number.isFinite(sum) ? sum : null;
}

/**
 * `<operator>.kinesisanalytics.graph.<graph>.<label>.<value>.<metric>` as metric and labels; of the connector's, how far
 * behind a shard is: `<operator>.KinesisConsumer.stream.<stream>.shardId.<shard>.millisBehindLatest`.
 */
function readName(id: string): { readonly metric: string; readonly labels: string } | undefined {
  const shard = /\.stream\.([^.]+)\.(?:.+\.)?shardId\.([^.]+)\.(?:.+\.)?millisBehindLatest$/.exec(id);
  if (shard !== null) {
    return { metric: BEHIND, labels: labelText('partition', `${shard[1]}:${shard[2]}`) };
  }
  const ours = /(?:^|\.)kinesisanalytics\.graph\.[^.]+\.(.*)$/.exec(id)?.[1]?.split('.');
  const metric = ours?.pop();
  if (ours === undefined || metric === undefined || !metric.startsWith('tenant_analytics_')) return undefined;
  const labels: string[] = [];
  for (let at = 0; at + 1 < ours.length; at += 2) labels.push(labelText(ours[at] ?? '', ours[at + 1] ?? ''));
  return { metric, labels: labels.join(',') };
}

const BEHIND = 'tenant_analytics_shard_behind_seconds';
const WATERMARK = 'tenant_analytics_watermark_seconds';
const BREAKER = 'tenant_analytics_breaker_open';

function labelText(name: string, value: string): string {
  return `${name}="${value.replace(/[\\"]/g, '\\$&')}"`;
}

function rowOf({ id, sum, min, max }: Aggregated): readonly MetricRow[] {
  const read = readName(id);
  if (read === undefined) return [];
  const { metric, labels } = read;
  // Of several tasks the slowest tells the watermark; 0 is none yet. A connector that has not read yet says -1.
  if (metric === WATERMARK) return min > 0 ? [row(metric, labels, min)] : [];
  if (metric === BEHIND) return max < 0 ? [] : [row(metric, labels, max / 1000)];
  return [row(metric, labels, metric === BREAKER ? max : sum)];
}

/** Two vertices may tell the same: what one counts and another does, too, is counted together. */
function merged(rows: readonly MetricRow[]): readonly MetricRow[] {
  const known = new Map<string, MetricRow>();
  for (const each of rows) {
    const key = `${each.metric}{${each.labels}}`;
    const before = known.get(key);
    known.set(key, before === undefined ? each : { ...each, value: together(each.metric, before.value, each.value) });
  }
  return [...known.values()];
}

function together(metric: string, one: number | null, other: number | null): number | null {
  if (one === null || other === null) return one ?? other;
  if (metric === WATERMARK) return Math.min(one, other);
  return metric === BREAKER || metric === BEHIND ? Math.max(one, other) : one + other;
}

function row(metric: string, labels: string, value: number): MetricRow {
  const known = metric in PIPELINE_METRICS ? PIPELINE_METRICS[metric as keyof typeof PIPELINE_METRICS] : undefined;
  return {
    metric,
    labels,
    value: Number.isFinite(value) ? value : null,
    kind: known?.type ?? 'gauge',
    help: known?.meaning ?? '',
  };
}
