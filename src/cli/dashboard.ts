import { Command } from 'commander';
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
  readonly metricsUrl: string;
}

export function dashboardCommand(): Command {
  const command = new Command('dashboard')
    .description('the dashboard alone: customers, jobs and risk from the rows and the stream of enriched companies')
    .option('--port <port>', '0: a free one', '8080')
    .option('--rows <dir>', 'JSON rows written before, read at the start', '')
    .option('--stream <name>', 'of enriched companies', 'enrichedcompanies')
    .option('--endpoint <url>', "of a local Kinesis; empty: the region's", '')
    .option('--region <region>', 'region of the stream', 'us-west-2')
    .option('--metrics-url <url>', 'where the application tells its metrics (http://…/metrics)', '')
    .option('--alerts-folder <dir>', 'what alerts must not forget, such as those on their way', 'data/alerts');
  withObserving(withAccess(withAlerts(command)))
    .addCommand(tokenCommand())
    .addHelpText(
      'after',
      `
${ACCESS_HELP}

It keeps nothing but its alerts: each start reads the rows in --rows, then the stream from its oldest record.
Its numbers are at /api/insights, /docs tells how to ask for them; tenant-analytics insights shows them in a terminal.
${ALERTS_HELP}
Ctrl-C stops it.`,
    )
    .action(runCommand);
  return command;
}

async function runCommand(options: DashboardOptions): Promise<void> {
  const { port, rows, stream, endpoint, region, metricsUrl } = options;
  const access = accessOf(options, process.env);
  const alerts = alertsOf(options, 'data/alerts');
  const place = { port: portOf(port, '--port'), rowsFolder: rows, stream, endpoint, region, metricsUrl };
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
