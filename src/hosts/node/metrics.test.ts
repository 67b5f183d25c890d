import { describe, expect, test } from 'vitest';
import { Latencies } from '../../runtime/latencies.ts';
import { runMetrics } from './metrics.ts';
import type { Running, RunStatus } from './run.ts';

const latencies = new Latencies();
for (const ms of [3, 20, 20, 9000]) latencies.add(ms);

const STATUS: RunStatus = {
  partitions: [
    { id: 'jobs:shardId-000000000000', isIdle: false, millisBehindLatest: 1500 },
    { id: 'jobs:shardId-000000000001', isIdle: true, millisBehindLatest: 0 },
  ],
  services: [
    { service: 'churn-scoring', breaker: 'half-open', sent: 5, failures: 1, latencies, held: 2, toAskAgain: 3 },
  ],
  watermark: 1_750_000_000_000,
  lastCheckpoint: { at: 1_000_000, durationMs: 250, bytes: 4096 },
  backPressureBytes: 77,
};
const COUNTERS = { 'records.jobs': 12, 'rows.rows': 11, 'dead-letters.malformed': 1, 'stale-company-records': 4 };

function told(status: Partial<RunStatus> = {}, counters: Record<string, number> = COUNTERS): Promise<string> {
  const running: Pick<Running, 'status' | 'counters'> = { status: () => ({ ...STATUS, ...status }), counters };
  return runMetrics(running, { now: () => 1_002_500 }).metrics();
}

describe('the metrics of a run', () => {
  test.each([
    'tenant_analytics_records_total{source="jobs"} 12',
    'tenant_analytics_rows_total{sink="rows"} 11',
    'tenant_analytics_dead_letters_total{reason="malformed"} 1',
    'tenant_analytics_stage_events_total{event="stale-company-records"} 4',
    'tenant_analytics_watermark_seconds 1750000000',
    'tenant_analytics_shard_behind_seconds{partition="jobs:shardId-000000000000"} 1.5',
    'tenant_analytics_shard_idle{partition="jobs:shardId-000000000001"} 1',
    'tenant_analytics_checkpoint_age_seconds 2.5',
    'tenant_analytics_checkpoint_duration_seconds 0.25',
    'tenant_analytics_checkpoint_bytes 4096',
    'tenant_analytics_back_pressure_bytes 77',
    'tenant_analytics_calls_total{service="churn-scoring"} 5',
    'tenant_analytics_call_failures_total{service="churn-scoring"} 1',
    'tenant_analytics_calls_held{service="churn-scoring"} 2',
    'tenant_analytics_calls_to_ask_again{service="churn-scoring"} 3',
    'tenant_analytics_breaker_open{service="churn-scoring"} 0.5',
    'tenant_analytics_call_seconds_bucket{service="churn-scoring",le="0.005"} 1',
    'tenant_analytics_call_seconds_bucket{service="churn-scoring",le="0.025"} 3',
    'tenant_analytics_call_seconds_bucket{service="churn-scoring",le="5"} 3',
    'tenant_analytics_call_seconds_bucket{service="churn-scoring",le="+Inf"} 4',
    'tenant_analytics_call_seconds_count{service="churn-scoring"} 4',
    'tenant_analytics_call_seconds_sum{service="churn-scoring"} 9.043',
  ])('tell %s', async (line) => {
    expect((await told()).split('\n')).toContain(line);
  });

  test('do not add up from one time they are asked for to the next', async () => {
    const running: Pick<Running, 'status' | 'counters'> = { status: () => STATUS, counters: COUNTERS };
    const registry = runMetrics(running, { now: () => 0 });
    await registry.metrics();
    expect(await registry.metrics()).toContain('tenant_analytics_records_total{source="jobs"} 12\n');
  });

  test('forget a shard that is gone, and tell no watermark before the first event', async () => {
    const text = await told({ partitions: [], watermark: Number.NEGATIVE_INFINITY, lastCheckpoint: undefined });
    expect(text).not.toContain('shardId');
    expect(text).not.toMatch(/^tenant_analytics_(watermark|checkpoint)\w* /m);
  });
});
