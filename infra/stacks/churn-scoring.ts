import { CfnOutput, Duration } from 'aws-cdk-lib';
import { Metric } from 'aws-cdk-lib/aws-cloudwatch';
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { Architecture, Function as LambdaFunction, Tracing } from 'aws-cdk-lib/aws-lambda';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { accept, acceptWildcards, type BaseProps, BaseStack, MADE_AGAIN } from '../base-stack.ts';
import { HANDLER, HANDLER_RUNTIME, handlerBundle } from '../handler-bundle.ts';
import { logKey } from '../log-key.ts';
import type { ServiceAccess } from './application.ts';
import { endpointThatIsThere, type ModelEndpoint, modelEndpoint } from './model-endpoint.ts';
import { scoringApi } from './scoring-api.ts';
import type { ScoringMetrics } from './scoring-metrics.ts';

/** The application gives a call up after 5 s; the handler has its answer, or a reason why there is none, before that. */
const HANDLER_TIMEOUT = Duration.seconds(10);
const HANDLER_MB = 512;
const KEY_CHARACTERS = 40;
const FIVE_MINUTES = Duration.minutes(5);

/** `POST /prod/assessChurn`: API Gateway, the handler, and a model on SageMaker. */
export class ChurnScoringStack extends BaseStack {
  readonly access: ServiceAccess;
  readonly metrics: ScoringMetrics;

  constructor(scope: Construct, props: BaseProps) {
    super(scope, 'ChurnScoring', { ...props, description: 'POST /prod/assessChurn and the model behind it' });
    const { settings } = this;
    const name = this.named('assess-churn');
    const key = logKey(this, 'Logs of churn scoring');
    const model =
      settings.modelEndpoint === ''
        ? modelEndpoint(this, {
            settings,
            name: this.named('churn-model'),
            logRetention: this.logRetention,
            logKey: key,
          })
        : endpointThatIsThere(this, settings.modelEndpoint);
    const handler = this.#handler(name, model, key);
    const secret = this.#keySecret();
    const api = scoringApi(this, {
      name,
      handler,
      keySecret: secret,
      keyVersion: settings.scoringKeyVersion,
      accessLog: this.#log('AccessLog', `/aws/apigateway/${name}`, key),
      executionLog: (id) => this.#log('ExecutionLog', `API-Gateway-Execution-Logs_${id}/prod`, key),
      callsPerSecond: settings.scoringPerSecond,
      timeout: HANDLER_TIMEOUT,
      setsAccountRole: settings.apiGatewayLogRole,
    });
    if (settings.apiGatewayLogRole) {
      accept(
        api,
        `AwsSolutions-IAM4[Policy::arn:<AWS::Partition>:iam::aws:policy/service-role/AmazonAPIGatewayPushToCloudWatchLogs]`,
        'The role by which API Gateway writes logs is one for the account and region; AWS made this policy for it.',
      );
    }
    const url = api.urlForPath('/assessChurn');
    this.access = { url, secretArn: secret.secretArn };
    this.metrics = {
      api: (metricName) => metric('AWS/ApiGateway', metricName, { ApiName: name, Stage: 'prod' }),
      handler: (metricName) => metric('AWS/Lambda', metricName, { FunctionName: name }),
    };
    new CfnOutput(this, 'Url', { value: url, description: 'predictChurnApiEndpoint' });
    new CfnOutput(this, 'KeySecretArn', { value: secret.secretArn, description: 'predictChurnApiKey' });
    new CfnOutput(this, 'ModelEndpointName', { value: model.name, description: 'SageMaker endpoint' });
  }

  #handler(functionName: string, model: ModelEndpoint, key: IKey): LambdaFunction {
    const log = this.#log('HandlerLog', `/aws/lambda/${functionName}`, key);
    const role = new Role(this, 'HandlerRole', {
      assumedBy: new ServicePrincipal('lambda.amazonaws.com'),
      inlinePolicies: {
        AskModel: new PolicyDocument({
          statements: [
            new PolicyStatement({ actions: ['sagemaker:InvokeEndpoint'], resources: [model.arn] }),
            new PolicyStatement({
              actions: ['logs:CreateLogStream', 'logs:PutLogEvents'],
              resources: [log.logGroupArn],
            }),
          ],
        }),
      },
    });
    acceptWildcards(role, ['*'], 'The actions of X-Ray take no resource.');
    return new LambdaFunction(this, 'Handler', {
      functionName,
      description: 'Scores a company: features in, churn, probability and reasons out',
      runtime: HANDLER_RUNTIME,
      architecture: Architecture.ARM_64,
      code: handlerBundle(),
      handler: HANDLER,
      role,
      logGroup: log,
      tracing: Tracing.ACTIVE,
      timeout: HANDLER_TIMEOUT,
      memorySize: HANDLER_MB,
      // What runs wild must not take the concurrency of the account, nor ask more of the model than it bears.
      reservedConcurrentExecutions: this.settings.scoringConcurrency,
      environment: {
        // Empty on purpose: API Gateway asks for the key.
        CHURN_SCORING_API_KEY: '',
        MODEL_ENDPOINT_NAME: model.name,
      },
    });
  }

  #keySecret(): Secret {
    const secret = new Secret(this, 'KeySecret', {
      // Without a name: that of one that was deleted is taken for weeks.
      description: `The x-api-key of ${this.named('assess-churn')}; the application reads it at its start`,
      generateSecretString: { passwordLength: KEY_CHARACTERS, excludePunctuation: true },
    });
    accept(
      secret,
      'AwsSolutions-SMG4',
      'API Gateway takes the value at a deployment and the application at its start: one changed in between would lock it out. docs/infrastructure.md says how it is changed.',
    );
    return secret;
  }

  #log(id: string, logGroupName: string, encryptionKey: IKey): LogGroup {
    return new LogGroup(this, id, {
      logGroupName,
      retention: this.logRetention,
      encryptionKey,
      removalPolicy: MADE_AGAIN,
    });
  }
}

function metric(namespace: string, metricName: string, dimensionsMap: Record<string, string>): Metric {
  return new Metric({ namespace, metricName, dimensionsMap, statistic: 'Sum', period: FIVE_MINUTES });
}
