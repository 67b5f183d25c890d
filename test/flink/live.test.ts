import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { KinesisApi } from '../../src/connectors/kinesis/kinesis-api.ts';
import { untilAllTasksRun } from '../../src/hosts/flink/cluster/job-watch.ts';
import { openKinesis } from '../../src/hosts/node/open-kinesis.ts';
import { Pipeline } from '../../src/services/dashboard/pipeline-source.ts';
import { LOCAL_REGION, type LocalKinesis, startLocalKinesis } from '../support/local-kinesis.ts';
import { contentsOf, put } from '../support/stream-contents.ts';
import { type Profile, TestServices } from '../support/test-services.ts';
import { GraphCluster, repeated, rowLines } from './support/graph-job.ts';
import { missing, needs } from './support/needs.ts';
import { scratchFolder } from './support/scratch.ts';

const folder = await scratchFolder();
const never = new AbortController().signal;
const COMPANIES = 6;
const DAY = Date.UTC(2026, 0, 15);

const company = (index: number): Profile => ({
  companyID: `comp_${index}`,
  industry: 'retail',
  revenu: 1000,
  employees: 10,
  job30: 0,
  job90: 0,
  monthlyFee: 100,
  totalFee: 1200,
  updatedAt: DAY - 86_400_000,
});

