import { Command } from 'commander';
import type { LocalSystemObserver } from '../hosts/node/local-system.ts';
import { nodeWorld } from '../hosts/node/node-world.ts';
import type { Observation } from '../observe/observation.ts';
import { ALERTS_HELP, type AlertOptions, alertsOf, withAlerts } from './alert-options.ts';
import { arrivedRow, LiveTable } from './live-table.ts';
import { type ObservingOptions, observing, withObserving } from './observing.ts';
import { numberOf, type ParameterOptions, portOf, readTexts, withParameters } from './options.ts';
import { grouped } from './output.ts';
import { stopOnSignal } from './signals.ts';

interface StartOptions extends ParameterOptions, ObservingOptions, AlertOptions {
  readonly folder: string;
  readonly rate: string;
  readonly kinesisPort: string;
  readonly tenantManagerPort: string;
  readonly churnScoringPort: string;
  readonly metricsPort: string;
  readonly dashboardPort: string;
  readonly databaseUrl: string;
}

export function startCommand(): Command {
  const command = new Command('start').description(
    'the whole system on this machine: local Kinesis, the two services, the application, a simulator of tenants, the dashboard',
  );
  return withObserving(withAlerts(withParameters(command)))
    .option('--folder <dir>', 'where streams, state and rows are kept', 'data/local')
    .option('--rate <events>', 'job events a second that the simulator sends, up to 100; 0: none', '2')
    .option('--kinesis-port <port>', 'of the local Kinesis', '4567')
    .option('--tenant-manager-port <port>', 'of TenantManager', '8081')
    .option('--churn-scoring-port <port>', 'of churn scoring', '8082')
    .option('--dashboard-port <port>', 'of the dashboard', '8080')
    .option('--metrics-port <port>', "of the application's metrics, for Prometheus", '9464')
    .option('--database-url <url>', 'a PostgreSQL server for TenantManager; empty: a database in the folder', '')
    .addHelpText(
      'after',
      `
Everything listens on 127.0.0.1 only. Ctrl-C stops it; started again it goes on where it was. To begin anew, remove the
folder. The local Kinesis holds its streams in memory and forgets what is older than a day only when it is started: it is
for a day of trying, not for load. Parameters of the application can be set as for run (tenant-analytics run --help).
${ALERTS_HELP}`,
    )
    .action(runStart);
}

function runStart(options: StartOptions): Promise<void> {
  const table = new LiveTable(process.stdout, { now: Date.now });
  return observing(
    options,
    (observation) => runObserved(options, observation, table),
    (line) => table.say(line),
  );
}

async function runObserved(options: StartOptions, observation: Observation, table: LiveTable): Promise<void> {
  const request = {
    folder: options.folder,
    perSecond: numberOf(options.rate, '--rate', 0, 100),
    kinesisPort: portOf(options.kinesisPort, '--kinesis-port'),
    tenantManagerPort: portOf(options.tenantManagerPort, '--tenant-manager-port'),
    churnScoringPort: portOf(options.churnScoringPort, '--churn-scoring-port'),
    dashboardPort: portOf(options.dashboardPort, '--dashboard-port'),
    metricsPort: portOf(options.metricsPort, '--metrics-port'),
    databaseUrl: options.databaseUrl,
    alerts: alertsOf(options, `${options.folder}/alerts`),
    texts: await readTexts(options),
  };
  const stopping = new AbortController();
  const world = nodeWorld(observation.log.warn, observation);
  const takeBack = stopOnSignal(() => {
    table.stop();
    table.say('Stopping: taking a last checkpoint, and keeping the streams.');
    stopping.abort();
  });
  table.say('Starting local Kinesis and the services …');
  // Only now: all that it needs takes a while to load.
  const { runLocalSystem } = await import('../hosts/node/local-system.ts');
  try {
    const counters = await runLocalSystem(
      request,
      world,
      {
        ready: (urls) => table.say(whatToTry(urls, options.folder)),
        started(engine, _parameters, resumed) {
          table.say(
            resumed
              ? 'Going on where it was. Enriched companies as they arrive:'
              : 'Enriched companies as they arrive:',
          );
          if (!stopping.signal.aborted) table.start(engine);
        },
        arrived: (data) => {
          const row = arrivedRow(data);
          if (row !== undefined) table.arrived(row);
        },
      },
      stopping.signal,
    );
    const { 'records.jobs': jobs = 0, 'rows.rows': rows = 0 } = counters;
    table.say(`Stopped after ${grouped(jobs)} job events and ${grouped(rows)} rows in all. Start again to go on.`);
  } finally {
    table.stop();
    takeBack();
  }
}

function whatToTry(urls: Parameters<LocalSystemObserver['ready']>[0], folder: string): string {
  return `
  dashboard       ${urls.dashboard}
  Kinesis         ${urls.kinesis}   streams bigdatajobs, companies, enrichedcompanies
  TenantManager   ${urls.tenantManager}/api/v1/tenants   what it can do: ${urls.tenantManager}/docs
  churn scoring   ${urls.churnScoring}/prod/assessChurn   x-api-key: ${urls.apiKey}
  metrics         ${urls.metrics}
  rows            ${urls.rows}

Try, in another terminal:
  npx tenant-analytics send '{"companyID": "comp_4", "userID": "user_1", "nbJobs": 1}' --endpoint ${urls.kinesis}
  curl ${urls.tenantManager}/api/v1/tenants/comp_4
  npx tenant-analytics insights least-active --limit 10
  npx tenant-analytics dead-letters list ${folder}/rows
`;
}
