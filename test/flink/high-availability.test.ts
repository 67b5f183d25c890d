import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FlinkCluster, startCluster } from '../../src/hosts/flink/cluster/cluster.ts';
import { untilAllTasksRun } from '../../src/hosts/flink/cluster/job-watch.ts';
import { countingJar } from './support/counting-jar.ts';
import { missing, needs } from './support/needs.ts';
import { isAlive } from './support/processes.ts';
import { scratchFolder } from './support/scratch.ts';

const never = new AbortController().signal;
const folder = await scratchFolder();

describe.skipIf(missing !== null)(`a cluster with high availability${needs}`, () => {
  let cluster: FlinkCluster;
  let jar: string;

  beforeAll(async () => {
    const setting = { folder: `${folder}/cluster`, taskManagers: 2, slots: 1, highAvailability: true };
    [cluster, jar] = await Promise.all([startCluster(setting), countingJar(folder)]);
  });
  afterAll(() => cluster?.stop());

  test('a job goes on with its counts under a new JobManager after kill -9 of the first', async () => {
    const { rest } = cluster;
    const jobID = await rest.runJar(await rest.uploadJar(jar), { programArgs: [], parallelism: 2 });
    await untilAllTasksRun(rest, jobID, { signal: never });
    const completed = async () => (await rest.checkpoints(jobID)).counts.completed;
    await expect.poll(completed).toBeGreaterThan(2);
    const first = cluster.jobManager;
    await cluster.killJobManager('SIGKILL');
    await cluster.restartJobManager();
    expect(cluster.jobManager.name).not.toBe(first.name);
    await untilAllTasksRun(rest, jobID, { signal: never });
    // The new one counts from nothing, and restored the job once.
    await expect.poll(completed).toBeGreaterThan(2);
    expect((await rest.checkpoints(jobID)).counts.restored).toBe(1);
    expect(await rest.failures(jobID)).toEqual([]);
    const savepoint = await rest.stopWithSavepoint(jobID);
    expect(savepoint).toContain('/savepoints/');
  });

  test('ZooKeeper ends with the cluster', async () => {
    expect(cluster.processes.map(({ name }) => name)).toContain('zookeeper-1');
    await cluster.stop();
    for (const { pid } of cluster.processes) expect(await isAlive(pid)).toBe(false);
  });
});
