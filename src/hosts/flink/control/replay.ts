import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import * as z from 'zod';
import { storageError, systemCode, TenantAnalyticsError } from '../../../base/errors.ts';
import { lockFolder } from '../../../connectors/file/folder-lock.ts';
import type { World } from '../../../runtime/ports.ts';
import { checkIdentity } from '../../node/replay-identity.ts';
import {
  makeOutput,
  otherHost,
  planReplay,
  type ReplayPlan,
  type ReplayRequest,
  refuseForeignRows,
} from '../../node/replay-request.ts';
import { startCluster } from '../cluster/cluster.ts';
import { jobPage, watchJob } from '../cluster/job-watch.ts';
import { applicationJar } from './jar.ts';
import { type JobReading, readJob } from './job-reading.ts';
import { keep, kept, newestState } from './kept-state.ts';
import { endLeftProcesses, lookAfter, orTrouble } from './local-cluster.ts';
import { programArguments } from './program-arguments.ts';

export interface FlinkReplayRequest extends ReplayRequest {
  readonly parallelism: number;
  /** In place of the application's. */
  readonly jar: string | undefined;
}

export interface FlinkReplayObserver {
  submitted(job: { readonly jobID: string; readonly page: string; readonly from: string | undefined }): void;
  reading(reading: JobReading): void;
}

export interface FlinkReplayEnd {
  readonly status: 'done' | 'already-done' | 'stopped';
  readonly deadLetterFolder: string;
}

/** What is remembered between calls, in `<output>/.state/flink/replay.json`. */
const remembered = z.object({
  format: z.literal(1),
  identity: z.unknown(),
  ended: z.boolean(),
  /** Each that was submitted, the last one last; one that came to no checkpoint left nothing. */
  jobIDs: z.array(z.string()),
});

/** Tries that follow each other, after which Flink gives a replay up: its input does not change by waiting. */
const ATTEMPTS = { 'restart-strategy.exponential-delay.attempts-before-reset-backoff': 3 };

/**
 * When a job is FINISHED, Flink removes its checkpoints; a call that ended just then must not begin anew, and double all
 * rows. So each job takes over (CLAIM) the one checkpoint there is: with rows and without a checkpoint it has ended, and the
 * archive of Flink says so, too. From the one at its end a job goes on to the same end.
 */
const ONE_CHECKPOINT = { 'execution.checkpointing.num-retained': 1 };

/**
 * The replay of the Node host as a bounded job of Flink, on a cluster of its own: same inputs, same rows. Called again
 * after a crash or a stop it goes on from the last checkpoint; after the end it changes nothing.
 */
export async function flinkReplay(
  request: FlinkReplayRequest,
  world: World,
  observer: FlinkReplayObserver,
  signal: AbortSignal,
): Promise<FlinkReplayEnd> {
  const plan = await planReplay(request);
  await makeOutput(plan.output, world);
  const lock = await lockFolder(`${plan.output}/.state`);
  try {
    return await replayIn(plan, request, world, observer, signal);
  } catch (error) {
    throw systemCode(error) === undefined || error instanceof TenantAnalyticsError
      ? error
      : storageError(error, `Working in ${plan.output} failed`);
  } finally {
    await lock.release();
  }
}

