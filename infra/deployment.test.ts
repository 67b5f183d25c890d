import { readFileSync } from 'node:fs';
import { Match, type Template } from 'aws-cdk-lib/assertions';
import { afterAll, describe, expect, test } from 'vitest';
import { permissionPolicy, trustPolicy } from '../src/hosts/managed/policy.ts';
import { describeParameters, type ParameterTexts, readParameters } from '../src/pipeline/parameters.ts';
import { ACCOUNT, DEPLOYMENTS, physicalNames, SECRET, SECRET_KEY, synthesize } from './testing.ts';

const plain = synthesize(DEPLOYMENTS.least);
const given = synthesize(DEPLOYMENTS.given);
afterAll(() => {
  plain.remove();
  given.remove();
});

interface Statement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Action: string | string[];
  readonly Resource?: unknown;
  readonly Condition?: unknown;
}

function statementsOf(template: Template, type = 'AWS::IAM::Policy'): Statement[] {
  return Object.values(template.findResources(type)).flatMap(
    (resource) => resource.Properties.PolicyDocument.Statement as Statement[],
  );
}

function groupsOf(template: Template): ParameterTexts {
  const [application] = Object.values(template.findResources('AWS::KinesisAnalyticsV2::Application'));
  const groups = application?.Properties.ApplicationConfiguration.EnvironmentProperties.PropertyGroups as {
    PropertyGroupId: string;
    PropertyMap: Record<string, string>;
  }[];
  return Object.fromEntries(groups.map(({ PropertyGroupId, PropertyMap }) => [PropertyGroupId, PropertyMap]));
}

describe('streams', () => {
  test.each(['bigdatajobs', 'companies', 'enrichedcompanies'])(
    '%s: one shard, 24 hours, encrypted, and it outlives its stack',
    (Name) => {
      plain.of('Streams').hasResource('AWS::Kinesis::Stream', {
        Properties: {
          Name,
          ShardCount: 1,
          RetentionPeriodHours: 24,
          StreamModeDetails: { StreamMode: 'PROVISIONED' },
          StreamEncryption: { EncryptionType: 'KMS', KeyId: 'alias/aws/kinesis' },
        },
        DeletionPolicy: 'Retain',
      });
    },
  );

  test('on demand, when asked', () => {
    given.of('Streams').allResourcesProperties('AWS::Kinesis::Stream', {
      StreamModeDetails: { StreamMode: 'ON_DEMAND' },
      ShardCount: Match.absent(),
    });
  });
});

describe('the bucket', () => {
  test('is encrypted, closed to the public, and outlives its stack', () => {
    plain.of('Storage').allResources('AWS::S3::Bucket', {
      Properties: {
        BucketEncryption: Match.anyValue(),
        PublicAccessBlockConfiguration: {
          BlockPublicAcls: true,
          BlockPublicPolicy: true,
          IgnorePublicAcls: true,
          RestrictPublicBuckets: true,
        },
      },
      DeletionPolicy: 'Retain',
    });
  });

  test('refuses whoever does not come by TLS 1.2', () => {
    const denied = statementsOf(plain.of('Storage'), 'AWS::S3::BucketPolicy').filter(({ Effect }) => Effect === 'Deny');
    expect(denied.map(({ Condition }) => Condition)).toEqual(
      expect.arrayContaining([
        { Bool: { 'aws:SecureTransport': 'false' } },
        { NumericLessThan: { 's3:TlsVersion': 1.2 } },
      ]),
    );
  });

  test('forgets rows, dead letters, old versions and unfinished uploads in time', () => {
    plain.of('Storage').hasResourceProperties('AWS::S3::Bucket', {
      BucketName: `tenant-analytics-${ACCOUNT}-us-west-2`,
      LifecycleConfiguration: {
        Rules: Match.arrayWith([
          Match.objectLike({ AbortIncompleteMultipartUpload: { DaysAfterInitiation: 7 } }),
          Match.objectLike({ Prefix: 'enriched/', ExpirationInDays: 400 }),
          Match.objectLike({ Prefix: 'dead-letters/', ExpirationInDays: 400 }),
        ]),
      },
    });
  });
});

