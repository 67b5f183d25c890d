import { Match, type Template } from 'aws-cdk-lib/assertions';
import { afterAll, describe, expect, test } from 'vitest';
import { DEPLOYMENTS, physicalNames, synthesize } from '../testing.ts';

function synthesized(settings: Readonly<Record<string, string>>) {
  const all = synthesize(settings);
  const stack = all.deployed.tenantManager;
  if (stack === undefined) throw new Error('expected TenantManager to be deployed');
  return { all, stack, template: all.of('TenantManager') };
}

const ASKED = DEPLOYMENTS['services-as-asked'];
const byDefault = synthesized(DEPLOYMENTS.services);
const other = synthesized(ASKED);
afterAll(() => {
  for (const { all } of [byDefault, other]) all.remove();
});

/** The one resource of a type. */
function only(template: Template, type: string) {
  const all = Object.entries(template.findResources(type));
  expect(all).toHaveLength(1);
  const [[id, resource] = ['', {}]] = all;
  return { id, ...(resource as { Properties: Record<string, unknown>; DependsOn?: string[] }) };
}

/** The id of the security group with this description, and the ports that it is asked on, each by whom. */
function securityGroup({ template }: typeof byDefault, description: RegExp) {
  const groups = Object.entries(template.findResources('AWS::EC2::SecurityGroup'));
  const [id, group] = groups.find(([, { Properties }]) => description.test(Properties.GroupDescription)) ?? [];
  const own: Record<string, unknown>[] = group?.Properties.SecurityGroupIngress ?? [];
  const added = Object.values(template.findResources('AWS::EC2::SecurityGroupIngress'))
    .map(({ Properties }) => Properties as Record<string, unknown>)
    .filter(({ GroupId }) => JSON.stringify(GroupId) === JSON.stringify({ 'Fn::GetAtt': [id, 'GroupId'] }));
  const asks = [...own, ...added].map((rule) => ({
    port: rule.ToPort,
    by: JSON.stringify(rule.SourceSecurityGroupId ?? rule.CidrIp),
  }));
  return { id: id ?? '', asks, egress: group?.Properties.SecurityGroupEgress };
}

describe('the database', () => {
  test('is encrypted, over TLS only, backed up, and not deleted with its stack', () => {
    const { template } = byDefault;
    template.hasResource('AWS::RDS::DBCluster', {
      DeletionPolicy: 'Snapshot',
      Properties: {
        Engine: 'aurora-postgresql',
        StorageEncrypted: true,
        KmsKeyId: { 'Fn::GetAtt': [Match.stringLikeRegexp('^Key'), 'Arn'] },
        DeletionProtection: true,
        BackupRetentionPeriod: 7,
        CopyTagsToSnapshot: true,
        ServerlessV2ScalingConfiguration: { MinCapacity: 0.5, MaxCapacity: 4 },
      },
    });
    template.hasResourceProperties('AWS::RDS::DBClusterParameterGroup', {
      Parameters: Match.objectLike({ 'rds.force_ssl': '1' }),
    });
    // Snapshots of the database can be read with it only.
    template.hasResource('AWS::KMS::Key', { DeletionPolicy: 'Retain', Properties: { EnableKeyRotation: true } });
    for (const { Properties } of Object.values(template.findResources('AWS::RDS::DBInstance'))) {
      expect(Properties).toMatchObject({ DBInstanceClass: 'db.serverless', PubliclyAccessible: false });
    }
    template.resourceCountIs('AWS::RDS::DBInstance', 2);
    other.template.resourceCountIs('AWS::RDS::DBInstance', 1);
    other.template.hasResourceProperties('AWS::RDS::DBCluster', {
      DBClusterIdentifier: 'eu-tenant-manager',
      BackupRetentionPeriod: 35,
      ServerlessV2ScalingConfiguration: { MaxCapacity: 16 },
    });
  });

  test('has a password that RDS makes, keeps in Secrets Manager and rotates; the template holds none', () => {
    byDefault.template.hasResourceProperties('AWS::RDS::DBCluster', {
      ManageMasterUserPassword: true,
      MasterUserPassword: Match.absent(),
      MasterUserSecret: { KmsKeyId: Match.anyValue() },
    });
    expect(JSON.stringify(byDefault.template.toJSON())).not.toMatch(/resolve:secretsmanager/);
  });

  test('lies where there is no way out, and is asked by the tasks alone', () => {
    expect(JSON.stringify(only(byDefault.template, 'AWS::RDS::DBSubnetGroup').Properties.SubnetIds)).toMatch(
      /databaseSubnet1/,
    );
    expect(only(other.template, 'AWS::RDS::DBSubnetGroup').Properties.SubnetIds).toEqual(ASKED.subnetIds.split(','));
    const tasks = securityGroup(byDefault, /^TenantManager: asked by its load balancer/);
    const { asks, egress } = securityGroup(byDefault, /^Database/);
    expect(asks).toEqual([{ port: 5432, by: JSON.stringify({ 'Fn::GetAtt': [tasks.id, 'GroupId'] }) }]);
    expect(JSON.stringify(egress)).toMatch(/255\.255\.255\.255/);
  });
});

