import { randomBytes } from 'node:crypto';
import { mkdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as z from 'zod';
import { messageOf, storageError, systemCode, TenantAnalyticsError } from '../../../base/errors.ts';
import { lockFolder } from '../../../connectors/file/folder-lock.ts';
import { companyJobProcessing } from '../../../pipeline/company-job-processing.ts';
import { type Parameters, type ParameterTexts, readParameters } from '../../../pipeline/parameters.ts';
import { differencesOf, mismatch, type RunIdentity, runIdentity, runIdentityOf } from '../../node/run-identity.ts';
import { refuseSharedFolders } from '../../node/sink-paths.ts';
import { type FlinkCluster, startCluster } from '../cluster/cluster.ts';
import type { FlinkConfig } from '../cluster/cluster-config.ts';
import { type FlinkRest, flinkRest, isOver } from '../cluster/flink-rest.ts';
import { jobPage, untilAllTasksRun, watchJob } from '../cluster/job-watch.ts';
import { applicationJar } from './jar.ts';
import { type JobReading, readJob } from './job-reading.ts';
import { keep, kept, latestState, newestState } from './kept-state.ts';
import { endLeftProcesses, leftProcesses, lookAfter, orTrouble } from './local-cluster.ts';
import { programArguments } from './program-arguments.ts';

export interface FlinkRunRequest {
  readonly texts: ParameterTexts;
  /** Of a cluster that is there; undefined: a local one, of ours. */
  readonly cluster: string | undefined;
  readonly parallelism: number;
  /** In place of what the last run left. */
  readonly fromSavepoint: string | undefined;
  /** Leave job and cluster running. */
  readonly detach: boolean;
  /** In place of the application's. */
  readonly jar: string | undefined;
}

export interface FlinkRunObserver {
  warn(message: string): void;
  /** Once Flink has taken the job, or it was found running. */
  submitted(job: SubmittedJob): void;
  /** Once all its tasks run. */
  running(): void;
  /** A second after another, or so. */
  reading(reading: JobReading): void;
  stopping(): void;
}

export interface SubmittedJob {
  readonly jobID: string;
  readonly page: string;
  /** It was running before. */
  readonly found: boolean;
  /** Where its state comes from. */
  readonly from: string | undefined;
}

export type FlinkRunEnd = { readonly kind: 'stopped'; readonly savepoint: string } | { readonly kind: 'detached' };

/** What is remembered between runs, in `data.dir/flink/job.json`. */
const remembered = z.object({
  format: z.literal(1),
  identity: runIdentity,
  /** `local`, or the URL of a cluster that was there. */
  cluster: z.string(),
  url: z.string(),
  jobID: z.string(),
  /** What the job was started from. */
  from: z.string().optional(),
  /** Where the run before came to: what counts as long as this one has not come further, also after --from-savepoint. */
  before: z.string().optional(),
  /** It has completed a checkpoint: without one it must not begin anew. */
  progressed: z.boolean(),
  /** Where it was stopped. */
  savepoint: z.string().optional(),
});
type Remembered = z.infer<typeof remembered>;

/** A start with all its tasks; a stop, which waits for a restart that is under way. */
const RUNNING_LIMIT_MS = 300_000;
const STOP_LIMIT_MS = 120_000;
/** Tries that follow each other without ten good minutes between them, after which Flink gives a job up. */
const ATTEMPTS: FlinkConfig = {
  'restart-strategy.exponential-delay.attempts-before-reset-backoff': 10,
  'restart-strategy.exponential-delay.reset-backoff-threshold': '10 min',
};

/**
 * Runs the application as a job of Flink until the signal is aborted, and then stops it with a savepoint, from which the
 * next run goes on; after a crash that one goes on from the last checkpoint.
 * @throws TenantAnalyticsError JOB_FAILED with Flink's innermost reason
 */
export async function flinkRun(
  request: FlinkRunRequest,
  observer: FlinkRunObserver,
  signal: AbortSignal,
): Promise<FlinkRunEnd> {
  const parameters = readParameters(request.texts);
  const graph = companyJobProcessing(parameters);
  refuseSharedFolders(graph);
  const folder = resolve(parameters.application['data.dir'], 'flink');
  await mkdir(folder, { recursive: true }).catch((error: unknown) => {
    throw storageError(error, `data.dir: cannot make the folder ${folder}`);
  });
  const lock = await lockFolder(folder);
  try {
    return await new FlinkRun(request, parameters, runIdentityOf(graph, parameters), folder, observer).run(signal);
  } catch (error) {
    throw systemCode(error) === undefined || error instanceof TenantAnalyticsError
      ? error
      : storageError(error, `Working in ${folder} failed`);
  } finally {
    await lock.release();
  }
}

class FlinkRun {
  readonly #request: FlinkRunRequest;
  readonly #parameters: Parameters;
  readonly #identity: RunIdentity;
  readonly #folder: string;
  readonly #observer: FlinkRunObserver;
  #cluster: FlinkCluster | undefined;

  constructor(
    request: FlinkRunRequest,
    parameters: Parameters,
    identity: RunIdentity,
    folder: string,
    observer: FlinkRunObserver,
  ) {
    this.#request = request;
    this.#parameters = parameters;
    this.#identity = identity;
    this.#folder = folder;
    this.#observer = observer;
  }

  get #file(): string {
    return join(this.#folder, 'job.json');
  }

  async run(signal: AbortSignal): Promise<FlinkRunEnd> {
    const known = await kept(this.#file, remembered);
    if (known !== undefined && this.#request.fromSavepoint === undefined) {
      const differences = differencesOf(this.#identity, known.identity);
      if (differences.length > 0) throw mismatch(this.#folder, differences);
    }
    let end: FlinkRunEnd | undefined;
    try {
      const job = (await this.#findRunning(known)) ?? (await this.#submit(known, signal));
      end = await this.#follow(job, signal);
      return end;
    } finally {
      if (end?.kind !== 'detached') await this.#cluster?.stop();
    }
  }

  get #where(): string {
    return this.#request.cluster?.replace(/\/+$/, '') ?? 'local';
  }

  /** The job of an earlier run, when it still runs where this one is to run. */
  async #findRunning(known: Remembered | undefined): Promise<Remembered | undefined> {
    if (known === undefined || known.savepoint !== undefined) return undefined;
    if (known.cluster === 'local') {
      if ((await leftProcesses(this.#folder)).length === 0) return undefined;
    }
    const rest = flinkRest(known.url);
    const job = await rest.job(known.jobID).catch((error: unknown) => {
      if (known.cluster !== 'local' && error instanceof TenantAnalyticsError && error.retryable) throw error;
      return undefined;
    });
    const runs = job !== undefined && !isOver(job.state);
    if (runs && known.cluster === this.#where) {
      if (this.#request.fromSavepoint === undefined) {
        this.#observer.submitted({
          jobID: known.jobID,
          page: jobPage(rest, known.jobID),
          found: true,
          from: undefined,
        });
        return known;
      }
      throw new TenantAnalyticsError(
        'LOCKED',
        `Job ${known.jobID} still runs at ${known.url}. Stop it first: run without --from-savepoint, then Ctrl-C.`,
      );
    }
    if (runs) {
      throw new TenantAnalyticsError(
        'LOCKED',
        `Job ${known.jobID} still runs at ${known.url}, and two of it would count twice. Stop it first: run with ${known.cluster === 'local' ? 'no --cluster' : `--cluster ${known.cluster}`}, then Ctrl-C.`,
      );
    }
    return undefined;
  }

  async #submit(known: Remembered | undefined, signal: AbortSignal): Promise<Remembered> {
    const { cluster, texts, parallelism, detach } = this.#request;
    const before = await this.#lastState(known).catch((error: unknown) => {
      if (this.#request.fromSavepoint === undefined) throw error;
      return undefined;
    });
    const from = this.#request.fromSavepoint ?? before;
    const jar = this.#request.jar ?? (await applicationJar(this.#observer.warn));
    if (cluster === undefined) {
      await endLeftProcesses(this.#folder);
      this.#observer.warn('Starting a Flink cluster on this machine …');
      this.#cluster = await startCluster({
        folder: this.#folder,
        taskManagers: 1,
        slots: parallelism,
        extraConfig: { ...ATTEMPTS, ...s3Config(this.#parameters) },
        s3: this.#usesS3(),
        outlivesUs: detach,
        signal,
      });
    }
    const rest = this.#cluster?.rest ?? flinkRest(cluster ?? '');
    const uploaded = await rest.uploadJar(jar);
    const job: Remembered = {
      format: 1,
      identity: this.#identity,
      cluster: this.#where,
      url: rest.url,
      // Chosen here and written first: a crash right after the submission must not leave a job that nobody knows.
      jobID: randomBytes(16).toString('hex'),
      progressed: false,
      ...(from === undefined ? {} : { from }),
      ...(before === undefined ? {} : { before }),
    };
    await keep(this.#file, job);
    try {
      const programArgs = programArguments({ mode: 'run', texts, parameters: this.#parameters, parallelism });
      await rest.runJar(uploaded, { programArgs, parallelism, savepointPath: from, jobID: job.jobID });
    } catch (error) {
      // There is no such job, then, and what was remembered holds.
      const isRefused = error instanceof TenantAnalyticsError && error.code === 'FLINK_REFUSED';
      if (isRefused) await (known === undefined ? rm(this.#file) : keep(this.#file, known));
      throw error;
    } finally {
      await rest.deleteJar(uploaded).catch(() => undefined);
    }
    this.#observer.submitted({ jobID: job.jobID, page: jobPage(rest, job.jobID), found: false, from });
    return job;
  }

  #usesS3(): boolean {
    const { S3SinkPath, deadLetterPath } = this.#parameters.application;
    return [S3SinkPath, deadLetterPath].some((path) => path.startsWith('s3://'));
  }

  /** Where the last run came to. */
  async #lastState(known: Remembered | undefined): Promise<string | undefined> {
    if (known === undefined) return undefined;
    if (known.savepoint !== undefined) return known.savepoint;
    if (known.cluster === 'local') {
      const newest = await newestState(this.#folder, known.jobID);
      if (newest !== undefined || !known.progressed) return newest ?? known.before;
      throw new TenantAnalyticsError(
        'CHECKPOINT_CORRUPT',
        `${this.#folder}: expected a checkpoint of job ${known.jobID}, found none. Name another one or a savepoint with --from-savepoint PATH, or remove ${this.#file} to begin anew.`,
      );
    }
    const found = await flinkRest(known.url)
      .checkpoints(known.jobID)
      .catch(() => undefined);
    const path = found === undefined ? undefined : latestState(found);
    if (path !== undefined) return path;
    // It never had one of its own.
    if (found !== undefined && !known.progressed) return known.before;
    throw new TenantAnalyticsError(
      'STATE_MISMATCH',
      `The cluster at ${known.url} no longer knows job ${known.jobID}, so where it came to is not known. Name its last checkpoint or savepoint with --from-savepoint PATH, or remove ${this.#file} to begin anew.`,
    );
  }

  async #follow(job: Remembered, signal: AbortSignal): Promise<FlinkRunEnd> {
    const rest = flinkRest(job.url);
    const mine = this.#cluster;
    const ending = new AbortController();
    const trouble =
      mine === undefined || this.#request.detach
        ? undefined
        : lookAfter(mine, ending.signal, (message) => this.#observer.warn(message));
    trouble?.catch(() => undefined);
    try {
      return await orTrouble(trouble, signal, (stopped, over) => this.#untilStopped(rest, job, stopped, over));
    } finally {
      ending.abort();
    }
  }

  async #untilStopped(rest: FlinkRest, job: Remembered, signal: AbortSignal, over: AbortSignal): Promise<FlinkRunEnd> {
    const { jobID } = job;
    await untilAllTasksRun(rest, jobID, { signal, limitMs: RUNNING_LIMIT_MS });
    if (!signal.aborted) this.#observer.running();
    let { progressed } = job;
    await watchJob(rest, jobID, () => this.#request.detach && progressed, {
      signal,
      meanwhile: async (seen) => {
        const reading = await readJob(rest, seen);
        this.#observer.reading(reading);
        if (progressed || reading.checkpoints === 0) return;
        progressed = true;
        await keep(this.#file, { ...job, progressed });
      },
    });
    if (this.#request.detach && !signal.aborted) return { kind: 'detached' };
    if (over.aborted) throw new TenantAnalyticsError('STOPPED', 'There is no cluster any more.');
    this.#observer.stopping();
    const savepoint = await this.#stop(rest, jobID, over);
    await keep(this.#file, { ...job, progressed, savepoint });
    await this.#forget(job);
    if (job.cluster === 'local' && this.#cluster === undefined) await endLeftProcesses(this.#folder);
    return { kind: 'stopped', savepoint };
  }

  async #stop(rest: FlinkRest, jobID: string, over: AbortSignal): Promise<string> {
    // While tasks are being started there is no savepoint.
    await untilAllTasksRun(rest, jobID, { signal: over, limitMs: STOP_LIMIT_MS });
    try {
      return await rest.stopWithSavepoint(jobID, undefined, STOP_LIMIT_MS);
    } catch (error) {
      throw new TenantAnalyticsError(
        'FLINK_FAILED',
        `The job could not be stopped with a savepoint: ${messageOf(error)} The next run goes on from its last checkpoint.`,
        { cause: error },
      );
    }
  }

  /** Removes what the job was started from, and its checkpoints: the savepoint has all of it. Only what is our own. */
  async #forget({ cluster, from, jobID }: Remembered): Promise<void> {
    if (cluster !== 'local') return;
    const mine = (path: string) =>
      ['savepoints', 'checkpoints'].some((name) => path.startsWith(`${this.#folder}/${name}/`));
    const path = from?.startsWith('file:') === true ? fileURLToPath(from.replace(/^file:\/*/, 'file:///')) : '';
    const unused = [join(this.#folder, 'checkpoints', jobID), ...(mine(path) ? [path] : [])];
    for (const one of unused) await rm(one, { recursive: true, force: true });
  }
}

/** Flink's file system for S3, as the parameters say. */
function s3Config({ application }: Parameters): FlinkConfig {
  const { 's3.endpoint': endpoint, 's3.pathStyle': pathStyle } = application;
  return { ...(endpoint === '' ? {} : { 's3.endpoint': endpoint }), 's3.path.style.access': pathStyle };
}
