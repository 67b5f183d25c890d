import { serviceServer } from '../../src/services/server.ts';

/* What the two hosts tell of a run, as written from the sources, and servers that tell it. */

export interface NodeState {
  readonly started: number;
  readonly jobs: number;
  readonly calls: number;
}

/** As the Node host's `/metrics`, shortened. */
export function nodeMetrics({ started, jobs, calls }: NodeState): string {
  return `# HELP tenant_analytics_records_total Records read, by source.
# TYPE tenant_analytics_records_total counter
tenant_analytics_records_total{source="jobs"} ${jobs}
tenant_analytics_records_total{source="companies"} 300
# TYPE tenant_analytics_rows_total counter
tenant_analytics_rows_total{sink="rows"} ${jobs}
tenant_analytics_rows_total{sink="enrichedcompanies"} ${jobs}
# TYPE tenant_analytics_dead_letters_total counter
tenant_analytics_dead_letters_total{reason="malformed"} 3
# TYPE tenant_analytics_watermark_seconds gauge
tenant_analytics_watermark_seconds 1795374400
# TYPE tenant_analytics_shard_behind_seconds gauge
tenant_analytics_shard_behind_seconds{partition="jobs:shardId-000000000000"} 1.5
tenant_analytics_shard_behind_seconds{partition="jobs:shardId-000000000001"} 42
# TYPE tenant_analytics_shard_idle gauge
tenant_analytics_shard_idle{partition="jobs:shardId-000000000000"} 1
tenant_analytics_shard_idle{partition="jobs:shardId-000000000001"} 0
# TYPE tenant_analytics_checkpoint_age_seconds gauge
tenant_analytics_checkpoint_age_seconds 12
# TYPE tenant_analytics_checkpoint_duration_seconds gauge
tenant_analytics_checkpoint_duration_seconds 0.034
# TYPE tenant_analytics_checkpoint_bytes gauge
tenant_analytics_checkpoint_bytes 1200000
# TYPE tenant_analytics_back_pressure_bytes gauge
tenant_analytics_back_pressure_bytes 2048
# TYPE tenant_analytics_calls_total counter
tenant_analytics_calls_total{service="tenant-manager"} ${calls}
tenant_analytics_calls_total{service="churn-scoring"} ${calls}
# TYPE tenant_analytics_call_failures_total counter
tenant_analytics_call_failures_total{service="tenant-manager"} 0
tenant_analytics_call_failures_total{service="churn-scoring"} 7
# TYPE tenant_analytics_calls_held gauge
tenant_analytics_calls_held{service="tenant-manager"} 0
tenant_analytics_calls_held{service="churn-scoring"} 2
# TYPE tenant_analytics_calls_to_ask_again gauge
tenant_analytics_calls_to_ask_again{service="churn-scoring"} 5
# TYPE tenant_analytics_breaker_open gauge
tenant_analytics_breaker_open{service="tenant-manager"} 0
tenant_analytics_breaker_open{service="churn-scoring"} 1
# TYPE tenant_analytics_call_seconds histogram
tenant_analytics_call_seconds_bucket{service="tenant-manager",le="0.01"} 50
tenant_analytics_call_seconds_bucket{service="tenant-manager",le="0.1"} 100
tenant_analytics_call_seconds_bucket{service="tenant-manager",le="+Inf"} 100
# TYPE process_start_time_seconds gauge
process_start_time_seconds ${started}
`;
}

export const MODEL_METRICS = `churn_model_info{version="2026.11"} 1
churn_model_rows_total 4000
churn_model_window_rows 4000
churn_model_psi{feature="job30"} 0.05
churn_model_psi{feature="employees"} 0.31
churn_model_unknown_industry_ratio 0.01
`;

export async function startText(text: () => string): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const server = serviceServer();
  server.get('/metrics', async (_request, reply) => reply.type('text/plain').send(text()));
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  return { url: `${url}/metrics`, stop: () => server.close() };
}

