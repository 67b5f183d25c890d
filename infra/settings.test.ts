import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { describeSettings, readSettings } from './settings.ts';
import { SECRET, SECRET_KEY } from './testing.ts';

const refused = (context: Record<string, unknown>): string => {
  try {
    readSettings(context);
  } catch (error) {
    return String(error);
  }
  return 'nothing';
};

describe('settings', () => {
  test('without any, the names and the region are those that users know', () => {
    const settings = readSettings({});
    expect(settings).toMatchObject({
      prefix: '',
      region: 'us-west-2',
      shards: 1,
      retentionHours: 24,
      streamMode: 'provisioned',
    });
  });

  test('texts, as the command line gives them, become what they mean', () => {
    const context = {
      shards: '4',
      autoScaling: 'false',
      subnetIds: 'subnet-1, subnet-2',
      zones: 'a,b',
      vpcId: 'vpc-0a1b',
    };
    expect(readSettings(context)).toMatchObject({ shards: 4, autoScaling: false, subnetIds: ['subnet-1', 'subnet-2'] });
    expect(readSettings({ parameters: '{"tenant.cache.ttl":"10 min"}' }).parameters).toEqual({
      'tenant.cache.ttl': '10 min',
    });
    expect(readSettings({ parameters: { 'tenant.cache.ttl': '10 min' } }).parameters).toEqual({
      'tenant.cache.ttl': '10 min',
    });
  });

  test("context of the CDK's own is passed over", () => {
    expect(
      readSettings({ '@aws-cdk/core:x': true, 'aws:cdk:enable-path-metadata': true, 'cdk-migrate': false }).shards,
    ).toBe(1);
  });

  test.each<[Record<string, unknown>, string]>([
    [{ shard: '2' }, 'Unknown setting shard; did you mean shards?'],
    [{ shards: '0' }, 'shards: '],
    [{ shards: 'many' }, 'got "many"'],
    [
      { prefix: '9lives' },
      'expected up to 16 letters, digits and hyphens, a letter first and no hyphen last, got "9lives"',
    ],
    [{ prefix: 'seventeen-letters' }, 'expected up to 16 letters'],
    [{ prefix: 'team-' }, 'no hyphen last'],
    [{ region: 'Oregon' }, 'expected a region such as us-west-2'],
    [{ account: '123' }, 'expected twelve digits'],
    [{ codeKey: 'elsewhere/a.jar' }, 'expected churn/NAME.jar'],
    [{ parameters: '{"a":1}' }, 'expected JSON such as'],
    [{ parameters: 'no JSON' }, 'expected JSON such as'],
    [{ vpcId: 'vpc-0a1b', subnetIds: 'subnet-1', zones: 'a' }, 'expected two private subnets'],
    [{ subnetIds: 'a,b', zones: 'a,b' }, 'vpcId: expected the VPC of these subnets'],
    [{ certificateArn: 'arn:aws:acm:us-west-2:123456789012:certificate/a' }, 'expected both or none'],
    [
      { churnScoringKeyArn: 'arn:aws:secretsmanager:us-west-2:123456789012:secret:k-AbCdEf' },
      'churnScoringUrl: expected',
    ],
    [
      { tenantManagerTokenArn: 'arn:aws:secretsmanager:us-west-2:123456789012:secret:k-AbCdEf' },
      'tenantManagerUrl: expected',
    ],
    [{ secretKeyArns: SECRET_KEY }, 'expected the secret that secretKeyArns are keys of'],
    [
      { secretKeyArns: 'arn:aws:kms:us-west-2:123456789012:alias/mine', churnScoringKeyArn: SECRET },
      'expected ARNs of KMS keys such as',
    ],
    [{ churnScoringKeyArn: 'the key itself' }, 'expected the whole ARN of a secret of secretsmanager'],
    [
      {
        churnScoringKeyArn: 'arn:aws:secretsmanager:us-west-2:123456789012:secret:*',
        churnScoringUrl: 'https://a.example',
      },
      'expected the whole ARN of a secret',
    ],
    [
      {
        churnScoringKeyArn: 'arn:aws:secretsmanager:us-west-2:123456789012:secret:k',
        churnScoringUrl: 'https://a.example',
      },
      'expected the whole ARN of a secret',
    ],
  ])('%j is refused by name, with what is right', (context, told) => {
    expect(refused(context)).toContain(told);
  });

  test('the guide tells each of them with its default', () => {
    const guide = readFileSync('docs/infrastructure.md', 'utf8');
    for (const { name, byDefault, about } of describeSettings()) {
      expect(guide).toContain(`| \`${name}\` | ${byDefault === '' ? '' : `${byDefault} `}| ${about} |`);
    }
  });
});
