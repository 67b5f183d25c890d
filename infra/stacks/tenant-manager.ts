import { CfnOutput, Duration } from 'aws-cdk-lib';
import { Certificate } from 'aws-cdk-lib/aws-certificatemanager';
import { Peer, Port, SecurityGroup } from 'aws-cdk-lib/aws-ec2';
import {
  AwsLogDriverMode,
  Cluster,
  ContainerImage,
  ContainerInsights,
  CpuArchitecture,
  FargateService,
  FargateTaskDefinition,
  LogDrivers,
  OperatingSystemFamily,
} from 'aws-cdk-lib/aws-ecs';
import {
  ApplicationListener,
  ApplicationLoadBalancer,
  ApplicationProtocol,
  ListenerAction,
  ListenerCondition,
  SslPolicy,
} from 'aws-cdk-lib/aws-elasticloadbalancingv2';
import { PolicyStatement } from 'aws-cdk-lib/aws-iam';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import { ARecord, PrivateHostedZone, RecordTarget } from 'aws-cdk-lib/aws-route53';
import { LoadBalancerTarget } from 'aws-cdk-lib/aws-route53-targets';
import { BlockPublicAccess, Bucket, BucketEncryption, ObjectOwnership } from 'aws-cdk-lib/aws-s3';
import { Secret } from 'aws-cdk-lib/aws-secretsmanager';
import type { Construct } from 'constructs';
import { accept, acceptWildcards, type BaseProps, BaseStack, DATA, MADE_AGAIN } from '../base-stack.ts';
import { image } from '../images.ts';
import { logKey } from '../log-key.ts';
import type { ServiceAccess } from './application.ts';
import type { NetworkStack } from './network.ts';
import { type TenantDatabase, tenantDatabase } from './tenant-database.ts';

export interface TenantManagerProps extends BaseProps {
  readonly network: NetworkStack;
}

/** Where the image listens (Dockerfile). */
const PORT = 8081;
const TOKEN_CHARACTERS = 40;

/** TenantManager on Fargate, behind a load balancer that is reached inside the VPC only, with a PostgreSQL of its own. */
export class TenantManagerStack extends BaseStack {
  readonly access: ServiceAccess;
  readonly #network: NetworkStack;

  constructor(scope: Construct, { network, ...props }: TenantManagerProps) {
    super(scope, 'TenantManager', {
      ...props,
      description: 'Tenants over HTTP; each change goes to the stream companies',
    });
    this.#network = network;
    const { vpcId } = this.settings;
    const key = logKey(this, 'Database and logs of TenantManager', DATA);
    const tasks = new SecurityGroup(this, 'Tasks', {
      vpc: network.vpc,
      description: 'TenantManager: asked by its load balancer alone',
      allowAllOutbound: false,
    });
    tasks.addEgressRule(Peer.anyIpv4(), Port.tcp(443), 'Kinesis, Secrets Manager, ECR, CloudWatch Logs');
    const database = tenantDatabase(this, {
      settings: this.settings,
      name: this.named('tenant-manager').toLowerCase(),
      vpc: network.vpc,
      subnets: vpcId === '' ? { subnetGroupName: 'database' } : { subnets: network.vpc.privateSubnets },
      client: tasks,
      key,
      logRetention: this.logRetention,
    });
    const token = this.#token();
    const service = this.#service(database, token, tasks, key);
    const url = this.#loadBalancer(service, tasks);
    this.access = { url, secretArn: token.secretArn };
    new CfnOutput(this, 'Url', { value: url, description: 'tenantManagerEndpoint' });
    new CfnOutput(this, 'TokenArn', { value: token.secretArn, description: 'tenantManagerToken' });
  }

