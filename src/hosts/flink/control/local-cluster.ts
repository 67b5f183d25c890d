import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { messageOf, TenantAnalyticsError } from '../../../base/errors.ts';
import { sleep } from '../../../base/sleep.ts';
import type { ClusterProcess, FlinkCluster } from '../cluster/cluster.ts';

const runFile = promisify(execFile);
const END_LIMIT_MS = 15_000;
const LOOK_MS = 100;

/**
 * The processes of a cluster that was started in this folder before, and still run. They are known by their command line:
 * a list of numbers could be older than the processes that have them now.
 */
export async function leftProcesses(folder: string): Promise<number[]> {
  const { stdout } = await runFile('ps', ['-ww', '-eo', 'pid=,args='], { maxBuffer: 64 * 1024 * 1024 });
  const mine = stdout.split('\n').filter((line) => line.includes(` -Dlog.file=${folder}/log/`));
  return mine.map((line) => Number.parseInt(line, 10));
}

/** Ends them, in order; those that do not end are killed. */
export async function endLeftProcesses(folder: string): Promise<void> {
  const never = new AbortController().signal;
  let left = await leftProcesses(folder);
  for (const pid of left) signalTo(pid, 'SIGTERM');
  for (const until = Date.now() + END_LIMIT_MS; left.length > 0; left = await leftProcesses(folder)) {
    if (Date.now() > until) for (const pid of left) signalTo(pid, 'SIGKILL');
    await sleep(LOOK_MS, never);
  }
}

function signalTo(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal);
  } catch {
    // it ended just now
  }
}

/** TaskManagers that may end in one run before it counts as broken. */
const MOST_REPLACED = 20;

/**
 * Looks after a cluster until the signal is aborted: a TaskManager that ends is replaced. Rejects with the reason when the
 * JobManager ends, or TaskManagers do so again and again.
 */
export async function lookAfter(
  cluster: FlinkCluster,
  signal: AbortSignal,
  warn: (message: string) => void,
): Promise<never> {
  let replaced = 0;
  return new Promise((_, reject) => {
    const watch = (jvm: ClusterProcess) =>
      void jvm.ended.then(async () => {
        if (signal.aborted) return;
        const why = messageOf(await jvm.whyEnded());
        if (jvm.name.startsWith('jobmanager') || ++replaced > MOST_REPLACED) {
          reject(new TenantAnalyticsError('FLINK_FAILED', `${why} Start again: it goes on from the last checkpoint.`));
          return;
        }
        warn(`${why} Another one is started in its place.`);
        await cluster.startTaskManager().then(watch, (error: unknown) => {
          if (!signal.aborted) reject(error);
        });
      });
    watch(cluster.jobManager);
    for (const jvm of cluster.taskManagers) watch(jvm);
  });
}

/**
 * What `work` resolves to, unless `trouble` comes first, which then is thrown.
 * @param work is told to stop by the first signal: by who runs it, or because of trouble; the second one tells of trouble
 *   alone, after which nobody waits for it
 */
export async function orTrouble<T>(
  trouble: Promise<never> | undefined,
  signal: AbortSignal,
  work: (stopped: AbortSignal, over: AbortSignal) => Promise<T>,
): Promise<T> {
  const over = new AbortController();
  try {
    const working = work(AbortSignal.any([signal, over.signal]), over.signal);
    return await (trouble === undefined ? working : Promise.race([working, trouble]));
  } finally {
    over.abort();
  }
}