describe.skipIf(missing !== null)(`a live job on Flink, over streams and services${needs}`, () => {
  let graphs: GraphCluster;
  let kinesis: LocalKinesis;
  let api: KinesisApi;
  let services: TestServices;
  let sent = 0;

  beforeEach(async () => {
    sent = 0;
    kinesis = await startLocalKinesis();
    for (const [name, shards] of [
      ['bigdatajobs', 2],
      ['companies', 1],
      ['enrichedcompanies', 1],
    ] as const) {
      await kinesis.createStream(name, shards);
    }
    api = openKinesis(LOCAL_REGION, kinesis.endpoint);
    services = new TestServices(
      new Map(Array.from({ length: COMPANIES }, (_, index) => [`comp_${index}`, company(index)])),
    );
    await services.start();
    graphs = await GraphCluster.start({ folder: `${folder}/cluster` });
  });
  afterEach(async () => {
    await graphs?.stop();
    await services?.stop();
    api?.close();
    await kinesis?.stop();
  });

  /** Each company in turn, a second later each time. */
  const send = async (count: number) => {
    const records = Array.from({ length: count }, () => {
      const companyID = `comp_${sent % COMPANIES}`;
      const event = {
        companyID,
        userID: 'user_1',
        nbJobs: 1,
        creationDate: DAY + 1000 * sent,
        eventID: `event-${sent}`,
      };
      sent++;
      return { partitionKey: companyID, data: JSON.stringify(event) };
    });
    await put(api, 'bigdatajobs', records);
  };
  const enriched = async () => (await contentsOf(api, 'enrichedcompanies')).map(({ text }) => JSON.parse(text) as Row);
  const eventIDs = async () => new Set((await enriched()).map(({ eventID }) => eventID));

  async function submitted(output: string, parallelism: number, ...more: string[]): Promise<string> {
    const endpoint = { 'aws.region': LOCAL_REGION, 'aws.endpoint': kinesis.endpoint };
    const settings = Object.fromEntries(services.settings('sink.roll.age=1s', ...more).map((text) => text.split('=')));
    return graphs.submitLive(
      {
        ConsumerConfigProperties: {
          ...endpoint,
          'jobs.stream.initial.position': 'TRIM_HORIZON',
          'companies.stream.initial.position': 'TRIM_HORIZON',
        },
        ProducerConfigProperties: { 'aws.region': LOCAL_REGION },
        ApplicationConfigProperties: { S3SinkPath: `file://${output}`, ...settings },
      },
      parallelism,
    );
  }

  test('each record counts once through split, merge and the kill of a TaskManager; rows go to files and to the stream', async () => {
    const output = `${folder}/rows`;
    // A call that is given up, as this process stalls, would be scored after the next one; its repeat may not.
    const jobID = await submitted(output, 2, 'score.retries=0', 'score.timeout=60s');
    await untilAllTasksRun(graphs.cluster.rest, jobID, { signal: never });
    await send(60);
    await expect.poll(async () => (await eventIDs()).size).toBe(60);

    // What the dashboard's Pipeline view makes of Flink's REST API.
    const pipeline = new Pipeline({ metricsUrl: '', flink: { url: graphs.cluster.rest.url, job: '' } }, Date.now);
    const seen = async () => {
      const told = await pipeline.ask();
      if ('problem' in told) return told.problem;
      return {
        host: [told.host.kind, told.host.job?.id, told.host.state],
        records: told.flow.sources.map(({ source, records }) => [source, records]),
        rows: told.flow.sinks.map(({ sink, rows }) => [sink, rows >= 60]),
        shards: told.shards.length,
        isOnTime: told.watermark.at !== null,
        hasCheckpoint: told.checkpoint.ageSeconds !== null && told.checkpoint.bytes !== null,
        isAsked: told.services.map(({ service, calls, breaker }) => [service, (calls ?? 0) >= COMPANIES, breaker]),
      };
    };
    await expect.poll(seen).toEqual({
      host: ['flink', jobID, 'RUNNING'],
      records: [['jobs', 60]],
      rows: [
        ['enrichedcompanies', true],
        ['rows', true],
      ],
      shards: 3,
      isOnTime: true,
      hasCheckpoint: true,
      isAsked: [
        ['churn-scoring', true, 'closed'],
        ['tenant-manager', true, 'closed'],
      ],
    });

    await kinesis.split('bigdatajobs', 'shardId-000000000000');
    await send(60);
    await expect.poll(async () => (await eventIDs()).size).toBe(120);
    await kinesis.merge('bigdatajobs', 'shardId-000000000002', 'shardId-000000000003');
    await send(60);
    await expect.poll(async () => (await eventIDs()).size).toBe(180);

    await graphs.cluster.kill(0, 'SIGKILL');
    await graphs.cluster.startTaskManager();
    await untilAllTasksRun(graphs.cluster.rest, jobID, { signal: never });
    await send(60);
    await expect.poll(async () => (await eventIDs()).size).toBe(240);

    // While scoring is away rows leave without a score, and once more with it.
    services.illness = ({ method }) => (method === 'POST' ? 503 : undefined);
    await send(12);
    await expect
      .poll(async () => (await enriched()).filter(({ scoreStatus }) => scoreStatus === 'unavailable').length)
      .toBeGreaterThan(0);
    services.illness = () => undefined;
    const scored = async () => (await enriched()).filter(({ scoreStatus }) => scoreStatus === 'scored');
    await expect.poll(async () => new Set((await scored()).map(({ eventID }) => eventID)).size).toBe(252);

    // Rows of a company are numbered without a gap: none was counted twice, none left out.
    const versions = new Map<string, Set<number>>();
    for (const { companyID, version } of await enriched()) {
      versions.set(companyID, (versions.get(companyID) ?? new Set()).add(version));
    }
    expect([...versions.values()].map((seen) => [seen.size, Math.max(...seen)])).toEqual(
      Array.from({ length: COMPANIES }, () => [252 / COMPANIES, 252 / COMPANIES]),
    );
    // A repeat on the stream, after the kill, says the same.
    const told = new Map<string, string>();
    for (const row of await enriched()) {
      const key = `${row.companyID} ${row.version} ${row.scoreStatus}`;
      expect(told.get(key) ?? JSON.stringify(row)).toBe(JSON.stringify(row));
      told.set(key, JSON.stringify(row));
    }

    // Files are finished by age, at a checkpoint: all rows are there, once.
    const inFiles = async () => {
      const lines = await rowLines(output).catch(() => []);
      return new Set(lines.map((line) => (JSON.parse(line) as Row).eventID)).size;
    };
    await expect.poll(inFiles).toBe(252);
    expect(repeated(await rowLines(output))).toEqual([]);

    const savepoint = await graphs.cluster.rest.stopWithSavepoint(jobID, `file://${folder}/savepoints`);
    expect(savepoint).toContain('/savepoints/');
  });

  test('while TenantManager is away it takes no more than it may hold, however slowly records come, and goes on after it', async () => {
    const many = 1800;
    services.illness = ({ method }) => (method === 'GET' ? 503 : undefined);
    const jobID = await submitted(`${folder}/rows`, 1, 'tenant.breaker.reset=1s');
    await untilAllTasksRun(graphs.cluster.rest, jobID, { signal: never });
    const held = () => graphs.metric(jobID, 'tenant_analytics_calls_held');
    // Never so many at once that they fill a bundle of 128 within its 20 ms: a shard is read five times a second.
    while (sent < many) {
      await send(12);
      await new Promise((resolve) => setTimeout(resolve, 60));
    }
    await expect.poll(held).toBeGreaterThan(400);
    await new Promise((resolve) => setTimeout(resolve, 12_000)); // metrics are fetched now and then
    expect(await held()).toBeLessThan(800);
    expect(await graphs.metric(jobID, 'tenant_analytics_back_pressure_bytes')).toBeLessThan(2.7 * 2 ** 20);
    services.illness = () => undefined;
    await expect.poll(async () => (await eventIDs()).size).toBe(many);
  });
});

interface Row {
  readonly companyID: string;
  readonly version: number;
  readonly eventID: string;
  readonly scoreStatus: string;
}
