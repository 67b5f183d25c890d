// What a security engineer asks of the stacks, beside cdk-nag: who may act for whom, who is let in, what is reached.
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import { afterAll, describe, expect, test } from 'vitest';
import { readSettings } from './settings.ts';
import { NetworkStack } from './stacks/network.ts';
import { ACCOUNT, DEPLOYMENTS, SECRET_KEY, synthesize } from './testing.ts';

const plain = synthesize(DEPLOYMENTS.least);
const given = synthesize(DEPLOYMENTS.given);
afterAll(() => {
  plain.remove();
  given.remove();
});

interface Statement {
  readonly Sid?: string;
  readonly Effect: string;
  readonly Resource: unknown;
  readonly Action: string | string[];
  readonly Principal: { readonly Service?: string };
  readonly Condition: { readonly StringEquals: Record<string, string>; readonly ArnLike: Record<string, unknown> };
}

function toCloudWatch(statements: readonly Statement[]): Statement {
  const allowed = statements.filter(
    ({ Effect, Principal }) => Effect === 'Allow' && Principal.Service === 'cloudwatch.amazonaws.com',
  );
  expect(allowed).toHaveLength(1);
  return allowed[0] as Statement;
}

/** Without what is only known in AWS: `:cloudwatch:us-west-2:123456789012:alarm:…*`. */
function alarmsLetIn({ Condition }: Statement): string {
  expect(Condition.StringEquals).toEqual({ 'aws:SourceAccount': ACCOUNT });
  const { 'Fn::Join': join } = Condition.ArnLike['aws:SourceArn'] as { 'Fn::Join': [string, unknown[]] };
  return join[1].filter((part) => typeof part === 'string').join('');
}

// A topic or key that does not let CloudWatch in is seen nowhere: the alarm goes red, and nobody is told.
describe.each<[string, Template]>([
  ['least', plain.of('Watching')],
  ['given', given.of('Watching')],
])('alarms of the deployment "%s"', (_name, template) => {
  const alarms = Object.values(template.findResources('AWS::CloudWatch::Alarm'));
  const [topic] = Object.keys(template.findResources('AWS::SNS::Topic'));
  const [topicPolicy] = Object.values(template.findResources('AWS::SNS::TopicPolicy'));
  const [key] = Object.values(template.findResources('AWS::KMS::Key'));

  test('each goes to the one topic, when it begins and when it ends', () => {
    expect(alarms.length).toBeGreaterThanOrEqual(8);
    for (const { Properties } of alarms) {
      expect(Properties).toMatchObject({ AlarmActions: [{ Ref: topic }], OKActions: [{ Ref: topic }] });
    }
  });

  test('each may publish to the topic and use its key, and alarms of others may not', () => {
    expect(topicPolicy?.Properties.Topics).toEqual([{ Ref: topic }]);
    const publish = toCloudWatch(topicPolicy?.Properties.PolicyDocument.Statement);
    expect(publish.Action).toBe('sns:Publish');
    const decrypt = toCloudWatch(key?.Properties.KeyPolicy.Statement);
    expect(decrypt.Action).toEqual(['kms:Decrypt', 'kms:GenerateDataKey*']);
    for (const statement of [publish, decrypt]) {
      const pattern = alarmsLetIn(statement);
      expect(pattern).toMatch(/tenant-analytics-\*$/);
      for (const { Properties } of alarms) {
        const arn = `arn::cloudwatch:us-west-2:${ACCOUNT}:alarm:${Properties.AlarmName}`;
        expect(arn.startsWith(pattern.slice(0, -1))).toBe(true);
      }
    }
  });
});

test('the alarm of dead letters counts requests by the filter that the bucket has', () => {
  const [bucket] = Object.values(plain.of('Storage').findResources('AWS::S3::Bucket')).filter(
    ({ Properties }) => Properties.MetricsConfigurations !== undefined,
  );
  const dimensions = Object.values(plain.of('Watching').findResources('AWS::CloudWatch::Alarm'))
    .map(({ Properties }) => Properties)
    .find(({ AlarmName }) => AlarmName === 'tenant-analytics-dead-letters')?.Dimensions;
  expect(dimensions).toEqual([
    { Name: 'BucketName', Value: bucket?.Properties.BucketName },
    { Name: 'FilterId', Value: bucket?.Properties.MetricsConfigurations[0].Id },
  ]);
});