describe('the catalog', () => {
  test('finds the days of rows where the application writes them', () => {
    const groups = groupsOf(plain.of('Application'));
    plain.of('Catalog').hasResourceProperties('AWS::Glue::Table', {
      TableInput: {
        Name: 'enriched_companies',
        PartitionKeys: [{ Name: 'dt', Type: 'string' }],
        Parameters: {
          'projection.enabled': 'true',
          'projection.dt.type': 'date',
          'storage.location.template': `${groups.ApplicationConfigProperties?.S3SinkPath}/dt=\${dt}`,
        },
      },
    });
    plain.of('Catalog').hasResourceProperties('AWS::Glue::Table', {
      TableInput: {
        Name: 'dead_letters',
        StorageDescriptor: { Location: `${groups.ApplicationConfigProperties?.deadLetterPath}/` },
      },
    });
  });

  test('every question is of its workgroup, whose answers are encrypted and whose cost is bounded', () => {
    plain.of('Catalog').resourceCountIs('AWS::Athena::NamedQuery', 13);
    plain.of('Catalog').hasResourceProperties('AWS::Athena::WorkGroup', {
      WorkGroupConfiguration: {
        EnforceWorkGroupConfiguration: true,
        BytesScannedCutoffPerQuery: Match.anyValue(),
        ResultConfiguration: { EncryptionConfiguration: { EncryptionOption: 'SSE_S3' } },
      },
    });
  });

  test('QuickSight is told the files of the format that is written', () => {
    const manifest = (template: Template) =>
      JSON.parse(Object.values(template.findOutputs('QuickSightManifest'))[0]?.Value as string) as unknown;
    expect(manifest(given.of('Catalog'))).toEqual({
      fileLocations: [{ URIPrefixes: [`s3://team-b-tenant-analytics-${ACCOUNT}-us-west-2/enriched/csv/`] }],
      globalUploadSettings: { format: 'CSV', containsHeader: 'false' },
    });
  });
});

describe('the application', () => {
  test('has the name, runtime, code, snapshots, checkpoints and log that users know', () => {
    plain.of('Application').hasResourceProperties('AWS::KinesisAnalyticsV2::Application', {
      ApplicationName: 'CompanyJobProcessing',
      RuntimeEnvironment: 'FLINK-1_20',
      ApplicationConfiguration: {
        ApplicationCodeConfiguration: {
          CodeContentType: 'ZIPFILE',
          CodeContent: { S3ContentLocation: { FileKey: 'churn/tenant-analytics-flink.jar' } },
        },
        ApplicationSnapshotConfiguration: { SnapshotsEnabled: true },
        FlinkApplicationConfiguration: {
          CheckpointConfiguration: { CheckpointingEnabled: true, CheckpointInterval: 60_000 },
          MonitoringConfiguration: { LogLevel: 'INFO', MetricsLevel: 'APPLICATION' },
          ParallelismConfiguration: { Parallelism: 1, AutoScalingEnabled: true },
        },
      },
    });
    plain.of('Application').hasResourceProperties('AWS::Logs::LogGroup', {
      LogGroupName: '/aws/kinesis-analytics/CompanyJobProcessing',
      RetentionInDays: 30,
    });
    plain.of('Application').hasResourceProperties('AWS::Logs::LogStream', {
      LogStreamName: 'kinesis-analytics-log-stream',
    });
    plain.of('Application').resourceCountIs('AWS::KinesisAnalyticsV2::ApplicationCloudWatchLoggingOption', 1);
  });

  test('parallelism, scaling and levels are settings', () => {
    given.of('Application').hasResourceProperties('AWS::KinesisAnalyticsV2::Application', {
      ApplicationConfiguration: {
        FlinkApplicationConfiguration: {
          MonitoringConfiguration: { LogLevel: 'DEBUG', MetricsLevel: 'OPERATOR' },
          ParallelismConfiguration: { Parallelism: 4, AutoScalingEnabled: false },
        },
        VpcConfigurations: [{ SubnetIds: ['subnet-0a1b2c3d', 'subnet-0a1b2c3e'] }],
      },
    });
  });

  test('its property groups are what the application reads, and hold secrets as ARNs only', () => {
    for (const deployed of [plain, given]) {
      expect(() => readParameters(groupsOf(deployed.of('Application')))).not.toThrow();
    }
    expect(groupsOf(given.of('Application')).ApplicationConfigProperties).toMatchObject({
      S3SinkFormat: 'csv',
      predictChurnApiKey: SECRET,
      tenantManagerToken: SECRET.replace('key', 'token'),
      predictChurnApiEndpoint: 'https://scoring.example.com/prod/assessChurn',
      'tenant.cache.ttl': '10 min',
    });
    expect(groupsOf(given.of('Application')).ConsumerConfigProperties).toMatchObject({
      'jobs.stream.name': 'Team-b-bigdatajobs',
      'jobs.stream.consumer': 'EFO',
    });
  });

  test.each([
    ['{"tenant.cache.tl":"1 min"}', 'did you mean tenant.cache.ttl?'],
    ['{"tenant.cache.ttl":"soon"}', 'tenant.cache.ttl: '],
    ['{"S3SinkPath":"s3://elsewhere/rows"}', 'S3SinkPath is set by this deployment itself'],
  ])('a parameter that it would refuse, %s, is refused before anything is deployed', (parameters, told) => {
    expect(() => synthesize({ enrichment: 'join', scoring: 'off', parameters })).toThrow(told);
  });

  test('its role can be taken by this application of this account alone', () => {
    const account = { partition: 'aws', id: ACCOUNT, region: 'us-west-2' };
    const [role] = Object.values(plain.of('Application').findResources('AWS::IAM::Role'));
    expect(role?.Properties.RoleName).toBe('CompanyAnalyticsRole');
    expect(inAws(role?.Properties.AssumeRolePolicyDocument)).toEqual(trustPolicy(account, 'CompanyJobProcessing'));
  });

  test('its policy allows what `app create` allows, and nothing else', () => {
    const properties = groupsOf(given.of('Application'));
    const byCommand = permissionPolicy({
      account: { partition: 'aws', id: ACCOUNT, region: 'us-west-2' },
      application: 'Team-b-CompanyJobProcessing',
      logStream: 'kinesis-analytics-log-stream',
      states: [
        {
          code: { bucket: `team-b-tenant-analytics-${ACCOUNT}-us-west-2`, key: 'churn/tenant-analytics-flink.jar' },
          properties: Object.entries(properties).map(([PropertyGroupId, PropertyMap]) => ({
            PropertyGroupId,
            PropertyMap,
          })),
        },
      ],
      secretKeys: [SECRET_KEY],
    });
    const ofNetwork = new Set(['FindNetwork', 'JoinNetwork', 'HandOverInterfaces']);
    const here = statementsOf(given.of('Application')).filter(({ Sid = '' }) => !ofNetwork.has(Sid));
    expect(actionsOf(here)).toEqual(actionsOf(byCommand.Statement));
  });

  test('no action is a wildcard, and every stream, secret, bucket and log is named', () => {
    for (const deployed of [plain, given]) {
      for (const { Action, Resource, Sid = '' } of statementsOf(deployed.of('Application'))) {
        for (const action of [Action].flat()) expect(action).not.toContain('*');
        if (!['FindNetwork', 'WriteMetrics'].includes(Sid)) expect(Resource).not.toBe('*');
      }
    }
  });

  test('nothing comes in to it from the VPC', () => {
    given.of('Network').resourceCountIs('AWS::EC2::SecurityGroupIngress', 0);
    given.of('Network').hasResourceProperties('AWS::EC2::SecurityGroup', { SecurityGroupIngress: Match.absent() });
  });

  test('every parameter of the deployment has the name of a parameter', () => {
    const names = new Set(describeParameters().map(({ name }) => name));
    for (const group of Object.values(groupsOf(given.of('Application')))) {
      for (const name of Object.keys(group)) expect(names).toContain(name);
    }
  });
});

