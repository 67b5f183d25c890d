import { distance } from 'fastest-levenshtein';
import * as z from 'zod';
import { TenantAnalyticsError } from '../base/errors.ts';
import { parseTime } from '../base/time.ts';
import {
  byteSize,
  count,
  duration,
  flag,
  httpUrl,
  oneOf,
  optionalText,
  positive,
  secretText,
  sinkPath,
  text,
} from './parameter-values.ts';

/** Names and defaults as users know them (DESIGN section 6). */

const POSITIONS = ['LATEST', 'TRIM_HORIZON', 'AT_TIMESTAMP'] as const;

const consumer = z.object({
  'aws.region': text.default('us-west-2').describe('Region of the streams'),
  'jobs.stream.name': text.default('bigdatajobs').describe('Stream of job events'),
  'companies.stream.name': text.default('companies').describe('Stream of company records'),
  'jobs.stream.initial.position': oneOf(POSITIONS)
    .default('LATEST')
    .describe('Where a first start begins to read jobs'),
  'companies.stream.initial.position': oneOf(POSITIONS).default('LATEST').describe('The same for companies'),
  'jobs.stream.initial.timestamp': optionalText
    .default('')
    .describe('With AT_TIMESTAMP: ISO 8601 or epoch milliseconds'),
  'companies.stream.initial.timestamp': optionalText.default('').describe('The same for companies'),
  'jobs.stream.consumer': oneOf(['POLLING', 'EFO']).default('POLLING').describe('How jobs are read'),
  'companies.stream.consumer': oneOf(['POLLING', 'EFO']).default('POLLING').describe('How companies are read'),
  'aws.endpoint': httpUrl.default('').describe("A local Kinesis; empty: the region's"),
});

const producer = z.object({
  'aws.region': text.default('us-west-2').describe('Region of the stream of enriched companies'),
  'enrichedcompanies.stream.name': text.default('enrichedcompanies').describe('Stream of enriched companies'),
  AggregationEnabled: flag
    .refine((value) => !value, { error: 'expected false: consumers of one company expect single records' })
    .default(false)
    .describe('KPL aggregation; only false'),
  'flink.stream.initpos': optionalText.default('').describe('Accepted, and unused'),
});

