import { TenantAnalyticsError } from '../../../base/errors.ts';
import { sleep } from '../../../base/sleep.ts';
import { type FlinkJob, type FlinkRest, isOver } from './flink-rest.ts';
import { rootCause } from './log-text.ts';

const LOOK_MS = 250;
/** A JobManager that is started anew takes a while to lead, and to read what the one before left. */
const AWAY_LIMIT_MS = 90_000;

/**
 * Whether each task of the job is at work. Before that Flink says RUNNING, too, but each checkpoint and savepoint that
 * falls into that time fails at once, as not all tasks run.
 */
export function allTasksRun({ state, vertices }: FlinkJob): boolean {
  return (
    state === 'RUNNING' &&
    vertices.every(({ parallelism, tasks }) => (tasks.RUNNING ?? 0) + (tasks.FINISHED ?? 0) === parallelism)
  );
}

export interface WatchSetting {
  readonly signal: AbortSignal;
  readonly limitMs?: number;
  /** Called now and then; what it throws ends the watch. */
  readonly meanwhile?: (job: FlinkJob) => Promise<void> | void;
}

/**
 * Looks at a job until `enough`, or until the signal is aborted; returns what it saw last. A cluster that does not answer
 * for a while is waited for.
 * @throws TenantAnalyticsError JOB_FAILED with Flink's innermost reason when the job failed; FLINK_FAILED when it takes
 *   longer than the limit; FLINK_UNREACHABLE when the cluster stays away
 */
export async function watchJob(
  rest: FlinkRest,
  jobID: string,
  enough: (job: FlinkJob) => boolean,
  { signal, limitMs = Number.POSITIVE_INFINITY, meanwhile }: WatchSetting,
): Promise<FlinkJob | undefined> {
  const until = Date.now() + limitMs;
  let seenAt = Date.now();
  let last: FlinkJob | undefined;
  for (; ; await sleep(LOOK_MS, signal)) {
    if (signal.aborted) return last;
    try {
      last = await rest.job(jobID);
      seenAt = Date.now();
    } catch (error) {
      const canReturn = error instanceof TenantAnalyticsError && error.retryable;
      if (!canReturn || Date.now() - seenAt > AWAY_LIMIT_MS) throw error;
      continue;
    } finally {
      if (last !== undefined) await meanwhile?.(last);
    }
    if (last.state === 'FAILED') throw await jobFailure(rest, jobID);
    if (enough(last)) return last;
    if (isOver(last.state)) {
      throw new TenantAnalyticsError('JOB_FAILED', `Job ${jobID} ended as ${last.state}, which was not expected here.`);
    }
    if (Date.now() > until) {
      const tasks = last.vertices.map(({ name, tasks }) => `${name.slice(0, 40)}: ${tasksText(tasks)}`).join('; ');
      throw new TenantAnalyticsError(
        'FLINK_FAILED',
        `Job ${jobID} did not come so far within ${limitMs / 1000} s: ${last.state}, ${tasks}.`,
      );
    }
  }
}

/** Waits until all tasks run, so that checkpoints can be taken; throws as `watchJob` does. */
export function untilAllTasksRun(rest: FlinkRest, jobID: string, setting: WatchSetting): Promise<FlinkJob | undefined> {
  return watchJob(rest, jobID, allTasksRun, setting);
}

/** Why a job failed, for the person who can mend it. */
export async function jobFailure(rest: FlinkRest, jobID: string): Promise<TenantAnalyticsError> {
  const [latest] = await rest.failures(jobID).catch(() => []);
  const why = latest === undefined ? 'Flink gives no reason' : rootCause(latest.stacktrace) || latest.exceptionName;
  const where = latest?.taskName == null ? '' : ` (in ${latest.taskName})`;
  return new TenantAnalyticsError('JOB_FAILED', `The job failed${where}: ${why}. More at ${jobPage(rest, jobID)}`);
}

/** In Flink's web UI. */
export function jobPage({ url }: FlinkRest, jobID: string): string {
  return `${url}/#/job/running/${jobID}/overview`;
}

function tasksText(tasks: Readonly<Record<string, number>>): string {
  const some = Object.entries(tasks).filter(([, count]) => count > 0);
  return some.map(([state, count]) => `${count} ${state}`).join(', ');
}
