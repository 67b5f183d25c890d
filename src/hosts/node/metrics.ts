import type { Registry } from 'prom-client';
import { counterMetric, PIPELINE_METRICS } from '../../observe/metric-table.ts';
import { type LookUp, lookedUp, type Sample } from '../../observe/registry.ts';
import { LATENCY_BOUNDS_MS } from '../../runtime/latencies.ts';
import type { Clock } from '../../runtime/ports.ts';
import type { Running, RunStatus } from './run.ts';

type Watched = Pick<Running, 'status' | 'counters'>;
type Name = keyof typeof PIPELINE_METRICS;

/**
 * What a run tells of itself, for Prometheus: nothing is counted here, all is looked up in the engine when it is asked
 * for. Counters of the graph go on over restarts, as they are in the checkpoint; those of calls begin with the process.
 */
export function runMetrics(running: Watched, clock: Clock): Registry {
  return lookedUp<Name>(PIPELINE_METRICS, {
    ...ofGraph(running),
    ...ofState(running, clock),
    ...ofServices(running),
  });
}

type OfGraph = ReturnType<typeof counterMetric>['name'];

/** The engine's counters are named `records.<source>`, `rows.<sink>`, `dead-letters.<reason>`, and as stages like. */
function ofGraph(running: Watched): Record<OfGraph, LookUp> {
  const told = (name: OfGraph) => () =>
    Object.entries(running.counters).flatMap(([counter, value]) => {
      const metric = counterMetric(counter);
      return metric.name === name ? [{ labels: { [metric.label]: metric.value }, value }] : [];
    });
  return {
    tenant_analytics_records_total: told('tenant_analytics_records_total'),
    tenant_analytics_rows_total: told('tenant_analytics_rows_total'),
    tenant_analytics_dead_letters_total: told('tenant_analytics_dead_letters_total'),
    tenant_analytics_calls_given_up_total: told('tenant_analytics_calls_given_up_total'),
    tenant_analytics_stage_events_total: told('tenant_analytics_stage_events_total'),
  };
}

function ofState(running: Watched, clock: Clock) {
  const checkpoint = (value: (last: NonNullable<RunStatus['lastCheckpoint']>) => number) => () => {
    const { lastCheckpoint } = running.status();
    return lastCheckpoint === undefined ? [] : [{ value: value(lastCheckpoint) }];
  };
  const partitions = (value: (partition: RunStatus['partitions'][number]) => number) => () =>
    running.status().partitions.map((partition) => ({ labels: { partition: partition.id }, value: value(partition) }));
  return {
    tenant_analytics_watermark_seconds: () => {
      const { watermark } = running.status();
      return Number.isFinite(watermark) ? [{ value: watermark / 1000 }] : [];
    },
    tenant_analytics_shard_behind_seconds: partitions((shard) => shard.millisBehindLatest / 1000),
    tenant_analytics_shard_idle: partitions((shard) => Number(shard.isIdle)),
    tenant_analytics_checkpoint_age_seconds: checkpoint(({ at }) => (clock.now() - at) / 1000),
    tenant_analytics_checkpoint_duration_seconds: checkpoint(({ durationMs }) => durationMs / 1000),
    tenant_analytics_checkpoint_bytes: checkpoint(({ bytes }) => bytes),
    tenant_analytics_back_pressure_bytes: () => [{ value: running.status().backPressureBytes }],
  };
}

function ofServices(running: Pick<Running, 'status'>) {
  type Service = RunStatus['services'][number];
  const each = (value: (service: Service) => number) => () =>
    running.status().services.map((service) => ({ labels: { service: service.service }, value: value(service) }));
  return {
    tenant_analytics_calls_total: each(({ sent }) => sent),
    tenant_analytics_call_failures_total: each(({ failures }) => failures),
    tenant_analytics_calls_held: each(({ held }) => held),
    tenant_analytics_calls_to_ask_again: each(({ toAskAgain }) => toAskAgain),
    tenant_analytics_breaker_open: each(({ breaker }) => ({ closed: 0, 'half-open': 0.5, open: 1 })[breaker]),
    tenant_analytics_call_seconds: () => running.status().services.flatMap(latencySamples),
  };
}

/** As Prometheus has them: each bucket holds those before it, too. */
function latencySamples({ service, latencies }: RunStatus['services'][number]): Sample[] {
  let value = 0;
  const buckets = latencies.counts.map((count, index) => {
    value += count;
    const bound = LATENCY_BOUNDS_MS[index];
    return { labels: { service, le: bound === undefined ? '+Inf' : String(bound / 1000) }, value };
  });
  return [
    ...buckets,
    { of: 'sum', labels: { service }, value: latencies.sumMs / 1000 },
    { of: 'count', labels: { service }, value },
  ];
}
