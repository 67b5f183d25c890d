/** What AWS allows, by its own names. Source: the service's page of quotas in the AWS documentation; not checked from here. */
export const AWS = {
  shardWriteBytes: { value: 1024 * 1024, name: 'Kinesis: 1 MiB/s of writes a shard' },
  shardWriteRecords: { value: 1000, name: 'Kinesis: 1,000 records/s of writes a shard' },
  shardReadBytes: {
    value: 2 * 1024 * 1024,
    name: 'Kinesis: 2 MiB/s of reads a shard, shared by all that poll it; with EFO for each consumer',
  },
  shardReads: { value: 5, name: 'Kinesis: 5 GetRecords/s a shard, shared by all that poll it' },
  payloadUnitBytes: { value: 25 * 1024, name: 'Kinesis: a PUT payload unit is 25 KiB' },
  onDemandUnitBytes: { value: 1024, name: 'Kinesis on demand: a record is billed in units of 1 KiB' },
  kpu: { value: 1, name: 'Managed Flink: a KPU is 1 vCPU, 4 GiB and 50 GB of running storage' },
  orchestrationKpus: { value: 1, name: 'Managed Flink: one KPU more for orchestration' },
  kpuStorageGB: { value: 50, name: 'Managed Flink: 50 GB of running application storage a KPU' },
  kpuQuota: { value: 64, name: 'Managed Flink: 64 KPUs an application, unless the quota is raised' },
  apiGatewayFirstTier: {
    value: 333e6,
    name: 'API Gateway: calls beyond 333 million a month cost less',
  },
  lambdaQuota: {
    value: 1000,
    name: 'Lambda: 1,000 concurrent executions an account and region, unless the quota is raised',
  },
} as const;

/** What was measured, where that is written down, and what exactly. Only these are capacities of ours. All on 2 × AMD EPYC. */
export const MEASURED = {
  nodeLiveMicros: {
    value: 23.4,
    source: 'bench/README.md, Live',
    what: 'CPU µs an event: Node host, from Kinesis to a JSON row in a file and one on a stream',
  },
  nodeFileMicros: {
    value: 3.9,
    source: 'bench/README.md, Measured: 255 k events per CPU-second',
    what: 'CPU µs an event: Node host, from a file to JSON rows in files, decay on',
  },
  flinkFileMicros: {
    value: 6.3,
    source: 'bench/README.md, Flink: 160 k events per CPU-second',
    what: 'CPU µs an event: Flink host, parallelism 2, the same files',
  },
  nodeLookupMicros: {
    value: 212,
    source: 'bench/CALLS.md',
    what: 'CPU µs a lookup: Node host, `replay`, one for each event, the event included',
  },
  nodeScoreMicros: {
    value: 221,
    source: 'bench/CALLS.md',
    what: 'CPU µs a score: Node host, `replay`, one for each event, the event included',
  },
  flinkCallMicros: {
    value: 374,
    source: 'bench/README.md, Its calls',
    what: 'CPU µs a call: Flink host, one slot, the event and the compilation of the first minute included',
  },
} as const;

/** Of one call, by what is asked. */
export function callMicros(host: 'node' | 'flink'): { readonly lookup: number; readonly score: number } {
  const { nodeLookupMicros, nodeScoreMicros, flinkCallMicros } = MEASURED;
  if (host === 'flink') return { lookup: flinkCallMicros.value, score: flinkCallMicros.value };
  return { lookup: nodeLookupMicros.value, score: nodeScoreMicros.value };
}

/** On Flink reading and writing streams was not measured: what it adds on the Node host is taken for it. */
export function eventMicros(host: 'node' | 'flink'): number {
  const { nodeLiveMicros, nodeFileMicros, flinkFileMicros } = MEASURED;
  if (host === 'node') return nodeLiveMicros.value;
  return flinkFileMicros.value + (nodeLiveMicros.value - nodeFileMicros.value);
}

export const HOUR_SECONDS = 3600;
export const DAY_SECONDS = 86_400;
/** A month of AWS's price lists: 730 hours. */
export const MONTH_HOURS = 730;
export const MONTH_SECONDS = MONTH_HOURS * HOUR_SECONDS;
export const MONTH_DAYS = MONTH_HOURS / 24;
