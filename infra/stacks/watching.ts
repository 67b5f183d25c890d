import { ArnFormat, Duration } from 'aws-cdk-lib';
import {
  Alarm,
  type AlarmProps,
  ComparisonOperator,
  Dashboard,
  GraphWidget,
  type IMetric,
  MathExpression,
  Metric,
  TextWidget,
  TreatMissingData,
} from 'aws-cdk-lib/aws-cloudwatch';
import { SnsAction } from 'aws-cdk-lib/aws-cloudwatch-actions';
import { PolicyStatement, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { Key } from 'aws-cdk-lib/aws-kms';
import { Topic } from 'aws-cdk-lib/aws-sns';
import { EmailSubscription } from 'aws-cdk-lib/aws-sns-subscriptions';
import type { Construct } from 'constructs';
import { type BaseProps, BaseStack, MADE_AGAIN } from '../base-stack.ts';
import type { ScoringMetrics } from './scoring-metrics.ts';
import { DEAD_LETTERS_METRICS } from './storage.ts';

export interface WatchingProps extends BaseProps {
  /** Undefined when the scoring API is another's. */
  readonly scoring?: ScoringMetrics;
}

interface Watch {
  /** As in docs/operations.md, which says what to do. */
  readonly name: string;
  readonly about: string;
  readonly metric: IMetric;
  readonly above: number;
  /** In a row, of one period each. */
  readonly periods: number;
}

/** What the names of alarms begin with: topic and key let those in. */
const ALARMS = 'tenant-analytics-';
const MINUTE = Duration.minutes(1);
const FIVE = Duration.minutes(5);
/** Five minutes behind is five minutes late on the dashboard. */
const BEHIND_MS = 300_000;

/** Alarms to one topic, and a dashboard of what they look at. */
export class WatchingStack extends BaseStack {
  constructor(scope: Construct, props: WatchingProps) {
    super(scope, 'Watching', { ...props, description: 'Alarms and a dashboard' });
    const { scoring } = props;
    const application = this.named('CompanyJobProcessing');
    const topic = this.#topic();
    const watches = [
      ...applicationWatches(application),
      ...streamWatches(this.named('bigdatajobs'), this.named('enrichedcompanies')),
      deadLetters(this.bucketName),
      ...(scoring === undefined ? [] : scoringWatches(scoring)),
    ];
    const alarms = watches.map(({ name, about, metric, above, periods }) => {
      const alarm = new Alarm(this, name, {
        alarmName: this.named(`${ALARMS}${name}`),
        alarmDescription: `${about}. What to do: docs/operations.md, ${name}.`,
        metric,
        threshold: above,
        comparisonOperator: ComparisonOperator.GREATER_THAN_THRESHOLD,
        evaluationPeriods: periods,
        // No figures: nothing was asked, or the application is stopped on purpose.
        treatMissingData: TreatMissingData.NOT_BREACHING,
      } satisfies AlarmProps);
      alarm.addAlarmAction(new SnsAction(topic));
      alarm.addOkAction(new SnsAction(topic));
      return { alarm, name, about, metric };
    });

    new Dashboard(this, 'Dashboard', {
      dashboardName: this.named('tenant-analytics'),
      widgets: [
        [
          new TextWidget({
            width: 24,
            height: 2,
            markdown: `# ${application}\nEach graph has an alarm; what it means is in docs/operations.md.`,
          }),
        ],
        ...inRows(
          alarms.map(
            ({ alarm, name, about, metric }) =>
              new GraphWidget({
                title: `${name}: ${about}`,
                width: 8,
                left: [metric],
                leftAnnotations: [alarm.toAnnotation()],
                leftYAxis: { min: 0 },
              }),
          ),
          3,
        ),
      ],
    });
  }

  #topic(): Topic {
    const ofThisAccount = {
      StringEquals: { 'aws:SourceAccount': this.account },
      ArnLike: {
        'aws:SourceArn': this.formatArn({
          service: 'cloudwatch',
          resource: 'alarm',
          resourceName: `${this.named(ALARMS)}*`,
          arnFormat: ArnFormat.COLON_RESOURCE_NAME,
        }),
      },
    };
    // CloudWatch may not use the key that SNS brings along.
    const key = new Key(this, 'TopicKey', {
      description: 'Alarms of tenant analytics',
      enableKeyRotation: true,
      removalPolicy: MADE_AGAIN,
    });
    key.addToResourcePolicy(
      new PolicyStatement({
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['kms:Decrypt', 'kms:GenerateDataKey*'],
        resources: ['*'],
        conditions: ofThisAccount,
      }),
    );
    const topic = new Topic(this, 'Topic', {
      topicName: this.named('tenant-analytics-alarms'),
      masterKey: key,
      enforceSSL: true,
    });
    // enforceSSL gives the topic a policy, and with a policy the one that lets the whole account publish is gone.
    topic.addToResourcePolicy(
      new PolicyStatement({
        sid: 'AlarmsPublish',
        principals: [new ServicePrincipal('cloudwatch.amazonaws.com')],
        actions: ['sns:Publish'],
        resources: [topic.topicArn],
        conditions: ofThisAccount,
      }),
    );
    const { alarmEmail } = this.settings;
    if (alarmEmail !== '') topic.addSubscription(new EmailSubscription(alarmEmail));
    return topic;
  }
}

