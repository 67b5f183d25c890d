import { type Parameters, readParameters } from '../../pipeline/parameters.ts';
import { type PropertyGroups, textsOf } from '../flink/describe.ts';
import { type Account, arns, logGroupOf } from './names.ts';
import { type CodePlace, folderOf } from './requests.ts';

export interface Statement {
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Action: readonly string[];
  readonly Resource: readonly string[];
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string | readonly string[]>>>>;
}

export interface PolicyState {
  /** What lies in its folder may be read: also the code of the next version. */
  readonly code: CodePlace;
  readonly properties: PropertyGroups;
}

export interface PolicySetting {
  readonly account: Account;
  readonly application: string;
  readonly logStream: string;
  /** Of more than one, the rights that any of them needs: before and after a change. */
  readonly states: readonly PolicyState[];
  /** ARNs of keys of one's own that the secrets are encrypted with. */
  readonly secretKeys: readonly string[];
}

/** Who may take the role: the service, for this application of this account alone. */
export function trustPolicy(account: Account, application: string): object {
  return {
    Version: '2012-10-17',
    Statement: [
      {
        Effect: 'Allow',
        Principal: { Service: 'kinesisanalytics.amazonaws.com' },
        Action: 'sts:AssumeRole',
        Condition: {
          StringEquals: { 'aws:SourceAccount': account.id },
          ArnEquals: { 'aws:SourceArn': arns.application(account, application) },
        },
      },
    ],
  };
}

/**
 * What the application does, and no more: every action by its name, on the streams, buckets and secrets that its parameters name.
 * One action knows no resource, cloudwatch:PutMetricData: it is bound to a namespace.
 */
export function permissionPolicy(setting: PolicySetting): {
  readonly Version: string;
  readonly Statement: Statement[];
} {
  const all = setting.states.map(({ properties }) => readParameters(textsOf(properties)));
  const statements = [
    ...codeStatements(setting),
    ...streamStatements(setting.account, all),
    ...rowStatements(setting.account, all),
    ...secretStatements(setting, all),
    ...watchStatements(setting),
  ];
  return { Version: '2012-10-17', Statement: statements };
}

function allow(
  Sid: string,
  Action: readonly string[],
  resources: readonly string[],
  Condition?: Statement['Condition'],
): Statement[] {
  const Resource = [...new Set(resources)].sort();
  if (Resource.length === 0) return [];
  return [{ Sid, Effect: 'Allow', Action, Resource, ...(Condition === undefined ? {} : { Condition }) }];
}

function codeStatements({ account, states }: PolicySetting): Statement[] {
  const places = states.map(({ code }) => {
    const folder = folderOf(code);
    return `${arns.bucket(account, code.bucket)}/${folder === '' ? '*' : `${folder}/*`}`;
  });
  return allow('ReadCode', ['s3:GetObject', 's3:GetObjectVersion'], places);
}

function streamStatements({ partition, id }: Account, all: readonly Parameters[]): Statement[] {
  const arn = (region: string, name: string) => `arn:${partition}:kinesis:${region}:${id}:stream/${name}`;
  const read = all.flatMap(({ consumer }) =>
    (['jobs', 'companies'] as const).map((source) => ({
      arn: arn(consumer['aws.region'], consumer[`${source}.stream.name`]),
      isFannedOut: consumer[`${source}.stream.consumer`] === 'EFO',
    })),
  );
  const fannedOut = read.filter(({ isFannedOut }) => isFannedOut).map((stream) => stream.arn);
  const written = all.map(({ producer }) => arn(producer['aws.region'], producer['enrichedcompanies.stream.name']));
  return [
    ...allow(
      'ReadStreams',
      [
        'kinesis:DescribeStream',
        'kinesis:DescribeStreamSummary',
        'kinesis:ListShards',
        'kinesis:GetShardIterator',
        'kinesis:GetRecords',
      ],
      read.map((stream) => stream.arn),
    ),
    ...allow(
      'ReadStreamsFannedOut',
      ['kinesis:RegisterStreamConsumer', 'kinesis:DescribeStreamConsumer', 'kinesis:SubscribeToShard'],
      fannedOut.flatMap((each) => [each, `${each}/consumer/*`]),
    ),
    ...allow('WriteEnrichedCompanies', ['kinesis:PutRecords', 'kinesis:DescribeStreamSummary'], written),
  ];
}

function rowStatements(account: Account, all: readonly Parameters[]): Statement[] {
  const paths = all
    .flatMap(({ application }) => [application.S3SinkPath, application.deadLetterPath])
    .flatMap((path) => {
      const [, bucket, prefix = ''] = /^s3:\/\/([^/]+)\/?(.*?)\/*$/.exec(path) ?? [];
      return bucket === undefined ? [] : [{ bucket: arns.bucket(account, bucket), prefix }];
    });
  return [
    ...allow(
      'WriteRows',
      ['s3:PutObject', 's3:GetObject', 's3:DeleteObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
      paths.map(({ bucket, prefix }) => (prefix === '' ? `${bucket}/*` : `${bucket}/${prefix}/*`)),
    ),
    ...allow(
      'ListRows',
      ['s3:ListBucket'],
      paths.map(({ bucket }) => bucket),
    ),
  ];
}

function secretStatements({ secretKeys }: PolicySetting, all: readonly Parameters[]): Statement[] {
  const secrets = all
    .flatMap(({ application }) => [application.predictChurnApiKey, application.tenantManagerToken])
    .filter((value) => value.startsWith('arn:'))
    .map((value) => value.replace(/#.*$/, ''));
  const regions = [...new Set(secrets.map((arn) => arn.split(':')[3] ?? ''))].sort();
  // Nothing else that these keys protect can be read with them.
  const viaSecretsManager = {
    StringEquals: { 'kms:ViaService': regions.map((region) => `secretsmanager.${region}.amazonaws.com`) },
  };
  return [
    ...allow('ReadSecrets', ['secretsmanager:GetSecretValue'], secrets),
    ...(secrets.length === 0 ? [] : allow('DecryptSecrets', ['kms:Decrypt'], secretKeys, viaSecretsManager)),
  ];
}

function watchStatements({ account, application, logStream }: PolicySetting): Statement[] {
  const group = logGroupOf(application);
  const logs = `arn:${account.partition}:logs:${account.region}:${account.id}:log-group`;
  return [
    ...allow('FindLogGroup', ['logs:DescribeLogGroups'], [`${logs}:*`]),
    ...allow('FindLogStream', ['logs:DescribeLogStreams'], [`${logs}:${group}:*`]),
    ...allow('WriteLog', ['logs:PutLogEvents'], [arns.logStream(account, group, logStream)]),
    {
      Sid: 'WriteMetrics',
      Effect: 'Allow',
      Action: ['cloudwatch:PutMetricData'],
      Resource: ['*'],
      Condition: { StringEquals: { 'cloudwatch:namespace': 'AWS/KinesisAnalytics' } },
    },
  ];
}
