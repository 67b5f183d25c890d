/** From the arrival of a job event on its stream to the arrival of its row on `enrichedcompanies`, calls excluded. */
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { sleep } from '../../src/base/sleep.ts';
import type { KinesisApi } from '../../src/connectors/kinesis/kinesis-api.ts';
import { nodeWorld } from '../../src/hosts/node/node-world.ts';
import { openKinesis } from '../../src/hosts/node/open-kinesis.ts';
import { type Running, run } from '../../src/hosts/node/run.ts';
import { startLocalKinesis } from '../../src/services/local-kinesis/local-kinesis.ts';
import { SimulatedKinesis } from '../../test/support/simulated-kinesis.ts';
import type { Suite, SuiteOptions } from './suite.ts';

const STREAMS = ['bigdatajobs', 'companies', 'enrichedcompanies'] as const;
const COMPANIES = 50;
/** Events arrive at random: what a fixed interval would tell depends on how it lies to that of the reads. */
const MEAN_INTERVAL_MS = 50;
const SECONDS = 60;
const SECONDS_QUICK = 15;
const WARM_UP_EVENTS = 40;

interface Contender {
  readonly id: string;
  readonly name: string;
  readonly consumer: 'POLLING' | 'EFO';
  readonly kinesis: 'local' | 'memory';
}

const CONTENDERS: readonly Contender[] = [
  { id: 'polling', name: 'POLLING, local Kinesis', consumer: 'POLLING', kinesis: 'local' },
  { id: 'efo', name: 'EFO, local Kinesis', consumer: 'EFO', kinesis: 'local' },
  { id: 'polling-memory', name: 'POLLING, Kinesis in memory', consumer: 'POLLING', kinesis: 'memory' },
  { id: 'efo-memory', name: 'EFO, Kinesis in memory', consumer: 'EFO', kinesis: 'memory' },
];

export const latencySuite: Suite = {
  name: 'latency',
  summary: 'ms from PutRecord to the row on enrichedcompanies, by the clock of the streams; calls excluded',
  contenders: CONTENDERS.map(({ id }) => id),
  run: runLatencySuite,
};

async function runLatencySuite({ quick, runs, only }: SuiteOptions): Promise<boolean> {
  const lines = ['| Reading | Events | p50 ms | p99 ms | Most ms |', '|---|--:|--:|--:|--:|'];
  for (const contender of CONTENDERS) {
    if (only !== undefined && !only.includes(contender.id)) continue;
    const all: number[] = [];
    for (let round = 1; round <= runs; round++) {
      process.stderr.write(`round ${round} of ${runs}: ${contender.name} … `);
      const latencies = await measure(contender, quick ? SECONDS_QUICK : SECONDS);
      process.stderr.write(`p50 ${quantile(latencies, 0.5)} ms, p99 ${quantile(latencies, 0.99)} ms\n`);
      all.push(...latencies);
    }
    const cells = [all.length, quantile(all, 0.5), quantile(all, 0.99), Math.max(...all)];
    lines.push(`| ${contender.name} | ${cells.join(' | ')} |`);
  }
  process.stdout.write(`${lines.join('\n')}\n`);
  return true;
}

function quantile(values: readonly number[], share: number): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
}

async function measure({ consumer, kinesis }: Contender, seconds: number): Promise<number[]> {
  const folder = await mkdtemp(join(tmpdir(), 'latency-'));
  const { api, stop } = kinesis === 'local' ? await localKinesis(folder) : memoryKinesis();
  try {
    await put(
      api,
      'companies',
      Array.from({ length: COMPANIES }, (_, index) => company(index)),
    );
    const running = await startRun(api, consumer, folder);
    await until(() => (running.engine.counters['records.companies'] ?? 0) === COMPANIES);
    const events = WARM_UP_EVENTS + (seconds * 1000) / MEAN_INTERVAL_MS;
    const never = new AbortController().signal;
    let due = Date.now();
    for (let event = 0; event < events; event++) {
      due += -Math.log(1 - Math.random()) * MEAN_INTERVAL_MS;
      await sleep(Math.max(0, due - Date.now()), never);
      await put(api, 'bigdatajobs', [job(event)]);
    }
    await until(() => (running.engine.counters['rows.enrichedcompanies'] ?? 0) >= events);
    running.engine.stop();
    await running.done;
    return (await latenciesOf(api)).slice(WARM_UP_EVENTS);
  } finally {
    await stop();
    await rm(folder, { recursive: true });
  }
}

