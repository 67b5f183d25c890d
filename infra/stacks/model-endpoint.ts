import { type Stack, aws_sagemaker as sagemaker } from 'aws-cdk-lib';
import { PolicyDocument, PolicyStatement, Role, ServicePrincipal } from 'aws-cdk-lib/aws-iam';
import type { IKey } from 'aws-cdk-lib/aws-kms';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import { acceptWildcards, MADE_AGAIN } from '../base-stack.ts';
import { image } from '../images.ts';
import type { Settings } from '../settings.ts';

export interface ModelEndpoint {
  readonly name: string;
  readonly arn: string;
}

export interface ModelEndpointProps {
  readonly settings: Settings;
  readonly name: string;
  readonly logRetention: RetentionDays;
  readonly logKey: IKey;
}

/** What a serverless endpoint takes at most. */
const MOST_SERVERLESS = 200;
/** The least there is: the model server needs a tenth of it. */
const SERVERLESS_MB = 1024;

/** An endpoint that is there, by its name. */
export function endpointThatIsThere(stack: Stack, name: string): ModelEndpoint {
  // SageMaker writes names in small letters in its ARNs.
  return {
    name,
    arn: stack.formatArn({ service: 'sagemaker', resource: 'endpoint', resourceName: name.toLowerCase() }),
  };
}

/** The model server on SageMaker: billed by the call (serverless), or on instances that are always there. */
export function modelEndpoint(stack: Stack, props: ModelEndpointProps): ModelEndpoint {
  const { settings, name } = props;
  const isServerless = settings.modelServing === 'serverless';
  const { uri, repository } = image(stack, 'ModelImage', 'churn-model', settings.modelImage);
  const log = new LogGroup(stack, 'ModelLog', {
    logGroupName: `/aws/sagemaker/Endpoints/${name}`,
    retention: props.logRetention,
    encryptionKey: props.logKey,
    removalPolicy: MADE_AGAIN,
  });
  const role = executionRole(stack, log);
  repository.grantPull(role);
  acceptWildcards(
    role,
    ['*'],
    'GetAuthorizationToken of ECR and PutMetricData take no resource; the latter is held to the namespaces of SageMaker.',
  );

  const model = new sagemaker.CfnModel(stack, 'Model', {
    executionRoleArn: role.roleArn,
    primaryContainer: { image: uri },
    // It asks nobody anything. Serverless endpoints cannot be told so; they have no way to the VPC either.
    ...(isServerless ? {} : { enableNetworkIsolation: true }),
  });
  // SageMaker fetches the image with this role.
  model.node.addDependency(role.node.findChild('DefaultPolicy'));
  const config = new sagemaker.CfnEndpointConfig(stack, 'ModelEndpointConfig', {
    productionVariants: [
      {
        variantName: 'model',
        modelName: model.attrModelName,
        initialVariantWeight: 1,
        ...(isServerless
          ? {
              serverlessConfig: {
                memorySizeInMb: SERVERLESS_MB,
                maxConcurrency: Math.min(settings.scoringConcurrency, MOST_SERVERLESS),
              },
            }
          : { instanceType: settings.modelInstanceType, initialInstanceCount: settings.modelInstances }),
      },
    ],
  });
  const endpoint = new sagemaker.CfnEndpoint(stack, 'ModelEndpoint', {
    endpointName: name,
    endpointConfigName: config.attrEndpointConfigName,
  });
  endpoint.node.addDependency(log);
  return { ...endpointThatIsThere(stack, name), name: endpoint.attrEndpointName };
}

function executionRole(stack: Stack, log: LogGroup): Role {
  const role = new Role(stack, 'ModelRole', {
    assumedBy: new ServicePrincipal('sagemaker.amazonaws.com', {
      conditions: { StringEquals: { 'aws:SourceAccount': stack.account } },
    }),
    inlinePolicies: {
      Tell: new PolicyDocument({
        statements: [
          new PolicyStatement({
            actions: ['logs:CreateLogGroup', 'logs:CreateLogStream', 'logs:DescribeLogStreams', 'logs:PutLogEvents'],
            resources: [log.logGroupArn],
          }),
          new PolicyStatement({
            actions: ['cloudwatch:PutMetricData'],
            resources: ['*'],
            conditions: { StringLike: { 'cloudwatch:namespace': ['AWS/SageMaker*', '/aws/sagemaker/*'] } },
          }),
        ],
      }),
    },
  });
  return role;
}