/**
 * Names and levels: AWS, "Metrics and dimensions in Managed Service for Apache Flink". `downtime`, `fullRestarts` and
 * `numberOfFailedCheckpoints` are told of the application as a whole, at every metrics level; `fullRestarts` is gone in Flink 2.2.
 * `tenant_analytics_…`: our own, from `StageMetrics.java`, in the group `kinesisanalytics` (docs/flink.md, Metrics).
 */
function applicationWatches(name: string): Watch[] {
  const ofService = (metricName: string, statistic = 'Maximum') =>
    new Metric({
      namespace: 'AWS/KinesisAnalytics',
      metricName,
      dimensionsMap: { Application: name },
      statistic,
      period: MINUTE,
    });
  // A query finds a metric whatever its other dimensions are: those of connectors and of our own metrics (docs/flink.md)
  // are the service's to choose.
  const found = (metricName: string, where = '') =>
    new MathExpression({
      expression: `SELECT MAX(${metricName}) FROM "AWS/KinesisAnalytics" WHERE Application = '${name}'${where}`,
      usingMetrics: {},
      period: MINUTE,
      label: metricName,
    });
  const risen = (metricName: string) =>
    new MathExpression({
      expression: 'DIFF(total)',
      usingMetrics: { total: ofService(metricName) },
      period: MINUTE,
      label: metricName,
    });
  return [
    {
      name: 'behind',
      about: 'The application is minutes behind the streams',
      metric: found('millisBehindLatest'),
      above: BEHIND_MS,
      periods: 5,
    },
    {
      name: 'downtime',
      about: 'The application is failing or restarting',
      metric: ofService('downtime'),
      above: 0,
      periods: 3,
    },
    {
      name: 'restarts',
      about: 'The application restarted after a failure',
      metric: risen('fullRestarts'),
      above: 0,
      periods: 1,
    },
    {
      name: 'failed-checkpoints',
      about: 'A checkpoint failed',
      metric: risen('numberOfFailedCheckpoints'),
      above: 0,
      periods: 3,
    },
    {
      name: 'rows-without-score',
      about: 'Rows left without a score and wait for one',
      metric: found('tenant_analytics_calls_to_ask_again', " AND service = 'churn-scoring'"),
      above: 1000,
      periods: 10,
    },
  ];
}

/** Names: AWS, "Monitor the Amazon Kinesis Data Streams service with Amazon CloudWatch", metrics of a stream. */
function streamWatches(jobs: string, enriched: string): Watch[] {
  const ofStream = (StreamName: string, metricName: string, statistic: string, period: Duration) =>
    new Metric({ namespace: 'AWS/Kinesis', metricName, dimensionsMap: { StreamName }, statistic, period });
  return [
    {
      name: 'iterator-age',
      about: 'Job events are read minutes after they came (polling)',
      metric: ofStream(jobs, 'GetRecords.IteratorAgeMilliseconds', 'Maximum', MINUTE),
      above: BEHIND_MS,
      periods: 5,
    },
    {
      name: 'enriched-throttled',
      about: 'enrichedcompanies has too few shards for the rows',
      metric: ofStream(enriched, 'PutRecords.ThrottledRecords', 'Sum', FIVE),
      above: 0,
      periods: 3,
    },
  ];
}

/**
 * They come rarely and in few objects: each write of one is told. Parts of an upload are PUT requests, too.
 * Names: AWS, "Amazon S3 metrics and dimensions", request metrics of a filter.
 */
function deadLetters(bucket: string): Watch {
  return {
    name: 'dead-letters',
    about: 'Records came that could not be used',
    metric: new Metric({
      namespace: 'AWS/S3',
      metricName: 'PutRequests',
      dimensionsMap: { BucketName: bucket, FilterId: DEAD_LETTERS_METRICS },
      statistic: 'Sum',
      period: FIVE,
    }),
    above: 0,
    periods: 1,
  };
}

/** Names: AWS, "Amazon API Gateway dimensions and metrics" and "Types of metrics for Lambda functions". */
function scoringWatches({ api, handler }: ScoringMetrics): Watch[] {
  const asked = api('Count');
  const share = (metricName: '4XXError' | '5XXError') =>
    new MathExpression({
      expression: '100 * failed / asked',
      usingMetrics: { failed: api(metricName), asked },
      period: FIVE,
      label: `${metricName} %`,
    });
  return [
    { name: 'scorer-errors', about: 'The scoring function failed', metric: handler('Errors'), above: 0, periods: 1 },
    {
      name: 'scorer-throttles',
      about: 'The scoring function has reached its concurrency',
      metric: handler('Throttles'),
      above: 0,
      periods: 3,
    },
    {
      name: 'scoring-4xx',
      about: 'Percent of calls that the scoring API refuses: key, usage plan, request',
      metric: share('4XXError'),
      above: 1,
      periods: 2,
    },
    {
      name: 'scoring-5xx',
      about: 'Percent of calls that get no score: the unscored share',
      metric: share('5XXError'),
      above: 5,
      periods: 2,
    },
  ];
}

function inRows<T>(all: readonly T[], size: number): T[][] {
  return Array.from({ length: Math.ceil(all.length / size) }, (_, row) => all.slice(row * size, (row + 1) * size));
}
