import type { MetricRow, PipelineAnswer } from './pipeline-schema.ts';

/* The parts of the answer, each from the flat metrics of a host. */

export type Parts = Pick<
  PipelineAnswer,
  'flow' | 'shards' | 'watermark' | 'checkpoint' | 'services' | 'deadLetters' | 'model'
>;

/** What a counter gained a second; null when that is not known. */
export type Rates = (row: MetricRow) => number | null;

export interface PartsContext {
  readonly now: number;
  readonly rates: Rates;
  readonly rateSeconds: number | null;
  readonly failedCheckpoints: number | null;
  /** Where the run writes; '' when that is not known. */
  readonly output: string;
}

export function partsOf(rows: readonly MetricRow[], context: PartsContext): Parts {
  const { now, rates, rateSeconds, failedCheckpoints, output } = context;
  const place = output === '' ? 'OUTPUT' : quoted(output);
  const of = (metric: string) => rows.filter((row) => row.metric === metric);
  const one = (metric: string) => of(metric)[0]?.value ?? null;
  const counters = (metric: string, label: string) =>
    of(metric).map((row) => ({ name: labelOf(row, label), total: row.value ?? 0, perSecond: rates(row) }));
  const watermark = one('tenant_analytics_watermark_seconds');
  return {
    flow: {
      rateSeconds,
      sources: counters('tenant_analytics_records_total', 'source').map(({ name, total, perSecond }) => ({
        ...{ source: name, records: total, perSecond },
      })),
      sinks: counters('tenant_analytics_rows_total', 'sink').map(({ name, total, perSecond }) => ({
        ...{ sink: name, rows: total, perSecond },
      })),
      backPressureBytes: one('tenant_analytics_back_pressure_bytes'),
    },
    shards: shardsOf(of('tenant_analytics_shard_behind_seconds'), of('tenant_analytics_shard_idle')),
    watermark: {
      at: watermark === null ? null : instant(watermark),
      delaySeconds: watermark === null ? null : Math.max(0, now / 1000 - watermark),
    },
    checkpoint: {
      ageSeconds: one('tenant_analytics_checkpoint_age_seconds'),
      bytes: one('tenant_analytics_checkpoint_bytes'),
      durationSeconds: one('tenant_analytics_checkpoint_duration_seconds'),
      failed: failedCheckpoints,
    },
    services: servicesOf(rows, rates),
    deadLetters: counters('tenant_analytics_dead_letters_total', 'reason').map(({ name, total, perSecond }) => ({
      reason: name,
      count: total,
      perSecond,
      list: `npx tenant-analytics dead-letters list ${place} --reason ${quoted(name)}`,
      replay: `npx tenant-analytics dead-letters replay ${place} --reason ${quoted(name)}`,
    })),
    model: modelOf(rows),
  };
}

/** One word for a POSIX shell, whatever it holds. */
function quoted(text: string): string {
  return /^[\w./:@%+=-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** Seconds since 1970 as ISO 8601; null for what no calendar has. */
export function instant(seconds: number): string | null {
  const date = new Date(seconds * 1000);
  return Number.isNaN(date.getTime()) ? null : date.toISOString();
}

export function labelOf({ labels }: MetricRow, name: string): string {
  for (const [, key, value = ''] of labels.matchAll(/([a-zA-Z_]\w*)="((?:[^"\\]|\\.)*)"/g)) {
    if (key === name) return value.replace(/\\(.)/g, (_, character) => (character === 'n' ? '\n' : character));
  }
  return '';
}

/** Furthest behind first. */
function shardsOf(behind: readonly MetricRow[], idle: readonly MetricRow[]): PipelineAnswer['shards'] {
  const isIdle = new Map(idle.map((row) => [labelOf(row, 'partition'), row.value === 1]));
  return behind
    .map((row) => {
      const shard = labelOf(row, 'partition');
      return { shard, behindSeconds: row.value, isIdle: isIdle.get(shard) ?? null };
    })
    .sort((one, other) => (other.behindSeconds ?? 0) - (one.behindSeconds ?? 0) || (one.shard < other.shard ? -1 : 1));
}

