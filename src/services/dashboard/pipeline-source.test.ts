import { afterEach, expect, test } from 'vitest';
import {
  type FlinkState,
  JOB,
  MODEL_METRICS,
  nodeMetrics,
  startFlink,
  startText,
} from '../../../test/support/pipeline-hosts.ts';
import { pipelineSchema } from './pipeline-schema.ts';
import { Pipeline, type PipelinePlaces } from './pipeline-source.ts';

const NOW = 1795374460_000;
const NOBODY = 'http://127.0.0.1:1';
const closing: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

async function text(told: () => string): Promise<string> {
  const { url, stop } = await startText(told);
  closing.push(stop);
  return url;
}

async function flinkOf(told: () => FlinkState): Promise<string> {
  const { url, stop } = await startFlink(told);
  closing.push(stop);
  return url;
}

function running(over: Partial<FlinkState> = {}): FlinkState {
  return { jobs: [{ id: JOB, state: 'RUNNING' }], records: 30, checkpointAt: NOW - 20_000, ...over };
}

/** Asks, and holds the answer to its schema. */
async function answered(pipeline: Pipeline) {
  const told = await pipeline.ask();
  if ('problem' in told) throw new Error(told.problem);
  const asOf = pipelineSchema.shape.asOf;
  pipelineSchema.omit({ asOf: true, insight: true, title: true, totals: true }).parse(told);
  expect(asOf).toBeDefined();
  return told;
}

async function problem(places: PipelinePlaces): Promise<string> {
  const told = await new Pipeline(places, () => NOW).ask();
  return 'problem' in told ? told.problem : 'answered';
}

const flinkPlaces = (url: string, job = ''): PipelinePlaces => ({ metricsUrl: '', flink: { url, job } });

test("the Node host's metrics tell lag, watermark, checkpoint, calls with their latency and breaker, and dead letters", async () => {
  const metricsUrl = await text(() => nodeMetrics({ started: 1795370000, jobs: 100, calls: 50 }));
  const told = await answered(new Pipeline({ metricsUrl, output: "it's/out" }, () => NOW));
  expect(told.host).toMatchObject({ kind: 'node', isRunning: true, since: new Date(1795370000_000).toISOString() });
  expect(told.shards).toEqual([
    { shard: 'jobs:shardId-000000000001', behindSeconds: 42, isIdle: false },
    { shard: 'jobs:shardId-000000000000', behindSeconds: 1.5, isIdle: true },
  ]);
  expect(told.watermark).toEqual({ at: new Date(1795374400_000).toISOString(), delaySeconds: 60 });
  expect(told.checkpoint).toEqual({ ageSeconds: 12, bytes: 1_200_000, durationSeconds: 0.034, failed: null });
  const [tenants, scoring] = told.services;
  expect(tenants).toMatchObject({ service: 'tenant-manager', breaker: 'closed', p50: 0.01, toAskAgain: null });
  expect(tenants?.p99).toBeCloseTo(0.0982, 4);
  expect(scoring).toMatchObject({ breaker: 'open', p50: null, failures: 7, held: 2, toAskAgain: 5 });
  expect(told.deadLetters).toMatchObject([
    { reason: 'malformed', count: 3, list: "npx tenant-analytics dead-letters list 'it'\\''s/out' --reason malformed" },
  ]);
  expect(told.model).toBeNull();
});

test('rates are made from two scrapes; after a restart there is none until two of the new run, and never a negative one', async () => {
  let state = { started: 1000, jobs: 100, calls: 50 };
  let now = NOW;
  const pipeline = new Pipeline({ metricsUrl: await text(() => nodeMetrics(state)) }, () => now);
  const jobs = async () => (await answered(pipeline)).flow.sources[0]?.perSecond;
  expect(await jobs()).toBeNull();
  // Too close together to say anything.
  now += 100;
  expect(await jobs()).toBeNull();
  now += 9900;
  state = { started: 1000, jobs: 150, calls: 70 };
  const told = await answered(pipeline);
  expect(told.flow).toMatchObject({ rateSeconds: 10, sources: [{ perSecond: 5 }, { perSecond: 0 }] });
  expect(told.services[0]?.callsPerSecond).toBe(2);
  // Went back to its checkpoint within one process, then as another process.
  now += 10_000;
  state = { started: 1000, jobs: 120, calls: 80 };
  expect(await jobs()).toBeNull();
  now += 10_000;
  state = { started: 2000, jobs: 130, calls: 90 };
  expect(await jobs()).toBeNull();
  now += 10_000;
  state = { started: 2000, jobs: 140, calls: 90 };
  expect(await jobs()).toBe(1);
});

