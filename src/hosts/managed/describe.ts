import {
  GetMetricDataCommand,
  ListMetricsCommand,
  type Metric,
  type MetricDataResult,
} from '@aws-sdk/client-cloudwatch';
import { messageOf } from '../../base/errors.ts';
import { describeApplication, type ManagedApplication } from './application.ts';
import { call, type Operator } from './aws-call.ts';
import { shownValue } from './properties.ts';
import { uriOf } from './requests.ts';
import { ageText } from './waiting.ts';

const NAMESPACE = 'AWS/KinesisAnalytics';
const LOOK_BACK_MS = 15 * 60_000;
const PERIOD_S = 60;
/** What one GetMetricData takes; of more shards than that the lag of some is not looked at. */
const MOST_SERIES = 500;

const MEASURED = {
  millisBehindLatest: 'lag',
  lastCheckpointDuration: 'checkpointMs',
  lastCheckpointSize: 'checkpointBytes',
  numberOfFailedCheckpoints: 'failedCheckpoints',
  fullRestarts: 'restarts',
  downtime: 'downtimeMs',
} as const;

/** The latest value of the last 15 minutes, the greatest of all tasks and shards, and when it was measured. */
export interface Measured {
  readonly value: number;
  readonly at: string;
}

export interface Description {
  readonly application: ManagedApplication;
  readonly metrics: Partial<Record<keyof typeof MEASURED, Measured>>;
  /** Why there are no metrics. */
  readonly metricsMissing?: string;
}

export async function describeFully(operator: Operator): Promise<Description> {
  const application = await describeApplication(operator);
  try {
    return { application, metrics: await readMetrics(operator) };
  } catch (error) {
    return { application, metrics: {}, metricsMissing: messageOf(error) };
  }
}

async function readMetrics(operator: Operator): Promise<Description['metrics']> {
  const series: { readonly name: keyof typeof MEASURED; readonly metric: Metric }[] = [];
  for (const name of Object.keys(MEASURED) as (keyof typeof MEASURED)[]) {
    for (const metric of await listed(operator, name)) series.push({ name, metric });
  }
  const asked = series.slice(0, MOST_SERIES);
  const found: { -readonly [Name in keyof typeof MEASURED]?: Measured } = {};
  for (const { Id, Timestamps = [], Values = [] } of asked.length === 0 ? [] : await ask(operator, asked)) {
    const name = asked[Number(Id?.slice(1))]?.name;
    // The newest comes first.
    const [at, value] = [Timestamps[0], Values[0]];
    if (name === undefined || at === undefined || value === undefined) continue;
    if (value >= (found[name]?.value ?? Number.NEGATIVE_INFINITY)) found[name] = { value, at: at.toISOString() };
  }
  return found;
}

async function listed(operator: Operator, MetricName: string): Promise<Metric[]> {
  const { aws, application } = operator;
  const metrics: Metric[] = [];
  let NextToken: string | undefined;
  do {
    const request = new ListMetricsCommand({
      Namespace: NAMESPACE,
      MetricName,
      Dimensions: [{ Name: 'Application', Value: application }],
      ...(NextToken === undefined ? {} : { NextToken }),
    });
    const answer = await call(operator, `ListMetrics ${MetricName}`, () => aws.metrics.send(request));
    metrics.push(...(answer.Metrics ?? []));
    NextToken = answer.NextToken;
  } while (NextToken !== undefined && metrics.length < MOST_SERIES);
  return metrics;
}

async function ask(operator: Operator, series: readonly { readonly metric: Metric }[]): Promise<MetricDataResult[]> {
  const now = operator.clock.now();
  const request = {
    StartTime: new Date(now - LOOK_BACK_MS),
    EndTime: new Date(now),
    ScanBy: 'TimestampDescending' as const,
    MetricDataQueries: series.map(({ metric }, index) => ({
      Id: `m${index}`,
      MetricStat: { Metric: metric, Period: PERIOD_S, Stat: 'Maximum' },
    })),
  };
  const results: MetricDataResult[] = [];
  let NextToken: string | undefined;
  do {
    const page = new GetMetricDataCommand({ ...request, ...(NextToken === undefined ? {} : { NextToken }) });
    const answer = await call(operator, 'GetMetricData', () => operator.aws.metrics.send(page));
    results.push(...(answer.MetricDataResults ?? []));
    NextToken = answer.NextToken;
  } while (NextToken !== undefined);
  return results;
}

/** Its property groups, as they may be shown. */
export function shownProperties({ properties }: ManagedApplication): ManagedApplication['properties'] {
  return properties.map(({ PropertyGroupId, PropertyMap }) => ({
    PropertyGroupId,
    PropertyMap: Object.fromEntries(
      Object.entries(PropertyMap).map(([name, value]) => [name, shownValue(name, value)]),
    ),
  }));
}

/** For a person. */
export function readable({ application: it, metrics, metricsMissing }: Description, now: number): string[] {
  const scaled = it.currentParallelism === it.parallelism ? '' : `, now ${it.currentParallelism} by autoscaling`;
  const kpus = Math.ceil(it.currentParallelism / it.parallelismPerKpu);
  const rows: (readonly [string, string])[] = [
    ['application', `${it.name} (${it.runtime})`],
    ['status', it.status],
    ['version', `${it.version}${it.updatedAt === undefined ? '' : `, since ${it.updatedAt.toISOString()}`}`],
    [
      'parallelism',
      `${it.parallelism}${scaled}; ${kpus} KPU${kpus === 1 ? '' : 's'}, autoscaling ${it.autoscaling ? 'on' : 'off'}`,
    ],
    ['code', it.code === undefined ? 'none' : uriOf(it.code)],
    ['role', it.role ?? 'none'],
    ['log', it.log === undefined ? 'none' : `${it.log.group}, ${it.log.stream}, level ${it.logLevel ?? 'INFO'}`],
    ['snapshots', it.snapshots ? 'on' : 'off'],
  ];
  if (metricsMissing === undefined) rows.push(...measuredRows(metrics, now));
  else rows.push(['metrics', `could not be read: ${metricsMissing}`]);
  const properties = shownProperties(it).flatMap(({ PropertyGroupId, PropertyMap }) => [
    `${PropertyGroupId}:`,
    ...Object.entries(PropertyMap).map(([name, value]) => `  ${name} = ${value}`),
  ]);
  return [...rows.map(([name, value]) => `${name.padEnd(16)} ${value}`), ...properties];
}

function measuredRows(metrics: Description['metrics'], now: number): (readonly [string, string])[] {
  const { millisBehindLatest: lag, lastCheckpointDuration: took, lastCheckpointSize: size } = metrics;
  const { numberOfFailedCheckpoints: failed, fullRestarts: restarts, downtime } = metrics;
  const ago = ({ at }: Measured) => `measured ${ageText(Math.max(0, now - Date.parse(at)))} ago`;
  const none = 'nothing measured in the last 15 minutes';
  const checkpoint =
    took === undefined
      ? none
      : `took ${took.value} ms${size === undefined ? '' : `, ${size.value} bytes`} (${ago(took)})${failed === undefined ? '' : `; ${failed.value} failed so far`}`;
  return [
    ['lag', lag === undefined ? none : `${lag.value} ms behind (${ago(lag)})`],
    ['last checkpoint', checkpoint],
    ...(restarts === undefined ? [] : [['restarts', `${restarts.value}`] as const]),
    ...(downtime !== undefined && downtime.value > 0
      ? [['down for', `${ageText(downtime.value)} (${ago(downtime)})`] as const]
      : []),
  ];
}
