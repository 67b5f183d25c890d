import type {
  ApplicationConfigurationUpdate,
  CreateApplicationCommandInput,
  LogLevel,
  MetricsLevel,
  RunConfiguration,
  RunConfigurationUpdate,
} from '@aws-sdk/client-kinesis-analytics-v2';
import type { PropertyGroups } from '../flink/describe.ts';
import { type Account, arns, logGroupOf, NAMES } from './names.ts';

/* The requests of the managed service, as data: what our commands send is what the request files say. */

export const LOG_LEVELS = ['DEBUG', 'INFO', 'WARN', 'ERROR'] as const;
export const METRICS_LEVELS = ['APPLICATION', 'OPERATOR', 'TASK', 'PARALLELISM'] as const;

export interface CodePlace {
  readonly bucket: string;
  readonly key: string;
}

export function uriOf({ bucket, key }: CodePlace): string {
  return `s3://${bucket}/${key}`;
}

/** Everything before the last `/` of its key. */
export function folderOf({ key }: CodePlace): string {
  return key.includes('/') ? key.slice(0, key.lastIndexOf('/')) : '';
}

export interface WantedApplication {
  readonly name: string;
  readonly account: Account;
  /** ARN. */
  readonly role: string;
  readonly code: CodePlace;
  readonly logStream: string;
  readonly properties: PropertyGroups;
  readonly parallelism: number;
  readonly parallelismPerKpu: number;
  readonly autoscaling: boolean;
  readonly logLevel: LogLevel;
  readonly metricsLevel: MetricsLevel;
}

export function createRequest(wanted: WantedApplication): CreateApplicationCommandInput {
  const { name, account, role, code, logStream, properties } = wanted;
  return {
    ApplicationName: name,
    ApplicationDescription: 'Counts and churn signals of tenants from their job events (tenant-analytics)',
    RuntimeEnvironment: NAMES.runtime,
    ServiceExecutionRole: role,
    CloudWatchLoggingOptions: [{ LogStreamARN: arns.logStream(account, logGroupOf(name), logStream) }],
    ApplicationConfiguration: {
      ApplicationCodeConfiguration: {
        CodeContentType: 'ZIPFILE',
        CodeContent: { S3ContentLocation: { BucketARN: arns.bucket(account, code.bucket), FileKey: code.key } },
      },
      ApplicationSnapshotConfiguration: { SnapshotsEnabled: true },
      FlinkApplicationConfiguration: {
        MonitoringConfiguration: {
          ConfigurationType: 'CUSTOM',
          LogLevel: wanted.logLevel,
          MetricsLevel: wanted.metricsLevel,
        },
        ParallelismConfiguration: {
          ConfigurationType: 'CUSTOM',
          Parallelism: wanted.parallelism,
          ParallelismPerKPU: wanted.parallelismPerKpu,
          AutoScalingEnabled: wanted.autoscaling,
        },
      },
      EnvironmentProperties: { PropertyGroups: properties.map((group) => ({ ...group })) },
    },
  };
}

export type Restore = { readonly kind: 'latest' | 'none' } | { readonly kind: 'snapshot'; readonly name: string };

export function runConfiguration(restore: Restore, allowNonRestoredState: boolean): RunConfiguration {
  return {
    ApplicationRestoreConfiguration:
      restore.kind === 'snapshot'
        ? { ApplicationRestoreType: 'RESTORE_FROM_CUSTOM_SNAPSHOT', SnapshotName: restore.name }
        : {
            ApplicationRestoreType:
              restore.kind === 'latest' ? 'RESTORE_FROM_LATEST_SNAPSHOT' : 'SKIP_RESTORE_FROM_SNAPSHOT',
          },
    FlinkRunConfiguration: { AllowNonRestoredState: allowNonRestoredState },
  };
}

/** What of an application is to be changed; what is left out stays. */
export interface Change {
  readonly code?: CodePlace;
  /** All of them: the service puts them in the place of all that were there. */
  readonly properties?: PropertyGroups;
  readonly parallelism?: number;
}

export function configurationUpdate(change: Change, partition: string): ApplicationConfigurationUpdate {
  const { code, properties, parallelism } = change;
  const bucket = code === undefined ? '' : `arn:${partition}:s3:::${code.bucket}`;
  return {
    ...(code === undefined
      ? {}
      : {
          ApplicationCodeConfigurationUpdate: {
            CodeContentUpdate: { S3ContentLocationUpdate: { BucketARNUpdate: bucket, FileKeyUpdate: code.key } },
          },
        }),
    ...(properties === undefined
      ? {}
      : { EnvironmentPropertyUpdates: { PropertyGroups: properties.map((group) => ({ ...group })) } }),
    ...(parallelism === undefined
      ? {}
      : {
          FlinkApplicationConfigurationUpdate: {
            ParallelismConfigurationUpdate: { ConfigurationTypeUpdate: 'CUSTOM', ParallelismUpdate: parallelism },
          },
        }),
  };
}

export function runConfigurationUpdate(allowNonRestoredState: boolean): RunConfigurationUpdate {
  return { FlinkRunConfiguration: { AllowNonRestoredState: allowNonRestoredState } };
}
