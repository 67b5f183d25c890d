import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { App } from 'aws-cdk-lib';
import { Template } from 'aws-cdk-lib/assertions';
import context from '../cdk.json' with { type: 'json' };
import { deployment } from './deployment.ts';
import { readSettings } from './settings.ts';

export const ACCOUNT = '123456789012';
export const SECRET = `arn:aws:secretsmanager:us-west-2:${ACCOUNT}:secret:key-AbCdEf`;

/** Settings that are synthesized and looked at: the least there can be, and services that are there already. */
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
    alarmEmail: 'ops@example.com',
    parameters: '{"tenant.cache.ttl":"10 min"}',
  },
} as const;

/** Templates by the name of their stack, as `npm run synth` makes them, and the folder they are in. */
export interface Synthesized {
  readonly folder: string;
  readonly templates: ReadonlyMap<string, Template>;
  /** The template of a part: `Storage`, `Application`, … */
  of(part: string): Template;
  remove(): void;
}

/**
 * Synthesizes a deployment, with cdk-nag in it.
 * @throws Error for a finding that has no reason
 */
export function synthesize(settings: Readonly<Record<string, string>>): Synthesized {
  const folder = mkdtempSync(join(tmpdir(), 'infra-'));
  const app = new App({ outdir: folder, context: { ...context.context, ...settings } });
  deployment(app, readSettings(app.node.getAllContext()));
  const templates = new Map(
    app.synth().stacks.map((stack) => [stack.stackName, Template.fromJSON(stack.template as Record<string, unknown>)]),
  );
  return {
    folder,
    templates,
    of(part) {
      const found = [...templates].find(([name]) => name.endsWith(`TenantAnalytics-${part}`))?.[1];
      if (found === undefined) throw new Error(`there is no stack ${part} among ${[...templates.keys()].join(', ')}`);
      return found;
    },
    remove: () => rmSync(folder, { recursive: true, force: true }),
  };
}
