/**
 * Every metric, once: hosts and services make theirs from this, docs/metrics.md is written from it, and the dashboard for
 * Grafana is checked against it. Data alone, without imports: the bundle for other hosts can hold it.
 */

export type MetricPart =
  | 'pipeline'
  | 'http'
  | 'tenant-manager'
  | 'churn-scoring'
  | 'churn-model'
  | 'dashboard'
  | 'alerts'
  | 'process';

export interface Metric {
  readonly type: 'counter' | 'gauge' | 'histogram';
  readonly labels: readonly string[];
  readonly meaning: string;
  /** What to do when it is bad; what is never bad by itself says so. */
  readonly whenBad: string;
}

const NEVER = 'For rates and shares; bad never by itself.';

/** Of the application, on whichever host. */
export const PIPELINE_METRICS = {
  tenant_analytics_records_total: {
    type: 'counter',
    labels: ['source'],
    meaning: 'Records read, by source (`jobs`, `companies`).',
    whenBad: 'Stands still while the stream gets records: look at `shard_behind_seconds`, back-pressure and the log.',
  },
  tenant_analytics_rows_total: {
    type: 'counter',
    labels: ['sink'],
    meaning: 'Rows made, by sink (`rows`, `enrichedcompanies`).',
    whenBad: 'Falls behind the records of `jobs`: look at dead letters and at `calls_held`.',
  },
  tenant_analytics_dead_letters_total: {
    type: 'counter',
    labels: ['reason'],
    meaning: 'Records that could not be used, by reason.',
    whenBad: '`tenant-analytics dead-letters list` says why; mend the producer, then `dead-letters replay`.',
  },
  tenant_analytics_calls_given_up_total: {
    type: 'counter',
    labels: ['service'],
    meaning: 'Inputs that got no answer after all retries. Of `churn-scoring`: rows that left unscored.',
    whenBad: 'The service is away or refuses: look at `call_failures_total` and at its log. Nothing is lost meanwhile.',
  },
  tenant_analytics_stage_events_total: {
    type: 'counter',
    labels: ['event'],
    meaning: 'What stages count besides: `stale-company-records` and the like.',
    whenBad: NEVER,
  },
  tenant_analytics_watermark_seconds: {
    type: 'gauge',
    labels: [],
    meaning: 'The watermark, as seconds since 1970; none before the first event.',
    whenBad: 'Far behind the clock: a shard is behind or cannot be read, or an event is held in a call.',
  },
  tenant_analytics_shard_behind_seconds: {
    type: 'gauge',
    labels: ['partition'],
    meaning: 'How far the last read of a shard was behind its tip.',
    whenBad:
      'Grows: the application is slower than the stream, or throttled. Look at back-pressure, calls and the log.',
  },
  tenant_analytics_shard_idle: {
    type: 'gauge',
    labels: ['partition'],
    meaning: '1 when nothing came on a shard for long.',
    whenBad: 'All shards idle while producers send: they send elsewhere.',
  },
  tenant_analytics_checkpoint_age_seconds: {
    type: 'gauge',
    labels: [],
    meaning: 'Since the last checkpoint.',
    whenBad: 'Many times `checkpoint.interval`: the disk, or a sink that does not take its rows. The log names it.',
  },
  tenant_analytics_checkpoint_duration_seconds: {
    type: 'gauge',
    labels: [],
    meaning: 'Of the last checkpoint, from cut to commit.',
    whenBad: 'Grows: the disk is slow, or the stream of rows throttles.',
  },
  tenant_analytics_checkpoint_bytes: {
    type: 'gauge',
    labels: [],
    meaning: 'Size of the last checkpoint file.',
    whenBad: 'Grows with no end: many inputs are held in calls.',
  },
  tenant_analytics_back_pressure_bytes: {
    type: 'gauge',
    labels: [],
    meaning: 'Handed to sinks or held in calls, not done with yet. Reading stops at 16 MiB.',
    whenBad: 'Stays high: disk, S3, the stream of rows or a service is the slowest part.',
  },
  tenant_analytics_calls_total: {
    type: 'counter',
    labels: ['service'],
    meaning: 'Requests sent, retries included.',
    whenBad: NEVER,
  },
  tenant_analytics_call_failures_total: {
    type: 'counter',
    labels: ['service'],
    meaning: 'Requests that failed: lost connection, time-out, 429 or 5xx.',
    whenBad: 'Look at the log of the service, and whether 429 asks for a larger usage plan.',
  },
  tenant_analytics_calls_held: {
    type: 'gauge',
    labels: ['service'],
    meaning: 'Inputs that wait for an answer.',
    whenBad: 'Stays high: the service is slow or away.',
  },
  tenant_analytics_calls_to_ask_again: {
    type: 'gauge',
    labels: ['service'],
    meaning: 'Rows that left without a score, and wait for one.',
    whenBad: 'At `rescore.capacity` reading stops: bring scoring back.',
  },
  tenant_analytics_breaker_open: {
    type: 'gauge',
    labels: ['service'],
    meaning: 'Circuit breaker: 1 open, 0.5 half-open, 0 closed.',
    whenBad: 'Open: the service failed many times in a row. It closes by itself once the service is back.',
  },
  tenant_analytics_call_seconds: {
    type: 'histogram',
    labels: ['service'],
    meaning: 'Time until an answer came, whatever the answer.',
    whenBad: 'Near `tenant.timeout` or `score.timeout`: the service is overloaded.',
  },
} as const satisfies Record<string, Metric>;

