import { DescribeApplicationCommand } from '@aws-sdk/client-kinesis-analytics-v2';
import * as z from 'zod';
import { TenantAnalyticsError } from '../../base/errors.ts';
import type { PropertyGroups } from '../flink/describe.ts';
import { callOrNone, type Operator } from './aws-call.ts';

const time = z.union([z.date(), z.string(), z.number()]).transform((value) => new Date(value));

const detail = z.object({
  ApplicationName: z.string().default(''),
  ApplicationARN: z.string().default(''),
  ApplicationStatus: z.string(),
  ApplicationVersionId: z.number(),
  RuntimeEnvironment: z.string(),
  ServiceExecutionRole: z.string().optional(),
  CreateTimestamp: time.optional(),
  LastUpdateTimestamp: time.optional(),
  CloudWatchLoggingOptionDescriptions: z.array(z.object({ LogStreamARN: z.string() })).default([]),
  ApplicationConfigurationDescription: z.object({
    ApplicationSnapshotConfigurationDescription: z.object({ SnapshotsEnabled: z.boolean() }).optional(),
    ApplicationCodeConfigurationDescription: z
      .object({
        CodeContentDescription: z
          .object({
            CodeSize: z.number().optional(),
            S3ApplicationCodeLocationDescription: z.object({ BucketARN: z.string(), FileKey: z.string() }).optional(),
          })
          .optional(),
      })
      .optional(),
    EnvironmentPropertyDescriptions: z
      .object({
        PropertyGroupDescriptions: z
          .array(z.object({ PropertyGroupId: z.string(), PropertyMap: z.record(z.string(), z.string()) }))
          .default([]),
      })
      .optional(),
    FlinkApplicationConfigurationDescription: z.object({
      MonitoringConfigurationDescription: z
        .object({ LogLevel: z.string().optional(), MetricsLevel: z.string().optional() })
        .optional(),
      ParallelismConfigurationDescription: z.object({
        Parallelism: z.number(),
        CurrentParallelism: z.number().optional(),
        ParallelismPerKPU: z.number().optional(),
        AutoScalingEnabled: z.boolean().optional(),
      }),
    }),
  }),
});

/** An application as the managed service describes it. */
export interface ManagedApplication {
  readonly name: string;
  readonly arn: string;
  readonly status: string;
  readonly version: number;
  readonly runtime: string;
  readonly role: string | undefined;
  readonly createdAt: Date | undefined;
  readonly updatedAt: Date | undefined;
  readonly parallelism: number;
  /** What autoscaling has made of it. */
  readonly currentParallelism: number;
  readonly parallelismPerKpu: number;
  readonly autoscaling: boolean;
  readonly snapshots: boolean;
  readonly logLevel: string | undefined;
  readonly metricsLevel: string | undefined;
  readonly log: { readonly group: string; readonly stream: string } | undefined;
  readonly code: { readonly bucket: string; readonly key: string; readonly bytes: number | undefined } | undefined;
  readonly properties: PropertyGroups;
}

/** @param described `ApplicationDetail`, of the SDK or as the AWS CLI prints it */
export function applicationOf(described: unknown): ManagedApplication {
  const found = detail.parse(described);
  const configuration = found.ApplicationConfigurationDescription;
  const flink = configuration.FlinkApplicationConfigurationDescription;
  const parallelism = flink.ParallelismConfigurationDescription;
  const content = configuration.ApplicationCodeConfigurationDescription?.CodeContentDescription;
  const location = content?.S3ApplicationCodeLocationDescription;
  const arn = found.CloudWatchLoggingOptionDescriptions[0]?.LogStreamARN ?? '';
  const [, group, stream] = /:log-group:(.+?):log-stream:(.+)$/.exec(arn) ?? [];
  return {
    name: found.ApplicationName,
    arn: found.ApplicationARN,
    status: found.ApplicationStatus,
    version: found.ApplicationVersionId,
    runtime: found.RuntimeEnvironment,
    role: found.ServiceExecutionRole,
    createdAt: found.CreateTimestamp,
    updatedAt: found.LastUpdateTimestamp,
    parallelism: parallelism.Parallelism,
    currentParallelism: parallelism.CurrentParallelism ?? parallelism.Parallelism,
    parallelismPerKpu: parallelism.ParallelismPerKPU ?? 1,
    autoscaling: parallelism.AutoScalingEnabled === true,
    snapshots: configuration.ApplicationSnapshotConfigurationDescription?.SnapshotsEnabled === true,
    logLevel: flink.MonitoringConfigurationDescription?.LogLevel,
    metricsLevel: flink.MonitoringConfigurationDescription?.MetricsLevel,
    log: group === undefined || stream === undefined ? undefined : { group, stream },
    code:
      location === undefined
        ? undefined
        : {
            bucket: location.BucketARN.replace(/^arn:[^:]*:s3:::/, ''),
            key: location.FileKey,
            bytes: content?.CodeSize,
          },
    properties: configuration.EnvironmentPropertyDescriptions?.PropertyGroupDescriptions ?? [],
  };
}

/** The application as it is now, or undefined when there is none. */
export async function findApplication(operator: Operator): Promise<ManagedApplication | undefined> {
  const { application: ApplicationName, aws } = operator;
  const answer = await callOrNone(operator, `DescribeApplication of ${ApplicationName}`, () =>
    aws.analytics.send(new DescribeApplicationCommand({ ApplicationName })),
  );
  return answer === undefined ? undefined : applicationOf(answer.ApplicationDetail);
}

/** @throws TenantAnalyticsError APPLICATION_NOT_FOUND */
export async function describeApplication(operator: Operator): Promise<ManagedApplication> {
  const found = await findApplication(operator);
  if (found !== undefined) return found;
  throw new TenantAnalyticsError(
    'APPLICATION_NOT_FOUND',
    `There is no application ${operator.application} in ${operator.aws.region}. Mend --application or --region, or make it: tenant-analytics app create.`,
  );
}
