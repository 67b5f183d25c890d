import * as z from 'zod';
import { readParameters } from '../../../pipeline/parameters.ts';
import { textsOf } from '../describe.ts';
import type { Aws } from './aws-cli.ts';

const described = z.object({
  ApplicationDetail: z.object({
    ApplicationStatus: z.string(),
    ApplicationVersionId: z.number(),
    RuntimeEnvironment: z.string(),
    CloudWatchLoggingOptionDescriptions: z.array(z.object({ LogStreamARN: z.string() })).default([]),
    ApplicationConfigurationDescription: z.object({
      ApplicationSnapshotConfigurationDescription: z.object({ SnapshotsEnabled: z.boolean() }).optional(),
      EnvironmentPropertyDescriptions: z
        .object({
          PropertyGroupDescriptions: z.array(
            z.object({ PropertyGroupId: z.string(), PropertyMap: z.record(z.string(), z.string()) }),
          ),
        })
        .optional(),
      FlinkApplicationConfigurationDescription: z.object({
        ParallelismConfigurationDescription: z.object({
          Parallelism: z.number(),
          CurrentParallelism: z.number().optional(),
          AutoScalingEnabled: z.boolean().optional(),
        }),
      }),
    }),
  }),
});

/** The application as the managed service describes it, as far as the smoke test needs it. */
export interface ManagedApplication {
  readonly status: string;
  readonly version: number;
  readonly runtime: string;
  readonly parallelism: number;
  readonly snapshots: boolean;
  readonly log: { readonly group: string; readonly stream: string } | undefined;
  readonly jobs: string;
  readonly companies: string;
  readonly consumer: string;
  readonly sink: string;
  readonly format: string;
}

/** @throws TenantAnalyticsError for parameters that the application refuses, too */
export async function managedApplication(aws: Aws, name: string): Promise<ManagedApplication> {
  const answer: unknown = JSON.parse(
    await aws('kinesisanalyticsv2', 'describe-application', '--application-name', name),
  );
  const detail = described.parse(answer).ApplicationDetail;
  const { ApplicationSnapshotConfigurationDescription: snapshots, ...configuration } =
    detail.ApplicationConfigurationDescription;
  const groups = configuration.EnvironmentPropertyDescriptions?.PropertyGroupDescriptions ?? [];
  const { consumer, application } = readParameters(textsOf(groups));
  const arn = detail.CloudWatchLoggingOptionDescriptions[0]?.LogStreamARN ?? '';
  const [, group, stream] = /:log-group:(.+?):log-stream:(.+)$/.exec(arn) ?? [];
  return {
    status: detail.ApplicationStatus,
    version: detail.ApplicationVersionId,
    runtime: detail.RuntimeEnvironment,
    parallelism: configuration.FlinkApplicationConfigurationDescription.ParallelismConfigurationDescription.Parallelism,
    snapshots: snapshots?.SnapshotsEnabled === true,
    log: group === undefined || stream === undefined ? undefined : { group, stream },
    jobs: consumer['jobs.stream.name'],
    companies: consumer['companies.stream.name'],
    consumer: consumer['jobs.stream.consumer'],
    sink: application.S3SinkPath,
    format: application.S3SinkFormat,
  };
}
