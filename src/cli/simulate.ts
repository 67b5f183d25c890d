import { Command, Option } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import { DAY_MS, parseTime } from '../base/time.ts';
import { nodeWorld } from '../hosts/node/node-world.ts';
import type { SimulatedTenants, SimulateFilesRequest } from '../hosts/node/simulate.ts';
import { FADING, SHAPES, type Shape } from '../hosts/node/simulate-options.ts';
import { durationOf, numberOf, wholeOf } from './options.ts';
import { grouped, warn } from './output.ts';
import { untilStopped } from './signals.ts';

interface StreamOptions {
  readonly endpoint: string;
  readonly region: string;
}

interface SimulateOptions extends StreamOptions {
  readonly rate: string;
  readonly shape: Shape;
  readonly fading: string;
  readonly day: string;
  readonly tenants: string;
  readonly seed: string;
  readonly history: string;
  readonly broken: string;
  readonly events?: string;
  readonly aggregate?: true;
  readonly jobsStream: string;
  readonly companiesStream: string;
  readonly output?: string;
  readonly begin?: string;
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
    .option('--rate <events>', 'job events a second, on average', '2')
    .addOption(new Option('--shape <shape>', 'how the rate goes over time').choices(SHAPES).default('steady'))
    .option('--fading <share>', 'of the tenants, from 0 to 1: those that fade away', String(FADING))
    .option('--day <duration>', 'how long a simulated day takes, from 1 s to 1 d', '1 min')
    .option('--tenants <n>', 'how many tenants', '300')
    .option('--seed <n>', 'same seed, same tenants', '1')
    .option('--history <days>', 'first send job events of so many past days', '0')
    .option('--broken <share>', 'of the job events, from 0 to 1: such as cannot be used', '0')
    .option('--events <n>', 'end after so many job events; without it, at Ctrl-C')
    .option('--aggregate', 'put events of a company together in the format of the KPL when several wait')
    .option('--jobs-stream <name>', 'stream of job events', 'bigdatajobs')
    .option('--companies-stream <name>', 'stream of company records', 'companies')
    .option('--output <folder>', 'write companies.jsonl and jobs.jsonl for replay, at once, and send nothing')
    .option('--begin <time>', 'with --output: when the tenants begin (default: now)')
    .addHelpText('after', SIMULATE_HELP)
    .action(runSimulate);
}

const SIMULATE_HELP = `
Shapes, all with the rate as their mean:
  steady   always the same
  daily    at 15 UTC nine times as many as at 3 UTC
  weekly   as daily, and few on Saturdays and Sundays
  hourly   more than half in the first six minutes of each hour, as what is scheduled
A day, its hours and its week are as long as --day says; with --day 1d they are those of the calendar.

Partition key is the companyID; events of one company arrive in order. What a shard refuses is sent again until it is
accepted, and nothing else of it. Same seed and same options: the same events, as long as the streams take them.
The tenants are those of start, which has a simulator of its own. Credentials come from the default chain (environment,
profile, role); a local Kinesis needs none.

Examples:
  tenant-analytics simulate --endpoint http://127.0.0.1:4567 --rate 50 --shape daily
  tenant-analytics simulate --region eu-central-1 --tenants 10000 --rate 2000 --aggregate --day 1d
  tenant-analytics simulate --output inputs --tenants 1000 --events 100000 --history 90 --begin 2026-01-01`;

async function runSimulate(options: SimulateOptions): Promise<void> {
  const tenants = {
    perSecond: numberOf(options.rate, '--rate', 0, 100_000),
    shape: options.shape,
    fading: numberOf(options.fading, '--fading', 0, 1),
    dayMs: durationOf(options.day, '--day', 1000, DAY_MS),
    tenants: wholeOf(options.tenants, '--tenants', 1_000_000),
    seed: wholeOf(options.seed, '--seed', 2 ** 31),
    historyDays: wholeOf(options.history, '--history', 400),
    brokenShare: numberOf(options.broken, '--broken', 0, 1),
    mostJobs:
      options.events === undefined ? Number.POSITIVE_INFINITY : wholeOf(options.events, '--events', 1_000_000_000),
  };
  const begun = Date.now();
  const { simulateFiles, simulateTenants } = await import('../hosts/node/simulate.ts');
  const sent = await untilStopped((signal) => {
    if (options.output !== undefined) return simulateFiles(filesOf(options.output, options, tenants), signal);
    if (options.begin !== undefined) throw new TenantAnalyticsError('USAGE', '--begin is for files: add --output.');
    const { region, endpoint, jobsStream, companiesStream, aggregate = false } = options;
    const request = { ...tenants, region, endpoint, jobsStream, companiesStream, aggregate };
    return simulateTenants(request, nodeWorld(warn), signal);
  });
  const what = `${grouped(sent.companies)} company records and ${grouped(sent.jobs)} job events`;
  if (options.output !== undefined) {
    process.stdout.write(`Wrote ${what} to ${options.output}.\n`);
    return;
  }
  const seconds = Math.max(1, (Date.now() - begun) / 1000);
  process.stdout.write(`Sent ${what} in ${grouped(Math.round(seconds))} s.\n`);
  if (sent.skippedMs < 1000) return;
  warn(
    `For ${grouped(Math.round(sent.skippedMs / 1000))} s of that no events were made: the streams took no more, or this machine slept. ` +
      'More shards, or --aggregate, let more through.',
  );
}

/** @throws TenantAnalyticsError USAGE */
function filesOf(
  folder: string,
  { begin, aggregate }: SimulateOptions,
  tenants: SimulatedTenants,
): SimulateFilesRequest {
  if (aggregate === true) throw new TenantAnalyticsError('USAGE', '--aggregate is for streams: leave out --output.');
  const isEndless = tenants.mostJobs === Number.POSITIVE_INFINITY;
  if (isEndless && tenants.perSecond > 0) {
    throw new TenantAnalyticsError('USAGE', '--output: say with --events how many job events to write.');
  }
  const since = begin === undefined ? Date.now() : parseTime(begin);
  if (since !== undefined) return { ...tenants, folder, since };
  throw new TenantAnalyticsError('USAGE', `--begin: expected a time such as 2026-01-01T00:00:00Z, got ${begin}.`);
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
