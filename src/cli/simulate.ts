import { Command } from 'commander';
import { nodeWorld } from '../hosts/node/node-world.ts';
import { numberOf } from './options.ts';
import { grouped, warn } from './output.ts';
import { untilStopped } from './signals.ts';

interface StreamOptions {
  readonly endpoint: string;
  readonly region: string;
}

interface SimulateOptions extends StreamOptions {
  readonly rate: string;
  readonly tenants: string;
  readonly seed: string;
  readonly history: string;
  readonly broken: string;
  readonly jobsStream: string;
  readonly companiesStream: string;
}

function toStreams(command: Command): Command {
  return command
    .option('--endpoint <url>', "of a local Kinesis; empty: the region's", '')
    .option('--region <region>', 'region of the streams', 'us-west-2');
}

export function simulateCommand(): Command {
  const command = new Command('simulate').description(
    'send company and job events at a rate, of tenants of which some fade away',
  );
  return toStreams(command)
    .option('--rate <events>', 'job events a second', '2')
    .option('--tenants <n>', 'how many tenants', '300')
    .option('--seed <n>', 'same seed, same tenants', '1')
    .option('--history <days>', 'first send job events of so many past days', '0')
    .option('--broken <share>', 'of the job events, from 0 to 1: such as cannot be used', '0')
    .option('--jobs-stream <name>', 'stream of job events', 'bigdatajobs')
    .option('--companies-stream <name>', 'stream of company records', 'companies')
    .addHelpText('after', '\nThe tenants are those of start, which has a simulator of its own. Ctrl-C stops it.')
    .action(runSimulate);
}

async function runSimulate(options: SimulateOptions): Promise<void> {
  const request = {
    region: options.region,
    endpoint: options.endpoint,
    jobsStream: options.jobsStream,
    companiesStream: options.companiesStream,
    perSecond: numberOf(options.rate, '--rate', 0, 100_000),
    tenants: numberOf(options.tenants, '--tenants', 0, 1_000_000),
    seed: numberOf(options.seed, '--seed', 0, 2 ** 31),
    historyDays: numberOf(options.history, '--history', 0, 400),
    brokenShare: numberOf(options.broken, '--broken', 0, 1),
  };
  const { simulateTenants } = await import('../hosts/node/simulate.ts');
  const sent = await untilStopped((signal) => simulateTenants(request, nodeWorld(warn), signal));
  process.stdout.write(`Sent ${grouped(sent.companies)} company records and ${grouped(sent.jobs)} job events.\n`);
}

export function sendCommand(): Command {
  const command = new Command('send')
    .description('send records to a stream by hand')
    .argument('<records...>', 'each as its text: JSON or CSV')
    .option('--stream <name>', 'where to', 'bigdatajobs')
    .option('--partition-key <key>', 'of all of them', 'partitionkey');
  return toStreams(command).action(runSend);
}

async function runSend(
  records: readonly string[],
  { region, endpoint, stream, partitionKey }: StreamOptions & { stream: string; partitionKey: string },
): Promise<void> {
  const { sendRecords } = await import('../hosts/node/simulate.ts');
  await sendRecords({ region, endpoint, stream, partitionKey, records }, nodeWorld(warn));
  process.stdout.write(`Sent ${grouped(records.length)} to ${stream}.\n`);
}