const application = z.object({
  S3SinkPath: sinkPath.default('').describe('Where rows go: s3://bucket/prefix or file:///folder; required'),
  S3SinkFormat: oneOf(['json', 'csv']).default('json').describe('json: all fields; csv: the nine columns'),
  deadLetterPath: sinkPath.default('').describe('Where dead letters go; empty: <S3SinkPath>/_dead-letters'),
  'sink.roll.size': byteSize.default(64 * 1024 * 1024).describe('Objects are closed at this size'),
  'sink.roll.age': duration.default(300_000).describe('… or at this age'),
  's3.endpoint': httpUrl.default('').describe("A local S3; empty: the region's"),
  's3.pathStyle': flag.default(false).describe('Address buckets in the path'),
  scoring: oneOf(['on', 'off']).default('on').describe('off: no call, scoreStatus off'),
  predictChurnApiEndpoint: httpUrl.default('').describe('Churn scoring; required with scoring=on'),
  predictChurnApiKey: secretText.default('').describe('Its x-api-key; empty: none'),
  enrichment: oneOf(['lookup', 'join'])
    .default('lookup')
    .describe('Ask TenantManager, or use the companies stream alone'),
  tenantManagerEndpoint: httpUrl.default('').describe('TenantManager; required with enrichment=lookup'),
  tenantManagerToken: secretText.default('').describe('Its bearer token; empty: none'),
  'activity.counting': oneOf(['rolling', 'per-event']).default('rolling').describe('per-event: as the first version'),
  'activity.decay': oneOf(['on', 'off']).default('on').describe('Rows for counts that change by silence'),
  'tenant.cache.ttl': duration.default(300_000).describe('How long an answer of TenantManager serves'),
  'tenant.cache.negativeTtl': duration.default(30_000).describe('… and that a company is unknown'),
  'tenant.cache.size': positive.default(100_000).describe('Answers held'),
  'score.cache.ttl': duration.default(3_600_000).describe('How long a score serves equal features'),
  'score.cache.size': positive.default(100_000).describe('Scores held'),
  'tenant.timeout': duration.default(5000).describe('Of one call to TenantManager'),
  'tenant.retries': count.default(5).describe('After the first call'),
  'tenant.concurrency': positive.default(100).describe('Calls in flight'),
  'tenant.breaker.failures': positive.default(20).describe('Failures in a row that open the breaker'),
  'tenant.breaker.reset': duration.default(10_000).describe('How long it stays open'),
  'score.timeout': duration.default(5000).describe('Of one call to churn scoring'),
  'score.retries': count.default(5).describe('After the first call'),
  'score.concurrency': positive.default(100).describe('Calls in flight'),
  'score.breaker.failures': positive.default(20).describe('Failures in a row that open the breaker'),
  'score.breaker.reset': duration.default(10_000).describe('How long it stays open'),
  'rescore.capacity': positive.default(10_000).describe('Rows that may wait for a later score'),
  'watermark.outOfOrderness': duration.default(60_000).describe('How far events may lag behind the latest'),
  'watermark.idle': duration.default(30_000).describe('After how long of nothing a shard is idle'),
  'event.maxFuture': duration.default(3_600_000).describe('How far a live event may lie after its arrival'),
  'record.maxBytes': byteSize.default(1024 * 1024).describe('Longer records are dead letters'),
  'data.dir': text.default('./data').describe('Checkpoints and local services (Node host)'),
  'checkpoint.interval': duration.default(1000).describe('Time between checkpoints (Node host)'),
  engine: oneOf(['auto', 'v8', 'graaljs'])
    .default('auto')
    .describe('What runs the graph (Flink host); auto: V8, else GraalJS'),
});

const GROUPS = {
  ConsumerConfigProperties: consumer,
  ProducerConfigProperties: producer,
  ApplicationConfigProperties: application,
} as const;

export type GroupName = keyof typeof GROUPS;
export const GROUP_NAMES = Object.keys(GROUPS) as readonly GroupName[];

/** Text values by group and name, as a host collected them. */
export type ParameterTexts = { readonly [Group in GroupName]?: Readonly<Record<string, string>> };

export interface Parameters {
  readonly consumer: z.infer<typeof consumer>;
  readonly producer: z.infer<typeof producer>;
  readonly application: z.infer<typeof application>;
}

/** Never shown, logged, or written to state. */
export const SECRET_PARAMETERS: ReadonlySet<string> = new Set(['predictChurnApiKey', 'tenantManagerToken']);

/** The groups that have a parameter of this name. */
export function groupsOf(name: string): readonly GroupName[] {
  return GROUP_NAMES.filter((group) => Object.hasOwn(GROUPS[group].shape, name));
}

export function parameterNames(): readonly string[] {
  return [...new Set(GROUP_NAMES.flatMap((group) => Object.keys(GROUPS[group].shape)))];
}

/** All parameters with their defaults and what they mean, for `--help`. */
export function describeParameters(): { group: GroupName; name: string; byDefault: string; about: string }[] {
  return GROUP_NAMES.flatMap((group) =>
    Object.entries(GROUPS[group].shape).map(([name, schema]) => ({
      group,
      name,
      byDefault: String(schema.parse(undefined)),
      about: schema.description ?? '',
    })),
  );
}

/**
 * Checks the texts and completes them with the defaults.
 * @throws TenantAnalyticsError PARAMETER_UNKNOWN, PARAMETER_INVALID or PARAMETER_MISSING, naming the parameter and the
 *   nearest right one
 */
