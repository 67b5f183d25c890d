import { type IVpc, Port, SecurityGroup, type SubnetSelection } from 'aws-cdk-lib/aws-ec2';
import type { Key } from 'aws-cdk-lib/aws-kms';
import { LogGroup, type RetentionDays } from 'aws-cdk-lib/aws-logs';
import {
  AuroraPostgresEngineVersion,
  ClusterInstance,
  Credentials,
  DatabaseCluster,
  DatabaseClusterEngine,
  ParameterGroup,
} from 'aws-cdk-lib/aws-rds';
import type { ISecret } from 'aws-cdk-lib/aws-secretsmanager';
import { Duration, RemovalPolicy } from 'aws-cdk-lib/core';
import type { Construct } from 'constructs';
import { accept, MADE_AGAIN } from '../base-stack.ts';
import type { Settings } from '../settings.ts';

export interface TenantDatabaseProps {
  readonly settings: Settings;
  readonly name: string;
  readonly vpc: IVpc;
  readonly subnets: SubnetSelection;
  /** Who may connect. */
  readonly client: SecurityGroup;
  readonly key: Key;
  readonly logRetention: RetentionDays;
}

export interface TenantDatabase {
  /** For DATABASE_URL, without the password. */
  readonly url: string;
  /** `{"username","password"}`; RDS makes it, and rotates it. */
  readonly secret: ISecret;
  /** With its instances: before they are there nobody can connect. */
  readonly cluster: DatabaseCluster;
}

const USER = 'tenant_manager';
const DATABASE = 'tenants';
/** Where the image has the certificates of RDS (Dockerfile). */
const RDS_CERTIFICATES = '/etc/ssl/rds/global-bundle.pem';

/** Aurora PostgreSQL, serverless: encrypted, over TLS only, kept when the stack goes. */
export function tenantDatabase(scope: Construct, props: TenantDatabaseProps): TenantDatabase {
  const { settings, name, key } = props;
  const engine = DatabaseClusterEngine.auroraPostgres({ version: AuroraPostgresEngineVersion.VER_17_9 });
  const log = new LogGroup(scope, 'DatabaseLog', {
    logGroupName: `/aws/rds/cluster/${name}/postgresql`,
    retention: props.logRetention,
    encryptionKey: key,
    removalPolicy: MADE_AGAIN,
  });
  const cluster = new DatabaseCluster(scope, 'Database', {
    clusterIdentifier: name,
    engine,
    defaultDatabaseName: DATABASE,
    // A password that nobody knows: RDS makes it, keeps it in Secrets Manager, and changes it every seven days.
    credentials: Credentials.fromUsername(USER, { encryptionKey: key }),
    manageMasterUserPassword: true,
    iamAuthentication: true,
    vpc: props.vpc,
    vpcSubnets: props.subnets,
    securityGroups: [
      new SecurityGroup(scope, 'DatabaseEntrance', {
        vpc: props.vpc,
        description: 'Database of TenantManager: asked by TenantManager alone',
        allowAllOutbound: false,
      }),
    ],
    writer: ClusterInstance.serverlessV2('Writer', { publiclyAccessible: false }),
    // Takes over when the writer's zone is gone, so it is as large.
    readers: Array.from({ length: settings.databaseReaders }, (_, index) =>
      ClusterInstance.serverlessV2(`Reader${index + 1}`, { publiclyAccessible: false, scaleWithWriter: true }),
    ),
    serverlessV2MinCapacity: 0.5,
    serverlessV2MaxCapacity: settings.databaseMaxAcus,
    storageEncrypted: true,
    storageEncryptionKey: key,
    parameterGroup: new ParameterGroup(scope, 'DatabaseParameters', {
      engine,
      description: 'TLS only; statements that take long are told',
      parameters: { 'rds.force_ssl': '1', log_min_duration_statement: '1000' },
    }),
    cloudwatchLogsExports: ['postgresql'],
    backup: { retention: Duration.days(settings.databaseBackupDays) },
    copyTagsToSnapshot: true,
    deletionProtection: true,
    removalPolicy: RemovalPolicy.SNAPSHOT,
  });
  // Else RDS makes one that is kept for ever.
  cluster.node.addDependency(log);
  accept(
    cluster,
    'AwsSolutions-RDS11',
    'The port hides nothing: only the security group of the service is let in, and TLS and a password are asked for.',
  );
  cluster.connections.allowFrom(props.client, Port.tcp(5432), 'TenantManager');
  const { secret } = cluster;
  if (secret === undefined) throw new TypeError('expected the secret of the master user');
  const { hostname, port } = cluster.clusterEndpoint;
  const tls = `sslmode=verify-full&sslrootcert=${RDS_CERTIFICATES}`;
  return { url: `postgresql://${USER}@${hostname}:${port}/${DATABASE}?${tls}`, secret, cluster };
}
