import { mkdir, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { TenantAnalyticsError } from '../../../base/errors.ts';
import { sleep } from '../../../base/sleep.ts';
import {
  clusterConfig,
  configText,
  type FlinkConfig,
  LOG_CONFIG,
  OPENED,
  taskManagerMemory,
} from './cluster-config.ts';
import { type FlinkRest, flinkRest } from './flink-rest.ts';
import { Jvm, type JvmSpec } from './jvm.ts';
import { addS3Plugin, type FlinkTools, flinkTools } from './tools.ts';

export interface ClusterSetting {
  /** All that the cluster writes is in here, but for what `extraConfig` puts elsewhere. Made when it is not there. */
  readonly folder: string;
  readonly taskManagers: number;
  /** Of each TaskManager. */
  readonly slots: number;
  /** With a ZooKeeper of its own: a JobManager that is started anew goes on with the jobs of the one before. */
  readonly highAvailability?: boolean;
  /** Flink's settings, over those of cluster-config.ts; `taskmanager.memory.*` sizes the JVMs, too. */
  readonly extraConfig?: FlinkConfig;
  /** With Flink's file system for S3; credentials come from the environment. */
  readonly s3?: boolean;
  /** Goes on after this process ended. Otherwise all its JVMs end with this process, however that ends. */
  readonly outlivesUs?: boolean;
  /** Ends a start that is under way. */
  readonly signal?: AbortSignal;
}

/** One process of a cluster: what is needed to watch it and to end it. */
export type ClusterProcess = Pick<Jvm, 'name' | 'pid' | 'logFile' | 'hasEnded' | 'ended' | 'kill' | 'whyEnded'>;

const JOB_MANAGER = 'org.apache.flink.runtime.entrypoint.StandaloneSessionClusterEntrypoint';
const TASK_MANAGER = 'org.apache.flink.runtime.taskexecutor.TaskManagerRunner';
/** The one within Flink's own jars. */
const ZOOKEEPER = 'org.apache.flink.shaded.zookeeper3.org.apache.zookeeper.server.ZooKeeperServerMain';
const START_LIMIT_MS = 240_000;
const LOOK_MS = 100;
const PORT_TRIES = 5;

/**
 * Starts a Flink cluster of processes on this machine: a JobManager, TaskManagers and, with high availability, ZooKeeper.
 * All listen on 127.0.0.1 only, on free ports. Resolves once all TaskManagers are there.
 * @throws TenantAnalyticsError FLINK_MISSING without Java or Maven; FLINK_FAILED with what the log of a process says
 */
export async function startCluster(setting: ClusterSetting): Promise<FlinkCluster> {
  const tools = await flinkTools();
  const { folder } = setting;
  // What lies there was written by a cluster before; a look at a log must not find its lines.
  await rm(join(folder, 'tmp'), { recursive: true, force: true });
  await rm(join(folder, 'log.before'), { recursive: true, force: true });
  await rename(join(folder, 'log'), join(folder, 'log.before')).catch(() => undefined);
  for (const part of ['conf', 'log', 'tmp', 'plugins']) await mkdir(join(folder, part), { recursive: true });
  if (setting.s3 === true) await addS3Plugin(join(folder, 'plugins'));
  await writeFile(join(folder, 'conf/log4j2.properties'), LOG_CONFIG);
  const cluster = new FlinkCluster(setting, tools);
  try {
    await cluster.begin();
    return cluster;
  } catch (error) {
    await cluster.stop();
    throw error;
  }
}

export class FlinkCluster {
  readonly folder: string;
  readonly #setting: ClusterSetting;
  readonly #tools: FlinkTools;
  readonly #signal: AbortSignal;
  #config: FlinkConfig = {};
  #zooKeeper: Jvm | undefined;
  #jobManagers: Jvm[] = [];
  #taskManagers: Jvm[] = [];
  #url = '';
  #rpcPort = '';
  #isStopped = false;

  /** @see startCluster */
  constructor(setting: ClusterSetting, tools: FlinkTools) {
    this.folder = setting.folder;
    this.#setting = setting;
    this.#tools = tools;
    this.#signal = setting.signal ?? new AbortController().signal;
  }

  /** Of the web UI and the REST API; a JobManager that is started anew has the same. */
  get url(): string {
    return this.#url;
  }

  get rest(): FlinkRest {
    return flinkRest(this.#url);
  }

  /** The one that was started last. */
  get jobManager(): ClusterProcess {
    const last = this.#jobManagers.at(-1);
    if (last === undefined) throw new Error('the cluster has not begun');
    return last;
  }

  /** All that were ever started, in that order; Flink's name of each is its `name`. */
  get taskManagers(): readonly ClusterProcess[] {
    return this.#taskManagers;
  }

  /** All that were ever started. */
  get processes(): readonly ClusterProcess[] {
    const zooKeeper = this.#zooKeeper === undefined ? [] : [this.#zooKeeper];
    return [...zooKeeper, ...this.#jobManagers, ...this.#taskManagers];
  }

  /** Once, by `startCluster`. */
  async begin(): Promise<void> {
    const { folder, slots, extraConfig = {}, highAvailability, taskManagers } = this.#setting;
    const zooKeeper = highAvailability === true ? await this.#startZooKeeper() : undefined;
    this.#config = clusterConfig({ folder, slots, zooKeeper, extra: extraConfig });
    await writeFile(join(folder, 'conf/config.yaml'), configText(this.#config), { mode: 0o600 });
    await this.#startJobManager([]);
    await Promise.all(Array.from({ length: taskManagers }, () => this.#launchTaskManager()));
    await this.#allThere();
  }

  /** Starts one more, and waits until the JobManager knows it. */
  async startTaskManager(): Promise<ClusterProcess> {
    const jvm = await this.#launchTaskManager();
    await this.#allThere();
    return jvm;
  }

  /** Ends a TaskManager, by its place in `taskManagers`; resolves once its process is gone. */
  async kill(index: number, signal: NodeJS.Signals): Promise<void> {
    const jvm = this.#taskManagers[index];
    if (jvm === undefined) throw new RangeError(`there is no TaskManager ${index}`);
    jvm.kill(signal);
    await jvm.ended;
  }

  async killJobManager(signal: NodeJS.Signals): Promise<void> {
    const jvm = this.jobManager;
    jvm.kill(signal);
    await jvm.ended;
  }

  /**
   * Starts a JobManager in place of the last one, which is killed if it still runs, at the same URL. With high
   * availability it goes on with the jobs of the one before. Resolves once it leads and the TaskManagers are back.
   */
  async restartJobManager(): Promise<void> {
    await this.killJobManager('SIGKILL');
    const same = [`-Drest.bind-port=${new URL(this.#url).port}`];
    // The TaskManagers look for it there; with high availability ZooKeeper tells them.
    if (this.#setting.highAvailability !== true) same.push(`-Djobmanager.rpc.port=${this.#rpcPort}`);
    await this.#startJobManager(same);
    await this.#allThere();
  }

  /** Ends all processes, in order; jobs that run are not stopped before. Can be called again. */
  async stop(): Promise<void> {
    this.#isStopped = true;
    await Promise.all([...this.#taskManagers, ...this.#jobManagers].map((jvm) => jvm.stop()));
    await this.#zooKeeper?.stop();
  }

  async #startJobManager(words: readonly string[]): Promise<void> {
    const jvm = await this.#launch({
      name: `jobmanager-${this.#jobManagers.length + 1}`,
      mainClass: JOB_MANAGER,
      options: ['-Xmx512m', '-XX:MaxMetaspaceSize=256m'],
      words: ['--configDir', join(this.folder, 'conf'), ...words],
    });
    this.#jobManagers.push(jvm);
    const rest = await jvm.logged(/Rest endpoint listening at 127\.0\.0\.1:(\d+)/, START_LIMIT_MS, this.#signal);
    const rpc = await jvm.logged(/Actor system started at \S+@127\.0\.0\.1:(\d+)/, START_LIMIT_MS, this.#signal);
    this.#url = `http://127.0.0.1:${rest[1]}`;
    this.#rpcPort = rpc[1] ?? '';
  }

  async #launchTaskManager(): Promise<Jvm> {
    const name = `taskmanager-${this.#taskManagers.length + this.#launching++ + 1}`;
    const words = ['--configDir', join(this.folder, 'conf'), `-Dtaskmanager.resource-id=${name}`];
    if (this.#setting.highAvailability !== true) words.push(`-Djobmanager.rpc.port=${this.#rpcPort}`);
    try {
      const options = taskManagerMemory(this.#config);
      const jvm = await this.#launch({ name, mainClass: TASK_MANAGER, options, words });
      this.#taskManagers.push(jvm);
      return jvm;
    } finally {
      this.#launching--;
    }
  }

  #launching = 0;

  async #startZooKeeper(): Promise<string> {
    for (let tries = 1; ; tries++) {
      // It takes no port 0, and another program may be quicker to take the one that is free now.
      const port = await freePort();
      await writeFile(
        join(this.folder, 'conf/zookeeper.cfg'),
        [
          `dataDir=${join(this.folder, 'zookeeper')}`,
          `clientPort=${port}\nclientPortAddress=127.0.0.1`,
          'tickTime=1000\nadmin.enableServer=false\n',
        ].join('\n'),
      );
      const jvm = await this.#launch({
        name: `zookeeper-${tries}`,
        mainClass: ZOOKEEPER,
        options: ['-Xmx128m'],
        words: [join(this.folder, 'conf/zookeeper.cfg')],
      });
      this.#zooKeeper = jvm;
      try {
        await jvm.logged(/binding to port \S*127\.0\.0\.1[:/]/, START_LIMIT_MS, this.#signal);
        return `127.0.0.1:${port}`;
      } catch (error) {
        await jvm.stop();
        if (tries === PORT_TRIES || this.#signal.aborted) throw error;
      }
    }
  }

  async #launch(spec: Pick<JvmSpec, 'name' | 'mainClass' | 'options' | 'words'>): Promise<Jvm> {
    const stopped = () => new TenantAnalyticsError('STOPPED', 'The cluster was stopped.');
    if (this.#isStopped) throw stopped();
    const environment = { FLINK_PLUGINS_DIR: join(this.folder, 'plugins'), FLINK_CONF_DIR: join(this.folder, 'conf') };
    const options = [...OPENED, `-Djava.io.tmpdir=${join(this.folder, 'tmp')}`, ...spec.options];
    const { folder } = this;
    const jvm = await Jvm.start(
      { ...spec, options, environment, folder, outlivesUs: this.#setting.outlivesUs ?? false },
      this.#tools,
    );
    // Who stopped the cluster meanwhile did not know of it.
    if (this.#isStopped) {
      await jvm.stop();
      throw stopped();
    }
    return jvm;
  }

  /** Waits until the JobManager leads and knows exactly the TaskManagers that run. */
  async #allThere(): Promise<void> {
    let known: string[] = [];
    for (const until = Date.now() + START_LIMIT_MS; ; await sleep(LOOK_MS, this.#signal)) {
      if (this.#signal.aborted) throw new TenantAnalyticsError('STOPPED', 'Stopped while Flink was starting.');
      if (this.jobManager.hasEnded) throw await this.#jobManagers.at(-1)?.whyEnded();
      const ended = this.#taskManagers.find((jvm) => jvm.hasEnded && !this.#once.has(jvm));
      if (ended !== undefined) throw await ended.whyEnded();
      // Until it leads it answers with an error.
      known = await this.rest.taskManagers().then(
        (all) => all.filter(({ slotsNumber }) => slotsNumber > 0).map(({ id }) => id),
        () => known,
      );
      const running = this.#taskManagers.filter((jvm) => !jvm.hasEnded);
      if (running.every(({ name }) => known.includes(name))) {
        for (const jvm of running) this.#once.add(jvm);
        return;
      }
      if (Date.now() > until) {
        throw new TenantAnalyticsError(
          'FLINK_FAILED',
          `Expected ${running.length} TaskManagers within ${START_LIMIT_MS / 1000} s, ${known.length} are there. The logs are in ${join(this.folder, 'log')}.`,
        );
      }
    }
  }

  /** Those that were there: their end is no failure of a start. */
  readonly #once = new Set<Jvm>();
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer();
    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const address = server.address();
      server.close(() => resolve(typeof address === 'object' && address !== null ? address.port : 0));
    });
  });
}
