import { Command } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import type { DashboardProcess } from '../hosts/node/dashboard.ts';
import { nodeWorld } from '../hosts/node/node-world.ts';
import { ALERTS_HELP, type AlertOptions, alertsOf, withAlerts } from './alert-options.ts';
import { ACCESS_HELP, type AccessOptions, accessOf, tokenCommand, withAccess } from './dashboard-access.ts';
import { type ObservingOptions, observing, withObserving } from './observing.ts';
import { portOf } from './options.ts';
import { untilStopped } from './signals.ts';

interface DashboardOptions extends ObservingOptions, AccessOptions, AlertOptions {
  readonly port: string;
  readonly rows: string;
  readonly stream: string;
  readonly endpoint: string;
  readonly region: string;
  readonly s3Endpoint: string;
  readonly s3PathStyle: boolean;
  readonly metricsUrl: string;
  readonly flinkUrl: string;
  readonly flinkJob: string;
  readonly modelMetricsUrl: string;
}

export function dashboardCommand(): Command {
  const command = new Command('dashboard')
    .description('the dashboard alone: customers, jobs and risk from the rows and the stream of enriched companies')
    .option('--port <port>', '0: a free one', '8080')
    .option('--rows <place>', 'JSON rows written before, read at the start: a folder, or s3://bucket/prefix', '')
    .option('--stream <name>', 'of enriched companies', 'enrichedcompanies')
    .option('--endpoint <url>', "of a local Kinesis; empty: the region's", '')
    .option('--region <region>', 'region of the stream and of the bucket', 'us-west-2')
    .option('--s3-endpoint <url>', "of a local S3; empty: the region's", '')
    .option('--s3-path-style', 'address buckets in the path', false)
    .option('--metrics-url <url>', 'where the Node host tells its metrics (http://…/metrics)', '')
    .option('--flink-url <url>', "of Flink's web UI and REST API, when the application runs there (http://…:8081)", '')
    .option('--flink-job <id>', 'of its job; empty: the only one named CompanyJobProcessing', '')
    .option('--model-metrics-url <url>', 'where churn scoring tells its metrics, and with them how its model is', '')
    .option('--alerts-folder <dir>', 'what alerts must not forget, such as those on their way', 'data/alerts');
  withObserving(withAccess(withAlerts(command)))
    .addCommand(tokenCommand())
    .addHelpText(
      'after',
      `
${ACCESS_HELP}

It keeps nothing but its alerts: each start reads the rows in --rows, then the stream from its oldest record.
The view Pipeline, and /api/insights/pipeline, show the application on whichever host answers, Node or Flink.
From s3:// it needs s3:ListBucket and s3:GetObject, and up to about 400 MiB in the temporary folder (TMPDIR) while it reads.
Its numbers are at /api/insights, /docs tells how to ask for them; tenant-analytics insights shows them in a terminal.
${ALERTS_HELP}
Ctrl-C stops it.`,
    )
    .action(runCommand);
  return command;
}

/** @throws TenantAnalyticsError USAGE */
function pipelineOf({
  metricsUrl,
  flinkUrl,
  flinkJob,
  modelMetricsUrl,
}: DashboardOptions): NonNullable<DashboardProcess['pipeline']> {
  for (const [flag, url] of Object.entries({
    '--metrics-url': metricsUrl,
    '--flink-url': flinkUrl,
    '--model-metrics-url': modelMetricsUrl,
  })) {
    if (url !== '' && !(URL.canParse(url) && /^https?:\/\//i.test(url)))
      throw new TenantAnalyticsError('USAGE', `${flag}: expected an http:// or https:// address, got ${url}.`);
  }
  if (flinkJob !== '' && flinkUrl === '')
    throw new TenantAnalyticsError('USAGE', '--flink-job is of a cluster: say which with --flink-url.');
  const flink = flinkUrl === '' ? undefined : { url: flinkUrl, job: flinkJob };
  return { metricsUrl, flink, modelMetricsUrl };
}

async function runCommand(options: DashboardOptions): Promise<void> {
  const { port, rows, stream, endpoint, region, s3Endpoint, s3PathStyle } = options;
  const access = accessOf(options, process.env);
  const alerts = alertsOf(options, 'data/alerts');
  const s3 = { region, endpoint: s3Endpoint, pathStyle: s3PathStyle, parameter: '--rows' };
  const place = {
    port: portOf(port, '--port'),
    rowsFolder: rows,
    s3,
    stream,
    endpoint,
    region,
    pipeline: pipelineOf(options),
  };
  const request = { ...place, access, alerts };
  // Only now: all that it needs takes a while to load.
  const { runDashboard } = await import('../hosts/node/dashboard.ts');
  await observing(options, (observation) =>
    untilStopped((signal) =>
      runDashboard(
        request,
        nodeWorld(observation.log.warn, observation),
        ({ url, caughtUp }) => {
          process.stdout.write(`Dashboard: ${url}\nInsights: ${url}/api/insights, ${url}/docs\n`);
          void caughtUp.then(() => observation.log.info('All rows written before are in the numbers.'));
        },
        signal,
      ),
    ),
  );
}
