import { existsSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { seededWorld, type World } from '../model/arbitraries.ts';
import { obviousModel } from '../model/obvious-model.ts';
import { type Profile, TestServices } from '../support/test-services.ts';
import { canonicalText, GraphCluster, type GraphJob, repeated, rowLines, writeInputs } from './support/graph-job.ts';
import { missing, needs } from './support/needs.ts';
import { jarWith } from './support/other-jar.ts';
import { scratchFolder } from './support/scratch.ts';

/*
 * The theorem: whatever process of the cluster is killed, and whenever, each record is counted once and each row stands once
 * in finished files. Services take their time until the job was struck, so that it is in its midst, with calls in flight.
 */
const folder = await scratchFolder();
/** `npm run test:flink -- --soak` kills more often. */
const KILLS = process.env.FLINK_SOAK === undefined ? 3 : 20;
/** Of an answer until the job was struck, and after. */
const SLOW_MS = 150;
const QUICK_MS = 1;
/**
 * Behind an input that was read to its end no checkpoint is taken (docs/flink.md, Known limits): so a job must be reading still
 * when it is struck. A field that nobody reads makes records large, and back-pressure, which counts bytes, holds them back.
 */
const UNREAD = 'x'.repeat(5000);
const SEED = Number(process.env.FLINK_SEED ?? 1);
/** Of a world in which nearly all events are of the company that is known. */
const OF_ONE = 9;

interface Prepared {
  readonly job: GraphJob;
  readonly expected: string;
  readonly services: TestServices;
}

/** Input whose counts the model knows, and services for it. */
async function prepared(name: string, world: World, ...more: string[]): Promise<Prepared> {
  const tenants = new Map<string, Profile>();
  for (const { deleted, ...record } of world.companies) {
    if (deleted) tenants.delete(record.companyID);
    else tenants.set(record.companyID, record);
  }
  const services = new TestServices(tenants);
  services.delayMs = SLOW_MS;
  await services.start();
  const large = world.jobs.map((job) => ({ ...job, unread: UNREAD }));
  const inputs = await writeInputs(`${folder}/${name}`, world.companies, large);
  const { canonical } = obviousModel(world.modelCompanies, world.modelJobs, {
    decay: true,
    counting: 'rolling',
    outOfOrderness: 60_000,
  });
  const settings = services.settings('score.concurrency=8', 'tenant.cache.ttl=1ms', 'score.cache.ttl=1ms', ...more);
  return {
    job: { ...inputs, output: `${folder}/${name}/out`, settings },
    expected: canonical.map((line) => `${line}\n`).join(''),
    services,
  };
}

async function expectRight({ job, expected }: Prepared): Promise<void> {
  const lines = await rowLines(job.output);
  expect(repeated(lines)).toEqual([]);
  expect(await canonicalText(job.output)).toBe(expected);
}

describe.skipIf(missing !== null)(`processes of a cluster that are killed${needs}`, () => {
  let graphs: GraphCluster;
  let running: Prepared | undefined;
  beforeAll(async () => {
    graphs = await GraphCluster.start({ folder: `${folder}/cluster` });
  });
  afterEach(async () => {
    await running?.services.stop();
    running = undefined;
  });
  afterAll(() => graphs?.stop());

  const killOne = async (random: () => number) => {
    const { cluster } = graphs;
    const alive = cluster.taskManagers.flatMap((jvm, index) => (jvm.hasEnded ? [] : [index]));
    await cluster.kill(alive[Math.floor(random() * alive.length)] ?? 0, 'SIGKILL');
    await cluster.startTaskManager();
  };

  test(`kill -9 of a TaskManager, ${KILLS} times in mid-run: each record counts once`, async () => {
    const random = seededRandom(SEED);
    running = await prepared('kills', seededWorld(SEED, { companies: 40, jobs: 8000 }));
    // More kills take longer, and the model has its time with more events.
    running.services.delayMs = (SLOW_MS * KILLS) / 3;
    const jobID = await graphs.submit({ ...running.job, parallelism: 3 });
    for (let kill = 0; kill < KILLS; kill++) {
      await graphs.checkpointed(jobID, 2 + 2 * kill);
      await new Promise((resolve) => setTimeout(resolve, random() * 500));
      await killOne(random);
    }
    running.services.delayMs = QUICK_MS;
    await graphs.finished(jobID);
    await expectRight(running);
  });

  test('kill -9 with 100 calls in flight for one company: its rows come in order, each once', async () => {
    running = await prepared('one-company', seededWorld(OF_ONE, { companies: 1, jobs: 2000 }));
    const { services } = running;
    const jobID = await graphs.submit({ ...running.job, parallelism: 2, checkpointMs: 100 });
    await graphs.checkpointed(jobID, 3);
    await expect.poll(() => graphs.metric(jobID, 'tenant_analytics_calls_held')).toBeGreaterThan(100);
    await killOne(seededRandom(SEED));
    services.delayMs = QUICK_MS;
    await graphs.finished(jobID);
    await expectRight(running);
  });

  test('stopped with a savepoint, another bundle with one more field and another layout of state goes on from it', async () => {
    running = await prepared('upgrade', seededWorld(SEED, { companies: 40, jobs: 4000 }));
    const { job } = running;
    const jobID = await graphs.submit({ ...job, parallelism: 2 });
    await graphs.checkpointed(jobID, 3);
    const savepointPath = await graphs.cluster.rest.stopWithSavepoint(jobID, `file://${folder}/upgrade/savepoints`);
    running.services.delayMs = QUICK_MS;
    const jar = await jarWith('./other-graph.ts', `${folder}/upgrade/other`);
    await graphs.finished(await graphs.submit({ ...job, parallelism: 2, savepointPath }, jar));
    await expectRight(running);
    const rows = (await rowLines(job.output)).map((line) => JSON.parse(line) as { generation?: number });
    const later = rows.filter(({ generation }) => generation === 2).length;
    expect(later).toBeGreaterThan(10);
    expect(rows.length - later).toBeGreaterThan(10);
  });

  test('rescaled from savepoints, 1 to 4 to 2 subtasks: each record counts once', async () => {
    running = await prepared('rescaled', seededWorld(SEED, { companies: 60, jobs: 4000 }));
    const { job } = running;
    let savepointPath: string | undefined;
    for (const parallelism of [1, 4]) {
      // As much is left to do for four as for one.
      running.services.delayMs = SLOW_MS * parallelism;
      const jobID = await graphs.submit({ ...job, parallelism, ...(savepointPath && { savepointPath }) });
      await graphs.checkpointed(jobID, 3);
      savepointPath = await graphs.cluster.rest.stopWithSavepoint(jobID, `file://${folder}/rescaled/savepoints`);
    }
    running.services.delayMs = QUICK_MS;
    expect(existsSync(new URL(savepointPath ?? ''))).toBe(true);
    await graphs.finished(await graphs.submit({ ...job, parallelism: 2, ...(savepointPath && { savepointPath }) }));
    await expectRight(running);
  });

  test('churn scoring down for a while: rows leave without a score, and once more with it', async () => {
    running = await prepared(
      'scorer',
      seededWorld(SEED, { companies: 40, jobs: 4000 }),
      'score.retries=0',
      'score.breaker.failures=3',
    );
    const { services, job } = running;
    const jobID = await graphs.submit({ ...job, parallelism: 2 });
    await graphs.checkpointed(jobID, 2);
    services.illness = ({ method }) => (method === 'POST' ? 503 : undefined);
    await expect.poll(() => graphs.metric(jobID, 'tenant_analytics_calls_to_ask_again')).toBeGreaterThan(50);
    services.illness = () => undefined;
    services.delayMs = QUICK_MS;
    await graphs.finished(jobID);
    await expectRight(running);
    const rows = (await rowLines(job.output)).map((line) => JSON.parse(line) as Record<string, unknown>);
    const key = ({ companyID, version }: Record<string, unknown>) => `${companyID} ${version}`;
    const scored = new Set(rows.filter(({ scoreStatus }) => scoreStatus === 'scored').map(key));
    const unscored = rows.filter(({ scoreStatus }) => scoreStatus === 'unavailable').map(key);
    expect(unscored.length).toBeGreaterThan(0);
    expect(unscored.filter((each) => !scored.has(each))).toEqual([]);
  });
});

describe.skipIf(missing !== null)(`the JobManager, with high availability${needs}`, () => {
  test('kill -9 in mid-run: the next one goes on, and each record counts once', async () => {
    const graphs = await GraphCluster.start({
      folder: `${folder}/ha`,
      taskManagers: 2,
      slots: 2,
      highAvailability: true,
    });
    const running = await prepared('job-manager', seededWorld(SEED, { companies: 40, jobs: 4000 }));
    try {
      const jobID = await graphs.submit({ ...running.job, parallelism: 2 });
      await graphs.checkpointed(jobID, 3);
      await graphs.cluster.killJobManager('SIGKILL');
      await graphs.cluster.restartJobManager();
      running.services.delayMs = QUICK_MS;
      await graphs.finished(jobID);
      await expectRight(running);
    } finally {
      await running.services.stop();
      await graphs.stop();
    }
  });
});
