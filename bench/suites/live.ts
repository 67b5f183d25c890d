/** What a job event costs the Node host on live streams: read from Kinesis, counted, a row to a file and one to a stream. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { sleep } from '../../src/base/sleep.ts';
import { type AnsweringKinesis, answeringKinesis } from '../answering-kinesis.ts';
import { ROOT_DIR } from '../measure.ts';
import { spread } from '../table.ts';
import type { Suite, SuiteOptions } from './suite.ts';

const COMPANIES = 1000;
const EVENTS = 200_000;
const EVENTS_QUICK = 50_000;
const WAIT_MS_MAX = 600_000;

export const liveSuite: Suite = {
  name: 'live',
  summary:
    'CPU µs a job event of `run` on a Kinesis that only answers, from its stream to file and stream; calls excluded',
  contenders: ['run'],
  takesEvents: true,
  run: runLiveSuite,
};

async function runLiveSuite({ quick, runs, events = quick ? EVENTS_QUICK : EVENTS }: SuiteOptions): Promise<boolean> {
  const micros: number[] = [];
  const perSecond: number[] = [];
  for (let round = 1; round <= runs; round++) {
    const { cpuSeconds, wallSeconds } = await measure(events);
    micros.push((1e6 * cpuSeconds) / events);
    perSecond.push(events / wallSeconds);
    process.stderr.write(`round ${round} of ${runs}: ${micros.at(-1)?.toFixed(1)} CPU µs an event\n`);
  }
  const cells = [spread(micros, (value) => value.toFixed(1)), spread(perSecond, (value) => value.toFixed(0))];
  process.stdout.write(
    `| Events | CPU µs an event | Events a second |\n|--:|--:|--:|\n| ${events} | ${cells.join(' | ')} |\n`,
  );
  return true;
}

/** Measured is what it takes once all companies are known. */
async function measure(events: number): Promise<{ cpuSeconds: number; wallSeconds: number }> {
  const folder = await mkdtemp(join(tmpdir(), 'live-'));
  const kinesis = await answeringKinesis();
  try {
    publish(kinesis, 'companies', COMPANIES, company);
    return await measureRun(folder, kinesis, events);
  } finally {
    kinesis.close();
    await rm(folder, { recursive: true });
  }
}

async function measureRun(folder: string, kinesis: AnsweringKinesis, events: number) {
  const settings = {
    ...{
      'aws.endpoint': kinesis.endpoint,
      S3SinkPath: pathToFileURL(`${folder}/rows`).href,
      'data.dir': `${folder}/data`,
    },
    ...{ 'jobs.stream.initial.position': 'TRIM_HORIZON', 'companies.stream.initial.position': 'TRIM_HORIZON' },
    ...{ enrichment: 'join', scoring: 'off' },
  };
  const words = Object.entries(settings).flatMap(([name, value]) => ['--set', `${name}=${value}`]);
  const program = [join(ROOT_DIR, 'bin/tenant-analytics.js'), 'run', '--metrics-port', '0', ...words];
  const child = spawn(process.execPath, program, { stdio: ['ignore', 'ignore', 'pipe'] });
  const ended = once(child, 'close');
  let said = '';
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    said += text;
  });
  try {
    const url = await until(() => /http:\/\/127\.0\.0\.1:\d+\/metrics/.exec(said)?.[0]);
    const reading = async (metric: string, least: number) => {
      const text = await (await fetch(url)).text();
      if (metricOf(text, metric) < least) return undefined;
      return { cpu: metricOf(text, 'process_cpu_seconds_total'), at: Date.now() };
    };
    const first = await until(() => reading('tenant_analytics_records_total{source="companies"}', COMPANIES));
    publish(kinesis, 'bigdatajobs', events, job);
    await until(() => (kinesis.put() >= events ? true : undefined));
    const last = await until(() => reading('tenant_analytics_rows_total{sink="rows"}', events));
    return { cpuSeconds: last.cpu - first.cpu, wallSeconds: (last.at - first.at) / 1000 };
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

function metricOf(text: string, metric: string): number {
  const line = text.split('\n').find((each) => each.startsWith(`${metric} `));
  return line === undefined ? 0 : Number(line.slice(metric.length + 1));
}

async function until<Value>(look: () => Promise<Value | undefined> | Value | undefined): Promise<Value> {
  const never = new AbortController().signal;
  for (let waited = 0; waited < WAIT_MS_MAX; waited += 50) {
    const value = await look();
    if (value !== undefined) return value;
    await sleep(50, never);
  }
  throw new Error(`waited for ${WAIT_MS_MAX} ms in vain`);
}

function publish(kinesis: AnsweringKinesis, stream: string, count: number, make: (index: number) => object): void {
  const indexes = Array.from({ length: count }, (_, index) => index);
  kinesis.publish(
    stream,
    indexes.map((index) => `c${index % COMPANIES}`),
    indexes.map((index) => JSON.stringify(make(index))),
  );
}

function company(index: number): object {
  const base = { industry: 'retail', revenu: 100, employees: 10, job30: 3, job90: 9, monthlyFee: 1, totalFee: 2 };
  return { companyID: `c${index}`, ...base };
}

function job(index: number): object {
  return { companyID: `c${index % COMPANIES}`, userID: `user_${index % 7}`, nbJobs: 1, dataSize: 1_000_000 };
}