/** Of every service. */
export const HTTP_METRICS = {
  tenant_analytics_http_requests_total: {
    type: 'counter',
    labels: ['service', 'method', 'route', 'status'],
    meaning: 'Requests answered. `route` is the pattern, never the URL; `none`: there is no such route.',
    whenBad:
      'Status 5xx: the log of the service. 401 or 403: a token or key that does not match. 429: the usage limit.',
  },
  tenant_analytics_http_request_seconds: {
    type: 'histogram',
    labels: ['service', 'method', 'route', 'status'],
    meaning: 'From the request to the end of its answer; without answers that never end by themselves.',
    whenBad:
      'Grows: look at the event loop (`nodejs_eventloop_lag_p99_seconds`) and at what stands behind the service.',
  },
} as const satisfies Record<string, Metric>;

export const TENANT_MANAGER_METRICS = {
  tenant_manager_outbox_records: {
    type: 'gauge',
    labels: [],
    meaning: 'Changes that the companies stream has not accepted yet; none told while the database does not answer.',
    whenBad: 'Grows: see its age.',
  },
  tenant_manager_outbox_oldest_seconds: {
    type: 'gauge',
    labels: [],
    meaning: 'Age of the oldest of them; 0 when there is none.',
    whenBad: 'Above a minute: the stream cannot be reached, or no process publishes. The log says which.',
  },
  tenant_manager_published_total: {
    type: 'counter',
    labels: [],
    meaning: 'Changes that the stream accepted from this process.',
    whenBad: NEVER,
  },
  tenant_manager_publish_failures_total: {
    type: 'counter',
    labels: [],
    meaning: 'Changes that it did not accept; they are sent again.',
    whenBad: 'Look at the log, credentials and the stream.',
  },
} as const satisfies Record<string, Metric>;

export const CHURN_SCORING_METRICS = {
  churn_scoring_answers_total: {
    type: 'counter',
    labels: ['status'],
    meaning: 'Answers of `POST /prod/assessChurn`, by status.',
    whenBad: '502: handler and model do not fit. 503: the model does not answer. 403: the key.',
  },
  churn_scoring_scores_total: {
    type: 'counter',
    labels: ['outcome'],
    meaning: 'Companies asked about: `at-risk`, `stays`, or `no-score` when the model gave none.',
    whenBad: '`no-score`: look at the log of the service. A share of `at-risk` that jumps: look at `churn_model_psi`.',
  },
  churn_scoring_usage_refusals_total: {
    type: 'counter',
    labels: [],
    meaning: 'Calls refused by the usage limit (429).',
    whenBad: 'Raise `--usage` and `--burst`, or lower `score.concurrency`.',
  },
} as const satisfies Record<string, Metric>;

