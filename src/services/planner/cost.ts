import { LIMITS } from '../../base/limits.ts';
import type { PlanInputs } from './inputs.ts';
import { AWS, DAY_SECONDS, MONTH_DAYS, MONTH_HOURS, MONTH_SECONDS } from './limits.ts';
import type { PriceName, Prices } from './prices.ts';
import { PRICE_UNITS } from './prices.ts';
import type { HostSize, StreamSize } from './sizing.ts';
import type { Workload } from './workload.ts';

export interface CostLine {
  readonly part: string;
  readonly price: PriceName;
  /** In the unit of the price, a month. */
  readonly quantity: number;
  readonly unit: string;
  readonly perMonth: number;
}

export interface Cost {
  readonly lines: readonly CostLine[];
  readonly perMonth: number;
  /** Null with less than one event a month. */
  readonly perMillionEvents: number | null;
}

/** As AWS bills it. */
const GB = 2 ** 30;
/** What stands there whatever the load is: start with these, and look at their own metrics. Not sized by measurements. */
export const FIXED = {
  tenantManagerTasks: 2,
  tenantManagerVcpus: 0.5,
  tenantManagerGB: 1,
  auroraAcus: 1,
  modelInstances: 1,
} as const;

export function costOf(
  inputs: PlanInputs,
  load: Workload,
  streams: readonly StreamSize[],
  host: HostSize,
  prices: Prices,
): Cost {
  const lines = [
    ...streams.flatMap((stream) => streamLines(inputs, stream)),
    ...hostLines(inputs, host),
    ...rowLines(inputs, load, host),
    ...serviceLines(inputs, load),
  ]
    .filter(([, , quantity]) => quantity > 0)
    .map(([part, price, quantity]) => ({
      ...{ part, price, quantity, unit: PRICE_UNITS[price] },
      perMonth: quantity * prices.of[price],
    }));
  const perMonth = lines.reduce((sum, line) => sum + line.perMonth, 0);
  const events = load.events.mean * MONTH_SECONDS;
  return { lines, perMonth, perMillionEvents: events >= 1 ? perMonth / (events / 1e6) : null };
}

type Line = readonly [part: string, price: PriceName, quantity: number];

function streamLines(inputs: PlanInputs, stream: StreamSize): readonly Line[] {
  const { numbers: of, isFanOut, streams } = inputs;
  const { name, recordBytes, meanRecords, shards } = stream;
  const perMonth = meanRecords * MONTH_SECONDS;
  const part = `stream ${name}`;
  const isOverDay = of.retentionHours > 24;
  const fansOut = isFanOut && name === 'bigdatajobs';
  const retentionDays = of.retentionHours / 24;
  /** Records that are kept for so many days more. */
  const kept = (days: number) => (meanRecords * DAY_SECONDS * recordBytes * Math.max(0, days)) / GB;
  const keptLong = kept(retentionDays - 7);
  if (streams === 'on-demand') {
    const billed = Math.ceil(recordBytes / AWS.onDemandUnitBytes.value) * AWS.onDemandUnitBytes.value;
    const polling = name === 'enrichedcompanies' ? of.rowReaders : fansOut ? 0 : 1;
    const read = (perMonth * recordBytes) / GB;
    return [
      [part, 'kinesis.onDemandStream', MONTH_HOURS],
      [part, 'kinesis.onDemandIn', (perMonth * billed) / GB],
      [part, 'kinesis.onDemandOut', read * polling],
      [part, 'kinesis.onDemandFanOut', fansOut ? read : 0],
      [part, 'kinesis.onDemandRetention7', kept(Math.min(retentionDays, 7) - 1)],
      [part, 'kinesis.retentionLong', keptLong],
    ];
  }
  return [
    [part, 'kinesis.shard', shards * MONTH_HOURS],
    [part, 'kinesis.put', (perMonth * Math.ceil(recordBytes / AWS.payloadUnitBytes.value)) / 1e6],
    [part, 'kinesis.retention7', isOverDay ? shards * MONTH_HOURS : 0],
    [part, 'kinesis.retentionLong', keptLong],
    [part, 'kinesis.fanOut', fansOut ? shards * MONTH_HOURS : 0],
    [part, 'kinesis.fanOutData', fansOut ? (perMonth * recordBytes) / GB : 0],
  ];
}

function hostLines({ host: kind }: PlanInputs, host: HostSize): readonly Line[] {
  if (kind === 'node') return [['application, Node host', 'ec2.instance', MONTH_HOURS]];
  const part = 'application, managed Flink';
  const running = host.kpus - AWS.orchestrationKpus.value;
  return [
    [part, 'flink.kpu', host.kpus * MONTH_HOURS],
    [part, 'flink.storage', running * AWS.kpuStorageGB.value],
  ];
}

function rowLines({ numbers: of, format }: PlanInputs, load: Workload, host: HostSize): readonly Line[] {
  const bytesPerDay = load.rows.mean * DAY_SECONDS * (format === 'csv' ? of.csvRowBytes : of.rowBytes);
  return [
    // An object of several pieces is one request more for each.
    ['rows in S3', 's3.put', ((host.objectsPerDay + bytesPerDay / LIMITS.uploadPieceBytes) * MONTH_DAYS) / 1000],
    ['rows in S3', 's3.storage', (bytesPerDay * of.rowDays) / GB],
  ];
}

function serviceLines({ numbers: of, isScored, isLookup }: PlanInputs, load: Workload): readonly Line[] {
  const calls = load.scores.mean * MONTH_SECONDS;
  const gbSeconds = (calls * of.lambdaMs * of.lambdaMiB) / (1000 * 1024);
  const vcpus = FIXED.tenantManagerTasks * FIXED.tenantManagerVcpus;
  const scoring: readonly Line[] = [
    ['churn scoring', 'apigateway.request', calls / 1e6],
    ['churn scoring', 'lambda.request', calls / 1e6],
    ['churn scoring', 'lambda.duration', gbSeconds],
    ['churn scoring', 'sagemaker.instance', FIXED.modelInstances * MONTH_HOURS],
  ];
  const tenants: readonly Line[] = [
    ['TenantManager', 'fargate.vcpu', vcpus * MONTH_HOURS],
    ['TenantManager', 'fargate.memory', FIXED.tenantManagerTasks * FIXED.tenantManagerGB * MONTH_HOURS],
    ['TenantManager', 'aurora.acu', FIXED.auroraAcus * MONTH_HOURS],
    ['TenantManager', 'loadbalancer.hour', MONTH_HOURS],
  ];
  return [...(isScored ? scoring : []), ...(isLookup ? tenants : [])];
}
