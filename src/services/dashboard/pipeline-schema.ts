import { z } from 'zod';
import { amount, asOfSchema, count, time } from './schema-parts.ts';

/** Null: the host does not tell it; a rate is null also until two scrapes of one run were made. */
const told = amount.nullable();

const host = z.object({
  /** Which of the two runs the application. */
  kind: z.enum(['node', 'flink']),
  url: z.string(),
  /** Since when this process or job runs. */
  since: time.nullable(),
  /** `RUNNING`, or what else Flink says of the job. */
  state: z.string(),
  isRunning: z.boolean(),
  job: z.object({ id: z.string(), name: z.string() }).nullable(),
  restarts: count.nullable(),
  /** What was asked besides, and why it is not what is shown; empty: nothing to tell. */
  besides: z.string(),
});

const service = z.object({
  service: z.string(),
  calls: told,
  callsPerSecond: told,
  /** Seconds, since the host's start; estimated within the histogram's buckets. */
  p50: told,
  p99: told,
  failures: told,
  failuresPerSecond: told,
  givenUp: told,
  /** Inputs that wait for an answer, and rows without a score that wait for one. */
  held: told,
  toAskAgain: told,
  breaker: z.enum(['closed', 'half-open', 'open']).nullable(),
});

const model = z.object({
  version: z.string().nullable(),
  /** `look`: drift or calibration is beyond its bound (docs/metrics.md). */
  state: z.enum(['well', 'look']),
  reasons: z.array(z.string()),
  rows: told,
  windowRows: told,
  /** The feature that drifted most. */
  drift: z.object({ feature: z.string(), psi: amount }).nullable(),
  unknownIndustryRatio: told,
  outcomes: told,
  calibrationError: told,
  brierScore: told,
});

/**
 * `GET /api/insights/pipeline`: how the application is, asked for at that moment (`asOf.appliedAt`) of the host that runs it,
 * when the dashboard knows where that is (404 when not, 503 while nothing answers). `rows` are its metrics, under the Node
 * host's names on Flink, too; `labels` are as Prometheus writes them. The rest is made from them.
 */
export const pipelineSchema = z.object({
  insight: z.literal('pipeline'),
  title: z.string(),
  asOf: asOfSchema,
  totals: z.object({}),
  host,
  flow: z.object({
    /** Seconds between the two scrapes that rates are made from. */
    rateSeconds: told,
    sources: z.array(z.object({ source: z.string(), records: amount, perSecond: told })),
    sinks: z.array(z.object({ sink: z.string(), rows: amount, perSecond: told })),
    backPressureBytes: told,
  }),
  shards: z.array(z.object({ shard: z.string(), behindSeconds: told, isIdle: z.boolean().nullable() })),
  /** `delaySeconds`: behind the clock. */
  watermark: z.object({ at: time.nullable(), delaySeconds: told }),
  checkpoint: z.object({ ageSeconds: told, bytes: told, durationSeconds: told, failed: count.nullable() }),
  services: z.array(service),
  deadLetters: z.array(
    z.object({ reason: z.string(), count: amount, perSecond: told, list: z.string(), replay: z.string() }),
  ),
  /** Null: nothing that was asked tells of it; `modelProblem` says why, when that is known. */
  model: model.nullable(),
  modelProblem: z.string(),
  /** Of Flink's job; none on the Node host. */
  vertices: z.array(
    z.object({
      name: z.string(),
      parallelism: count,
      status: z.string(),
      recordsInPerSecond: told,
      recordsOutPerSecond: told,
    }),
  ),
  rows: z.array(
    z.object({
      metric: z.string(),
      labels: z.string(),
      value: z.number().nullable(),
      kind: z.string(),
      help: z.string(),
    }),
  ),
});
export type PipelineAnswer = z.infer<typeof pipelineSchema>;
export type MetricRow = PipelineAnswer['rows'][number];

/** Asked by a route of its own. */
export const PIPELINE = {
  name: 'pipeline',
  title: 'How the application is: its rates, lag, checkpoints, calls, dead letters, and all its metrics',
  href: '/api/insights/pipeline',
  columns: Object.keys(pipelineSchema.shape.rows.element.shape),
} as const;
