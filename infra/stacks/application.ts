import { ArnFormat, CfnOutput } from 'aws-cdk-lib';
import { Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import { CfnApplication, CfnApplicationCloudWatchLoggingOption } from 'aws-cdk-lib/aws-kinesisanalyticsv2';
import { LogGroup, LogStream } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { TenantAnalyticsError } from '../../src/base/errors.ts';
import { type GROUP_NAMES, groupsOf, type ParameterTexts, readParameters } from '../../src/pipeline/parameters.ts';
import { type BaseProps, BaseStack, MADE_AGAIN } from '../base-stack.ts';
import type { Settings } from '../settings.ts';
import { applicationPolicy } from './application-policy.ts';
import type { NetworkStack } from './network.ts';
import { CODE_FOLDER, DEAD_LETTERS_FOLDER, ROWS_FOLDER } from './storage.ts';

/** A service that the application asks, and the ARN of the secret that it asks with. */
export interface ServiceAccess {
  readonly url: string;
  /** With `#key` behind it, that key of a secret that has several. */
  readonly secretArn?: string;
}

export interface ApplicationProps extends BaseProps {
  /** Undefined with scoring=off. */
  readonly churnScoring?: ServiceAccess;
  /** Undefined with enrichment=join. */
  readonly tenantManager?: ServiceAccess;
  /** Undefined: outside of any VPC. */
  readonly network?: NetworkStack;
}

const LOG_STREAM = 'kinesis-analytics-log-stream';

/** CompanyJobProcessing on Managed Service for Apache Flink. It is made ready, not started: `app start` does that. */
export class ApplicationStack extends BaseStack {
  readonly applicationName: string;
  readonly logGroup: LogGroup;

  constructor(scope: Construct, props: ApplicationProps) {
    super(scope, 'Application', { ...props, description: 'CompanyJobProcessing on Managed Service for Apache Flink' });
    const { settings } = this;
    const { network, churnScoring, tenantManager } = props;
    this.applicationName = this.named('CompanyJobProcessing');
    this.logGroup = new LogGroup(this, 'Log', {
      logGroupName: `/aws/kinesis-analytics/${this.applicationName}`,
      retention: this.logRetention,
      removalPolicy: MADE_AGAIN,
    });
    const logStream = new LogStream(this, 'LogStream', {
      logGroup: this.logGroup,
      logStreamName: LOG_STREAM,
      removalPolicy: MADE_AGAIN,
    });

    const applicationArn = this.formatArn({
      service: 'kinesisanalytics',
      resource: 'application',
      resourceName: this.applicationName,
    });
    const role = new Role(this, 'Role', {
      roleName: this.named('CompanyAnalyticsRole'),
      // Of this account's application alone: the service must not be made to act for another's.
      assumedBy: new ServicePrincipal('kinesisanalytics.amazonaws.com', {
        conditions: {
          StringEquals: { 'aws:SourceAccount': this.account },
          ArnEquals: { 'aws:SourceArn': applicationArn },
        },
      }),
    });
    const inVpc = network && {
      subnets: network.vpc.privateSubnets.map(({ subnetId }) => subnetId),
      securityGroup: network.application.securityGroupId,
    };
    const policy = applicationPolicy(this, {
      policyName: this.named('KinesisPolicy'),
      role,
      readStreams: [this.streamArn('bigdatajobs'), this.streamArn('companies')],
      writtenStream: this.streamArn('enrichedcompanies'),
      bucket: this.bucketArn(),
      code: this.bucketArn(`${CODE_FOLDER}*`),
      folders: [ROWS_FOLDER, DEAD_LETTERS_FOLDER],
      isEfo: settings.consumer === 'EFO',
      logGroup: this.logGroup.logGroupName,
      logStream: LOG_STREAM,
      secrets: [churnScoring?.secretArn, tenantManager?.secretArn]
        .filter((arn) => arn !== undefined)
        .map((arn) => arn.replace(/#.*$/, '')),
      secretKeys: { arns: settings.secretKeyArns, regions: givenSecretRegions(settings) },
      ...(inVpc && { vpc: inVpc }),
    });

    const application = new CfnApplication(this, 'Application', {
      applicationName: this.applicationName,
      applicationDescription: 'Enriched tenant activity and churn signals from job events',
      runtimeEnvironment: 'FLINK-1_20',
      serviceExecutionRole: role.roleArn,
      applicationConfiguration: {
        applicationCodeConfiguration: {
          codeContentType: 'ZIPFILE',
          codeContent: {
            s3ContentLocation: { bucketArn: this.bucketArn(), fileKey: settings.codeKey },
          },
        },
        environmentProperties: {
          propertyGroups: Object.entries(this.#properties(props)).map(([propertyGroupId, propertyMap]) => ({
            propertyGroupId,
            propertyMap,
          })),
        },
        flinkApplicationConfiguration: {
          checkpointConfiguration: {
            configurationType: 'CUSTOM',
            checkpointingEnabled: true,
            checkpointInterval: settings.checkpointSeconds * 1000,
            minPauseBetweenCheckpoints: 5000,
          },
          monitoringConfiguration: {
            configurationType: 'CUSTOM',
            logLevel: settings.logLevel,
            metricsLevel: settings.metricsLevel,
          },
          parallelismConfiguration: {
            configurationType: 'CUSTOM',
            parallelism: settings.parallelism,
            parallelismPerKpu: settings.parallelismPerKpu,
            autoScalingEnabled: settings.autoScaling,
          },
        },
        applicationSnapshotConfiguration: { snapshotsEnabled: true },
        ...(inVpc && {
          vpcConfigurations: [{ subnetIds: [...inVpc.subnets], securityGroupIds: [inVpc.securityGroup] }],
        }),
      },
    });
    application.node.addDependency(policy);
    new CfnApplicationCloudWatchLoggingOption(this, 'Logging', {
      applicationName: application.ref,
      cloudWatchLoggingOption: {
        logStreamArn: this.formatArn({
          service: 'logs',
          resource: 'log-group',
          resourceName: `${this.logGroup.logGroupName}:log-stream:${logStream.logStreamName}`,
          arnFormat: ArnFormat.COLON_RESOURCE_NAME,
        }),
      },
    });
    new CfnOutput(this, 'ApplicationName', { value: application.ref });
    new CfnOutput(this, 'CodeLocation', { value: this.bucketUrl(settings.codeKey) });
  }

  /** The property groups of DESIGN section 6; what is left at its default is not in them. */
  #properties({ churnScoring, tenantManager }: ApplicationProps): ParameterTexts {
    const { settings } = this;
    const groups: Record<(typeof GROUP_NAMES)[number], Record<string, string>> = {
      ConsumerConfigProperties: {
        'aws.region': this.region,
        'jobs.stream.name': this.named('bigdatajobs'),
        'companies.stream.name': this.named('companies'),
        'jobs.stream.initial.position': 'LATEST',
        'companies.stream.initial.position': 'TRIM_HORIZON',
        'jobs.stream.consumer': settings.consumer,
        'companies.stream.consumer': settings.consumer,
      },
      ProducerConfigProperties: {
        'aws.region': this.region,
        'enrichedcompanies.stream.name': this.named('enrichedcompanies'),
        AggregationEnabled: 'false',
      },
      ApplicationConfigProperties: {
        S3SinkPath: this.bucketUrl(`${ROWS_FOLDER}${settings.format}`),
        S3SinkFormat: settings.format,
        deadLetterPath: this.bucketUrl(DEAD_LETTERS_FOLDER.slice(0, -1)),
        enrichment: settings.enrichment,
        ...(tenantManager && {
          tenantManagerEndpoint: tenantManager.url,
          ...(tenantManager.secretArn && { tenantManagerToken: tenantManager.secretArn }),
        }),
        scoring: settings.scoring,
        ...(churnScoring && {
          predictChurnApiEndpoint: churnScoring.url,
          ...(churnScoring.secretArn && { predictChurnApiKey: churnScoring.secretArn }),
        }),
      },
    };
    const made = Object.values(groups).flatMap((group) => Object.keys(group));
    for (const [name, value] of Object.entries(settings.parameters)) {
      if (made.includes(name)) {
        throw new TenantAnalyticsError(
          'PARAMETER_INVALID',
          `parameters: ${name} is set by this deployment itself; expected others, or the setting that it comes from.`,
        );
      }
      for (const group of groupsOf(name)) groups[group][name] = value;
    }
    // The application's own reader judges them here, rather than in its log after the start. What is only known in AWS is stood in for.
    readParameters({
      ...groups,
      ConsumerConfigProperties: { ...groups.ConsumerConfigProperties, ...unknownParameters(settings.parameters) },
      ApplicationConfigProperties: {
        ...groups.ApplicationConfigProperties,
        S3SinkPath: 's3://bucket/rows',
        deadLetterPath: 's3://bucket/letters',
        ...(tenantManager && { tenantManagerEndpoint: 'https://tenants' }),
        ...(churnScoring && { predictChurnApiEndpoint: 'https://scoring' }),
      },
    });
    return groups;
  }
}

/** Names that no group has: the reader of parameters names them, with the nearest right one. */
function unknownParameters(parameters: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(Object.entries(parameters).filter(([name]) => groupsOf(name).length === 0));
}

/** Of secrets that are there already, in their order, each once. */
function givenSecretRegions({ churnScoringKeyArn, tenantManagerTokenArn }: Settings): string[] {
  const regions = [churnScoringKeyArn, tenantManagerTokenArn].map((arn) => arn.split(':')[3] ?? '');
  return [...new Set(regions)].filter((region) => region !== '').sort();
}
