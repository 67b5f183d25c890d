import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type FlinkCluster, startCluster } from '../../src/hosts/flink/cluster/cluster.ts';
import { untilAllTasksRun, watchJob } from '../../src/hosts/flink/cluster/job-watch.ts';
import { countingJar } from './support/counting-jar.ts';
import { missing, needs } from './support/needs.ts';
import { commandLines, isAlive } from './support/processes.ts';
import { scratchFolder } from './support/scratch.ts';

const never = new AbortController().signal;
const folder = await scratchFolder();

describe.skipIf(missing !== null)(`a cluster of a JobManager and three TaskManagers${needs}`, () => {
  let cluster: FlinkCluster;
  let jar: string;

  beforeAll(async () => {
    const extraConfig = { 'jobmanager.archive.fs.dir': `file://${folder}/archive` };
    const setting = { folder: `${folder}/cluster`, taskManagers: 3, slots: 2, extraConfig };
    const [started, path] = await Promise.all([startCluster(setting), countingJar(folder)]);
    cluster = started;
    jar = await cluster.rest.uploadJar(path);
  });
  afterAll(() => cluster?.stop());

  const submit = (words: string[] = [], more: { parallelism?: number; savepointPath?: string } = {}) =>
    cluster.rest.runJar(jar, { programArgs: words, parallelism: 2, ...more });
  const running = (jobID: string) => untilAllTasksRun(cluster.rest, jobID, { signal: never });
  const counts = async (jobID: string) => (await cluster.rest.checkpoints(jobID)).counts;
  /** One that began after now. */
  const nextCheckpoint = async (jobID: string) => {
    const { completed } = await counts(jobID);
    await expect.poll(async () => (await counts(jobID)).completed).toBeGreaterThan(completed + 1);
  };
  const end = async (jobID: string) => {
    await cluster.rest.cancel(jobID);
    await watchJob(cluster.rest, jobID, ({ state }) => state === 'CANCELED', { signal: never });
  };

  test('all are there, with their slots, and listen on this machine only', async () => {
    expect(await cluster.rest.overview()).toMatchObject({
      taskmanagers: 3,
      'slots-total': 6,
      'flink-version': '1.20.5',
    });
    const pids = cluster.processes.map(({ pid }) => pid);
    expect(pids).toHaveLength(4);
    const addresses = await listening(pids);
    expect(addresses.length).toBeGreaterThan(6);
    expect(addresses.filter((address) => !isLoopback(address))).toEqual([]);
  });

  test('one that is stopped while a TaskManager is being started leaves no process behind', async () => {
    const other = await startCluster({ folder: `${folder}/stopped`, taskManagers: 1, slots: 1 });
    const refused = expect(other.startTaskManager()).rejects.toMatchObject({ code: 'STOPPED' });
    await other.stop();
    await refused;
    expect(await commandLines(`${folder}/stopped/`)).toEqual([]);
  });

  test('once all tasks run, no checkpoint fails', async () => {
    const jobID = await submit();
    await running(jobID);
    const before = await counts(jobID);
    await expect.poll(async () => (await counts(jobID)).completed).toBeGreaterThan(before.completed + 10);
    expect((await counts(jobID)).failed).toBe(before.failed);
    // Those before were never begun: the history, which has each that was, has none that failed.
    const { history } = await cluster.rest.checkpoints(jobID);
    expect(history.filter(({ status }) => status === 'FAILED')).toEqual([]);
    await end(jobID);
  });

  test('a job goes on with its counts after kill -9 of a TaskManager that ran it', async () => {
    const jobID = await submit([], { parallelism: 4 });
    await running(jobID);
    await nextCheckpoint(jobID);
    const job = await cluster.rest.job(jobID);
    const [task] = await cluster.rest.subtasks(jobID, job.vertices[1]?.id ?? '');
    const index = cluster.taskManagers.findIndex(({ name }) => name === task?.['taskmanager-id']);
    await cluster.kill(index, 'SIGKILL');
    await cluster.startTaskManager();
    await expect.poll(async () => (await counts(jobID)).restored).toBeGreaterThan(0);
    await running(jobID);
    await nextCheckpoint(jobID);
    // Once: were it restarted before the death is noticed, it would be deployed to the dead process again.
    expect((await counts(jobID)).restored).toBe(1);
    const failures = await cluster.rest.failures(jobID);
    expect(failures.filter(({ stacktrace }) => stacktrace.includes('counted wrong'))).toEqual([]);
    await end(jobID);
  });

  test('a job is stopped with a savepoint, and goes on from it with another parallelism', async () => {
    const first = await submit();
    await running(first);
    await nextCheckpoint(first);
    const savepoint = await cluster.rest.stopWithSavepoint(first);
    expect(savepoint).toContain('/cluster/savepoints/savepoint-');
    await watchJob(cluster.rest, first, ({ state }) => state === 'FINISHED', { signal: never });
    // Without its counts it would fail at the first number.
    for (const parallelism of [4, 1]) {
      const next = await submit([], { parallelism, savepointPath: savepoint });
      const job = await running(next);
      expect(job?.vertices.at(-1)?.parallelism).toBe(parallelism);
      await nextCheckpoint(next);
      expect((await counts(next)).restored).toBe(1);
      await end(next);
    }
  });

  test('a job at its end leaves no checkpoint, and a word in the archive', async () => {
    const jobID = await submit(['--until', '4000', '--checkpoint-interval-ms', '100']);
    await watchJob(cluster.rest, jobID, ({ state }) => state === 'FINISHED', { signal: never });
    expect((await counts(jobID)).completed).toBeGreaterThan(1);
    await expect.poll(() => existsSync(`${folder}/archive/${jobID}`)).toBe(true);
    const left = await readdir(`${cluster.folder}/checkpoints/${jobID}`).catch(() => []);
    expect(left.filter((name) => name.startsWith('chk-'))).toEqual([]);
  });

  test('a job that is cancelled leaves its last checkpoint, and goes on from it', async () => {
    const jobID = await submit();
    await running(jobID);
    await nextCheckpoint(jobID);
    await end(jobID);
    const path = (await cluster.rest.checkpoints(jobID)).latest.completed?.external_path;
    const next = await submit([], path === undefined ? {} : { savepointPath: path });
    await running(next);
    await nextCheckpoint(next);
    expect((await counts(next)).restored).toBe(1);
    await end(next);
  });

  test('a job that fails is told with its innermost reason', async () => {
    const restarts = ['--fail-at', '100'];
    const jobID = await submit(restarts);
    await expect.poll(() => cluster.rest.failures(jobID).then((all) => all.length)).toBeGreaterThan(0);
    const [failure] = await cluster.rest.failures(jobID);
    expect(failure?.stacktrace).toContain('told to fail at 100');
    await end(jobID);
  });

  test.each([
    ['a main method that fails', ['--fail-in-main'], /IllegalArgumentException: main was told to fail$/],
    ['a bad argument', ['--until', 'many'], /NumberFormatException: For input string: "many"$/],
  ])('%s is told by what it says', async (_, words, reason) => {
    await expect(submit(words)).rejects.toMatchObject({
      code: 'FLINK_REFUSED',
      message: expect.stringMatching(reason),
    });
  });

  test('a savepoint that is not there is told by its path', async () => {
    await expect(submit([], { savepointPath: `file://${folder}/none` })).rejects.toMatchObject({
      code: 'FLINK_REFUSED',
      message: expect.stringContaining(`${folder}/none`),
    });
  });

  test('a JobManager that is started anew has the same URL and finds the TaskManagers', async () => {
    const { url } = cluster;
    await cluster.restartJobManager();
    expect(cluster.url).toBe(url);
    expect(await cluster.rest.overview()).toMatchObject({ taskmanagers: 3, 'jobs-running': 0 });
  });

  test('all processes are gone once it is stopped', async () => {
    await cluster.stop();
    for (const { pid } of cluster.processes) expect(await isAlive(pid)).toBe(false);
    await expect(cluster.rest.overview()).rejects.toMatchObject({ code: 'FLINK_UNREACHABLE', retryable: true });
  });
});