function servicesOf(rows: readonly MetricRow[], rates: Rates): PipelineAnswer['services'] {
  const asked = rows.filter(({ metric }) => metric === 'tenant_analytics_calls_total');
  return asked.map((calls) => {
    const service = labelOf(calls, 'service');
    const find = (metric: string) => rows.find((row) => row.metric === metric && labelOf(row, 'service') === service);
    const value = (metric: string) => find(metric)?.value ?? null;
    const failures = find('tenant_analytics_call_failures_total');
    const open = value('tenant_analytics_breaker_open');
    const latency = quantiles(
      rows.filter(
        (row) => row.metric === 'tenant_analytics_call_seconds_bucket' && labelOf(row, 'service') === service,
      ),
    );
    return {
      service,
      calls: calls.value,
      callsPerSecond: rates(calls),
      p50: latency(0.5),
      p99: latency(0.99),
      failures: failures?.value ?? null,
      failuresPerSecond: failures === undefined ? null : rates(failures),
      givenUp: value('tenant_analytics_calls_given_up_total'),
      held: value('tenant_analytics_calls_held'),
      toAskAgain: value('tenant_analytics_calls_to_ask_again'),
      breaker:
        open === null ? null : open >= 1 ? ('open' as const) : open > 0 ? ('half-open' as const) : ('closed' as const),
    };
  });
}

/** As histogram_quantile of Prometheus: evenly spread within a bucket; above the last bound, that bound. */
function quantiles(buckets: readonly MetricRow[]): (share: number) => number | null {
  const bounds = buckets
    .map((row) => ({ le: boundOf(labelOf(row, 'le')), upTo: row.value ?? 0 }))
    .sort((one, other) => one.le - other.le);
  const all = bounds.at(-1)?.upTo ?? 0;
  return (share) => {
    if (all <= 0) return null;
    const at = bounds.findIndex(({ upTo }) => upTo >= share * all);
    const bucket = bounds[at];
    const below = bounds[at - 1] ?? { le: 0, upTo: 0 };
    if (bucket === undefined) return null;
    if (bucket.le === Number.POSITIVE_INFINITY) return below.le;
    const within = (share * all - below.upTo) / Math.max(bucket.upTo - below.upTo, 1e-9);
    return below.le + (bucket.le - below.le) * Math.min(1, Math.max(0, within));
  };
}

function boundOf(le: string): number {
  return le === '+Inf' ? Number.POSITIVE_INFINITY : Number(le);
}

const MOST_PSI = 0.25;
const MOST_CALIBRATION_ERROR = 0.1;
const ENOUGH_OUTCOMES = 100;

function modelOf(rows: readonly MetricRow[]): PipelineAnswer['model'] {
  const of = (metric: string) => rows.filter((row) => row.metric === metric);
  const one = (metric: string) => of(metric)[0]?.value ?? null;
  const info = of('churn_model_info')[0];
  if (info === undefined) return null;
  const [drift = null] = of('churn_model_psi')
    .flatMap((row) => (row.value === null ? [] : [{ feature: labelOf(row, 'feature'), psi: row.value }]))
    .sort((left, right) => right.psi - left.psi);
  const told = of('churn_model_outcomes');
  const outcomes = told.length === 0 ? null : told.reduce((sum, { value }) => sum + (value ?? 0), 0);
  const calibrationError = one('churn_model_calibration_error');
  const reasons = [
    drift !== null && drift.psi > MOST_PSI
      ? `${drift.feature} drifted from training (PSI ${drift.psi.toFixed(2)}): train anew`
      : '',
    (outcomes ?? 0) >= ENOUGH_OUTCOMES && (calibrationError ?? 0) > MOST_CALIBRATION_ERROR
      ? `probabilities are off by ${(calibrationError ?? 0).toFixed(2)} on average: train anew`
      : '',
  ].filter((reason) => reason !== '');
  return {
    version: labelOf(info, 'version'),
    state: reasons.length === 0 ? 'well' : 'look',
    reasons,
    rows: one('churn_model_rows_total'),
    windowRows: one('churn_model_window_rows'),
    drift,
    unknownIndustryRatio: one('churn_model_unknown_industry_ratio'),
    outcomes,
    calibrationError,
    brierScore: one('churn_model_brier_score'),
  };
}
