import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { onTestFinished } from 'vitest';
import { type ClusterSetting, type FlinkCluster, startCluster } from '../../../src/hosts/flink/cluster/cluster.ts';
import { type FlinkRest, isOver } from '../../../src/hosts/flink/cluster/flink-rest.ts';
import { watchJob } from '../../../src/hosts/flink/cluster/job-watch.ts';
import { applicationJar } from '../../../src/hosts/flink/control/jar.ts';
import { canonicalRows } from '../../../src/hosts/node/canonical.ts';

export const CONFORMANCE = fileURLToPath(new URL('../../../conformance/', import.meta.url));
const never = new AbortController().signal;

/** A bounded job of ours: what it reads, where it writes, its parameters as `name=value`. */
export interface GraphJob {
  readonly companies: string;
  readonly jobs: string;
  readonly output: string;
  readonly settings?: readonly string[];
  readonly parallelism?: number;
  readonly checkpointMs?: number;
  readonly savepointPath?: string;
}

type RunJar = Parameters<FlinkRest['runJar']>[1];

/** A cluster with the jar of the graph, to run jobs on. */
export class GraphCluster {
  readonly cluster: FlinkCluster;
  readonly #jars = new Map<string, string>();

  private constructor(cluster: FlinkCluster) {
    this.cluster = cluster;
  }

  static async start(
    setting: Omit<ClusterSetting, 'taskManagers' | 'slots'> & Partial<ClusterSetting>,
  ): Promise<GraphCluster> {
    // Small buffers: a barrier waits behind what they hold, and services are slow on purpose here.
    const extraConfig = { 'taskmanager.memory.segment-size': '4kb', ...setting.extraConfig };
    return new GraphCluster(await startCluster({ taskManagers: 3, slots: 2, ...setting, extraConfig }));
  }

  /** Submits; the jar is that of the build unless another one is given. */
  async submit(job: GraphJob, jarPath?: string): Promise<string> {
    const { companies, jobs, output, settings = [], parallelism = 2, checkpointMs = 200, savepointPath } = job;
    const { rest } = this.cluster;
    const path = jarPath ?? (await applicationJar(() => undefined));
    const jar = this.#jars.get(path) ?? (await rest.uploadJar(path));
    this.#jars.set(path, jar);
    const values = {
      S3SinkPath: `file://${output}`,
      enrichment: 'join',
      scoring: 'off',
      ...Object.fromEntries(
        settings.map((text) => [text.slice(0, text.indexOf('=')), text.slice(text.indexOf('=') + 1)]),
      ),
    };
    const properties = JSON.stringify([{ PropertyGroupId: 'ApplicationConfigProperties', PropertyMap: values }]);
    return this.#started(jar, {
      programArgs: [
        ...['--mode', 'replay', '--properties', properties, '--parallelism', String(parallelism)],
        ...['--checkpoint-interval-ms', String(checkpointMs), '--companies', companies, '--jobs', jobs],
      ],
      parallelism,
      ...(savepointPath === undefined ? {} : { savepointPath }),
    });
  }

  /** A job without an end, on streams. */
  async submitLive(
    groups: Readonly<Record<string, Readonly<Record<string, string>>>>,
    parallelism: number,
  ): Promise<string> {
    const { rest } = this.cluster;
    const jar = await rest.uploadJar(await applicationJar(() => undefined));
    const properties = Object.entries(groups).map(([PropertyGroupId, PropertyMap]) => ({
      PropertyGroupId,
      PropertyMap,
    }));
    return this.#started(jar, {
      programArgs: [
        ...['--mode', 'run', '--properties', JSON.stringify(properties)],
        ...['--parallelism', String(parallelism), '--checkpoint-interval-ms', '300'],
      ],
      parallelism,
    });
  }

  async #started(jar: string, run: RunJar): Promise<string> {
    const { rest } = this.cluster;
    const jobID = await rest.runJar(jar, run);
    cancelledWithTheTest(rest, jobID);
    return jobID;
  }

  /** Waits until it has read all of its input. */
  async finished(jobID: string): Promise<void> {
    await watchJob(this.cluster.rest, jobID, ({ state }) => state === 'FINISHED', { signal: never, limitMs: 300_000 });
  }

  /** A metric of the stages, by the end of its name, summed over subtasks and stages. */
  async metric(jobID: string, name: string): Promise<number> {
    const { rest } = this.cluster;
    let sum = 0;
    for (const { id } of (await rest.job(jobID)).vertices) {
      const names = (await rest.metricNames(jobID, id)).filter((each) => each.endsWith(`.${name}`));
      for (const value of Object.values(names.length === 0 ? {} : await rest.metrics(jobID, id, names))) sum += value;
    }
    return sum;
  }

  async run(job: GraphJob, jarPath?: string): Promise<string> {
    await this.finished(await this.submit(job, jarPath));
    return canonicalText(job.output);
  }

  /** Waits until the job has completed so many checkpoints. */
  async checkpointed(jobID: string, atLeast: number): Promise<void> {
    await watchJob(this.cluster.rest, jobID, () => true, { signal: never });
    for (let completed = 0; completed < atLeast; ) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      completed = (await this.cluster.rest.checkpoints(jobID)).counts.completed;
      const { state } = await this.cluster.rest.job(jobID);
      if (state === 'FINISHED') throw new Error('the job was over before it was struck: give it more to do');
    }
  }

  stop(): Promise<void> {
    return this.cluster.stop();
  }
}