/** Of the route and of the model server: on one machine both tell of the same model. */
export const CHURN_MODEL_METRICS = {
  churn_model_info: {
    type: 'gauge',
    labels: ['version'],
    meaning: 'The model served; always 1.',
    whenBad: 'Another version than expected: deploy handler and model together.',
  },
  churn_model_rows_total: { type: 'counter', labels: [], meaning: 'Rows scored.', whenBad: NEVER },
  churn_model_score: {
    type: 'histogram',
    labels: [],
    meaning: 'Distribution of the probabilities given.',
    whenBad: 'Moves without a cause that you know: look at `churn_model_psi`.',
  },
  churn_model_window_rows: {
    type: 'gauge',
    labels: [],
    meaning: 'Rows that drift is told of: the last 10,000 at most.',
    whenBad: NEVER,
  },
  churn_model_psi: {
    type: 'gauge',
    labels: ['feature'],
    meaning: 'Population stability index against training, from 100 rows on.',
    whenBad: 'Above 0.25: another population than that of training; train anew (model/CARD.md).',
  },
  churn_model_unknown_industry_ratio: {
    type: 'gauge',
    labels: [],
    meaning: 'Share of rows whose industry the model does not know.',
    whenBad: 'Grows: names of industries changed, or new ones came.',
  },
  churn_model_outcomes: {
    type: 'gauge',
    labels: ['band'],
    meaning: 'Outcomes told to `POST /prod/outcomes`, by the probability once given.',
    whenBad: 'None come: calibration is not known.',
  },
  churn_model_predicted_ratio: {
    type: 'gauge',
    labels: ['band'],
    meaning: 'Mean probability of those.',
    whenBad: 'Compare with the observed ratio.',
  },
  churn_model_observed_ratio: {
    type: 'gauge',
    labels: ['band'],
    meaning: 'Share of those that left.',
    whenBad: 'Far from the predicted ratio: train anew.',
  },
  churn_model_calibration_error: {
    type: 'gauge',
    labels: [],
    meaning: 'Mean distance of predicted and observed ratio; 0 is best.',
    whenBad: 'Above 0.1 with some hundred outcomes: train anew.',
  },
  churn_model_brier_score: {
    type: 'gauge',
    labels: [],
    meaning: 'Mean squared error of the probabilities; 0 is best, 0.25 is that of a coin.',
    whenBad: 'Grows: train anew.',
  },
} as const satisfies Record<string, Metric>;

export const DASHBOARD_METRICS = {
  dashboard_rows_total: {
    type: 'counter',
    labels: [],
    meaning: 'Rows that counted, of files and of the stream: each (companyID, version) once.',
    whenBad: 'Stands still while the application makes rows: it reads another stream, or none.',
  },
  dashboard_unusable_rows_total: {
    type: 'counter',
    labels: [],
    meaning: 'Lines and records left out: they are no enriched companies.',
    whenBad: 'Somebody else writes to the folder or the stream.',
  },
  dashboard_rows_waiting: {
    type: 'gauge',
    labels: [],
    meaning: 'Rows behind: they came, and are not in the answers yet.',
    whenBad: 'Near 10,000 for long: more rows come than it applies; it reads slower, and lags.',
  },
  dashboard_catching_up: {
    type: 'gauge',
    labels: [],
    meaning: '1 while rows written before are read, 0 after.',
    whenBad: '1 for minutes: many rows; its numbers grow until then.',
  },
  dashboard_feed_readers: {
    type: 'gauge',
    labels: [],
    meaning: 'Pages that read the live feed, at most 100.',
    whenBad: 'At 100 others are refused: close pages.',
  },
} as const satisfies Record<string, Metric>;

