import { type Cost, costOf } from './cost.ts';
import type { PlanInputs } from './inputs.ts';
import { AWS, MONTH_SECONDS } from './limits.ts';
import type { Prices } from './prices.ts';
import { type HostSize, hostSize, type StreamSize, streamSizes } from './sizing.ts';
import { type Workload, workload } from './workload.ts';

export interface Plan {
  readonly inputs: PlanInputs;
  readonly load: Workload;
  readonly streams: readonly StreamSize[];
  readonly host: HostSize;
  readonly cost: Cost;
  readonly prices: Pick<Prices, 'currency' | 'region' | 'asOf' | 'note'>;
  /** What the figures alone do not say: limits that are met, and by what. */
  readonly warnings: readonly string[];
}

/** What a load asks for, and what that costs. Pure: the same for the same inputs and prices. */
export function planOf(inputs: PlanInputs, prices: Prices): Plan {
  const load = workload(inputs);
  const streams = streamSizes(inputs, load);
  const host = hostSize(inputs, load);
  const { currency, region, asOf, note } = prices;
  return {
    inputs,
    load,
    streams,
    host,
    cost: costOf(inputs, load, streams, host, prices),
    prices: { currency, region, asOf, note },
    warnings: warningsOf(inputs, load, streams, host),
  };
}

function warningsOf(
  { numbers: of, host: kind, tenantTtlMs, tenantCacheSize, isLookup, isScored }: PlanInputs,
  { busiestCompany: busiest, scores }: Workload,
  [jobs]: readonly StreamSize[],
  host: HostSize,
): readonly string[] {
  const warnings: string[] = [];
  const said = (value: number) => value.toLocaleString('en-US', { maximumFractionDigits: 1 });
  if (busiest.peak > host.perCompanyMost) {
    const why = isScored
      ? 'each waits for the score of the one before'
      : 'each waits until the one before was accepted';
    warnings.push(
      `The busiest company has ${said(busiest.peak)} events/s at the peak, and rows of one company leave one after the other: at most ${said(host.perCompanyMost)}/s (${why}). Its rows fall behind, and back-pressure then holds all. Lower the latency, or merge its events (nbJobs).`,
    );
  }
  if (busiest.peak > AWS.shardWriteRecords.value * of.utilization) {
    warnings.push(
      `The busiest company has ${said(busiest.peak)} events/s at the peak, all in one shard of bigdatajobs (${AWS.shardWriteRecords.name}): more shards do not help. Merge its events, or let the producer spread them over partition keys, which gives up their order.`,
    );
  }
  if (kind === 'node' && host.peakCpu > of.derate * of.utilization) {
    warnings.push(
      `The peak needs ${said(host.peakCpu)} CPU, by what was measured; of the one core that the Node host works on ${said(of.derate * of.utilization)} is counted on. Use --host flink.`,
    );
  }
  if (of.rowReaders > AWS.shardReads.value) {
    warnings.push(
      `${said(of.rowReaders)} readers poll enrichedcompanies (${AWS.shardReads.name}): each comes to its turn less than once a second, and is throttled in between. Let the others read with EFO.`,
    );
  }
  const callsAMonth = scores.mean * MONTH_SECONDS;
  if (callsAMonth > AWS.apiGatewayFirstTier.value) {
    warnings.push(
      `${said(callsAMonth / 1e6)} million calls of churn scoring a month, all at the price of the first ones. ${AWS.apiGatewayFirstTier.name}.`,
    );
  }
  if (host.kpus > AWS.kpuQuota.value)
    warnings.push(`${said(host.kpus)} KPUs are beyond a quota. ${AWS.kpuQuota.name}.`);
  if (kind === 'flink' && jobs !== undefined && host.parallelism > jobs.shards) {
    warnings.push(
      `Parallelism ${said(host.parallelism)} is above the ${said(jobs.shards)} shards of bigdatajobs: that many subtasks read, all work.`,
    );
  }
  if (host.parallelism > 128) {
    warnings.push(
      'A job that began with a parallelism of 85 or fewer has 128 key groups, and can use no more subtasks (docs/flink.md).',
    );
  }
  if (host.lambdaConcurrency > AWS.lambdaQuota.value)
    warnings.push(`Churn scoring is beyond a quota. ${AWS.lambdaQuota.name}.`);
  if (isLookup && of.companies > tenantCacheSize) {
    warnings.push(
      `There are more companies than tenant.cache.size (${said(tenantCacheSize)}): those beyond it are counted as asked about for each event. On Flink each subtask has a cache of its own, for its companies. A larger one costs memory.`,
    );
  }
  if (isLookup && tenantTtlMs === 0) warnings.push('tenant.cache.ttl is 0: TenantManager is asked for each event.');
  return warnings;
}
