import { relative } from 'node:path';
import { SingleBar } from 'cli-progress';
import { Command, InvalidArgumentError } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import { nodeWorld } from '../hosts/node/node-world.ts';
import { type ReplayObserver, type ReplayResult, replay } from '../hosts/node/replay.ts';
import { refuseFlinkOptions, replayOnFlink, withFlinkOptions } from './flink.ts';
import {
  type HostOptions,
  hostOption,
  type ParameterOptions,
  parameterHelp,
  readTexts,
  withParameters,
} from './options.ts';
import { grouped } from './output.ts';
import { stopOnSignal } from './signals.ts';

interface ReplayOptions extends ParameterOptions, HostOptions {
  readonly companies: string;
  readonly jobs: string;
  readonly output: string;
}

export function replayCommand(): Command {
  const command = new Command('replay')
    .description('count job events from files over companies from files; needs no cloud')
    .requiredOption('--companies <file>', 'company records: JSONL or CSV, with or without header, also gzip', once)
    .requiredOption('--jobs <file>', 'job events, in the order they came: the same formats', once)
    .requiredOption('--output <dir>', 'where rows, dead letters (_dead-letters) and state (.state) go', once);
  return withFlinkOptions(withParameters(command).addOption(hostOption()))
    .addHelpText('after', helpAfter())
    .action((options: ReplayOptions) => (options.host === 'flink' ? replayOnFlink(options) : runReplay(options)));
}

/** Several files have no order among them: whose events came first would be a guess. Join them before. */
function once(value: string, before: string | undefined): string {
  if (before === undefined) return value;
  throw new InvalidArgumentError(`it was given twice, ${before} and ${value}; join files in the order they came`);
}

function helpAfter(): string {
  return `
All companies are in state before the first job is read. Called again after a crash or Ctrl-C, it goes on where it was;
after the end it changes nothing; with other inputs or parameters it refuses. S3SinkPath is set to the output folder.
With --host flink it is a job on an Apache Flink cluster, started for it on this machine (Java and Maven are needed).

Example:
  tenant-analytics replay --companies companies.jsonl --jobs jobs.jsonl --output out \\
    --set enrichment=join --set scoring=off

${parameterHelp(['ApplicationConfigProperties'])}`;
}

async function runReplay(options: ReplayOptions): Promise<void> {
  refuseFlinkOptions(options);
  const texts = await readTexts(options);
  const terminal = new Terminal();
  const begun = Date.now();
  try {
    const result = await replay(
      { ...options, texts },
      nodeWorld((message) => terminal.warn(message)),
      terminal,
    );
    terminal.finish();
    printResult(result, options.output, (Date.now() - begun) / 1000);
  } finally {
    terminal.finish();
  }
}

function printResult(result: ReplayResult, output: string, seconds: number): void {
  const { status, counters, deadLetterFolder } = result;
  if (status === 'stopped') {
    throw new TenantAnalyticsError('STOPPED', 'Stopped before the end. Run the same command again to go on from here.');
  }
  const done =
    status === 'already-done' ? 'Nothing to do, this replay has ended before' : `Done in ${seconds.toFixed(1)} s`;
  const reasons = Object.entries(counters).filter(([name]) => name.startsWith('dead-letters.'));
  const letters = reasons.reduce((sum, [, count]) => sum + count, 0);
  const byReason = reasons.map(([name, count]) => `${name.slice('dead-letters.'.length)} ${grouped(count)}`);
  const stale = counters['stale-company-records'] ?? 0;
  const lines = [
    `${done}: ${grouped(counters['records.jobs'] ?? 0)} job events, ${grouped(counters['records.companies'] ?? 0)} company records.`,
    `  rows          ${grouped(counters['rows.rows'] ?? 0)} in ${output}`,
    `  dead letters  ${grouped(letters)}${letters > 0 ? ` (${byReason.join(', ')}): tenant-analytics dead-letters list ${near(deadLetterFolder)}` : ''}`,
  ];
  if (stale > 0) lines.push(`  ignored       ${grouped(stale)} company records older than the known ones`);
  process.stdout.write(`${lines.join('\n')}\n`);
}

/** A path as one would type it here. */
function near(path: string): string {
  const fromHere = relative('.', path);
  return fromHere.startsWith('..') ? path : fromHere;
}

type Running = Parameters<ReplayObserver['started']>[0];

/** Shows progress on a terminal, and stops the run at Ctrl-C or SIGTERM; a second signal ends it at once. */
class Terminal implements ReplayObserver {
  #bar: SingleBar | undefined;
  #timer: NodeJS.Timeout | undefined;
  #takeBack: () => void = () => undefined;

  started(engine: Running, resumed: boolean): void {
    this.#takeBack = stopOnSignal(() => {
      this.warn('Stopping: taking a last checkpoint.');
      engine.stop();
    });
    if (resumed) this.warn('Going on from the last checkpoint.');
    if (process.stderr.isTTY) this.#showBar(engine);
  }

  warn(message: string): void {
    process.stderr.write(`${message}\n`);
  }

  finish(): void {
    this.#takeBack();
    clearInterval(this.#timer);
    this.#bar?.stop();
    this.#bar = undefined;
  }

  #showBar(engine: Running): void {
    const bar = new SingleBar({
      format: '{bar} {percentage}%  {records} records  {rate}/s  {eta_formatted} left',
      stream: process.stderr,
      hideCursor: true,
      etaBuffer: 50,
    });
    this.#bar = bar;
    const begun = Date.now();
    const before = records(engine);
    bar.start(engine.progress().total, engine.progress().read, { records: grouped(before), rate: 0 });
    this.#timer = setInterval(() => {
      const now = records(engine);
      const rate = Math.round(((now - before) * 1000) / Math.max(1, Date.now() - begun));
      bar.update(engine.progress().read, { records: grouped(now), rate: grouped(rate) });
    }, 200);
  }
}

function records(engine: Running): number {
  return (engine.counters['records.jobs'] ?? 0) + (engine.counters['records.companies'] ?? 0);
}