async function replayIn(
  plan: ReplayPlan,
  request: FlinkReplayRequest,
  world: World,
  observer: FlinkReplayObserver,
  signal: AbortSignal,
): Promise<FlinkReplayEnd> {
  const { output, deadLetterFolder } = plan;
  const folder = join(output, '.state/flink');
  const file = join(folder, 'replay.json');
  if (existsSync(`${output}/.state/checkpoints`)) throw otherHost(request.output, 'Node', 'node');
  const known = await kept(file, remembered);
  if (known === undefined) await refuseForeignRows(output, deadLetterFolder, world);
  const identity = known === undefined ? plan.identity : checkIdentity(plan.identity, known.identity, request.output);
  if (known?.ended === true) return { status: 'already-done', deadLetterFolder };
  await endLeftProcesses(folder);
  const from = await lastCheckpoint(folder, known?.jobIDs ?? []);
  if (from === undefined && (await hasRows([output, deadLetterFolder]))) {
    await checkFinished(folder, known?.jobIDs.at(-1), request.output);
    await end(folder, identity);
    return { status: 'done', deadLetterFolder };
  }
  const jar = request.jar ?? (await applicationJar(world.warn));
  await mkdir(folder, { recursive: true });
  const jobID = randomBytes(16).toString('hex');
  const jobIDs = [...(known?.jobIDs ?? []), jobID];
  await keep(file, { format: 1, identity, ended: false, jobIDs });
  world.warn('Starting a Flink cluster on this machine …');
  const { parallelism } = request;
  const extraConfig = { ...ATTEMPTS, ...ONE_CHECKPOINT, 'jobmanager.archive.fs.dir': archiveOf(folder) };
  const cluster = await startCluster({ folder, taskManagers: 1, slots: parallelism, extraConfig, signal });
  const ending = new AbortController();
  const trouble = lookAfter(cluster, ending.signal, world.warn);
  trouble.catch(() => undefined);
  try {
    const { rest } = cluster;
    const uploaded = await rest.uploadJar(jar);
    const files = { companies: resolve(request.companies), jobs: resolve(request.jobs) };
    const { texts, parameters } = plan;
    const programArgs = programArguments({ mode: 'replay', texts, parameters, parallelism, files });
    await rest.runJar(uploaded, { programArgs, parallelism, savepointPath: from, claimMode: 'CLAIM', jobID });
    observer.submitted({ jobID, page: jobPage(rest, jobID), from });
    const seen = await orTrouble(trouble, signal, (stopped) =>
      watchJob(rest, jobID, ({ state }) => state === 'FINISHED', {
        signal: stopped,
        meanwhile: async (job) => observer.reading(await readJob(rest, job)),
      }),
    );
    if (seen?.state !== 'FINISHED') {
      // No savepoint: the end of its input may come any moment, and the last checkpoint serves as well.
      await rest.cancel(jobID);
      const never = new AbortController().signal;
      const isOver = ({ state }: { readonly state: string }) => state === 'CANCELED' || state === 'FINISHED';
      const last = await watchJob(rest, jobID, isOver, { signal: never, limitMs: 60_000 });
      if (last?.state !== 'FINISHED') return { status: 'stopped', deadLetterFolder };
    }
  } finally {
    ending.abort();
    await cluster.stop();
  }
  await end(folder, identity);
  return { status: 'done', deadLetterFolder };
}

/** Only that it ended is needed from here on, and the logs by who asks. */
async function end(folder: string, identity: unknown): Promise<void> {
  await keep(join(folder, 'replay.json'), { format: 1, identity, ended: true, jobIDs: [] });
  const rest = (await readdir(folder)).filter((name) => name !== 'replay.json' && name !== 'log');
  for (const name of rest) await rm(join(folder, name), { recursive: true, force: true });
}

function archiveOf(folder: string): string {
  return pathToFileURL(join(folder, 'archive')).href;
}

/** @throws TenantAnalyticsError CHECKPOINT_CORRUPT when there is no word of its end */
async function checkFinished(folder: string, jobID: string | undefined, output: string): Promise<void> {
  if (jobID !== undefined && existsSync(join(folder, 'archive', jobID))) return;
  throw new TenantAnalyticsError(
    'CHECKPOINT_CORRUPT',
    `${output} holds rows of this replay, but its checkpoint is gone and nothing says that it came to its end. Remove ${output}, or choose another --output, and run it again.`,
  );
}

/** Whether rows or dead letters were committed in these folders. */
async function hasRows(folders: readonly string[]): Promise<boolean> {
  for (const folder of folders) {
    const dates = (await readdir(folder).catch(() => [])).filter((name) => name.startsWith('dt='));
    for (const date of dates) {
      if ((await readdir(join(folder, date))).some((name) => !/^[._]/.test(name))) return true;
    }
  }
  return false;
}

/** Of the job that was submitted last, or, if it came to none, of the one before. */
async function lastCheckpoint(folder: string, jobIDs: readonly string[]): Promise<string | undefined> {
  for (const jobID of jobIDs.toReversed()) {
    const found = await newestState(folder, jobID);
    if (found !== undefined) return found;
  }
  return undefined;
}
