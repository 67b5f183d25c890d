import { Counter, Gauge, Registry } from 'prom-client';
import { LATENCY_BOUNDS_MS } from '../../runtime/latencies.ts';
import type { Clock } from '../../runtime/ports.ts';
import type { Running } from './run.ts';

const PREFIX = 'tenant_analytics_';

/** A metric whose values are looked up when it is asked for. */
interface Looked {
  readonly name: string;
  readonly help: string;
  readonly labels?: readonly string[];
  readonly kind: 'counter' | 'gauge';
  values(): readonly { readonly labels?: Record<string, string>; readonly value: number }[];
}

/**
 * What a run tells of itself, for Prometheus: nothing is counted here, all is looked up in the engine when it is asked
 * for. Counters of the graph go on over restarts, as they are in the checkpoint; those of calls begin with the process.
 */
export function runMetrics(running: Pick<Running, 'status' | 'counters'>, clock: Clock): Registry {
  const registry = new Registry();
  for (const looked of [...graphMetrics(running), ...stateMetrics(running, clock), ...serviceMetrics(running)]) {
    const { name, help, labels = [], kind, values } = looked;
    const options = { name: PREFIX + name, help, labelNames: [...labels], registers: [registry] };
    if (kind === 'gauge') {
      new Gauge({
        ...options,
        collect() {
          this.reset();
          if (labels.length === 0) this.remove(); // a reset says 0 there, but not known is not 0
          for (const { labels: of = {}, value } of values()) this.set(of, value);
        },
      });
    } else {
      new Counter({
        ...options,
        collect() {
          this.reset();
          for (const { labels: of = {}, value } of values()) this.inc(of, value);
        },
      });
    }
  }
  return registry;
}

/** The engine's counters are named `records.<source>`, `rows.<sink>`, `dead-letters.<reason>`, and as stages like. */
function graphMetrics(running: Pick<Running, 'counters'>): Looked[] {
  const withPrefix = (prefix: string, label: string) => () =>
    Object.entries(running.counters)
      .filter(([name]) => name.startsWith(`${prefix}.`))
      .map(([name, value]) => ({ labels: { [label]: name.slice(prefix.length + 1) }, value }));
  return [
    counter('records_total', 'Records read, by source', 'source', withPrefix('records', 'source')),
    counter('rows_total', 'Rows made, by sink', 'sink', withPrefix('rows', 'sink')),
    counter('dead_letters_total', 'Records that could not be used', 'reason', withPrefix('dead-letters', 'reason')),
    counter(
      'calls_given_up_total',
      'Calls without an answer after all retries, by service',
      'service',
      withPrefix('calls-failed', 'service'),
    ),
    counter('stage_events_total', 'What stages count besides', 'event', () =>
      Object.entries(running.counters)
        .filter(([name]) => !/^(records|rows|dead-letters|calls-failed)\./.test(name))
        .map(([event, value]) => ({ labels: { event }, value })),
    ),
  ];
}

function stateMetrics(running: Pick<Running, 'status'>, clock: Clock): Looked[] {
  const ofCheckpoint =
    (value: (checkpoint: NonNullable<ReturnType<Running['status']>['lastCheckpoint']>) => number) => () => {
      const { lastCheckpoint } = running.status();
      return lastCheckpoint === undefined ? [] : [{ value: value(lastCheckpoint) }];
    };
  const ofPartitions = (value: (partition: ReturnType<Running['status']>['partitions'][number]) => number) => () =>
    running.status().partitions.map((partition) => ({ labels: { partition: partition.id }, value: value(partition) }));
  return [
    gauge('watermark_seconds', 'The watermark, as seconds since 1970', [], () => {
      const { watermark } = running.status();
      return Number.isFinite(watermark) ? [{ value: watermark / 1000 }] : [];
    }),
    gauge(
      'shard_behind_seconds',
      'How far the last read was behind the tip',
      ['partition'],
      ofPartitions((shard) => shard.millisBehindLatest / 1000),
    ),
    gauge(
      'shard_idle',
      '1 when nothing came for long',
      ['partition'],
      ofPartitions((shard) => Number(shard.isIdle)),
    ),
    gauge(
      'checkpoint_age_seconds',
      'Since the last checkpoint',
      [],
      ofCheckpoint(({ at }) => (clock.now() - at) / 1000),
    ),
    gauge(
      'checkpoint_duration_seconds',
      'Of the last checkpoint, from cut to commit',
      [],
      ofCheckpoint(({ durationMs }) => durationMs / 1000),
    ),
    gauge(
      'checkpoint_bytes',
      'Of the last checkpoint file',
      [],
      ofCheckpoint(({ bytes }) => bytes),
    ),
    gauge('back_pressure_bytes', 'Handed to sinks or held in calls, not done with yet', [], () => [
      { value: running.status().backPressureBytes },
    ]),
  ];
}

function serviceMetrics(running: Pick<Running, 'status'>): Looked[] {
  type Service = ReturnType<Running['status']>['services'][number];
  const ofServices = (value: (service: Service) => number) => () =>
    running.status().services.map((each) => ({ labels: { service: each.service }, value: value(each) }));
  return [
    counter(
      'calls_total',
      'Requests sent, by service',
      'service',
      ofServices(({ sent }) => sent),
    ),
    counter(
      'call_failures_total',
      'Requests that failed, by service',
      'service',
      ofServices(({ failures }) => failures),
    ),
    gauge(
      'calls_held',
      'Inputs that wait for an answer',
      ['service'],
      ofServices(({ held }) => held),
    ),
    gauge(
      'calls_to_ask_again',
      'Rows that left without an answer, and wait for one',
      ['service'],
      ofServices(({ toAskAgain }) => toAskAgain),
    ),
    gauge(
      'breaker_open',
      '1 open, 0.5 half-open, 0 closed',
      ['service'],
      ofServices(({ breaker }) => ({ closed: 0, 'half-open': 0.5, open: 1 })[breaker]),
    ),
    counter(
      'call_seconds_sum',
      'Time until answers came, all together',
      'service',
      ofServices(({ latencies }) => latencies.sumMs / 1000),
    ),
    counter(
      'call_seconds_count',
      'Answers that came',
      'service',
      ofServices(({ latencies }) => sum(latencies.counts)),
    ),
    {
      name: 'call_seconds_bucket',
      help: 'Answers that came within le seconds',
      labels: ['service', 'le'],
      kind: 'counter',
      values: () => running.status().services.flatMap(({ service, latencies }) => buckets(service, latencies.counts)),
    },
  ];
}

/** As Prometheus has them: each bucket holds those before it, too. */
function buckets(service: string, counts: readonly number[]): { labels: Record<string, string>; value: number }[] {
  let value = 0;
  return counts.map((count, index) => {
    value += count;
    const bound = LATENCY_BOUNDS_MS[index];
    return { labels: { service, le: bound === undefined ? '+Inf' : String(bound / 1000) }, value };
  });
}

function sum(counts: readonly number[]): number {
  return counts.reduce((all, count) => all + count, 0);
}

function counter(name: string, help: string, label: string, values: Looked['values']): Looked {
  return { name, help, labels: [label], kind: 'counter', values };
}

function gauge(name: string, help: string, labels: readonly string[], values: Looked['values']): Looked {
  return { name, help, labels, kind: 'gauge', values };
}
