import { Command } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import { nodeWorld } from '../hosts/node/node-world.ts';
import type { Running } from '../hosts/node/run.ts';
import type { Observation } from '../observe/observation.ts';
import { type FlinkRunOptions, refuseFlinkOptions, runOnFlink, withFlinkRunOptions } from './flink.ts';
import { type ObservingOptions, observing, withObserving } from './observing.ts';
import {
  type HostOptions,
  hostOption,
  type ParameterOptions,
  parameterHelp,
  portOf,
  readTexts,
  withParameters,
} from './options.ts';
import { grouped } from './output.ts';
import { stopOnSignal } from './signals.ts';
import { statusLine } from './status-line.ts';

export function runCommand(): Command {
  const command = new Command('run').description(
    'run the application on its streams, from its parameters, until it is stopped',
  );
  return withFlinkRunOptions(withObserving(withParameters(command)).addOption(hostOption()))
    .option('--metrics-port <port>', 'metrics for Prometheus at http://127.0.0.1:<port>/metrics; none when not given')
    .addHelpText(
      'after',
      `
Reads the streams of jobs and companies, and writes rows to S3SinkPath and enriched companies to their stream. The state
lies in data.dir: started again, after Ctrl-C or a crash, it goes on where it was. AWS credentials come from the default
chain (environment, profile, role); for a local Kinesis set aws.endpoint.

With --host flink it runs as a job of Apache Flink, on a cluster that is started for it on this machine (Java and Maven are
needed) or, with --cluster, on one that is there. Ctrl-C stops the job with a savepoint, and the next run goes on from it;
after a crash it goes on from the last checkpoint in data.dir/flink. With --detach job and cluster go on without this
command; run again it finds them. Metrics, logs and traces are then Flink's own: their options are of the Node host.

Example:
  tenant-analytics run --properties application_properties.json \\
    --set S3SinkPath=s3://my-bucket/enriched --set predictChurnApiEndpoint=https://… --set tenantManagerEndpoint=https://…

${parameterHelp(['ConsumerConfigProperties', 'ProducerConfigProperties', 'ApplicationConfigProperties'])}`,
    )
    .action(runRun);
}

const STATUS_INTERVAL_MS = 10_000;

interface RunOptions extends ParameterOptions, HostOptions, ObservingOptions {
  readonly metricsPort?: string;
}

async function runRun(options: RunOptions & FlinkRunOptions): Promise<void> {
  if (options.host === 'node') return observing(options, (observation) => runOnNode(options, observation));
  if (options.metricsPort === undefined) return runOnFlink(options);
  throw new TenantAnalyticsError('USAGE', '--metrics-port is for the Node host: Flink reports metrics by itself.');
}

async function runOnNode(options: RunOptions & FlinkRunOptions, observation: Observation): Promise<void> {
  refuseFlinkOptions(options);
  const { info, warn } = observation.log;
  const texts = await readTexts(options);
  const metricsPort = options.metricsPort === undefined ? undefined : portOf(options.metricsPort, '--metrics-port');
  const world = nodeWorld(warn, observation);
  // Only now: the SDK takes a while to load.
  const { run } = await import('../hosts/node/run.ts');
  let timer: NodeJS.Timeout | undefined;
  let takeBack: () => void = () => undefined;
  let running: Running | undefined;
  const { serveMetrics } = await import('../hosts/node/metrics-server.ts');
  const metrics = metricsPort === undefined ? undefined : await serveMetrics(() => running, world.clock, metricsPort);
  try {
    const counters = await run(texts, world, {
      started(engine, parameters, resumed) {
        running = engine;
        const { consumer, application } = parameters;
        const streams = `${consumer['jobs.stream.name']} and ${consumer['companies.stream.name']}`;
        info(`${resumed ? 'Going on from the last checkpoint' : 'First start'}: reading ${streams}.`);
        info(`Rows go to ${application.S3SinkPath}. Ctrl-C stops it.`);
        if (metrics !== undefined) info(`Metrics are at ${metrics.url}.`);
        takeBack = stopOnSignal(() => {
          info('Stopping: taking a last checkpoint.');
          engine.stop();
        });
        const status = statusLine(engine, world.clock);
        timer = setInterval(() => info(status()), STATUS_INTERVAL_MS);
      },
    });
    process.stdout.write(`Stopped after ${grouped(counters['records.jobs'] ?? 0)} job events in all.\n`);
  } finally {
    clearInterval(timer);
    takeBack();
    await metrics?.stop();
  }
}
