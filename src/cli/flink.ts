import { relative } from 'node:path';
import { type Command, Option } from 'commander';
import { TenantAnalyticsError } from '../base/errors.ts';
import type { JobReading } from '../hosts/flink/control/job-reading.ts';
import { nodeWorld } from '../hosts/node/node-world.ts';
import { type ParameterOptions, readTexts, wholeOf } from './options.ts';
import { grouped, warn } from './output.ts';
import { untilStopped } from './signals.ts';

/* `run` and `replay` on the Flink host. What they need is loaded only then. */

interface FlinkOptions extends ParameterOptions {
  readonly parallelism?: string;
  readonly jar?: string;
}

export interface FlinkRunOptions extends FlinkOptions {
  readonly cluster?: string;
  readonly fromSavepoint?: string;
  readonly detach?: boolean;
}

export interface FlinkReplayOptions extends FlinkOptions {
  readonly companies: string;
  readonly jobs: string;
  readonly output: string;
}

const STATUS_INTERVAL_MS = 10_000;
const MOST_PARALLELISM = 128;

/** Options that only the Flink host has. */
export function withFlinkOptions(command: Command): Command {
  return command
    .addOption(new Option('--parallelism <n>', 'Flink host: parts that work side by side (default: 1)'))
    .addOption(
      new Option('--jar <file>', "Flink host: another job than the application's, which is built when needed"),
    );
}

export function withFlinkRunOptions(command: Command): Command {
  return withFlinkOptions(command)
    .addOption(new Option('--cluster <url>', 'Flink host: a cluster that is there, such as http://127.0.0.1:8081'))
    .addOption(
      new Option('--from-savepoint <path>', 'Flink host: go on from there, not from where the last run came to'),
    )
    .addOption(new Option('--detach', 'Flink host: leave the job running'));
}

/** @throws TenantAnalyticsError USAGE for an option of the Flink host on another one */
export function refuseFlinkOptions(options: Partial<FlinkRunOptions>): void {
  const names = ['parallelism', 'jar', 'cluster', 'fromSavepoint', 'detach'] as const;
  for (const name of names) {
    if (options[name] === undefined) continue;
    const flag = name.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    throw new TenantAnalyticsError('USAGE', `--${flag} is for the Flink host. Add --host flink, or leave it out.`);
  }
}

export async function runOnFlink(options: FlinkRunOptions): Promise<void> {
  const request = {
    texts: await readTexts(options),
    cluster: options.cluster === undefined ? undefined : clusterOf(options.cluster),
    parallelism: parallelismOf(options),
    fromSavepoint: options.fromSavepoint,
    detach: options.detach === true,
    jar: options.jar,
  };
  const { flinkRun } = await import('../hosts/flink/control/run.ts');
  const show = readingLines(Date.now);
  const end = await untilStopped((signal) =>
    flinkRun(
      request,
      {
        warn,
        submitted({ jobID, page, found, from }) {
          warn(found ? `Job ${jobID} runs already.` : `Job ${jobID} is submitted.`);
          if (!found) warn(from === undefined ? 'First start.' : `Going on from ${from}`);
          warn(`Flink's web UI: ${page}`);
        },
        running: () => warn(request.detach ? 'It runs.' : 'It runs. Ctrl-C stops it with a savepoint.'),
        reading: show,
        stopping: () => warn('Stopping with a savepoint.'),
      },
      signal,
    ),
  );
  process.stdout.write(
    end.kind === 'detached'
      ? 'The job goes on. Run the same command without --detach to watch it, and to stop it.\n'
      : `Stopped. The next run goes on from ${end.savepoint}\n`,
  );
}

export async function replayOnFlink(options: FlinkReplayOptions): Promise<void> {
  const { companies, jobs, output, jar } = options;
  const request = {
    companies,
    jobs,
    output,
    jar,
    texts: await readTexts(options),
    parallelism: parallelismOf(options),
  };
  const { flinkReplay } = await import('../hosts/flink/control/replay.ts');
  const begun = Date.now();
  const show = readingLines(Date.now);
  const { status, deadLetterFolder } = await untilStopped((signal) =>
    flinkReplay(
      request,
      nodeWorld(warn),
      {
        submitted({ jobID, page, from }) {
          warn(`Job ${jobID} is submitted. Flink's web UI: ${page}`);
          if (from !== undefined) warn('Going on from the last checkpoint.');
        },
        reading: show,
      },
      signal,
    ),
  );
  if (status === 'stopped') {
    throw new TenantAnalyticsError('STOPPED', 'Stopped before the end. Run the same command again to go on from here.');
  }
  const done =
    status === 'already-done'
      ? 'Nothing to do, this replay has ended before'
      : `Done in ${((Date.now() - begun) / 1000).toFixed(1)} s`;
  process.stdout.write(`${done}: rows in ${output}, dead letters in ${near(deadLetterFolder)}.\n`);
}

/** How a job is doing, as a line now and then, and at once when its state or restarts change. */
function readingLines(now: () => number): (reading: JobReading) => void {
  let told: { at: number; state: string; restarts: number | undefined } = { at: 0, state: '', restarts: undefined };
  return (reading) => {
    const { state } = reading;
    const restarts = reading.restarts ?? told.restarts;
    const isNews = state !== told.state || restarts !== told.restarts;
    if (!isNews && now() - told.at < STATUS_INTERVAL_MS) return;
    told = { at: now(), state, restarts };
    warn(readingText({ ...reading, restarts }, told.at));
  };
}

function readingText(
  { state, parallelism, records, restarts, checkpoints, checkpointAt }: JobReading,
  now: number,
): string {
  const age = checkpointAt === undefined ? 'none yet' : `${(Math.max(0, now - checkpointAt) / 1000).toFixed(1)} s ago`;
  return [
    state,
    `parallelism ${parallelism}`,
    `records since its start ${grouped(records)}`,
    `checkpoint ${age} (${grouped(checkpoints)})`,
    `restarts ${restarts === undefined ? 'not told yet' : grouped(restarts)}`,
  ].join(' · ');
}

function parallelismOf({ parallelism = '1' }: FlinkOptions): number {
  const value = wholeOf(parallelism, '--parallelism', MOST_PARALLELISM);
  if (value > 0) return value;
  throw new TenantAnalyticsError('USAGE', `--parallelism: expected 1 to ${MOST_PARALLELISM}, got ${parallelism}.`);
}

function clusterOf(text: string): string {
  if (/^https?:\/\/[^\s/]+/.test(text)) return text;
  throw new TenantAnalyticsError('USAGE', `--cluster: expected a URL such as http://127.0.0.1:8081, got ${text}.`);
}

/** A path as one would type it here. */
function near(path: string): string {
  const fromHere = relative('.', path);
  return fromHere.startsWith('..') ? path : fromHere;
}
