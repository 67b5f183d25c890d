/** Names as users of the first version know them: the defaults of every command, and of the request files. */
export const NAMES = {
  application: 'CompanyJobProcessing',
  role: 'CompanyAnalyticsRole',
  policy: 'KinesisPolicy',
  logStream: 'kinesis-analytics-log-stream',
  runtime: 'FLINK-1_20',
  region: 'us-west-2',
  /** Folder of the code in its bucket. */
  codeFolder: 'churn',
} as const;

export function logGroupOf(application: string): string {
  return `/aws/kinesis-analytics/${application}`;
}

/** Whose resources ARNs name. */
export interface Account {
  /** `aws`, `aws-cn`, `aws-us-gov`. */
  readonly partition: string;
  /** Twelve digits. */
  readonly id: string;
  readonly region: string;
}

export const arns = {
  application: ({ partition, region, id }: Account, name: string) =>
    `arn:${partition}:kinesisanalytics:${region}:${id}:application/${name}`,
  role: ({ partition, id }: Account, name: string) => `arn:${partition}:iam::${id}:role/${name}`,
  logStream: ({ partition, region, id }: Account, group: string, stream: string) =>
    `arn:${partition}:logs:${region}:${id}:log-group:${group}:log-stream:${stream}`,
  bucket: ({ partition }: Account, bucket: string) => `arn:${partition}:s3:::${bucket}`,
};

export function partitionOfRegion(region: string): string {
  if (region.startsWith('cn-')) return 'aws-cn';
  return region.startsWith('us-gov-') ? 'aws-us-gov' : 'aws';
}
