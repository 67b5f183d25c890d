import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import * as z from 'zod';
import { messageOf, TenantAnalyticsError } from '../../../base/errors.ts';
import { sleep } from '../../../base/sleep.ts';
import { rootCause } from './log-text.ts';

/* Flink's REST API, as far as it is used here: typed, with a limit on each call, and errors a person can read. */

const text = z.string();
const count = z.number();

const overview = z.object({
  taskmanagers: count,
  'slots-total': count,
  'slots-available': count,
  'jobs-running': count,
  'jobs-finished': count,
  'jobs-cancelled': count,
  'jobs-failed': count,
  'flink-version': text,
});

const JOB_STATES = [
  'INITIALIZING',
  'CREATED',
  'RUNNING',
  'FAILING',
  'FAILED',
  'CANCELLING',
  'CANCELED',
  'FINISHED',
  'RESTARTING',
  'SUSPENDED',
  'RECONCILING',
] as const;

const vertex = z.object({
  id: text,
  name: text,
  parallelism: count,
  status: text,
  /** Tasks by state. */
  tasks: z.record(z.string(), count),
  /** Since the last start. */
  metrics: z.object({ 'read-records': count, 'write-records': count }),
});

const job = z.object({
  jid: text,
  name: text,
  state: z.enum(JOB_STATES),
  'start-time': count,
  'end-time': count,
  duration: count,
  vertices: z.array(vertex),
});

const completed = z.object({
  id: count,
  external_path: text,
  end_to_end_duration: count,
  state_size: count,
  latest_ack_timestamp: count,
});

const checkpoints = z.object({
  counts: z.object({ restored: count, total: count, in_progress: count, completed: count, failed: count }),
  latest: z.object({
    completed: completed.nullish(),
    savepoint: completed.nullish(),
    failed: z.object({ id: count, failure_timestamp: count, failure_message: text.nullish() }).nullish(),
    restored: z.object({ id: count, external_path: text.nullish() }).nullish(),
  }),
  history: z.array(z.object({ id: count, status: text, is_savepoint: z.boolean(), failure_message: text.nullish() })),
});

const exceptions = z.object({
  exceptionHistory: z.object({
    entries: z.array(z.object({ exceptionName: text, stacktrace: text, timestamp: count, taskName: text.nullish() })),
  }),
});

const subtasks = z.object({
  subtasks: z.array(z.object({ subtask: count, status: text, attempt: count, 'taskmanager-id': text.nullish() })),
});

export type JobState = (typeof JOB_STATES)[number];
export type ClusterOverview = z.infer<typeof overview>;
export type FlinkJob = z.infer<typeof job>;
export type FlinkCheckpoints = z.infer<typeof checkpoints>;
export type FlinkFailure = z.infer<typeof exceptions>['exceptionHistory']['entries'][number];

export interface JarRun {
  readonly entryClass?: string;
  readonly programArgs: readonly string[];
  readonly parallelism?: number;
  /** A savepoint or a retained checkpoint to go on from. */
  readonly savepointPath?: string | undefined;
  /** CLAIM: the job owns what it goes on from, and removes it once it has a later checkpoint. */
  readonly claimMode?: 'CLAIM' | 'NO_CLAIM';
  /** State that no operator of the job takes is left behind, rather than refused. */
  readonly allowNonRestoredState?: boolean;
  /** 32 hexadecimal digits, to know the job before it is there; Flink makes one when not given. */
  readonly jobID?: string;
}

/** States that a job never leaves. */
export function isOver(state: JobState): boolean {
  return state === 'FINISHED' || state === 'FAILED' || state === 'CANCELED';
}

const CALL_LIMIT_MS = 30_000;
/** A jar of 100 MB; a main method that builds a large graph. */
const SUBMIT_LIMIT_MS = 180_000;
const SAVEPOINT_LIMIT_MS = 600_000;
const LOOK_MS = 200;
const ANSWER_CHARACTERS = 16 * 1024 * 1024;

export type FlinkRest = ReturnType<typeof flinkRest>;

/**
 * @param url of the web UI, such as `http://127.0.0.1:8081`
 * Each method throws TenantAnalyticsError FLINK_UNREACHABLE when nobody answers or nobody leads yet (try again), and
 * FLINK_REFUSED with the innermost reason that Flink gives.
 */