describe.skipIf(missing !== null)(`a cluster that does not come up${needs}`, () => {
  test.each([
    ['by what its log says', { 'rest.bind-address': '203.0.113.1' }, /^Flink's jobmanager-1 .*(BindException|address)/],
    [
      'by what Flink refuses',
      { 'taskmanager.memory.network.min': '1m' },
      /^Flink's taskmanager-1 .*network memory min/,
    ],
  ])('is told %s', async (_, extraConfig, message) => {
    const starting = startCluster({ folder: `${folder}/broken`, taskManagers: 1, slots: 1, extraConfig });
    const error = await starting.catch((thrown: Error) => thrown);
    expect(error).toMatchObject({ code: 'FLINK_FAILED', message: expect.stringMatching(message) });
  });
});

/** Local addresses of listening sockets of these processes, as the kernel has them: hexadecimal, then a port. */
async function listening(pids: readonly number[]): Promise<string[]> {
  const { readFile, readlink } = await import('node:fs/promises');
  const inodes = new Set<string>();
  for (const pid of pids) {
    for (const name of await readdir(`/proc/${pid}/fd`)) {
      const link = await readlink(`/proc/${pid}/fd/${name}`).catch(() => '');
      const inode = /^socket:\[(\d+)\]$/.exec(link)?.[1];
      if (inode !== undefined) inodes.add(inode);
    }
  }
  const addresses: string[] = [];
  for (const table of ['tcp', 'tcp6']) {
    for (const line of (await readFile(`/proc/net/${table}`, 'utf8')).split('\n').slice(1)) {
      const fields = line.trim().split(/\s+/);
      if (fields[3] === '0A' && inodes.has(fields[9] ?? '')) addresses.push(fields[1] ?? '');
    }
  }
  return addresses;
}

function isLoopback(address: string): boolean {
  return /^(0100007F|0000000000000000FFFF00000100007F|00000000000000000000000001000000):/.test(address);
}
