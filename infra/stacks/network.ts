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

const ADDRESSES = '10.60.0.0/16';

/** The VPC in which TenantManager and the application meet: two zones, no way in from outside. */
export class NetworkStack extends BaseStack {
  readonly vpc: IVpc;
  /** Of the application: what it asks inside the VPC lets it in by this. */
  readonly application: SecurityGroup;

  constructor(scope: Construct, props: BaseProps) {
    super(scope, 'Network', { ...props, description: 'The VPC of TenantManager and of the application' });
    const { vpcId, subnetIds, zones, tenantManagerUrl, certificateArn } = this.settings;
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
    if (tenantManagerUrl.startsWith('http:') || (tenantManagerUrl === '' && certificateArn === '')) {
      out.allowToAnyIpv4(Port.tcp(80), 'TenantManager');
    }
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
