import { Match, type Template } from 'aws-cdk-lib/assertions';
import { afterAll, describe, expect, test } from 'vitest';
import { COMPANY_SCHEMA } from '../company-schema.ts';
import { ACCOUNT, DEPLOYMENTS, synthesize } from '../testing.ts';

function synthesized(settings: Readonly<Record<string, string>>) {
  const all = synthesize(settings);
  const stack = all.deployed.churnScoring;
  if (stack === undefined) throw new Error('expected churn scoring to be deployed');
  return { all, stack, template: all.of('ChurnScoring') };
}

const byDefault = synthesized(DEPLOYMENTS.services);
const instances = synthesized(DEPLOYMENTS['services-as-asked']);
const other = synthesized({
  enrichment: 'join',
  modelEndpoint: 'Churn-2024',
  apiGatewayLogRole: 'false',
  scoringConcurrency: '20',
});
afterAll(() => {
  for (const { all } of [byDefault, instances, other]) all.remove();
});

/** Of the role or policy whose logical id begins so: all statements. */
function statementsOf(template: Template, id: string): { Action: unknown; Resource: unknown; Effect: string }[] {
  const found = Object.entries({
    ...template.findResources('AWS::IAM::Role'),
    ...template.findResources('AWS::IAM::Policy'),
  })
    .filter(([name]) => name.startsWith(id))
    .map(([, { Properties }]) => Properties);
  return found.flatMap(({ Policies = [], PolicyDocument }) => [
    ...Policies.flatMap((policy: { PolicyDocument: { Statement: [] } }) => policy.PolicyDocument.Statement),
    ...(PolicyDocument?.Statement ?? []),
  ]);
}

describe('the API', () => {
  test('POST /prod/assessChurn asks for the key, and refuses what is no company before the function is called', () => {
    const { template } = byDefault;
    template.resourceCountIs('AWS::ApiGateway::Method', 1);
    template.hasResourceProperties('AWS::ApiGateway::Method', {
      HttpMethod: 'POST',
      ApiKeyRequired: true,
      RequestModels: { 'application/json': { Ref: Match.stringLikeRegexp('^Company') } },
      RequestValidatorId: { Ref: Match.stringLikeRegexp('^Validator') },
      Integration: { Type: 'AWS_PROXY', TimeoutInMillis: 10_000 },
    });
    template.hasResourceProperties('AWS::ApiGateway::Resource', { PathPart: 'assessChurn' });
    template.hasResourceProperties('AWS::ApiGateway::RequestValidator', { ValidateRequestBody: true });
    const { schema, ...rules } = COMPANY_SCHEMA;
    template.hasResourceProperties('AWS::ApiGateway::Model', {
      ContentType: 'application/json',
      Schema: { $schema: schema, ...rules },
    });
  });

  test('its key is made by Secrets Manager and is in no template; the application is given the same secret', () => {
    const { stack, template } = byDefault;
    template.hasResourceProperties('AWS::SecretsManager::Secret', {
      GenerateSecretString: { PasswordLength: 40, ExcludePunctuation: true },
    });
    const [secret] = Object.keys(template.findResources('AWS::SecretsManager::Secret'));
    template.hasResourceProperties('AWS::ApiGateway::ApiKey', {
      Value: { 'Fn::Join': ['', ['{{resolve:secretsmanager:', { Ref: secret }, ':SecretString:::}}']] },
    });
    expect(stack.resolve(stack.access.secretArn)).toEqual({ Ref: secret });
    template.hasResourceProperties('AWS::ApiGateway::UsagePlan', { Throttle: { RateLimit: 500, BurstLimit: 500 } });
    template.resourceCountIs('AWS::ApiGateway::UsagePlanKey', 1);
  });

  test('a key of another version is another key, of the same secret', () => {
    const keys = (type: string) =>
      [byDefault, instances].map(({ template }) => Object.keys(template.findResources(type)));
    for (const type of ['AWS::ApiGateway::ApiKey', 'AWS::ApiGateway::UsagePlanKey']) {
      const [first, second] = keys(type);
      expect(first).toHaveLength(1);
      expect(second).toHaveLength(1);
      expect(first).not.toEqual(second);
    }
    const [first, second] = keys('AWS::SecretsManager::Secret');
    expect(first).toEqual(second);
  });

  test('it is traced and throttled, tells who asked in an encrypted log, and never what was asked', () => {
    byDefault.template.hasResourceProperties('AWS::ApiGateway::Stage', {
      StageName: 'prod',
      TracingEnabled: true,
      AccessLogSetting: {
        DestinationArn: { 'Fn::GetAtt': [Match.stringLikeRegexp('^AccessLog'), 'Arn'] },
        Format: Match.stringLikeRegexp('"status":"\\$context.status"'),
      },
      MethodSettings: [
        Match.objectLike({
          DataTraceEnabled: false,
          LoggingLevel: 'ERROR',
          MetricsEnabled: true,
          ThrottlingRateLimit: 500,
        }),
      ],
    });
    const [stage] = Object.values(byDefault.template.findResources('AWS::ApiGateway::Stage'));
    expect(Object.keys(JSON.parse(stage?.Properties.AccessLogSetting.Format))).not.toContain('body');
    byDefault.template.hasResourceProperties('AWS::ApiGateway::GatewayResponse', {
      ResponseType: 'THROTTLED',
      ResponseParameters: { 'gatewayresponse.header.Retry-After': "'1'" },
    });
  });

  test('the role by which API Gateway logs outlives the stack, since it is of the whole account; or it is left alone', () => {
    byDefault.template.hasResource('AWS::ApiGateway::Account', { DeletionPolicy: 'Retain' });
    other.template.resourceCountIs('AWS::ApiGateway::Account', 0);
  });
});

