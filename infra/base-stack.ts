import { RemovalPolicy, Stack, type StackProps, Tags, Validations } from 'aws-cdk-lib';
import { RetentionDays } from 'aws-cdk-lib/aws-logs';
import type { Construct, IConstruct } from 'constructs';
import type { Settings } from './settings.ts';

export type StreamName = 'bigdatajobs' | 'companies' | 'enrichedcompanies';

/** What every stack is given. */
export interface BaseProps extends StackProps {
  readonly settings: Settings;
}

/** A stack whose names begin with the deployment's prefix. */
export abstract class BaseStack extends Stack {
  protected readonly settings: Settings;

  constructor(scope: Construct, part: string, { settings, ...props }: BaseProps) {
    const name = named(settings, `TenantAnalytics-${part}`);
    super(scope, name, {
      ...props,
      stackName: name,
      env: { region: settings.region, ...(settings.account === '' ? {} : { account: settings.account }) },
      terminationProtection: part === 'Storage' || part === 'TenantManager',
    });
    this.settings = settings;
    Tags.of(this).add('application', named(settings, 'tenant-analytics'));
  }

  /** The name that users know, behind the prefix. */
  protected named(name: string): string {
    return named(this.settings, name);
  }

  /** Names of buckets are the world's: with account and region in it nobody else has it. */
  get bucketName(): string {
    return `${this.named('tenant-analytics').toLowerCase()}-${this.account}-${this.region}`;
  }

  /** Of another stack's resources by name: so each stack can be deployed, and deleted, without the others' outputs. */
  protected bucketArn(objects?: string): string {
    const path = objects === undefined ? '' : `/${objects}`;
    return this.formatArn({ service: 's3', region: '', account: '', resource: `${this.bucketName}${path}` });
  }

  protected bucketUrl(folder: string): string {
    return `s3://${this.bucketName}/${folder}`;
  }

  protected streamArn(name: StreamName): string {
    return this.formatArn({ service: 'kinesis', resource: 'stream', resourceName: this.named(name) });
  }

  protected get logRetention(): RetentionDays {
    const { logDays } = this.settings;
    return (
      { 7: RetentionDays.ONE_WEEK, 30: RetentionDays.ONE_MONTH, 90: RetentionDays.THREE_MONTHS }[logDays] ??
      RetentionDays.ONE_YEAR
    );
  }
}

/** Logs and what else can be made again goes with its stack; data does not. */
export const MADE_AGAIN = RemovalPolicy.DESTROY;
export const DATA = RemovalPolicy.RETAIN;

export function named({ prefix }: Settings, name: string): string {
  return prefix === '' ? name : `${prefix}-${name}`;
}

/** A finding of cdk-nag that stands, and why. */
export function accept(construct: IConstruct, id: string, reason: string): void {
  Validations.of(construct).acknowledge({ id, reason });
}

/** The same for resources with a wildcard, each by its ARN: cdk-nag asks for a reason for each. */
export function acceptWildcards(construct: IConstruct, resources: readonly string[], reason: string): void {
  for (const resource of resources) {
    const flat = flattened(Stack.of(construct).resolve(resource));
    accept(construct, `AwsSolutions-IAM5[Resource::${flat}]`, reason);
  }
}

/** As cdk-nag writes an ARN: what is known at deployment only stands in angle brackets. */
function flattened(value: unknown): string {
  if (typeof value === 'string') return value;
  const { Ref, 'Fn::Join': join, 'Fn::GetAtt': attribute } = value as Record<string, unknown>;
  if (typeof Ref === 'string') return `<${Ref}>`;
  if (Array.isArray(attribute)) return `<${attribute.join('.')}>`;
  if (Array.isArray(join)) return (join[1] as unknown[]).map(flattened).join('');
  throw new TypeError(`expected an ARN of parts that are known, got ${JSON.stringify(value)}`);
}
