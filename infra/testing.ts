import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import context from '../cdk.json' with { type: 'json' };
import { type Deployment, deployment } from './deployment.ts';
import { readSettings } from './settings.ts';

export const ACCOUNT = '123456789012';
export const SECRET = `arn:aws:secretsmanager:us-west-2:${ACCOUNT}:secret:key-AbCdEf`;

export const SECRET_KEY = `arn:aws:kms:us-west-2:${ACCOUNT}:key/0a1b2c3d-0000-1111-2222-333344445555`;

/**
 * Settings that are synthesized and looked at: the least there can be, services that are there already, services that
 * are deployed as they are unless asked otherwise, and with all that can be asked of them.
 */
export const DEPLOYMENTS = {
  least: { enrichment: 'join', scoring: 'off', account: ACCOUNT },
  given: {
    prefix: 'Team-b',
    account: ACCOUNT,
    consumer: 'EFO',
    streamMode: 'on-demand',
    format: 'csv',
    parallelism: '4',
    autoScaling: 'false',
    logLevel: 'DEBUG',
    metricsLevel: 'OPERATOR',
    vpcId: 'vpc-0a1b2c3d',
    subnetIds: 'subnet-0a1b2c3d,subnet-0a1b2c3e',
    zones: 'us-west-2a,us-west-2b',
    tenantManagerUrl: 'https://tenants.example.com',
    tenantManagerTokenArn: SECRET.replace('key', 'token'),
    churnScoringUrl: 'https://scoring.example.com/prod/assessChurn',
    churnScoringKeyArn: SECRET,
    secretKeyArns: SECRET_KEY,
    alarmEmail: 'ops@example.com',
    parameters: '{"tenant.cache.ttl":"10 min"}',
  },
  services: { account: ACCOUNT },
  'services-as-asked': {
    prefix: 'EU',
    account: ACCOUNT,
    region: 'eu-central-1',
    logDays: '90',
    modelServing: 'instance',
    modelImage: `${ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/models/churn:1.2`,
    scoringConcurrency: '20',
    scoringKeyVersion: '2',
    certificateArn: `arn:aws:acm:eu-central-1:${ACCOUNT}:certificate/0f0e0d0c-0b0a-0908-0706-050403020100`,
    tenantManagerHost: 'tenants.example.internal',
    tenantManagerImage: `${ACCOUNT}.dkr.ecr.eu-central-1.amazonaws.com/tenant-manager@sha256:${'a'.repeat(64)}`,
    tenantManagerTasks: '3',
    tenantManagerCpu: '1024',
    tenantManagerMemoryMb: '2048',
    firstTenants: '300',
    databaseReaders: '0',
    databaseMaxAcus: '16',
    databaseBackupDays: '35',
    vpcId: 'vpc-0a1b2c3d',
    subnetIds: 'subnet-0a1b2c3d,subnet-0a1b2c3e',
    zones: 'eu-central-1a,eu-central-1b',
  },
} as const;

/** Templates by the name of their stack, as `npm run synth` makes them, and the folder they are in. */
export interface Synthesized {
  readonly folder: string;
  readonly deployed: Deployment;
  readonly templates: ReadonlyMap<string, Template>;
  /** The template of a part: `Storage`, `Application`, … */
  of(part: string): Template;
  remove(): void;
}

/**
 * Synthesizes a deployment, with cdk-nag in it. `handler`: of scoring, bundled as it is deployed, which templates do not need.
 * @throws Error for a finding that has no reason
 */
export function synthesize(
  settings: Readonly<Record<string, string>>,
  handler: 'bundled' | 'left out' = 'left out',
): Synthesized {
  const folder = mkdtempSync(join(tmpdir(), 'infra-'));
  const skipped = handler === 'bundled' ? {} : { 'aws:cdk:bundling-stacks': [] };
  const app = new App({ outdir: folder, context: { ...context.context, ...skipped, ...settings } });
  const deployed = deployment(app, readSettings(app.node.getAllContext()));
  const templates = new Map(
    app.synth().stacks.map((stack) => [stack.stackName, Template.fromJSON(stack.template as Record<string, unknown>)]),
  );
  return {
    folder,
    deployed,
    templates,
    of(part) {
      const found = [...templates].find(([name]) => name.endsWith(`TenantAnalytics-${part}`))?.[1];
      if (found === undefined) throw new Error(`there is no stack ${part} among ${[...templates.keys()].join(', ')}`);
      return found;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}

/** Names of resources, by which another deployment could meet them. */
export function physicalNames({ templates }: Synthesized): ReadonlySet<string> {
  return new Set([...templates.values()].flatMap((template) => namesOf(template.toJSON())));
}

const NAME_KEYS = /^(.*Name|Name|Topic|DBClusterIdentifier)$/;
/** Of what is part of something else: columns, the questions of a workgroup, the stage of an API. */
const PARTS = new Set([
  'AWS::Glue::Table',
  'AWS::Athena::NamedQuery',
  'AWS::Logs::LogStream',
  'AWS::IAM::Policy',
  'AWS::ApiGateway::Stage',
  'AWS::ApiGateway::Model',
]);

function namesOf(template: {
  Resources?: Record<string, { Type: string; Properties?: Record<string, unknown> }>;
}): string[] {
  return Object.values(template.Resources ?? {})
    .filter(({ Type }) => !PARTS.has(Type))
    .flatMap(({ Type, Properties = {} }) =>
      Object.entries(Properties)
        .filter(([key, value]) => NAME_KEYS.test(key) && typeof value === 'string')
        .filter(([key]) => !['MetricName', 'RuntimeEnvironment', 'DatabaseName'].includes(key))
        .map(([, value]) => `${Type} ${String(value)}`),
    );
}
