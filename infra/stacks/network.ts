import { Fn } from 'aws-cdk-lib';
import {
  FlowLogDestination,
  FlowLogTrafficType,
  GatewayVpcEndpointAwsService,
  InterfaceVpcEndpointAwsService,
  IpAddresses,
  type IVpc,
  Peer,
  Port,
  SecurityGroup,
  SubnetType,
  Vpc,
} from 'aws-cdk-lib/aws-ec2';
import { LogGroup } from 'aws-cdk-lib/aws-logs';
import type { Construct } from 'constructs';
import { type BaseProps, BaseStack, MADE_AGAIN } from '../base-stack.ts';
import type { Settings } from '../settings.ts';

const ADDRESSES = '10.60.0.0/16';

/** The VPC in which TenantManager and the application meet: two zones, no way in from outside. */
export class NetworkStack extends BaseStack {
  readonly vpc: IVpc;
  /** Of the application: what it asks inside the VPC lets it in by this. */
  readonly application: SecurityGroup;

  constructor(scope: Construct, props: BaseProps) {
    super(scope, 'Network', { ...props, description: 'The VPC of TenantManager and of the application' });
    const { vpcId, subnetIds, zones } = this.settings;
    this.vpc =
      vpcId === ''
        ? this.#vpc()
        : Vpc.fromVpcAttributes(this, 'Vpc', {
            vpcId,
            availabilityZones: [...zones],
            privateSubnetIds: [...subnetIds],
          });
    this.application = new SecurityGroup(this, 'Application', {
      vpc: this.vpc,
      description: 'CompanyJobProcessing: nothing comes in',
      allowAllOutbound: false,
    });
    const out = this.application.connections;
    out.allowToAnyIpv4(Port.tcp(443), 'Kinesis, S3, Secrets Manager, API Gateway');
    for (const [port, services] of portsAsked(this.settings)) out.allowToAnyIpv4(Port.tcp(port), services);
  }

  /** Of the region, told at the deployment: to look them up here would need the account. */
  override get availabilityZones(): string[] {
    return [0, 1].map((index) => Fn.select(index, Fn.getAzs()));
  }

  #vpc(): Vpc {
    const vpc = new Vpc(this, 'Vpc', {
      vpcName: this.named('tenant-analytics'),
      ipAddresses: IpAddresses.cidr(ADDRESSES),
      maxAzs: 2,
      // One is cheaper, and the end of its zone would end calls to the scoring API: the rows then wait to be scored.
      natGateways: 1,
      subnetConfiguration: [
        { name: 'public', subnetType: SubnetType.PUBLIC, cidrMask: 24, mapPublicIpOnLaunch: false },
        { name: 'private', subnetType: SubnetType.PRIVATE_WITH_EGRESS, cidrMask: 20 },
        { name: 'database', subnetType: SubnetType.PRIVATE_ISOLATED, cidrMask: 24 },
      ],
    });
    // Rows and records do not pay for the NAT gateway.
    vpc.addGatewayEndpoint('S3', { service: GatewayVpcEndpointAwsService.S3 });
    const endpoints = new SecurityGroup(this, 'Endpoints', {
      vpc,
      description: 'Endpoints of AWS: asked by whoever is in the VPC',
      allowAllOutbound: false,
    });
    endpoints.addIngressRule(Peer.ipv4(ADDRESSES), Port.tcp(443), 'The VPC');
    vpc.addInterfaceEndpoint('Kinesis', {
      service: InterfaceVpcEndpointAwsService.KINESIS_STREAMS,
      securityGroups: [endpoints],
      open: false,
    });
    vpc.addFlowLog('Rejected', {
      trafficType: FlowLogTrafficType.REJECT,
      destination: FlowLogDestination.toCloudWatchLogs(
        new LogGroup(this, 'FlowLog', {
          logGroupName: `/aws/vpc/${this.named('tenant-analytics')}`,
          retention: this.logRetention,
          removalPolicy: MADE_AGAIN,
        }),
      ),
    });
    return vpc;
  }
}

/** Ports besides 443 at which the application asks its services, and who listens there. */
function portsAsked(settings: Settings): Map<number, string> {
  const { enrichment, tenantManagerUrl, certificateArn, scoring, churnScoringUrl } = settings;
  const ports = new Map<number, string>();
  const ask = (url: string, service: string): void => {
    const { port, protocol } = new URL(url);
    const number = port === '' ? (protocol === 'https:' ? 443 : 80) : Number(port);
    if (number !== 443) ports.set(number, [ports.get(number), service].filter(Boolean).join(', '));
  };
  if (enrichment === 'lookup' && tenantManagerUrl !== '') ask(tenantManagerUrl, 'TenantManager');
  // The one that is deployed: its load balancer has TLS with a certificate only.
  if (enrichment === 'lookup' && tenantManagerUrl === '' && certificateArn === '') ports.set(80, 'TenantManager');
  if (scoring === 'on' && churnScoringUrl !== '') ask(churnScoringUrl, 'Churn scoring');
  return ports;
}