test("on Flink the job's REST API tells the same, under the same names", async () => {
  let state = running();
  let now = NOW;
  const pipeline = new Pipeline(flinkPlaces(await flinkOf(() => state)), () => now);
  const told = await answered(pipeline);
  expect(told.host).toMatchObject({ kind: 'flink', state: 'RUNNING', restarts: 1, job: { id: JOB } });
  expect(told.flow).toMatchObject({
    sources: [{ source: 'jobs', records: 30, perSecond: null }],
    sinks: [{ sink: 'rows', rows: 30 }],
  });
  // The slowest task's watermark; a shard that was not read yet is not told.
  expect(told.watermark).toEqual({ at: new Date(1795374400_000).toISOString(), delaySeconds: 60 });
  expect(told.shards).toEqual([{ shard: 'bigdatajobs:shardId-000000000000', behindSeconds: 1.5, isIdle: null }]);
  expect(told.checkpoint).toEqual({ ageSeconds: 20, bytes: 5_000_000, durationSeconds: 0.25, failed: 2 });
  expect(told.services).toMatchObject([
    { service: 'churn-scoring', calls: 50, failures: 4, held: 1, toAskAgain: 6, breaker: 'open', p50: null },
  ]);
  expect(told.deadLetters).toMatchObject([{ reason: 'malformed', count: 3 }]);
  expect(told.vertices).toMatchObject([{ parallelism: 2, recordsInPerSecond: 120.5, recordsOutPerSecond: 118 }]);
  expect(told.rows).toContainEqual(
    expect.objectContaining({ metric: 'tenant_analytics_records_total', labels: 'source="jobs"', kind: 'counter' }),
  );
  now += 10_000;
  state = running({ records: 80 });
  expect((await answered(pipeline)).flow.sources[0]?.perSecond).toBe(5);
});

test('a job that failed is shown as such; one that is not there, or one of several, is said in words', async () => {
  const failed = { id: JOB, state: 'FAILED' };
  const told = await answered(new Pipeline(flinkPlaces(await flinkOf(() => running({ jobs: [failed] }))), () => NOW));
  expect(told.host).toMatchObject({ state: 'FAILED', isRunning: false });
  expect(told.checkpoint.bytes).toBe(5_000_000);
  const other = await flinkOf(() => running({ jobs: [{ id: JOB, state: 'RUNNING', name: 'Other' }] }));
  expect(await problem(flinkPlaces(other))).toMatch(/has no job named CompanyJobProcessing/);
  expect(await problem(flinkPlaces(other, 'ffff'))).toMatch(/has no job ffff; name another with --flink-job/);
  expect(await problem(flinkPlaces(other, JOB))).toBe('answered');
  const two = await flinkOf(() => running({ jobs: [...running().jobs, { id: 'ee', state: 'RUNNING' }] }));
  expect(await problem(flinkPlaces(two))).toMatch(/runs 2 jobs .* choose with --flink-job/);
  expect(await problem(flinkPlaces(NOBODY))).toMatch(/Flink at http:\/\/127\.0\.0\.1:1 does not answer/);
  const noFlink = await text(() => 'no JSON');
  expect(await problem(flinkPlaces(noFlink))).toMatch(/answers 404/);
});

test('of two hosts the one that runs is shown, and what the other said; when none answers both are named', async () => {
  const node = await text(() => nodeMetrics({ started: 1, jobs: 1, calls: 1 }));
  const url = await flinkOf(running);
  const shown = async (metricsUrl: string, flinkUrl: string) => {
    const { host } = await answered(new Pipeline({ metricsUrl, flink: { url: flinkUrl, job: '' } }, () => NOW));
    return [host.kind, host.besides] as const;
  };
  expect(await shown(`${NOBODY}/metrics`, url)).toEqual(['flink', expect.stringContaining('does not answer')]);
  expect(await shown(node, NOBODY)).toEqual(['node', expect.stringContaining('Flink at')]);
  expect(await shown(node, url)).toEqual(['node', expect.stringContaining('is RUNNING')]);
  const none = await problem({ metricsUrl: `${NOBODY}/metrics`, flink: { url: NOBODY, job: '' } });
  expect(none).toMatch(/metrics does not answer.*Flink at .* does not answer/);
});

test('model health comes from churn scoring, with the reason to look; without its answer it is not told, and why', async () => {
  const metricsUrl = await text(() => nodeMetrics({ started: 1, jobs: 1, calls: 1 }));
  const modelMetricsUrl = await text(() => MODEL_METRICS);
  const told = await answered(new Pipeline({ metricsUrl, modelMetricsUrl }, () => NOW));
  expect(told.model).toMatchObject({
    ...{ version: '2026.11', state: 'look', drift: { feature: 'employees', psi: 0.31 }, outcomes: null },
    reasons: [expect.stringContaining('employees drifted')],
  });
  const without = await answered(new Pipeline({ metricsUrl, modelMetricsUrl: `${NOBODY}/metrics` }, () => NOW));
  expect([without.model, without.modelProblem]).toEqual([null, expect.stringContaining('does not answer')]);
});
