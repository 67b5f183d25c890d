import { TenantAnalyticsError } from '../../base/errors.ts';

/** One number that a plan is made from. */
export interface InputSpec {
  /** As an option of the command line; `unit` is part of its meaning. */
  readonly flag: string;
  readonly about: string;
  /** Null: it must be given. */
  readonly byDefault: number | null;
  readonly least: number;
  readonly most: number;
  readonly isWhole?: true;
  /** Where a default comes from, when it is more than a round number to start from. */
  readonly source?: string;
}

/** All numbers of a plan, and what each may be. Rates are means; peaks are means times `peakFactor`. */
export const INPUTS = {
  eventsPerSecond: {
    flag: 'events-per-second',
    about: 'job events a second, on average over a month',
    byDefault: null,
    least: 0,
    most: 1e9,
  },
  companies: { flag: 'companies', about: 'companies', byDefault: null, least: 0, most: 1e10, isWhole: true },
  peakFactor: {
    flag: 'peak-factor',
    about: 'the busiest minutes, as a multiple of the mean',
    byDefault: 3,
    least: 1,
    most: 1000,
  },
  eventBytes: {
    flag: 'event-bytes',
    about: 'of a job event on its stream',
    byDefault: 124,
    least: 1,
    most: 1024 * 1024,
    source: "bench/README.md: the benchmark's events, on average",
  },
  rowBytes: {
    flag: 'row-bytes',
    about: 'of an enriched company as JSON',
    byDefault: 710,
    least: 1,
    most: 1024 * 1024,
    source: "bench/README.md: the dashboard's scored rows, on average",
  },
  csvRowBytes: { flag: 'csv-row-bytes', about: 'of a row as CSV', byDefault: 60, least: 1, most: 1024 * 1024 },
  busiestShare: {
    flag: 'busiest-share',
    about: 'of all events: those of the busiest company',
    byDefault: 0.1,
    least: 0,
    most: 1,
    source: "bench/README.md: of 10,000 companies whose events follow Zipf's law",
  },
  changesPerDay: {
    flag: 'changes-per-day',
    about: 'records of one company on the companies stream in a day',
    byDefault: 1,
    least: 0,
    most: 1e5,
  },
  decayShare: {
    flag: 'decay-share',
    about: 'of the companies: those whose counts fall by themselves at midnight (activity.decay)',
    byDefault: 1,
    least: 0,
    most: 1,
  },
  repeatShare: {
    flag: 'score-repeat-share',
    about: 'of the rows: those with features that were scored within score.cache.ttl',
    byDefault: 0,
    least: 0,
    most: 1,
    source: 'docs/ARCHITECTURE.md, Calls: each job changes a count, and so the features',
  },
  tenantLatencyMs: {
    flag: 'tenant-latency',
    about: 'ms until TenantManager answers',
    byDefault: 20,
    least: 0.1,
    most: 60_000,
  },
  scoreLatencyMs: {
    flag: 'score-latency',
    about: 'ms until churn scoring answers',
    byDefault: 100,
    least: 0.1,
    most: 60_000,
  },
  putLatencyMs: {
    flag: 'put-latency',
    about: 'ms until Kinesis has accepted rows',
    byDefault: 20,
    least: 0.1,
    most: 60_000,
  },
  lambdaMs: {
    flag: 'lambda-duration',
    about: 'ms that Lambda bills for a score',
    byDefault: 80,
    least: 1,
    most: 900_000,
  },
  lambdaMiB: { flag: 'lambda-memory', about: 'MiB of the scoring Lambda', byDefault: 512, least: 128, most: 10_240 },
  rowReaders: {
    flag: 'row-readers',
    about: 'consumers that poll enrichedcompanies: the dashboard, other services',
    byDefault: 2,
    least: 0,
    most: 100,
    isWhole: true,
  },
  retentionHours: { flag: 'retention', about: 'hours that streams keep records', byDefault: 24, least: 24, most: 8760 },
  rowDays: { flag: 'row-days', about: 'days that rows stay in S3', byDefault: 365, least: 1, most: 36_500 },
  utilization: {
    flag: 'utilization',
    about: 'of shards, calls in flight and CPU: how much of them the peak may use',
    byDefault: 0.7,
    least: 0.01,
    most: 1,
  },
  derate: {
    flag: 'derate',
    about: 'of a measured capacity: what is counted on, since your machine and records are others',
    byDefault: 0.5,
    least: 0.01,
    most: 1,
  },
  parallelismPerKpu: {
    flag: 'parallelism-per-kpu',
    about: 'subtasks that share a KPU (ParallelismPerKPU)',
    byDefault: 1,
    least: 1,
    most: 8,
    isWhole: true,
  },
} as const satisfies Record<string, InputSpec>;

export type InputName = keyof typeof INPUTS;

/** Parameters of the application that a plan depends on. */
export interface PlannedParameters {
  readonly isLookup: boolean;
  readonly isScored: boolean;
  readonly isDecaying: boolean;
  readonly format: 'json' | 'csv';
  readonly isFanOut: boolean;
  readonly rollBytes: number;
  readonly rollMs: number;
  readonly tenantTtlMs: number;
  readonly tenantCacheSize: number;
  readonly tenantConcurrency: number;
  readonly scoreConcurrency: number;
}

export interface PlanInputs extends PlannedParameters {
  readonly host: 'node' | 'flink';
  readonly streams: 'provisioned' | 'on-demand';
  readonly numbers: Readonly<Record<InputName, number>>;
}

/**
 * The numbers as given, completed with their defaults.
 * @throws TenantAnalyticsError USAGE that names the option, what it expects and what came
 */
export function planNumbers(given: Readonly<Partial<Record<InputName, string>>>): Record<InputName, number> {
  const names = Object.keys(INPUTS) as InputName[];
  return Object.fromEntries(names.map((name) => [name, numberOf(INPUTS[name], given[name])])) as Record<
    InputName,
    number
  >;
}

function numberOf(spec: InputSpec, text: string | undefined): number {
  const expected = `a ${spec.isWhole === true ? 'whole ' : ''}number from ${spec.least} to ${spec.most}`;
  if (text === undefined) {
    if (spec.byDefault !== null) return spec.byDefault;
    throw new TenantAnalyticsError('USAGE', `--${spec.flag}: expected ${expected} (${spec.about}), and it is missing.`);
  }
  const value = text.trim() === '' ? Number.NaN : Number(text);
  const isFit = value >= spec.least && value <= spec.most && (spec.isWhole !== true || Number.isInteger(value));
  if (isFit) return value;
  throw new TenantAnalyticsError('USAGE', `--${spec.flag}: expected ${expected} (${spec.about}), got ${text}.`);
}
