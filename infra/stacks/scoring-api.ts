import type { Duration } from 'aws-cdk-lib';
import {
  AccessLogField,
  AccessLogFormat,
  ApiKey,
  EndpointType,
  LambdaIntegration,
  LogGroupLogDestination,
  MethodLoggingLevel,
  Model,
  RequestValidator,
  ResponseType,
  RestApi,
} from 'aws-cdk-lib/aws-apigateway';
import type { IFunction } from 'aws-cdk-lib/aws-lambda';
import type { ILogGroup, LogGroup } from 'aws-cdk-lib/aws-logs';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { accept } from '../base-stack.ts';
import { COMPANY_SCHEMA } from '../company-schema.ts';

export interface ScoringApiProps {
  readonly name: string;
  readonly handler: IFunction;
  readonly keySecret: ISecret;
  /** The value of a key cannot be changed: another version is another key, made before the old one goes. */
  readonly keyVersion: number;
  readonly accessLog: ILogGroup;
  /** Of API Gateway's own errors; its name is of the API's id, so it can only be made with the API. */
  readonly executionLog: (restApiId: string) => LogGroup;
  readonly callsPerSecond: number;
  readonly timeout: Duration;
  /** Lets API Gateway write logs: a role for the whole account and region. */
  readonly setsAccountRole: boolean;
}

/** `POST /prod/assessChurn` for who has the key. */
export function scoringApi(scope: Construct, props: ScoringApiProps): RestApi {
  const { name, callsPerSecond } = props;
  const throttle = { rateLimit: callsPerSecond, burstLimit: callsPerSecond };
  const api = new RestApi(scope, 'Api', {
    restApiName: name,
    description: 'Churn scoring of companies',
    endpointTypes: [EndpointType.REGIONAL],
    cloudWatchRole: props.setsAccountRole,
    deployOptions: {
      stageName: 'prod',
      tracingEnabled: true,
      metricsEnabled: true,
      loggingLevel: MethodLoggingLevel.ERROR,
      // Bodies are what tenants pay: they are not for a log.
      dataTraceEnabled: false,
      throttlingRateLimit: throttle.rateLimit,
      throttlingBurstLimit: throttle.burstLimit,
      accessLogDestination: new LogGroupLogDestination(props.accessLog),
      accessLogFormat: accessLogFormat(),
    },
  });
  api.deploymentStage.node.addDependency(props.executionLog(api.restApiId));

  const method = api.root
    .addResource('assessChurn')
    .addMethod('POST', new LambdaIntegration(props.handler, { timeout: props.timeout, allowTestInvoke: false }), {
      apiKeyRequired: true,
      requestModels: {
        'application/json': new Model(scope, 'Company', { restApi: api, schema: COMPANY_SCHEMA, modelName: 'Company' }),
      },
      requestValidator: new RequestValidator(scope, 'Validator', {
        restApi: api,
        validateRequestBody: true,
        validateRequestParameters: true,
      }),
    });
  accept(method, 'AwsSolutions-APIG4', WHO_IS_LET_IN);
  accept(method, 'AwsSolutions-COG4', WHO_IS_LET_IN);
  accept(
    api.deploymentStage,
    'AwsSolutions-APIG3',
    'It is asked by one application, which has the key; usage plan and request validation refuse others before the function is called. A web ACL can be associated with the stage where a rule of the house asks for one.',
  );

  for (const [id, type] of Object.entries({
    Throttled: ResponseType.THROTTLED,
    QuotaExceeded: ResponseType.QUOTA_EXCEEDED,
  })) {
    // The application waits as long as it is told.
    api.addGatewayResponse(id, { type, responseHeaders: { 'Retry-After': "'1'" } });
  }

  const key = new ApiKey(scope, `ApiKey${props.keyVersion}`, {
    description: `Of ${name}; its value is in Secrets Manager`,
    // CloudFormation puts the value in; it is in no template.
    value: props.keySecret.secretValue.unsafeUnwrap(),
  });
  // No quota: one that is used up would leave tenants without a score until the month ends.
  const plan = api.addUsagePlan('UsagePlan', {
    name,
    description: 'Of the application that asks for scores',
    throttle,
    apiStages: [{ api, stage: api.deploymentStage }],
  });
  plan.addApiKey(key);
  return api;
}

const WHO_IS_LET_IN =
  'The contract of the API is a key in x-api-key: programs of the owner ask it, no person signs in, and users of the first version send just that.';

/** Who asked, how it ended, and how long it took; nothing of what was asked. */
function accessLogFormat(): AccessLogFormat {
  return AccessLogFormat.custom(
    JSON.stringify({
      requestId: AccessLogField.contextRequestId(),
      traceId: AccessLogField.contextXrayTraceId(),
      time: AccessLogField.contextRequestTime(),
      sourceIp: AccessLogField.contextIdentitySourceIp(),
      apiKeyId: AccessLogField.contextIdentityApiKeyId(),
      method: AccessLogField.contextHttpMethod(),
      path: AccessLogField.contextResourcePath(),
      status: AccessLogField.contextStatus(),
      error: AccessLogField.contextErrorResponseType(),
      integrationStatus: AccessLogField.contextIntegrationStatus(),
      latencyMs: AccessLogField.contextResponseLatency(),
      responseBytes: AccessLogField.contextResponseLength(),
    }),
  );
}