/** A job that still runs when its test is over has nothing more to say, and writes nothing any more. */
export function cancelledWithTheTest(rest: FlinkRest, jobID: string): void {
  onTestFinished(async () => {
    // The cluster may be stopped by then.
    await rest
      .cancel(jobID)
      .then(
        () => watchJob(rest, jobID, ({ state }) => isOver(state), { signal: AbortSignal.timeout(60_000) }),
        () => undefined,
      )
      .catch(() => undefined);
  });
}

export async function canonicalText(output: string): Promise<string> {
  return (await canonicalRows(output)).map((line) => `${line}\n`).join('');
}

/** Every line of every visible part of rows: what a reader without any mercy sees. */
export async function rowLines(output: string): Promise<string[]> {
  const all: string[] = [];
  for (const folder of await readdir(output)) {
    if (!folder.startsWith('dt=')) continue;
    for (const name of await readdir(`${output}/${folder}`)) {
      if (name.startsWith('.') || name.startsWith('_')) continue;
      const text = await readFile(`${output}/${folder}/${name}`, 'utf8');
      if (!text.endsWith('\n')) throw new Error(`${folder}/${name}: its last line is torn`);
      all.push(...text.slice(0, -1).split('\n'));
    }
  }
  return all;
}

/** Rows that stand twice: in no committed file may there be one with the version and the score status of another. */
export function repeated(lines: readonly string[]): string[] {
  const seen = new Set<string>();
  return lines.filter((line) => {
    const { companyID, version, scoreStatus } = JSON.parse(line) as Record<string, unknown>;
    const key = JSON.stringify([companyID, version, scoreStatus]);
    if (seen.has(key)) return true;
    seen.add(key);
    return false;
  });
}

/** A company record and job events of it, as files in a folder. */
export async function writeInputs(
  folder: string,
  companies: readonly unknown[],
  jobs: readonly unknown[],
): Promise<{ companies: string; jobs: string }> {
  await mkdir(folder, { recursive: true });
  const paths = { companies: `${folder}/companies.jsonl`, jobs: `${folder}/jobs.jsonl` };
  const lines = (values: readonly unknown[]) => values.map((value) => `${JSON.stringify(value)}\n`).join('');
  await writeFile(paths.companies, lines(companies));
  await writeFile(paths.jobs, lines(jobs));
  return paths;
}