describe('the service', () => {
  const container = ({ template }: typeof byDefault) =>
    (only(template, 'AWS::ECS::TaskDefinition').Properties.ContainerDefinitions as Record<string, unknown>[])[0];

  test('is told where its secrets are, never what they are, and checks the certificate of its database', () => {
    const { Environment, Secrets } = container(byDefault) ?? {};
    const environment = new Map(
      (Environment as { Name: string; Value: unknown }[]).map(({ Name, Value }) => [Name, JSON.stringify(Value)]),
    );
    expect([...environment.keys()]).toEqual(['DATABASE_URL', 'DATABASE_PASSWORD', 'TENANT_MANAGER_TOKEN']);
    expect(environment.get('DATABASE_URL')).toMatch(
      /"postgresql:\/\/tenant_manager@",.*Endpoint\.Address.*\/tenants\?sslmode=verify-full&sslrootcert=\/etc\/ssl\/rds\/global-bundle\.pem"/,
    );
    expect(environment.get('DATABASE_PASSWORD')).toMatch(/MasterUserSecret\.SecretArn.*"#password"/);
    expect(environment.get('TENANT_MANAGER_TOKEN')).toMatch(/^\{"Ref":"Token\w+"\}$/);
    expect(Secrets).toBeUndefined();
    expect(byDefault.stack.resolve(byDefault.stack.access.secretArn)).toEqual(
      JSON.parse(environment.get('TENANT_MANAGER_TOKEN') ?? ''),
    );
  });

  test('publishes to its stream, and begins without made-up tenants unless asked', () => {
    expect(container(byDefault)?.Command).toEqual(['--stream', 'companies', '--region', 'us-west-2', '--tenants', '0']);
    expect(container(other)?.Command).toEqual([
      '--stream',
      'EU-companies',
      '--region',
      'eu-central-1',
      '--tenants',
      '300',
    ]);
  });

  test('may put records into that stream and read its two secrets, and nothing else', () => {
    const { template } = byDefault;
    const task = Object.entries(template.findResources('AWS::IAM::Policy')).find(([id]) =>
      id.startsWith('TaskTaskRole'),
    );
    const statements: { Action: unknown; Resource: unknown }[] = task?.[1].Properties.PolicyDocument.Statement;
    expect(statements.map(({ Action }) => Action)).toEqual([
      'kinesis:PutRecords',
      ['secretsmanager:DescribeSecret', 'secretsmanager:GetSecretValue'],
    ]);
    const [stream, secrets] = statements.map(({ Resource }) => JSON.stringify(Resource));
    expect(stream).toMatch(/:stream\/companies"/);
    expect(secrets).toMatch(
      /^\[\{"Fn::GetAtt":\["Database\w+","MasterUserSecret\.SecretArn"\]\},\{"Ref":"Token\w+"\}\]$/,
    );
    for (const { Properties } of Object.values(template.findResources('AWS::IAM::Role'))) {
      expect(Properties.ManagedPolicyArns).toBeUndefined();
    }
  });

  test('runs in private subnets as often as asked, on a disk that it cannot change, and a bad version goes back by itself', () => {
    expect(container(byDefault)).toMatchObject({ ReadonlyRootFilesystem: true, StopTimeout: 30 });
    byDefault.template.hasResourceProperties('AWS::ECS::Service', {
      LaunchType: 'FARGATE',
      DesiredCount: 2,
      DeploymentConfiguration: {
        DeploymentCircuitBreaker: { Enable: true, Rollback: true },
        MinimumHealthyPercent: 100,
      },
      NetworkConfiguration: { AwsvpcConfiguration: { AssignPublicIp: 'DISABLED' } },
    });
    other.template.hasResourceProperties('AWS::ECS::Service', { DesiredCount: 3 });
    other.template.hasResourceProperties('AWS::ECS::TaskDefinition', { Cpu: '1024', Memory: '2048' });
  });

  test('is started after the database can be reached, or the first deployment would be taken back', () => {
    const { DependsOn = [] } = only(byDefault.template, 'AWS::ECS::Service');
    for (const id of Object.keys(byDefault.template.findResources('AWS::RDS::DBInstance')))
      expect(DependsOn).toContain(id);
  });
});

describe('the load balancer', () => {
  test('is reached inside the VPC by the application alone, and hands on to the tasks alone', () => {
    byDefault.template.hasResourceProperties('AWS::ElasticLoadBalancingV2::LoadBalancer', {
      Scheme: 'internal',
      LoadBalancerAttributes: Match.arrayWith([
        { Key: 'routing.http.drop_invalid_header_fields.enabled', Value: 'true' },
        { Key: 'access_logs.s3.enabled', Value: 'true' },
      ]),
    });
    const entrance = securityGroup(byDefault, /^TenantManager: asked by the application/);
    expect(entrance.asks).toEqual([{ port: 80, by: expect.stringMatching(/Fn::ImportValue.*Application.*GroupId/) }]);
    const tasks = securityGroup(byDefault, /^TenantManager: asked by its load balancer/);
    expect(tasks.asks).toEqual([{ port: 8081, by: JSON.stringify({ 'Fn::GetAtt': [entrance.id, 'GroupId'] }) }]);
  });

  test('does not take its tasks away while the database is, and tells no metrics', () => {
    byDefault.template.hasResourceProperties('AWS::ElasticLoadBalancingV2::TargetGroup', {
      HealthCheckPath: '/version',
      Port: 8081,
    });
    byDefault.template.hasResourceProperties('AWS::ElasticLoadBalancingV2::ListenerRule', {
      Conditions: [{ Field: 'path-pattern', PathPatternConfig: { Values: ['/metrics'] } }],
      Actions: [
        Match.objectLike({ Type: 'fixed-response', FixedResponseConfig: Match.objectLike({ StatusCode: '404' }) }),
      ],
    });
  });

  test('with a certificate speaks TLS alone, under the name of the certificate', () => {
    other.template.resourceCountIs('AWS::ElasticLoadBalancingV2::Listener', 1);
    other.template.hasResourceProperties('AWS::ElasticLoadBalancingV2::Listener', {
      Port: 443,
      Protocol: 'HTTPS',
      Certificates: [{ CertificateArn: ASKED.certificateArn }],
      SslPolicy: Match.stringLikeRegexp('TLS13'),
    });
    expect(securityGroup(other, /^TenantManager: asked by the application/).asks.map(({ port }) => port)).toEqual([
      443,
    ]);
    other.template.hasResourceProperties('AWS::Route53::HostedZone', {
      Name: 'tenants.example.internal.',
      VPCs: [Match.anyValue()],
    });
    expect(other.stack.access.url).toBe('https://tenants.example.internal');
    expect(JSON.stringify(byDefault.stack.resolve(byDefault.stack.access.url))).toMatch(/"http:\/\/",.*DNSName/);
  });
});

test('the token is made by Secrets Manager, and every log is encrypted and kept as long as asked for', () => {
  byDefault.template.hasResourceProperties('AWS::SecretsManager::Secret', {
    GenerateSecretString: { PasswordLength: 40, ExcludePunctuation: true },
  });
  const logs = Object.values(byDefault.template.findResources('AWS::Logs::LogGroup'));
  expect(logs.map(({ Properties }) => Properties.LogGroupName).sort()).toEqual([
    '/aws/ecs/tenant-manager',
    '/aws/rds/cluster/tenant-manager/postgresql',
  ]);
  for (const { Properties } of logs)
    expect(Properties).toMatchObject({ RetentionInDays: 30, KmsKeyId: expect.anything() });
  byDefault.template.hasResourceProperties('AWS::S3::Bucket', {
    PublicAccessBlockConfiguration: {
      BlockPublicAcls: true,
      BlockPublicPolicy: true,
      IgnorePublicAcls: true,
      RestrictPublicBuckets: true,
    },
    LifecycleConfiguration: { Rules: [Match.objectLike({ ExpirationInDays: 30 })] },
  });
});

test('two deployments with their services have no name in common', () => {
  const mine = physicalNames(byDefault.all);
  expect(mine).toContain('AWS::ECS::Service tenant-manager');
  expect(mine).toContain('AWS::Lambda::Function assess-churn');
  expect([...physicalNames(other.all)].filter((name) => mine.has(name))).toEqual([]);
});
