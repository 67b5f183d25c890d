import { Command } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import { nodeWorld } from '../hosts/node/node-world.ts';
import { grouped } from './output.ts';
import { stopOnSignal } from './signals.ts';

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
    perSecond: number(options.rate, '--rate', 100_000),
    tenants: number(options.tenants, '--tenants', 1_000_000),
    seed: number(options.seed, '--seed', 2 ** 31),
    historyDays: number(options.history, '--history', 400),
    brokenShare: number(options.broken, '--broken', 1),
  };
  const { simulateTenants } = await import('../hosts/node/simulate.ts');
  const stopping = new AbortController();
  const takeBack = stopOnSignal(() => stopping.abort());
  try {
    const sent = await simulateTenants(request, nodeWorld(warn), stopping.signal);
    process.stdout.write(`Sent ${grouped(sent.companies)} company records and ${grouped(sent.jobs)} job events.\n`);
  } finally {
    takeBack();
  }
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

function warn(message: string): void {
  process.stderr.write(`${message}\n`);
}

function number(text: string, flag: string, most: number): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= 0 && value <= most) return value;
  throw new TenantAnalyticsError('USAGE', `${flag}: expected a number from 0 to ${most}, got ${text}.`);
}