/** Of the alerts, which the dashboard sends when a target is configured; counted since they were first switched on. */
export const ALERTS_METRICS = {
  alerts_sent_total: {
    type: 'counter',
    labels: [],
    meaning: 'Alerts that a target took, once for each target.',
    whenBad: NEVER,
  },
  alerts_refused_total: {
    type: 'counter',
    labels: [],
    meaning: 'Alerts that a target refused, once for each target, less those sent once more.',
    whenBad:
      'Grows: `tenant-analytics insights alerts` shows the answer; mend the address or the format, and start with `--alert-refused`.',
  },
  alerts_failed_attempts_total: {
    type: 'counter',
    labels: [],
    meaning: 'Attempts that failed and are made again, since the start.',
    whenBad: 'Grows for long: the target is away. Alerts wait for it, over restarts.',
  },
  alerts_waiting: {
    type: 'gauge',
    labels: ['target'],
    meaning: 'Alerts that wait for a target.',
    whenBad:
      'Grows: the target is away. At 10,000 what is new waits with its tenant, the newest in place of the others.',
  },
  alerts_failing_since_seconds: {
    type: 'gauge',
    labels: ['target'],
    meaning: 'Since when a target takes nothing, as seconds since 1970; none while it takes alerts.',
    whenBad: 'Hours ago: mend the target.',
  },
  alerts_held: {
    type: 'gauge',
    labels: [],
    meaning: 'News that waits for the end of the quiet period of its tenant.',
    whenBad: NEVER,
  },
} as const satisfies Record<string, Metric>;

/** Of each process, once; as prom-client names them. Those marked Linux are told there only. */
export const PROCESS_METRICS: Readonly<Record<string, Metric>> = {
  process_cpu_user_seconds_total: { type: 'counter', labels: [], meaning: 'CPU time in user mode.', whenBad: NEVER },
  process_cpu_system_seconds_total: { type: 'counter', labels: [], meaning: 'CPU time in the kernel.', whenBad: NEVER },
  process_cpu_seconds_total: {
    type: 'counter',
    labels: [],
    meaning: 'Both together.',
    whenBad: 'A rate near 1: one core is all that it uses; share the shards among processes, or use Flink.',
  },
  process_start_time_seconds: {
    type: 'gauge',
    labels: [],
    meaning: 'When the process began, as seconds since 1970.',
    whenBad: 'Changes often: it restarts; look at the log.',
  },
  process_resident_memory_bytes: {
    type: 'gauge',
    labels: [],
    meaning: 'Memory in RAM.',
    whenBad: 'Grows with no end: report it, with these metrics.',
  },
  process_virtual_memory_bytes: { type: 'gauge', labels: [], meaning: 'Address space (Linux).', whenBad: NEVER },
  process_heap_bytes: { type: 'gauge', labels: [], meaning: 'Data segment (Linux).', whenBad: NEVER },
  process_open_fds: {
    type: 'gauge',
    labels: [],
    meaning: 'Open files and sockets (Linux).',
    whenBad: 'Near `process_max_fds`: raise the limit (`ulimit -n`).',
  },
  process_max_fds: { type: 'gauge', labels: [], meaning: 'How many may be open (Linux).', whenBad: NEVER },
  nodejs_eventloop_lag_seconds: {
    type: 'gauge',
    labels: [],
    meaning: 'How late a timer was just now.',
    whenBad: 'See `nodejs_eventloop_lag_p99_seconds`.',
  },
  nodejs_eventloop_lag_min_seconds: {
    type: 'gauge',
    labels: [],
    meaning: 'Least delay of the event loop.',
    whenBad: NEVER,
  },
  nodejs_eventloop_lag_max_seconds: { type: 'gauge', labels: [], meaning: 'Greatest delay.', whenBad: NEVER },
  nodejs_eventloop_lag_mean_seconds: { type: 'gauge', labels: [], meaning: 'Mean delay.', whenBad: NEVER },
  nodejs_eventloop_lag_stddev_seconds: {
    type: 'gauge',
    labels: [],
    meaning: 'Its standard deviation.',
    whenBad: NEVER,
  },
  nodejs_eventloop_lag_p50_seconds: { type: 'gauge', labels: [], meaning: 'Median delay.', whenBad: NEVER },
  nodejs_eventloop_lag_p90_seconds: { type: 'gauge', labels: [], meaning: '90th percentile.', whenBad: NEVER },
  nodejs_eventloop_lag_p99_seconds: {
    type: 'gauge',
    labels: [],
    meaning: '99th percentile.',
    whenBad: 'Above 0.1: the process is short of CPU; all it answers is late.',
  },
  nodejs_active_resources: {
    type: 'gauge',
    labels: ['type'],
    meaning: 'What keeps the process alive, by type.',
    whenBad: NEVER,
  },
  nodejs_active_resources_total: { type: 'gauge', labels: [], meaning: 'All of it.', whenBad: NEVER },
  nodejs_active_handles: { type: 'gauge', labels: ['type'], meaning: 'Open handles, by type.', whenBad: NEVER },
  nodejs_active_handles_total: { type: 'gauge', labels: [], meaning: 'All of them.', whenBad: NEVER },
  nodejs_active_requests: {
    type: 'gauge',
    labels: ['type'],
    meaning: 'Requests to the system under way, by type.',
    whenBad: NEVER,
  },
  nodejs_active_requests_total: { type: 'gauge', labels: [], meaning: 'All of them.', whenBad: NEVER },
  nodejs_heap_size_total_bytes: { type: 'gauge', labels: [], meaning: "Size of V8's heap.", whenBad: NEVER },
  nodejs_heap_size_used_bytes: {
    type: 'gauge',
    labels: [],
    meaning: 'Used of it.',
    whenBad: "Near the heap's limit: raise `--max-old-space-size`, or lower `*.cache.size`.",
  },
  nodejs_external_memory_bytes: { type: 'gauge', labels: [], meaning: 'Buffers outside the heap.', whenBad: NEVER },
  nodejs_heap_space_size_total_bytes: {
    type: 'gauge',
    labels: ['space'],
    meaning: 'By space of the heap: its size.',
    whenBad: NEVER,
  },
  nodejs_heap_space_size_used_bytes: { type: 'gauge', labels: ['space'], meaning: 'By space: used.', whenBad: NEVER },
  nodejs_heap_space_size_available_bytes: {
    type: 'gauge',
    labels: ['space'],
    meaning: 'By space: free.',
    whenBad: NEVER,
  },
  nodejs_version_info: {
    type: 'gauge',
    labels: ['version', 'major', 'minor', 'patch'],
    meaning: 'Version of Node; always 1.',
    whenBad: NEVER,
  },
  nodejs_gc_duration_seconds: {
    type: 'histogram',
    labels: ['kind'],
    meaning: 'Pauses of garbage collection, by kind.',
    whenBad: 'A rate of its sum above 0.1: short of memory.',
  },
};