describe('the handler', () => {
  test('is bounded in time and number, traced, and asks the endpoint of its environment', () => {
    byDefault.template.hasResourceProperties('AWS::Lambda::Function', {
      Runtime: 'nodejs24.x',
      Handler: 'index.handler',
      Timeout: 10,
      ReservedConcurrentExecutions: 100,
      TracingConfig: { Mode: 'Active' },
      Environment: {
        Variables: {
          CHURN_SCORING_API_KEY: '',
          MODEL_ENDPOINT_NAME: { 'Fn::GetAtt': [Match.stringLikeRegexp('^ModelEndpoint'), 'EndpointName'] },
        },
      },
    });
    other.template.hasResourceProperties('AWS::Lambda::Function', { ReservedConcurrentExecutions: 20 });
  });

  test('may ask that endpoint, write its own log and send traces, and nothing else', () => {
    const statements = statementsOf(byDefault.template, 'HandlerRole');
    const resources = new Map(
      statements.map(({ Action, Resource }) => [JSON.stringify(Action), JSON.stringify(Resource)]),
    );
    expect([...resources.keys()]).toEqual([
      '"sagemaker:InvokeEndpoint"',
      '["logs:CreateLogStream","logs:PutLogEvents"]',
      '["xray:PutTelemetryRecords","xray:PutTraceSegments"]',
    ]);
    expect(resources.get('"sagemaker:InvokeEndpoint"')).toMatch(/:endpoint\/churn-model"\]\]\}$/);
    expect(resources.get('["logs:CreateLogStream","logs:PutLogEvents"]')).toMatch(
      /^\{"Fn::GetAtt":\["HandlerLog\w+","Arn"\]\}$/,
    );
    byDefault.template.hasResourceProperties('AWS::IAM::Role', {
      ManagedPolicyArns: Match.absent(),
      AssumeRolePolicyDocument: {
        Statement: [{ Action: 'sts:AssumeRole', Effect: 'Allow', Principal: { Service: 'lambda.amazonaws.com' } }],
      },
    });
  });

  test('may be asked by POST /prod/assessChurn of this API alone', () => {
    byDefault.template.resourceCountIs('AWS::Lambda::Permission', 1);
    const [permission] = Object.values(byDefault.template.findResources('AWS::Lambda::Permission'));
    expect(JSON.stringify(permission?.Properties.SourceArn)).toMatch(/"\/POST\/assessChurn"/);
  });
});

describe('the model', () => {
  test('is served without instances unless asked, as many calls at once as the handler makes', () => {
    byDefault.template.hasResourceProperties('AWS::SageMaker::EndpointConfig', {
      ProductionVariants: [
        {
          ModelName: Match.anyValue(),
          VariantName: 'model',
          InitialVariantWeight: 1,
          ServerlessConfig: { MaxConcurrency: 100, MemorySizeInMB: 1024 },
        },
      ],
    });
    // Serverless endpoints refuse it.
    byDefault.template.hasResourceProperties('AWS::SageMaker::Model', { EnableNetworkIsolation: Match.absent() });
  });

  test('is of the image that the Dockerfile makes, or of one in ECR, which its role may fetch and no other', () => {
    byDefault.template.hasResourceProperties('AWS::SageMaker::Model', {
      PrimaryContainer: { Image: { 'Fn::Sub': Match.stringLikeRegexp('cdk-hnb659fds-container-assets') } },
    });
    instances.template.hasResourceProperties('AWS::SageMaker::Model', {
      PrimaryContainer: { Image: DEPLOYMENTS['services-as-asked'].modelImage },
      EnableNetworkIsolation: true,
    });
    const pull = statementsOf(instances.template, 'ModelRole').find(({ Action }) =>
      String(Action).includes('ecr:BatchGetImage'),
    );
    expect(JSON.stringify(pull?.Resource)).toMatch(new RegExp(`:ecr:eu-central-1:${ACCOUNT}:repository/models/churn"`));
  });

  test('on instances there are two, of the type that is asked for', () => {
    instances.template.hasResourceProperties('AWS::SageMaker::EndpointConfig', {
      ProductionVariants: [
        Match.objectLike({ InstanceType: 'ml.m5.large', InitialInstanceCount: 2, ServerlessConfig: Match.absent() }),
      ],
    });
  });

  test('that is there already is asked, and none is made', () => {
    for (const type of ['Model', 'EndpointConfig', 'Endpoint'])
      other.template.resourceCountIs(`AWS::SageMaker::${type}`, 0);
    other.template.hasResourceProperties('AWS::Lambda::Function', {
      Environment: { Variables: Match.objectLike({ MODEL_ENDPOINT_NAME: 'Churn-2024' }) },
    });
    const asks = statementsOf(other.template, 'HandlerRole').find(
      ({ Action }) => Action === 'sagemaker:InvokeEndpoint',
    );
    // In ARNs SageMaker writes small letters.
    expect(JSON.stringify(asks?.Resource)).toMatch(/:endpoint\/churn-2024"/);
  });
});

test('every log is encrypted with a key that is rotated, and kept as long as asked for', () => {
  for (const [{ template }, days, groups] of [
    [byDefault, 30, 4],
    [instances, 90, 4],
    [other, 30, 3],
  ] as const) {
    const logs = Object.values(template.findResources('AWS::Logs::LogGroup'));
    expect(logs).toHaveLength(groups);
    for (const { Properties } of logs)
      expect(Properties).toMatchObject({ RetentionInDays: days, KmsKeyId: expect.anything() });
    template.hasResourceProperties('AWS::KMS::Key', { EnableKeyRotation: true });
  }
});

test('names begin with the prefix, so that two deployments can live in one account', () => {
  const { template } = instances;
  template.hasResourceProperties('AWS::Lambda::Function', { FunctionName: 'EU-assess-churn' });
  template.hasResourceProperties('AWS::ApiGateway::RestApi', { Name: 'EU-assess-churn' });
  template.hasResourceProperties('AWS::SageMaker::Endpoint', { EndpointName: 'EU-churn-model' });
});

test('what alarms look at is what AWS counts under these names', () => {
  const { stack } = instances;
  expect(stack.metrics.api('5XXError').toMetricConfig().metricStat).toMatchObject({
    namespace: 'AWS/ApiGateway',
    metricName: '5XXError',
    dimensions: [
      { name: 'ApiName', value: 'EU-assess-churn' },
      { name: 'Stage', value: 'prod' },
    ],
  });
  expect(stack.metrics.handler('Errors').toMetricConfig().metricStat).toMatchObject({
    namespace: 'AWS/Lambda',
    dimensions: [{ name: 'FunctionName', value: 'EU-assess-churn' }],
  });
});
