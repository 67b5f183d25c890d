import type { IMetric } from 'aws-cdk-lib/aws-cloudwatch';

/** What AWS counts of the scoring API and of the function behind it, in five minutes, by the name of the metric. */
export interface ScoringMetrics {
  readonly api: (metricName: '4XXError' | '5XXError' | 'Count') => IMetric;
  readonly handler: (metricName: 'Errors' | 'Throttles') => IMetric;
}