describe('watching', () => {
  test('every alarm has the name of its deployment and tells a topic that only TLS reaches', () => {
    const alarms = Object.values(given.of('Watching').findResources('AWS::CloudWatch::Alarm'));
    expect(alarms.length).toBeGreaterThanOrEqual(8);
    for (const { Properties } of alarms) {
      expect(Properties.AlarmActions).toHaveLength(1);
      expect(Properties.AlarmName).toMatch(/^Team-b-tenant-analytics-/);
    }
    given
      .of('Watching')
      .hasResourceProperties('AWS::SNS::Subscription', { Protocol: 'email', Endpoint: 'ops@example.com' });
    given.of('Watching').hasResourceProperties('AWS::SNS::Topic', { KmsMasterKeyId: Match.anyValue() });
    expect(statementsOf(given.of('Watching'), 'AWS::SNS::TopicPolicy')).toContainEqual(
      expect.objectContaining({ Effect: 'Deny', Condition: { Bool: { 'aws:SecureTransport': 'false' } } }),
    );
  });
});

test('alarms ask for metrics that the Flink host tells', () => {
  const host = readFileSync('flink-host/src/main/java/io/tenantanalytics/flinkhost/operator/StageMetrics.java', 'utf8');
  const asked = JSON.stringify(given.of('Watching').toJSON()).match(/tenant_analytics_[a-z_]+/g) ?? [];
  expect(asked).toContain('tenant_analytics_calls_to_ask_again');
  for (const name of asked) expect(host).toContain(`"${name}"`);
});

describe('two deployments in one account', () => {
  test('have no name in common', () => {
    const mine = physicalNames(plain);
    const theirs = [...physicalNames(given)];
    expect(mine.size).toBeGreaterThan(15);
    expect(theirs.filter((name) => mine.has(name))).toEqual([]);
  });
});

function actionsOf(statements: readonly { readonly Action: string | readonly string[] }[]): string[] {
  return [...new Set(statements.flatMap(({ Action }) => Action))].sort();
}

/** With what is only known in AWS as it will be there. */
function inAws(value: unknown): unknown {
  return JSON.parse(
    JSON.stringify(value, (_key, part: unknown) => {
      if (typeof part !== 'object' || part === null) return part;
      const { 'Fn::Join': join, Ref } = part as { 'Fn::Join'?: [string, unknown[]]; Ref?: string };
      if (Ref === 'AWS::Partition') return 'aws';
      if (join === undefined) return part;
      return join[1].map((piece) => (typeof piece === 'string' ? piece : inAws(piece))).join('');
    }),
  );
}
