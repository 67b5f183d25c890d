import type { PlanInputs } from './inputs.ts';
import { AWS, callMicros, DAY_SECONDS, eventMicros } from './limits.ts';
import type { Workload } from './workload.ts';

export type StreamName = 'bigdatajobs' | 'companies' | 'enrichedcompanies';

export interface StreamSize {
  readonly name: StreamName;
  readonly recordBytes: number;
  readonly meanRecords: number;
  readonly peakRecords: number;
  /** On demand: those that AWS would need to carry it; nobody sets them. */
  readonly shards: number;
  /** Which limit asks for them. */
  readonly because: string;
}

export interface HostSize {
  /** CPU at the peak, in seconds a second, by what was measured. */
  readonly peakCpu: number;
  /** Subtasks on Flink; the Node host is one process. */
  readonly parallelism: number;
  /** With that of orchestration; 0 on the Node host. */
  readonly kpus: number;
  readonly tenantInFlight: CallsInFlight;
  readonly scoreInFlight: CallsInFlight;
  readonly lambdaConcurrency: number;
  /** To work off the rows of midnight at the calls in flight that are allowed; 0 without scores. */
  readonly midnightSeconds: number;
  /** Of one company: its rows are scored, and sent by the Node host, one after the other. */
  readonly perCompanyMost: number;
  readonly objectsPerDay: number;
}

export interface CallsInFlight {
  /** Little's law at the peak, in all subtasks, with room by `utilization`. */
  readonly needed: number;
  /** What `tenant.concurrency` or `score.concurrency` must be for that in each subtask. */
  readonly perSubtask: number;
}

export function streamSizes(inputs: PlanInputs, load: Workload): readonly StreamSize[] {
  const { numbers: of, isFanOut } = inputs;
  const size = (
    name: StreamName,
    recordBytes: number,
    { mean, peak }: { readonly mean: number; readonly peak: number },
    pollingReaders: number,
  ): StreamSize => {
    const fill = of.utilization;
    const asks = [
      { count: peak / (AWS.shardWriteRecords.value * fill), because: AWS.shardWriteRecords.name },
      { count: (peak * recordBytes) / (AWS.shardWriteBytes.value * fill), because: AWS.shardWriteBytes.name },
      {
        count: (peak * recordBytes * pollingReaders) / (AWS.shardReadBytes.value * fill),
        because: `${AWS.shardReadBytes.name} (${pollingReaders} readers)`,
      },
    ];
    const most = asks.reduce((one, other) => (other.count > one.count ? other : one));
    const shards = Math.max(1, Math.ceil(most.count));
    return {
      name,
      recordBytes,
      meanRecords: mean,
      peakRecords: peak,
      shards,
      because: shards === 1 ? 'a stream has at least one' : most.because,
    };
  };
  return [
    size('bigdatajobs', of.eventBytes, load.events, isFanOut ? 0 : 1),
    size('companies', of.rowBytes, load.companyRecords, 1),
    size('enrichedcompanies', of.rowBytes, load.rows, of.rowReaders),
  ];
}

export function hostSize(inputs: PlanInputs, load: Workload): HostSize {
  const { numbers: of, host, tenantConcurrency, scoreConcurrency, isScored } = inputs;
  const { lookup, score: scored } = callMicros(host);
  const micros = load.events.peak * eventMicros(host) + load.lookups.peak * lookup + load.scores.peak * scored;
  const peakCpu = micros / 1e6;
  const forCpu = Math.ceil(peakCpu / (of.derate * of.utilization));
  const inFlight = (peak: number, latencyMs: number) => Math.ceil((peak * latencyMs) / 1000 / of.utilization);
  const tenant = inFlight(load.lookups.peak, of.tenantLatencyMs);
  const score = inFlight(load.scores.peak, of.scoreLatencyMs);
  const parallelism = host === 'node' ? 1 : Math.max(1, forCpu);
  const perCompany = [
    ...(isScored ? [1000 / of.scoreLatencyMs] : []),
    ...(host === 'node' ? [1000 / of.putLatencyMs] : []),
  ];
  const asked = 1 - of.repeatShare;
  return {
    peakCpu,
    parallelism,
    kpus: host === 'node' ? 0 : Math.ceil(parallelism / of.parallelismPerKpu) + AWS.orchestrationKpus.value,
    tenantInFlight: { needed: tenant, perSubtask: Math.max(tenantConcurrency, Math.ceil(tenant / parallelism)) },
    scoreInFlight: { needed: score, perSubtask: Math.max(scoreConcurrency, Math.ceil(score / parallelism)) },
    lambdaConcurrency: Math.ceil((load.scores.peak * of.lambdaMs) / 1000 / of.utilization),
    midnightSeconds: isScored
      ? (load.midnightRows * asked * (of.scoreLatencyMs / 1000)) /
        (Math.max(scoreConcurrency, Math.ceil(score / parallelism)) * parallelism)
      : 0,
    perCompanyMost: Math.min(...perCompany),
    objectsPerDay: objectsPerDay(inputs, load, parallelism),
  };
}

/** Each subtask fills one object of a day until it is full or old; it makes none without rows. */
function objectsPerDay({ numbers: of, format, rollBytes, rollMs }: PlanInputs, load: Workload, parallelism: number) {
  const rowsPerDay = load.rows.mean * DAY_SECONDS;
  const bytesPerDay = rowsPerDay * (format === 'csv' ? of.csvRowBytes : of.rowBytes);
  const byAge = (parallelism * DAY_SECONDS) / (rollMs / 1000);
  return Math.ceil(Math.min(rowsPerDay, byAge + bytesPerDay / rollBytes));
}