describe('the role of the application', () => {
  const [policy] = Object.values(given.of('Application').findResources('AWS::IAM::Policy'));
  const statements = policy?.Properties.PolicyDocument.Statement as Statement[];
  const withAction = (service: string) =>
    statements.filter(({ Action }) => [Action].flat().some((action) => action.startsWith(`${service}:`)));

  test('gives no row to a bucket of its name in another account, and takes no code from there', () => {
    expect(withAction('s3').map(({ Sid }) => Sid)).toEqual(['ReadCode', 'WriteRows', 'ListRows']);
    for (const { Condition } of withAction('s3')) {
      expect(Condition.StringEquals).toEqual({ 's3:ResourceAccount': ACCOUNT });
    }
  });

  test('deletes network interfaces of its own subnets only', () => {
    const conditions = statements
      .filter(({ Action }) => [Action].flat().includes('ec2:DeleteNetworkInterface'))
      .map(({ Condition }) => JSON.stringify(Condition));
    expect(conditions).toHaveLength(1);
    expect(conditions[0]).toMatch(/"ArnEquals":\{"ec2:Subnet":.*subnet-0a1b2c3d.*subnet-0a1b2c3e/);
  });

  test('reads the secrets that are named, and without any no secret at all', () => {
    expect(withAction('secretsmanager').map(({ Resource }) => Resource)).toEqual([
      [DEPLOYMENTS.given.churnScoringKeyArn, DEPLOYMENTS.given.tenantManagerTokenArn],
    ]);
    expect(JSON.stringify(plain.of('Application').toJSON())).not.toContain('secretsmanager');
  });

  test('decrypts with the keys of these secrets, and by Secrets Manager alone', () => {
    const via = { StringEquals: { 'kms:ViaService': ['secretsmanager.us-west-2.amazonaws.com'] } };
    expect(withAction('kms')).toMatchObject([{ Action: 'kms:Decrypt', Resource: SECRET_KEY, Condition: via }]);
    expect(JSON.stringify(plain.of('Application').toJSON())).not.toContain('kms:');
  });
});

describe('in a VPC the application reaches its services at the ports of their URLs, and no other', () => {
  test.each<[Record<string, string>, number[]]>([
    [{}, [443]],
    [{ tenantManagerUrl: 'http://tenants.internal' }, [80, 443]],
    [{ tenantManagerUrl: 'http://tenants.internal:8080' }, [443, 8080]],
    [{ churnScoringUrl: 'https://scoring.internal:8443/prod/assessChurn' }, [443, 8443]],
    [{ tenantManagerUrl: 'http://a.internal:8080', churnScoringUrl: 'http://b.internal:8080' }, [443, 8080]],
    [{ enrichment: 'join', tenantManagerUrl: 'http://tenants.internal:8080' }, [443]],
    [{ scoring: 'off', churnScoringUrl: 'https://scoring.internal:8443/prod/assessChurn' }, [443]],
  ])('%j: %j', (settings, ports) => {
    const stack = new NetworkStack(new App(), { settings: readSettings({ ...DEPLOYMENTS.given, ...settings }) });
    const [group] = Object.values(Template.fromStack(stack).findResources('AWS::EC2::SecurityGroup'));
    const rules = group?.Properties.SecurityGroupEgress as { FromPort: number; ToPort: number; IpProtocol: string }[];
    for (const { FromPort, ToPort, IpProtocol } of rules) expect([IpProtocol, ToPort]).toEqual(['tcp', FromPort]);
    expect(rules.map(({ FromPort }) => FromPort).sort((a, b) => a - b)).toEqual(ports);
  });
});

test('the longest prefix makes no name that AWS refuses, in the region with the longest name', () => {
  const longest = synthesize({ ...DEPLOYMENTS.least, prefix: 'sixteen-letters1', region: 'ap-southeast-1' });
  try {
    const named = (part: string, type: string, name: string): string[] =>
      Object.values(longest.of(part).findResources(type)).flatMap(({ Properties }) => Properties[name] ?? []);
    const names: [string[], number][] = [
      [named('Storage', 'AWS::S3::Bucket', 'BucketName'), 63],
      [named('Application', 'AWS::IAM::Role', 'RoleName'), 64],
      [named('Application', 'AWS::KinesisAnalyticsV2::Application', 'ApplicationName'), 128],
      [named('Streams', 'AWS::Kinesis::Stream', 'Name'), 128],
    ];
    for (const [all, most] of names) {
      expect(all.length).toBeGreaterThan(0);
      for (const name of all) expect(name.length).toBeLessThanOrEqual(most);
    }
  } finally {
    longest.remove();
  }
});
