import { ArnFormat, Stack } from 'aws-cdk-lib';
import { Effect, type IRole, Policy, PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Construct } from 'constructs';
import { acceptWildcards } from '../base-stack.ts';

export interface ApplicationPolicyProps {
  readonly policyName: string;
  readonly role: IRole;
  /* ARNs. */
  readonly readStreams: readonly string[];
  readonly writtenStream: string;
  readonly code: string;
  readonly bucket: string;
  readonly secrets: readonly string[];
  /** KMS keys of secrets, unless they have that of Secrets Manager, and the regions of those secrets. */
  readonly secretKeys: { readonly arns: readonly string[]; readonly regions: readonly string[] };

  /** Folders of the bucket that it writes, each with a slash at its end. */
  readonly folders: readonly string[];
  readonly isEfo: boolean;
  readonly logGroup: string;
  readonly logStream: string;
  readonly vpc?: { readonly subnets: readonly string[]; readonly securityGroup: string };
}

/** What the application may do: each action on the resources that it is for, and no more (docs/flink.md tells what each is for). */
export function applicationPolicy(scope: Construct, props: ApplicationPolicyProps): Policy {
  const { bucket, folders, secrets, logGroup, logStream } = props;
  const stack = Stack.of(scope);
  const policy = new Policy(scope, 'Policy', { policyName: props.policyName, roles: [props.role] });
  const allow = (sid: string, actions: string[], resources: readonly string[], conditions?: Record<string, unknown>) =>
    policy.addStatements(
      new PolicyStatement({ sid, effect: Effect.ALLOW, actions, resources: [...resources], conditions }),
    );

  // The name of the bucket can be guessed. Were it deleted, whoever makes it anew in another account gets no row and gives no code.
  const ofThisAccount = { StringEquals: { 's3:ResourceAccount': stack.account } };
  allow('ReadCode', ['s3:GetObject', 's3:GetObjectVersion'], [props.code], ofThisAccount);
  acceptWildcards(
    policy,
    [props.code],
    'The code of the next version lies in the same folder, under a name of its own.',
  );
  allow(
    'ReadStreams',
    ['DescribeStream', 'DescribeStreamSummary', 'ListShards', 'GetShardIterator', 'GetRecords'].map(ofKinesis),
    props.readStreams,
  );
  const consumers = props.readStreams.map((arn) => `${arn}/consumer/*`);
  if (props.isEfo) {
    allow('RegisterConsumers', ['kinesis:RegisterStreamConsumer'], props.readStreams);
    allow('ReadAsConsumers', ['DescribeStreamConsumer', 'SubscribeToShard'].map(ofKinesis), [
      ...props.readStreams,
      ...consumers,
    ]);
    acceptWildcards(policy, consumers, 'AWS puts the time of registration behind the name of a consumer.');
  }
  allow('WriteEnriched', ['PutRecords', 'DescribeStreamSummary'].map(ofKinesis), [props.writtenStream]);
  const objects = folders.map((folder) => `${bucket}/${folder}*`);
  allow(
    'WriteRows',
    ['s3:PutObject', 's3:GetObject', 's3:DeleteObject', 's3:AbortMultipartUpload', 's3:ListMultipartUploadParts'],
    objects,
    ofThisAccount,
  );
  acceptWildcards(policy, objects, 'The application names its objects below these folders.');
  allow('ListRows', ['s3:ListBucket'], [bucket], {
    ...ofThisAccount,
    StringLike: { 's3:prefix': folders.map((folder) => `${folder}*`) },
  });

  const group = stack.formatArn({
    service: 'logs',
    resource: 'log-group',
    resourceName: logGroup,
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  const groups = stack.formatArn({
    service: 'logs',
    resource: 'log-group',
    resourceName: '*',
    arnFormat: ArnFormat.COLON_RESOURCE_NAME,
  });
  allow('FindLogGroups', ['logs:DescribeLogGroups'], [groups]);
  allow('FindLogStreams', ['logs:DescribeLogStreams'], [`${group}:log-stream:*`]);
  acceptWildcards(
    policy,
    [groups, `${group}:log-stream:*`],
    'The service looks for its log group and stream by listing them; what they hold cannot be read by that.',
  );
  allow('WriteLog', ['logs:PutLogEvents'], [`${group}:log-stream:${logStream}`]);

  allow('WriteMetrics', ['cloudwatch:PutMetricData'], ['*'], {
    StringEquals: { 'cloudwatch:namespace': 'AWS/KinesisAnalytics' },
  });
  acceptWildcards(
    policy,
    ['*'],
    'PutMetricData takes no resource: it is bound to a namespace. So do the Describe actions of EC2.',
  );
  if (secrets.length > 0) {
    allow('ReadSecrets', ['secretsmanager:GetSecretValue'], secrets);
  }
  if (props.secretKeys.arns.length > 0) {
    // For Secrets Manager alone: nothing else that these keys protect can be read with them.
    const services = props.secretKeys.regions.map((region) => `secretsmanager.${region}.amazonaws.com`);
    allow('DecryptSecrets', ['kms:Decrypt'], props.secretKeys.arns, { StringEquals: { 'kms:ViaService': services } });
  }
  if (props.vpc !== undefined) {
    const { subnets, securityGroup } = props.vpc;
    const ec2 = (resource: string, resourceName: string) => stack.formatArn({ service: 'ec2', resource, resourceName });
    allow(
      'FindNetwork',
      [
        'DescribeVpcs',
        'DescribeSubnets',
        'DescribeSecurityGroups',
        'DescribeDhcpOptions',
        'DescribeNetworkInterfaces',
      ].map((action) => `ec2:${action}`),
      ['*'],
    );
    const interfaces = ec2('network-interface', '*');
    const inSubnets = subnets.map((subnet) => ec2('subnet', subnet));
    acceptWildcards(policy, [interfaces], 'AWS names the network interfaces of the application.');
    allow(
      'JoinNetwork',
      ['ec2:CreateNetworkInterface'],
      [interfaces, ec2('security-group', securityGroup), ...inSubnets],
    );
    // An interface that is there says which subnet it is in: those of other subnets are not the application's to delete.
    allow(
      'HandOverInterfaces',
      ['CreateNetworkInterfacePermission', 'DeleteNetworkInterface'].map((a) => `ec2:${a}`),
      [interfaces],
      {
        ArnEquals: { 'ec2:Subnet': inSubnets },
      },
    );
  }
  return policy;
}

const ofKinesis = (action: string): string => `kinesis:${action}`;