export const JOB = 'a1b2c3d4e5f60718293a4b5c6d7e8f90';
const OURS = 'stages.kinesisanalytics.graph.CompanyJobProcessing';

export interface FlinkState {
  readonly jobs: readonly { readonly id: string; readonly state: string; readonly name?: string }[];
  readonly records: number;
  /** When its checkpoint was completed. */
  readonly checkpointAt: number;
}

/** As Flink 1.20's REST API answers, shortened. */
export async function startFlink(state: () => FlinkState): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const server = serviceServer();
  const metrics = (): Record<string, readonly [sum: number, min: number, max: number]> => ({
    numRecordsInPerSecond: [120.5, 60, 60.5],
    numRecordsOutPerSecond: [118, 58, 60],
    'decode.kinesisanalytics.graph.CompanyJobProcessing.source.jobs.tenant_analytics_records_total': [
      state().records,
      10,
      20,
    ],
    [`${OURS}.sink.rows.tenant_analytics_rows_total`]: [state().records, 10, 20],
    [`${OURS}.reason.malformed.tenant_analytics_dead_letters_total`]: [3, 1, 2],
    [`${OURS}.tenant_analytics_watermark_seconds`]: [3590748800, 1795374400, 1795374410],
    [`${OURS}.service.churn-scoring.tenant_analytics_calls_total`]: [50, 20, 30],
    [`${OURS}.service.churn-scoring.tenant_analytics_call_failures_total`]: [4, 2, 2],
    [`${OURS}.service.churn-scoring.tenant_analytics_calls_held`]: [1, 0, 1],
    [`${OURS}.service.churn-scoring.tenant_analytics_calls_to_ask_again`]: [6, 3, 3],
    [`${OURS}.service.churn-scoring.tenant_analytics_breaker_open`]: [1, 0, 1],
    'Source__jobs.KinesisConsumer.stream.bigdatajobs.shardId.shardId-000000000000.millisBehindLatest': [
      1500, 1500, 1500,
    ],
    'Source__jobs.KinesisConsumer.stream.bigdatajobs.shardId.shardId-000000000001.millisBehindLatest': [-1, -1, -1],
    'stages.currentInputWatermark': [1, 1, 1],
  });
  const found = (id: string) => state().jobs.find((job) => job.id === id);
  const told = ({ id, state: at, name = 'CompanyJobProcessing' }: FlinkState['jobs'][number]) => ({
    ...{ jid: id, name, state: at, 'start-time': 1795374000000 },
  });
  server.get('/jobs/overview', async () => ({ jobs: state().jobs.map(told) }));
  server.get<{ Params: { id: string } }>('/jobs/:id', async ({ params }, reply) => {
    const job = found(params.id);
    if (job === undefined) return reply.status(404).send({ errors: ['Job not found'] });
    return { ...told(job), vertices: [{ id: 'v1', name: 'jobs -> stages', parallelism: 2, status: job.state }] };
  });
  server.get('/jobs/:id/metrics', async () => [{ id: 'numRestarts', value: '1' }]);
  server.get('/jobs/:id/checkpoints', async () => ({
    counts: { failed: 2 },
    latest: {
      completed: { end_to_end_duration: 250, state_size: 5_000_000, latest_ack_timestamp: state().checkpointAt },
    },
  }));
  server.get<{ Params: { id: string }; Querystring: { get?: string } }>(
    '/jobs/:id/vertices/:vertex/subtasks/metrics',
    async ({ params, query }) => {
      if (found(params.id)?.state !== 'RUNNING') return [];
      const all = metrics();
      if (query.get === undefined) return Object.keys(all).map((id) => ({ id }));
      return query.get.split(',').flatMap((id) => {
        const [sum, min, max] = all[id] ?? [];
        return sum === undefined ? [] : [{ id, sum, min, max }];
      });
    },
  );
  const url = await server.listen({ host: '127.0.0.1', port: 0 });
  return { url, stop: () => server.close() };
}