async function startRun(api: KinesisApi, consumer: string, folder: string) {
  const started: { engine?: Running } = {};
  const texts = {
    ConsumerConfigProperties: {
      'jobs.stream.consumer': consumer,
      'jobs.stream.initial.position': 'TRIM_HORIZON',
      'companies.stream.initial.position': 'TRIM_HORIZON',
    },
    ApplicationConfigProperties: {
      S3SinkPath: pathToFileURL(`${folder}/rows`).href,
      'data.dir': folder,
      enrichment: 'join',
      scoring: 'off',
    },
  };
  const world = nodeWorld((message) => process.stderr.write(`${message}\n`));
  const observer = {
    started: (engine: Running) => {
      started.engine = engine;
    },
  };
  const done = run(texts, world, observer, { ...borrowed(api) });
  await Promise.race([until(() => started.engine !== undefined), done]);
  if (started.engine === undefined) throw new Error('the run did not start');
  return { engine: started.engine, done };
}

/** As it is, but that the run does not close it. */
function borrowed(api: KinesisApi): KinesisApi {
  return {
    describeStream: (stream) => api.describeStream(stream),
    listShards: (stream) => api.listShards(stream),
    getShardIterator: (stream, shardId, start) => api.getShardIterator(stream, shardId, start),
    getRecords: (iterator, limit) => api.getRecords(iterator, limit),
    registerConsumer: (arn, name) => api.registerConsumer(arn, name),
    deregisterConsumer: (arn, name) => api.deregisterConsumer(arn, name),
    subscribeToShard: (arn, shardId, start, signal) => api.subscribeToShard(arn, shardId, start, signal),
    putRecords: (stream, entries) => api.putRecords(stream, entries),
    close: () => undefined,
  };
}

async function localKinesis(folder: string): Promise<{ api: KinesisApi; stop: () => Promise<void> }> {
  const streams = STREAMS.map((name) => ({ name, shards: 1 }));
  const warn = (message: string) => process.stderr.write(`${message}\n`);
  const signal = new AbortController().signal;
  const local = await startLocalKinesis({ folder: `${folder}/kinesis`, port: 0, streams, warn, signal });
  const api = openKinesis('us-west-2', local.endpoint);
  const stop = async () => {
    api.close();
    await local.stop();
  };
  return { api, stop };
}

function memoryKinesis(): { api: KinesisApi; stop: () => Promise<void> } {
  const api = new SimulatedKinesis({ clock: { now: Date.now }, sleep });
  for (const stream of STREAMS) api.createStream(stream);
  return { api, stop: async () => api.close() };
}

async function put(api: KinesisApi, stream: string, records: readonly object[]): Promise<void> {
  const entries = records.map((record) => ({ partitionKey: 'k', data: Buffer.from(JSON.stringify(record)) }));
  const refused = (await api.putRecords(stream, entries)).find(({ errorCode }) => errorCode !== null);
  if (refused !== undefined) throw new Error(`${refused.errorCode}: ${refused.errorMessage}`);
}

/** By `eventID`, which names the record a row was made for. */
async function latenciesOf(api: KinesisApi): Promise<number[]> {
  const arrived = new Map((await recordsOf(api, 'bigdatajobs')).map((record) => [record.sequenceNumber, record]));
  return (await recordsOf(api, 'enrichedcompanies')).flatMap(({ data, arrivalTime }) => {
    const { eventID } = JSON.parse(Buffer.from(data).toString('utf8')) as { eventID: string };
    const job = arrived.get(eventID.split(':')[1] ?? '');
    return job === undefined ? [] : [arrivalTime - job.arrivalTime];
  });
}

async function recordsOf(api: KinesisApi, stream: string) {
  const [shard] = await api.listShards(stream);
  let iterator: string | null = await api.getShardIterator(stream, shard?.shardId ?? '', { type: 'TRIM_HORIZON' });
  const records = [];
  for (;;) {
    await sleep(250, new AbortController().signal);
    if (iterator === null) return records;
    const batch = await api.getRecords(iterator, 10_000);
    records.push(...batch.records);
    if (batch.millisBehindLatest === 0 && batch.records.length === 0) return records;
    iterator = batch.nextIterator;
  }
}

function company(index: number): object {
  const base = { industry: 'retail', revenu: 100, employees: 10, job30: 3, job90: 9, monthlyFee: 1, totalFee: 2 };
  return { companyID: `c${index}`, ...base };
}

function job(event: number): object {
  return { companyID: `c${(event * 7) % COMPANIES}`, userID: 'u', nbJobs: 1 };
}

async function until(holds: () => boolean): Promise<void> {
  const never = new AbortController().signal;
  for (let waited = 0; !holds(); waited += 20) {
    if (waited > 60_000) throw new Error('waited for a minute in vain');
    await sleep(20, never);
  }
}
