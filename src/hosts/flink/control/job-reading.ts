import type { FlinkJob, FlinkRest } from '../cluster/flink-rest.ts';

/** How a job is doing. */
export interface JobReading {
  readonly state: string;
  /** Of its widest vertex. */
  readonly parallelism: number;
  /** What its sources sent on since the last start. */
  readonly records: number;
  /** Undefined while Flink does not tell: it takes a while after a start. */
  readonly restarts: number | undefined;
  readonly checkpoints: number;
  /** Of the last checkpoint that completed. */
  readonly checkpointAt: number | undefined;
}

export async function readJob(rest: FlinkRest, job: FlinkJob): Promise<JobReading> {
  const checkpoints = await rest.checkpoints(job.jid).catch(() => undefined);
  const metrics = await rest.jobMetrics(job.jid, ['numRestarts']).catch((): Record<string, number> => ({}));
  const sources = job.vertices.filter(({ name }) => name.startsWith('Source: '));
  return {
    state: job.state,
    parallelism: Math.max(0, ...job.vertices.map(({ parallelism }) => parallelism)),
    records: sources.reduce((sum, { metrics }) => sum + metrics['write-records'], 0),
    restarts: metrics.numRestarts,
    // Those that "failed" are left out: most were due while tasks were being started, and never begun.
    checkpoints: checkpoints?.counts.completed ?? 0,
    checkpointAt: checkpoints?.latest.completed?.latest_ack_timestamp,
  };
}
