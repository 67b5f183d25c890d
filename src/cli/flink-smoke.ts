import { Command } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import { sleep } from '../base/sleep.ts';

interface SmokeOptions {
  readonly application: string;
  readonly region: string;
  readonly restart?: boolean;
}

export function flinkSmokeCommand(): Command {
  return new Command('flink-smoke')
    .description('look at an application on the managed service: what only AWS can prove, pass or fail')
    .requiredOption('--application <name>', 'of the application, which must be running')
    .requiredOption('--region <region>', 'of the application and its streams')
    .option('--restart', 'also take a snapshot, and restart it from its state with another parallelism and back')
    .addHelpText(
      'after',
      `
Sends a company of its own and 20 job events to the streams that the application reads, and looks for their rows in S3; in
the end the company is deleted, its rows stay. Takes about ten minutes, mostly until S3 has the rows (sink.roll.age), twice
that with --restart. Asks AWS through the AWS CLI (aws, version 2), with its credentials. They need: kinesisanalyticsv2 Describe* (with
--restart also CreateApplicationSnapshot and UpdateApplication), kinesis:PutRecord, DescribeStreamSummary and
ListStreamConsumers, s3:ListBucket and GetObject, logs:FilterLogEvents, cloudwatch:ListMetrics and GetMetricStatistics.

Example:
  tenant-analytics flink-smoke --application tenant-analytics --region us-west-2`,
    )
    .action(runSmoke);
}

async function runSmoke({ application, region, restart }: SmokeOptions): Promise<void> {
  const { awsCli } = await import('../hosts/flink/smoke/aws-cli.ts');
  const { smokeTest } = await import('../hosts/flink/smoke/smoke.ts');
  const never = new AbortController().signal;
  const world = { aws: await awsCli(region), now: Date.now, wait: (ms: number) => sleep(ms, never) };
  const passed = await smokeTest({ application, restart: restart === true }, world, ({ check, result, why }) => {
    process.stdout.write(`${result.padEnd(4)}  ${check}: ${why}\n`);
  });
  if (!passed) throw new TenantAnalyticsError('SERVICE_FAILED', `${application} did not pass: see above.`);
}
