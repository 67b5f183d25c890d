import { closest } from 'fastest-levenshtein';
import * as z from 'zod';
import { TenantAnalyticsError } from '../src/base/errors.ts';

const text = z.string().trim();
const flag = z.enum(['true', 'false']).transform((value) => value === 'true');
const count = (least: number, most: number) => z.coerce.number().int().min(least).max(most);
const url = z.union([z.literal(''), z.url({ protocol: /^https?$/ })]);
const arnOf = (service: string) =>
  z.union([z.literal(''), z.string().regex(new RegExp(`^arn:[\\w-]+:${service}:`), `expected an ARN of ${service}`)]);
/** Whole: the application may read this secret and no other, and AWS compares with the six characters that it put at the end. */
const secretArn = z.union([
  z.literal(''),
  z
    .string()
    .regex(
      /^arn:[\w-]+:secretsmanager:[a-z0-9-]+:\d{12}:secret:[\w/+=.@-]+-[A-Za-z0-9]{6}(#.+)?$/,
      'expected the whole ARN of a secret of secretsmanager, as `aws secretsmanager describe-secret` shows it',
    ),
]);
const list = text.transform((value) => (value === '' ? [] : value.split(',').map((one) => one.trim())));
const keyArns = list.pipe(
  z.array(
    z
      .string()
      .regex(
        /^arn:[\w-]+:kms:[a-z0-9-]+:\d{12}:key\/[\w-]+$/,
        'expected ARNs of KMS keys such as arn:aws:kms:us-west-2:123456789012:key/ID, separated by commas; an alias names no key in a policy',
      ),
  ),
);

const ecrImage = text
  .regex(
    /^(\d{12}\.dkr\.ecr\.[a-z0-9-]+\.amazonaws\.com(\.cn)?\/[a-z0-9._/-]+(:[\w.-]+|@sha256:[0-9a-f]{64}))?$/,
    'expected an image in ECR with a tag or digest, such as 123456789012.dkr.ecr.us-west-2.amazonaws.com/name:1.0',
  )
  .default('');

const SETTINGS = {
  prefix: text
    // With 16, the longest names (bucket, load balancer) are within the limits of AWS in any region.
    .regex(
      /^([A-Za-z]([A-Za-z0-9-]{0,14}[A-Za-z0-9])?)?$/,
      'expected up to 16 letters, digits and hyphens, a letter first and no hyphen last',
    )
    .default('')
    .describe('Before every name, so that two deployments can live in one account'),
  account: text
    .regex(/^(\d{12})?$/, 'expected twelve digits')
    .default('')
    .describe('Account; empty: that of the credentials at deployment'),
  region: text
    .regex(/^[a-z]{2}(-[a-z]+)+-\d$/, 'expected a region such as us-west-2')
    .default('us-west-2')
    .describe('Region of all stacks'),
  streamMode: z.enum(['provisioned', 'on-demand']).default('provisioned').describe('Of the three streams'),
  shards: count(1, 500).default(1).describe('Of each stream, when provisioned'),
  retentionHours: count(24, 8760).default(24).describe('How long a record can be read'),
  consumer: z.enum(['POLLING', 'EFO']).default('POLLING').describe('How the application reads the streams'),
  format: z.enum(['json', 'csv']).default('json').describe('Of the rows in the bucket'),
  rowDays: count(30, 3650).default(400).describe('Days after which rows are deleted'),
  codeKey: text
    .regex(/^churn\/[\w.-]+\.jar$/, 'expected churn/NAME.jar')
    .default('churn/tenant-analytics-flink.jar')
    .describe('Object of the application, in the bucket; as `app upload` writes it'),
  parallelism: count(1, 256).default(1).describe('Of the application'),
  parallelismPerKpu: count(1, 8).default(1).describe('Parallelism that shares one KPU'),
  autoScaling: flag.default(true).describe('The service raises and lowers the parallelism by CPU'),
  checkpointSeconds: count(1, 3600).default(60).describe('Between checkpoints'),
  logLevel: z.enum(['ERROR', 'WARN', 'INFO', 'DEBUG']).default('INFO').describe('Of the application'),
  metricsLevel: z
    .enum(['APPLICATION', 'OPERATOR', 'TASK', 'PARALLELISM'])
    .default('APPLICATION')
    .describe('How finely the service tells metrics; each step costs more'),
  logDays: z
    .enum(['7', '30', '90', '365'])
    .transform((days) => Number(days))
    .default(30)
    .describe('How long logs are kept'),
  parameters: z
    .string()
    .default('{}')
    .transform((json, context) => {
      const parsed = z.record(z.string(), z.string()).safeParse(tryJson(json));
      if (parsed.success) return parsed.data;
      context.addIssue('expected JSON such as {"tenant.cache.ttl":"10 min"}');
      return z.NEVER;
    })
    .describe('Other parameters of the application, as JSON of texts by name'),
  enrichment: z.enum(['lookup', 'join']).default('lookup').describe('join: no TenantManager is asked'),
  tenantManagerUrl: url.default('').describe('A TenantManager that is there; empty: one is deployed'),
  tenantManagerTokenArn: secretArn.default('').describe('Secret of its bearer token'),
  tenantManagerTasks: count(1, 20).default(2).describe('Copies of the one that is deployed'),
  tenantManagerImage: ecrImage.describe('Its image in ECR; empty: built from the Dockerfile'),
  tenantManagerCpu: z
    .enum(['256', '512', '1024', '2048'])
    .transform(Number)
    .default(256)
    .describe('Of each copy, in units of Fargate: 1024 is one'),
  tenantManagerMemoryMb: count(512, 16_384).default(1024).describe('Of each copy; Fargate has steps for each cpu'),
  firstTenants: count(0, 1_000_000).default(0).describe('Made-up tenants of a new database, for a trial'),
  databaseReaders: count(0, 5).default(1).describe('Copies of the database that take over; 0: minutes without it'),
  databaseMaxAcus: count(1, 128).default(4).describe('Capacity units up to which the database grows, from 0.5'),
  databaseBackupDays: count(1, 35).default(7).describe('Days to any second of which the database can be restored'),
  certificateArn: arnOf('acm').default('').describe('Its TLS certificate; empty: HTTP inside the VPC'),
  tenantManagerHost: text.default('').describe('The name in that certificate; needed with it'),
  scoring: z.enum(['on', 'off']).default('on').describe('off: rows without a score'),
  churnScoringUrl: url.default('').describe('A scoring API that is there; empty: one is deployed'),
  churnScoringKeyArn: secretArn.default('').describe('Secret of its x-api-key'),
  secretKeyArns: keyArns
    .default([])
    .describe('KMS keys of your own that these secrets are encrypted with, separated by commas'),
  scoringPerSecond: count(1, 10_000).default(500).describe('Calls a second of the usage plan'),
  scoringConcurrency: count(1, 1000).default(100).describe('Reserved concurrency of the scoring function'),
  scoringKeyVersion: count(1, 1000)
    .default(1)
    .describe('Raised after the secret of the x-api-key got a new value: API Gateway takes it then'),
  modelEndpoint: text
    .regex(/^([A-Za-z0-9][A-Za-z0-9-]{0,62})?$/, 'expected the name of a SageMaker endpoint')
    .default('')
    .describe('A SageMaker endpoint that is there; empty: one is deployed'),
  modelImage: ecrImage.describe('Image of the model server in ECR; empty: built from the Dockerfile'),
  modelServing: z.enum(['serverless', 'instance']).default('serverless').describe('Of the endpoint that is deployed'),
  modelInstanceType: text.default('ml.m5.large').describe('With instances'),
  modelInstances: count(1, 20).default(2).describe('With instances'),
  apiGatewayLogRole: flag
    .default(true)
    .describe('Makes the role by which API Gateway writes logs, one for account and region; false: there is one'),
  vpcId: text
    .regex(/^(vpc-[0-9a-f]+)?$/, 'expected a VPC such as vpc-0123456789abcdef0')
    .default('')
    .describe('A VPC that is there; empty: one is made when something needs it'),
  subnetIds: list.default([]).describe('Its private subnets, one in each zone of `zones`, separated by commas'),
  zones: list.default([]).describe('Their availability zones'),
  alarmEmail: z
    .union([z.literal(''), z.email()])
    .default('')
    .describe('Who is told of alarms; the address must be confirmed'),
} as const;

const schema = z.object(SETTINGS);
export type Settings = z.infer<typeof schema>;

/** Context of the CDK itself and of its lookups, which is not ours to judge. */
const CDK_OWN =
  /^(@|aws:|aws-cdk:|cdk|availability-zones|hosted-zone|vpc-provider|ami|ssm|key-provider|security-group)/;

/**
 * Reads the settings from the context of the CDK (`-c name=value`).
 * @throws TenantAnalyticsError PARAMETER_UNKNOWN, PARAMETER_INVALID or PARAMETER_MISSING, naming the setting and what is right
 */
export function readSettings(context: Readonly<Record<string, unknown>>): Settings {
  const asked = Object.entries(context).filter(([name]) => !CDK_OWN.test(name));
  for (const [name] of asked) {
    if (Object.hasOwn(SETTINGS, name)) continue;
    throw new TenantAnalyticsError(
      'PARAMETER_UNKNOWN',
      `Unknown setting ${name}; did you mean ${closest(name, Object.keys(SETTINGS))}? All are in docs/infrastructure.md.`,
    );
  }
  const texts = asked.map(([name, value]) => [name, typeof value === 'object' ? JSON.stringify(value) : String(value)]);
  const parsed = schema.safeParse(Object.fromEntries(texts));
  if (!parsed.success) {
    const wrong = parsed.error.issues.map(({ path, message }) => {
      const name = String(path[0]);
      return `${name}: ${message}, got ${JSON.stringify(context[name])}`;
    });
    throw new TenantAnalyticsError('PARAMETER_INVALID', `${wrong.join('; ')}.`);
  }
  requireTogether(parsed.data);
  return parsed.data;
}

/** All settings with their defaults and what they mean, for the guide. */
export function describeSettings(): { name: string; byDefault: string; about: string }[] {
  return Object.entries(SETTINGS).map(([name, one]) => {
    const value: unknown = one.parse(undefined);
    return { name, byDefault: typeof value === 'string' ? value : JSON.stringify(value), about: one.description ?? '' };
  });
}

function requireTogether(settings: Settings): void {
  const { vpcId, subnetIds, zones, certificateArn, tenantManagerHost } = settings;
  if (vpcId !== '' && (subnetIds.length < 2 || subnetIds.length !== zones.length)) {
    throw missing(
      `subnetIds and zones: expected two private subnets of ${vpcId} or more, each with its zone, got ${subnetIds.length} and ${zones.length}.`,
    );
  }
  if (vpcId === '' && subnetIds.length + zones.length > 0) {
    throw missing('vpcId: expected the VPC of these subnets, got nothing.');
  }
  if ((certificateArn === '') !== (tenantManagerHost === '')) {
    throw missing(
      'certificateArn and tenantManagerHost: expected both or none: the name must be the one in the certificate.',
    );
  }
  requireStepOfFargate(settings);
  if (settings.tenantManagerTokenArn !== '' && settings.tenantManagerUrl === '') {
    throw missing('tenantManagerUrl: expected where the TenantManager of tenantManagerTokenArn is, got nothing.');
  }
  if (settings.secretKeyArns.length > 0 && settings.tenantManagerTokenArn + settings.churnScoringKeyArn === '') {
    throw missing(
      'tenantManagerTokenArn or churnScoringKeyArn: expected the secret that secretKeyArns are keys of, got nothing. Secrets that are made here have the key of Secrets Manager.',
    );
  }
  if (settings.churnScoringKeyArn !== '' && settings.churnScoringUrl === '') {
    throw missing('churnScoringUrl: expected where the scoring API of churnScoringKeyArn is, got nothing.');
  }
}

/** Two to eight MB for each unit of cpu, in whole GB; the smallest also has half a GB. */
function requireStepOfFargate({ tenantManagerCpu: cpu, tenantManagerMemoryMb: memory }: Settings): void {
  const [least, most, step] = [cpu * 2, cpu * 8, cpu === 256 ? 512 : 1024];
  if (memory >= least && memory <= most && memory % step === 0 && memory !== 1536) return;
  throw new TenantAnalyticsError(
    'PARAMETER_INVALID',
    `tenantManagerMemoryMb: expected a step of Fargate for a cpu of ${cpu}: ${least} to ${most}, in whole GB, got ${memory}.`,
  );
}

function missing(message: string): TenantAnalyticsError {
  return new TenantAnalyticsError('PARAMETER_MISSING', message);
}

function tryJson(json: string): unknown {
  try {
    return JSON.parse(json);
  } catch {
    return undefined;
  }
}