export const METRIC_TABLE: Readonly<Record<MetricPart, Readonly<Record<string, Metric>>>> = {
  pipeline: PIPELINE_METRICS,
  http: HTTP_METRICS,
  'tenant-manager': TENANT_MANAGER_METRICS,
  'churn-scoring': CHURN_SCORING_METRICS,
  'churn-model': CHURN_MODEL_METRICS,
  dashboard: DASHBOARD_METRICS,
  alerts: ALERTS_METRICS,
  process: PROCESS_METRICS,
};

const BY_PREFIX = {
  records: ['tenant_analytics_records_total', 'source'],
  rows: ['tenant_analytics_rows_total', 'sink'],
  'dead-letters': ['tenant_analytics_dead_letters_total', 'reason'],
  'calls-failed': ['tenant_analytics_calls_given_up_total', 'service'],
} as const satisfies Record<string, readonly [keyof typeof PIPELINE_METRICS, string]>;

type CounterName = (typeof BY_PREFIX)[keyof typeof BY_PREFIX][0] | 'tenant_analytics_stage_events_total';

/** A counter of a graph (`records.jobs`, `rows.<sink>`, `dead-letters.<reason>`, …) as a metric: the same on every host. */
export function counterMetric(counter: string): { name: CounterName; label: string; value: string } {
  const dot = counter.indexOf('.');
  const known = Object.entries(BY_PREFIX).find(([prefix]) => prefix === counter.slice(0, Math.max(0, dot)))?.[1];
  if (known === undefined) return { name: 'tenant_analytics_stage_events_total', label: 'event', value: counter };
  return { name: known[0], label: known[1], value: counter.slice(dot + 1) };
}