  #token(): Secret {
    const secret = new Secret(this, 'Token', {
      // Without a name: that of one that was deleted is taken for weeks.
      description: `The bearer token of ${this.named('tenant-manager')}; it and the application read it at their starts`,
      generateSecretString: { passwordLength: TOKEN_CHARACTERS, excludePunctuation: true },
    });
    accept(
      secret,
      'AwsSolutions-SMG4',
      'Service and application read it at their starts: one changed in between would lock the application out. docs/infrastructure.md says how it is changed.',
    );
    return secret;
  }

  #service(database: TenantDatabase, token: Secret, securityGroup: SecurityGroup, key: Key): FargateService {
    const { settings } = this;
    const definition = new FargateTaskDefinition(this, 'Task', {
      family: this.named('tenant-manager'),
      cpu: settings.tenantManagerCpu,
      memoryLimitMiB: settings.tenantManagerMemoryMb,
      runtimePlatform: {
        cpuArchitecture: CpuArchitecture.X86_64,
        operatingSystemFamily: OperatingSystemFamily.LINUX,
      },
    });
    const { uri, repository } = image(this, 'Image', 'tenant-manager', settings.tenantManagerImage);
    const execution = definition.obtainExecutionRole();
    repository.grantPull(execution);
    acceptWildcards(execution, ['*'], 'GetAuthorizationToken of ECR takes no resource.');
    definition.addContainer('tenant-manager', {
      image: ContainerImage.fromRegistry(uri),
      command: [
        ...['--stream', this.named('companies')],
        ...['--region', this.region],
        ...['--tenants', String(settings.firstTenants)],
      ],
      // ARNs: the process reads the secrets itself, so the password may be rotated while it runs.
      environment: {
        DATABASE_URL: database.url,
        DATABASE_PASSWORD: `${database.secret.secretArn}#password`,
        TENANT_MANAGER_TOKEN: token.secretArn,
      },
      portMappings: [{ containerPort: PORT }],
      readonlyRootFilesystem: true,
      stopTimeout: Duration.seconds(30),
      logging: LogDrivers.awsLogs({
        streamPrefix: 'task',
        mode: AwsLogDriverMode.NON_BLOCKING,
        logGroup: new LogGroup(this, 'Log', {
          logGroupName: `/aws/ecs/${this.named('tenant-manager')}`,
          retention: this.logRetention,
          encryptionKey: key,
          removalPolicy: MADE_AGAIN,
        }),
      }),
    });
    accept(
      definition,
      'AwsSolutions-ECS2',
      'They are the address of the database, without a password, and ARNs of secrets; the values are in Secrets Manager.',
    );
    definition.addToTaskRolePolicy(
      new PolicyStatement({ actions: ['kinesis:PutRecords'], resources: [this.streamArn('companies')] }),
    );
    for (const secret of [database.secret, token]) secret.grantRead(definition.taskRole);

    const service = new FargateService(this, 'Service', {
      serviceName: this.named('tenant-manager'),
      cluster: new Cluster(this, 'Cluster', {
        clusterName: this.named('tenant-analytics'),
        vpc: this.#network.vpc,
        containerInsightsV2: ContainerInsights.ENABLED,
      }),
      taskDefinition: definition,
      desiredCount: settings.tenantManagerTasks,
      securityGroups: [securityGroup],
      vpcSubnets: { subnets: this.#network.vpc.privateSubnets },
      assignPublicIp: false,
      // The old ones answer until the new ones do.
      minHealthyPercent: 100,
      maxHealthyPercent: 200,
      circuitBreaker: { enable: true, rollback: true },
      healthCheckGracePeriod: Duration.minutes(2),
    });
    // Tasks that find no database end, and the circuit breaker would end the deployment.
    service.node.addDependency(database.cluster);
    return service;
  }

  /** Its URL. */
  #loadBalancer(service: FargateService, tasks: SecurityGroup): string {
    const { certificateArn, tenantManagerHost } = this.settings;
    const { vpc, application } = this.#network;
    const isTls = certificateArn !== '';
    const port = isTls ? 443 : 80;
    const securityGroup = new SecurityGroup(this, 'Entrance', {
      vpc,
      description: 'TenantManager: asked by the application alone',
      allowAllOutbound: false,
    });
    // By its id: a rule on the other side would make each stack need the other.
    securityGroup.addIngressRule(
      Peer.securityGroupId(application.securityGroupId),
      Port.tcp(port),
      'CompanyJobProcessing',
    );
    const balancer = new ApplicationLoadBalancer(this, 'LoadBalancer', {
      vpc,
      vpcSubnets: { subnets: vpc.privateSubnets },
      internetFacing: false,
      securityGroup,
      dropInvalidHeaderFields: true,
    });
    balancer.logAccessLogs(this.#accessLog(), 'tenant-manager');
    const listener = new ApplicationListener(this, 'Listener', {
      loadBalancer: balancer,
      open: false,
      port,
      protocol: isTls ? ApplicationProtocol.HTTPS : ApplicationProtocol.HTTP,
      ...(isTls
        ? {
            certificates: [Certificate.fromCertificateArn(this, 'Certificate', certificateArn)],
            sslPolicy: SslPolicy.RECOMMENDED_TLS,
          }
        : {}),
    });
    listener.addTargets('Tasks', {
      targets: [service],
      port: PORT,
      protocol: ApplicationProtocol.HTTP,
      deregistrationDelay: Duration.seconds(30),
      // Not /health, which asks the database: while that is away, new tasks would be of no use.
      healthCheck: { path: '/version', interval: Duration.seconds(15), healthyThresholdCount: 2 },
    });
    listener.addAction('NoMetrics', {
      priority: 1,
      conditions: [ListenerCondition.pathPatterns(['/metrics'])],
      action: ListenerAction.fixedResponse(404, {
        contentType: 'application/json',
        messageBody: '{"message":"metrics are told by the tasks themselves"}',
      }),
    });
    securityGroup.addEgressRule(tasks, Port.tcp(PORT), 'TenantManager');
    if (!isTls) return `http://${balancer.loadBalancerDnsName}`;
    // The name of the certificate, for who is in the VPC.
    const zone = new PrivateHostedZone(this, 'Zone', { zoneName: tenantManagerHost, vpc });
    new ARecord(this, 'Name', { zone, target: RecordTarget.fromAlias(new LoadBalancerTarget(balancer)) });
    return `https://${tenantManagerHost}`;
  }

  #accessLog(): Bucket {
    const bucket = new Bucket(this, 'AccessLog', {
      // Load balancers write with no other.
      encryption: BucketEncryption.S3_MANAGED,
      enforceSSL: true,
      minimumTLSVersion: 1.2,
      blockPublicAccess: BlockPublicAccess.BLOCK_ALL,
      objectOwnership: ObjectOwnership.BUCKET_OWNER_ENFORCED,
      lifecycleRules: [{ expiration: Duration.days(this.settings.logDays) }],
      removalPolicy: DATA,
    });
    accept(bucket, 'AwsSolutions-S1', 'It holds an access log; a log of the log has no reader.');
    return bucket;
  }
}