export function readParameters(texts: ParameterTexts): Parameters {
  for (const [group, values] of Object.entries(texts)) {
    const shape = Object.hasOwn(GROUPS, group) ? GROUPS[group as GroupName].shape : undefined;
    if (shape === undefined) throw unknown('property group', group, GROUP_NAMES);
    for (const name of Object.keys(values ?? {})) {
      if (!Object.hasOwn(shape, name)) throw unknownParameter(name, group as GroupName);
    }
  }
  const parameters = {
    consumer: parseGroup('ConsumerConfigProperties', consumer, texts),
    producer: parseGroup('ProducerConfigProperties', producer, texts),
    application: parseGroup('ApplicationConfigProperties', application, texts),
  };
  requireTogether(parameters);
  return parameters;
}

function parseGroup<T extends z.ZodObject>(group: GroupName, schema: T, texts: ParameterTexts): z.infer<T> {
  const parsed = schema.safeParse(texts[group] ?? {});
  if (parsed.success) return parsed.data;
  const wrong = parsed.error.issues.map((issue) => {
    const name = String(issue.path[0]);
    const came = SECRET_PARAMETERS.has(name) ? 'another value' : JSON.stringify(texts[group]?.[name]);
    return `${name}: ${issue.message}, got ${came}`;
  });
  throw new TenantAnalyticsError('PARAMETER_INVALID', `${wrong.join('; ')} (${group}).`);
}

function requireTogether({ consumer, application: values }: Parameters): void {
  for (const source of ['jobs', 'companies'] as const) {
    const needs = consumer[`${source}.stream.initial.position`] === 'AT_TIMESTAMP';
    const text = consumer[`${source}.stream.initial.timestamp`];
    if (!needs || parseTime(text) !== undefined) continue;
    const message = `${source}.stream.initial.timestamp: expected a time with AT_TIMESTAMP, such as 2025-02-01T00:00:00Z or epoch milliseconds, got ${JSON.stringify(text)}.`;
    throw text === '' ? missing(message) : new TenantAnalyticsError('PARAMETER_INVALID', message);
  }
  if (values.S3SinkPath === '') {
    throw missing('S3SinkPath is required: where rows go. Set it, for example --set S3SinkPath=file:///tmp/rows.');
  }
  if (values.scoring === 'on' && values.predictChurnApiEndpoint === '') {
    throw missing(
      'predictChurnApiEndpoint is required with scoring=on. Set --set predictChurnApiEndpoint=URL, or --set scoring=off for rows without a score.',
    );
  }
  if (values.enrichment === 'lookup' && values.tenantManagerEndpoint === '') {
    throw missing(
      'tenantManagerEndpoint is required with enrichment=lookup. Set --set tenantManagerEndpoint=URL, or --set enrichment=join to use the company records alone.',
    );
  }
}

function missing(message: string): TenantAnalyticsError {
  return new TenantAnalyticsError('PARAMETER_MISSING', message);
}

/** An unknown name, with the group it belongs to or the nearest right name. */
export function unknownParameter(name: string, group?: GroupName): TenantAnalyticsError {
  const [other] = groupsOf(name);
  if (group !== undefined && other !== undefined) {
    return new TenantAnalyticsError('PARAMETER_UNKNOWN', `${name} is not a parameter of ${group}, but of ${other}.`);
  }
  return unknown('parameter', name, parameterNames());
}

function unknown(what: string, name: string, known: readonly string[]): TenantAnalyticsError {
  const nearest = known
    .map((candidate) => ({ candidate, far: distance(candidate.toLowerCase(), name.toLowerCase()) }))
    .sort((a, b) => a.far - b.far)[0];
  const near = nearest !== undefined && nearest.far <= Math.max(3, name.length / 2);
  const hint = near ? `; did you mean ${nearest.candidate}?` : `; known are ${known.join(', ')}.`;
  return new TenantAnalyticsError('PARAMETER_UNKNOWN', `Unknown ${what} ${name}${hint}`);
}