export function flinkRest(url: string) {
  const base = url.replace(/\/+$/, '');

  async function call<T>(
    schema: z.ZodType<T>,
    path: string,
    init: RequestInit = {},
    limitMs = CALL_LIMIT_MS,
  ): Promise<T> {
    const what = `${init.method ?? 'GET'} ${base}${path.replace(/\?.*/, '')}`;
    let answer: Response;
    let body: string;
    try {
      answer = await fetch(base + path, { ...init, signal: AbortSignal.timeout(limitMs) });
      body = await answer.text();
    } catch (error) {
      const cause = error instanceof Error && error.cause !== undefined ? messageOf(error.cause) : messageOf(error);
      throw new TenantAnalyticsError(
        'FLINK_UNREACHABLE',
        `No answer from Flink at ${base}: ${cause === '' ? messageOf(error) : cause}. Look whether the cluster runs.`,
        { cause: error },
      );
    }
    if (!answer.ok) throw refused(what, answer.status, body);
    try {
      if (body.length > ANSWER_CHARACTERS) throw new Error(`${body.length} characters`);
      return schema.parse(body === '' ? {} : JSON.parse(body));
    } catch (error) {
      throw new TenantAnalyticsError(
        'FLINK_REFUSED',
        `${what}: expected an answer of Flink 1.20, got another one (${messageOf(error).slice(0, 300)}). Look whether this is Flink.`,
        { cause: error },
      );
    }
  }

  const json = (method: string, body: unknown): RequestInit => ({
    method,
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  });

  /** Waits for a savepoint that was triggered, and returns its path. */
  async function savepointPath(jobID: string, trigger: string, limitMs: number): Promise<string> {
    const status = z.object({
      status: z.object({ id: text }),
      operation: z
        .object({ location: text.nullish(), 'failure-cause': z.object({ 'stack-trace': text }).nullish() })
        .nullish(),
    });
    const never = new AbortController().signal;
    for (const until = Date.now() + limitMs; ; await sleep(LOOK_MS, never)) {
      const { status: at, operation } = await call(status, `/jobs/${jobID}/savepoints/${trigger}`);
      if (at.id === 'COMPLETED') {
        if (operation?.location != null) return operation.location;
        const why = rootCause(operation?.['failure-cause']?.['stack-trace'] ?? '') || 'no reason was given';
        throw new TenantAnalyticsError('FLINK_REFUSED', `The savepoint of job ${jobID} failed: ${why}.`);
      }
      if (Date.now() > until) {
        throw new TenantAnalyticsError(
          'FLINK_REFUSED',
          `The savepoint of job ${jobID} did not complete within ${limitMs / 1000} s; Flink may complete it still.`,
        );
      }
    }
  }

  const triggered = z.object({ 'request-id': text });

  return {
    url: base,

    overview: (): Promise<ClusterOverview> => call(overview, '/overview'),

    /** Those that the JobManager counts as alive. */
    async taskManagers(): Promise<{ id: string; slotsNumber: number; freeSlots: number }[]> {
      const schema = z.object({ taskmanagers: z.array(z.object({ id: text, slotsNumber: count, freeSlots: count })) });
      return (await call(schema, '/taskmanagers')).taskmanagers;
    },

    /** Of each job that the cluster knows, also those that are over. */
    async jobs(): Promise<{ id: string; status: JobState }[]> {
      const schema = z.object({ jobs: z.array(z.object({ id: text, status: z.enum(JOB_STATES) })) });
      return (await call(schema, '/jobs')).jobs;
    },

    /** Returns the name by which `runJar` and `deleteJar` know it. */
    async uploadJar(path: string): Promise<string> {
      const form = new FormData();
      const jar = await readFile(path).catch((error: unknown) => {
        throw new TenantAnalyticsError('INPUT_UNREADABLE', `Cannot read the jar ${path}: ${messageOf(error)}.`, {
          cause: error,
        });
      });
      form.append('jarfile', new Blob([jar], { type: 'application/x-java-archive' }), basename(path));
      const { filename } = await call(
        z.object({ filename: text }),
        '/jars/upload',
        { method: 'POST', body: form },
        SUBMIT_LIMIT_MS,
      );
      return basename(filename);
    },

    /** Submits the job that the jar's main method builds; returns its id. */
    async runJar(jar: string, run: JarRun): Promise<string> {
      const { programArgs, jobID, ...rest } = run;
      const body = { ...rest, programArgsList: programArgs, ...(jobID === undefined ? {} : { jobId: jobID }) };
      const path = `/jars/${encodeURIComponent(jar)}/run`;
      return (await call(z.object({ jobid: text }), path, json('POST', body), SUBMIT_LIMIT_MS)).jobid;
    },

    /** Jobs that were submitted with it go on. */
    async deleteJar(jar: string): Promise<void> {
      await call(z.unknown(), `/jars/${encodeURIComponent(jar)}`, { method: 'DELETE' });
    },

    job: (jobID: string): Promise<FlinkJob> => call(job, `/jobs/${jobID}`),

    checkpoints: (jobID: string): Promise<FlinkCheckpoints> => call(checkpoints, `/jobs/${jobID}/checkpoints`),

    /** In milliseconds. */
    async checkpointInterval(jobID: string): Promise<number> {
      return (await call(z.object({ interval: count }), `/jobs/${jobID}/checkpoints/config`)).interval;
    },

    /** The latest first. */
    async failures(jobID: string): Promise<FlinkFailure[]> {
      return (await call(exceptions, `/jobs/${jobID}/exceptions?maxExceptions=20`)).exceptionHistory.entries;
    },

    /** Where the tasks of a vertex run. */
    async subtasks(jobID: string, vertexID: string): Promise<z.infer<typeof subtasks>['subtasks']> {
      return (await call(subtasks, `/jobs/${jobID}/vertices/${vertexID}`)).subtasks;
    },

    /** Metrics of a vertex, summed over its tasks; those that are not known (yet) are left out. */
    async metrics(jobID: string, vertexID: string, names: readonly string[]): Promise<Record<string, number>> {
      const schema = z.array(z.object({ id: text, sum: z.coerce.number() }));
      const query = `get=${names.map(encodeURIComponent).join(',')}&agg=sum`;
      const found = await call(schema, `/jobs/${jobID}/vertices/${vertexID}/subtasks/metrics?${query}`);
      return Object.fromEntries(found.map(({ id, sum }) => [id, sum]));
    },

    /** Metrics of a job, such as `numRestarts`; those that are not known (yet) are left out. */
    async jobMetrics(jobID: string, names: readonly string[]): Promise<Record<string, number>> {
      const query = `get=${names.map(encodeURIComponent).join(',')}`;
      const schema = z.array(z.object({ id: text, value: z.coerce.number() }));
      const found = await call(schema, `/jobs/${jobID}/metrics?${query}`);
      return Object.fromEntries(found.map(({ id, value }) => [id, value]));
    },

    /** The names of the metrics that a vertex has. */
    async metricNames(jobID: string, vertexID: string): Promise<string[]> {
      const found = await call(z.array(z.object({ id: text })), `/jobs/${jobID}/vertices/${vertexID}/subtasks/metrics`);
      return found.map(({ id }) => id);
    },

    /** Stops a job with a savepoint, whose path it returns; without `target` it lies where the cluster's settings say. */
    async stopWithSavepoint(jobID: string, target?: string, limitMs = SAVEPOINT_LIMIT_MS): Promise<string> {
      const body = { ...(target === undefined ? {} : { targetDirectory: target }), drain: false };
      const answer = await call(triggered, `/jobs/${jobID}/stop`, json('POST', body));
      return savepointPath(jobID, answer['request-id'], limitMs);
    },

    /** A savepoint of a job that goes on. */
    async savepoint(jobID: string, target?: string, limitMs = SAVEPOINT_LIMIT_MS): Promise<string> {
      const body = { ...(target === undefined ? {} : { 'target-directory': target }), 'cancel-job': false };
      const answer = await call(triggered, `/jobs/${jobID}/savepoints`, json('POST', body));
      return savepointPath(jobID, answer['request-id'], limitMs);
    },

    /** Returns once Flink has taken note; its checkpoints stay. */
    async cancel(jobID: string): Promise<void> {
      await call(z.unknown(), `/jobs/${jobID}?mode=cancel`, { method: 'PATCH' });
    },
  };
}

function refused(what: string, status: number, body: string): TenantAnalyticsError {
  const parsed = z.object({ errors: z.array(text) }).safeParse(tryJson(body));
  const errors = parsed.success ? parsed.data.errors : [body.slice(0, 300)];
  // The first only says that something went wrong; the trace beneath says what.
  const trace = errors.find((error) => error.includes('\n'));
  const why = trace === undefined ? errors.join(' ') : rootCause(trace);
  // Nobody leads yet, or a new leader has not read what the last one left.
  if (status === 503 || /UnavailableDispatcherOperation/.test(body)) {
    return new TenantAnalyticsError('FLINK_UNREACHABLE', `${what}: Flink is not ready: ${why.trim()}`);
  }
  return new TenantAnalyticsError('FLINK_REFUSED', `${what}: Flink refused (${status}): ${why.trim()}`);
}

function tryJson(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
