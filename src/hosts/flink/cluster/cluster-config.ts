import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { TenantAnalyticsError } from '../../../base/errors.ts';

/** Flink's settings, by their full names. A map, since Flink refuses a file in which a name stands twice. */
export type FlinkConfig = Readonly<Record<string, string | number | boolean>>;

export interface ConfigRequest {
  readonly folder: string;
  readonly slots: number;
  /** `host:port` of ZooKeeper, with high availability. */
  readonly zooKeeper: string | undefined;
  readonly extra: FlinkConfig;
}

const MIB = 1024 * 1024;

/** The settings of a local cluster. What `extra` names stands over them. */
export function clusterConfig({ folder, slots, zooKeeper, extra }: ConfigRequest): FlinkConfig {
  const at = (name: string) => pathToFileURL(join(folder, name)).href;
  return {
    // Nothing listens but on this machine.
    'jobmanager.rpc.address': '127.0.0.1',
    'jobmanager.bind-host': '127.0.0.1',
    'taskmanager.host': '127.0.0.1',
    'taskmanager.bind-host': '127.0.0.1',
    'rest.address': '127.0.0.1',
    'rest.bind-address': '127.0.0.1',
    // Ports that are free: who needs them is told (see cluster.ts).
    'jobmanager.rpc.port': 0,
    'rest.port': 0,
    'rest.bind-port': '0',
    'blob.server.port': '0',
    'taskmanager.rpc.port': '0',
    'taskmanager.data.port': 0,
    // A jar beyond 100 MiB is not taken by default, ours may be larger.
    'rest.server.max-content-length': 256 * MIB,
    'io.tmp.dirs': join(folder, 'tmp'),
    'web.upload.dir': join(folder, 'tmp'),
    // How old an answer about a job may be.
    'web.refresh-interval': '500 ms',

    'taskmanager.numberOfTaskSlots': slots,
    // All parts of the memory: without Flink's own start scripts nobody works out those left open.
    'taskmanager.cpu.cores': slots,
    'taskmanager.memory.framework.heap.size': '128m',
    'taskmanager.memory.task.heap.size': '384m',
    'taskmanager.memory.framework.off-heap.size': '128m',
    'taskmanager.memory.task.off-heap.size': '128m',
    'taskmanager.memory.network.min': '64m',
    'taskmanager.memory.network.max': '64m',
    'taskmanager.memory.managed.size': '128m',
    'taskmanager.memory.jvm-metaspace.size': '256m',
    'taskmanager.memory.jvm-overhead.min': '192m',
    'taskmanager.memory.jvm-overhead.max': '192m',

    // A process that is killed is missed by its closed connections; the time-out is for one that hangs, not for a busy machine.
    'heartbeat.interval': '1 s',
    'heartbeat.timeout': '30 s',
    'restart-strategy.type': 'exponential-delay',
    // Longer than the death of a TaskManager goes unnoticed (2 s): sooner, the job is deployed to the dead one once more.
    'restart-strategy.exponential-delay.initial-backoff': '3 s',
    'restart-strategy.exponential-delay.max-backoff': '10 s',

    'execution.checkpointing.storage': 'filesystem',
    'execution.checkpointing.dir': at('checkpoints'),
    'execution.checkpointing.savepoint-dir': at('savepoints'),
    'execution.checkpointing.externalized-checkpoint-retention': 'RETAIN_ON_CANCELLATION',
    'execution.checkpointing.num-retained': 2,
    // A checkpoint that fails is no reason to go back to the one before it: the next one comes (docs/flink.md).
    'execution.checkpointing.tolerable-failed-checkpoints': 1000,
    ...(zooKeeper === undefined ? {} : highAvailability(at('high-availability'), zooKeeper)),
    ...Object.fromEntries(Object.entries(extra).map(([name, value]) => [RENAMED[name] ?? name, value])),
  };
}

/** Names that Flink had before 1.20 and still takes: under both names, the older one would not count. */
const RENAMED: Readonly<Record<string, string>> = {
  'state.checkpoint-storage': 'execution.checkpointing.storage',
  'state.checkpoints.dir': 'execution.checkpointing.dir',
  'state.savepoints.dir': 'execution.checkpointing.savepoint-dir',
  'state.checkpoints.num-retained': 'execution.checkpointing.num-retained',
  'restart-strategy': 'restart-strategy.type',
};

function highAvailability(storage: string, zooKeeper: string): FlinkConfig {
  return {
    'high-availability.type': 'zookeeper',
    'high-availability.storageDir': storage,
    'high-availability.cluster-id': '/tenant-analytics',
    'high-availability.zookeeper.quorum': zooKeeper,
    'high-availability.jobmanager.port': '0',
    // For so long after its death a JobManager counts as the leader.
    'high-availability.zookeeper.client.session-timeout': '10 s',
    'high-availability.zookeeper.client.connection-timeout': '5 s',
    'high-availability.zookeeper.client.tolerate-suspended-connections': true,
  };
}

/** As `config.yaml`: names as they are, values quoted as JSON, which YAML takes. */
export function configText(config: FlinkConfig): string {
  return Object.entries(config)
    .map(([name, value]) => `${name}: ${JSON.stringify(value)}\n`)
    .join('');
}

/** What the JVM of a TaskManager needs to be given, so that it agrees with the memory in the settings. */
export function taskManagerMemory(config: FlinkConfig): string[] {
  const mebibytes = (...names: string[]) =>
    names.reduce((sum, name) => sum + mebibytesOf(`taskmanager.memory.${name}`, config), 0);
  const heap = mebibytes('framework.heap.size', 'task.heap.size');
  const direct = mebibytes('framework.off-heap.size', 'task.off-heap.size', 'network.max');
  return [
    `-Xmx${heap}m`,
    `-XX:MaxDirectMemorySize=${direct}m`,
    `-XX:MaxMetaspaceSize=${mebibytes('jvm-metaspace.size')}m`,
  ];
}

const FACTORS: Readonly<Record<string, number>> = { '': 1 / MIB, b: 1 / MIB, k: 1 / 1024, m: 1, g: 1024 };

/** @throws TenantAnalyticsError PARAMETER_INVALID */
function mebibytesOf(name: string, config: FlinkConfig): number {
  const text = String(config[name]);
  const [, digits, unit = ''] = /^(\d+)\s*([bkmg]?)(?:b|ib|bytes)?$/i.exec(text) ?? [];
  const factor = FACTORS[unit.toLowerCase()];
  if (digits !== undefined && factor !== undefined) return Math.ceil(Number(digits) * factor);
  throw new TenantAnalyticsError('PARAMETER_INVALID', `${name}: expected a size such as 512m or 2g, got ${text}.`);
}

/** Java's inner parts that Flink reaches into, as its own `config.yaml` opens them. */
export const OPENED: readonly string[] = [
  ...['java.base/sun.net.util', 'java.rmi/sun.rmi.registry', 'java.security.jgss/sun.security.krb5'].map(
    (part) => `--add-exports=${part}=ALL-UNNAMED`,
  ),
  ...[
    ...['lang', 'net', 'io', 'nio', 'lang.reflect', 'text', 'time', 'util'].map((name) => `java.base/java.${name}`),
    ...['concurrent', 'concurrent.atomic', 'concurrent.locks'].map((name) => `java.base/java.util.${name}`),
    'java.base/sun.nio.ch',
  ].map((part) => `--add-opens=${part}=ALL-UNNAMED`),
];

/** Each JVM writes a log of its own, of 30 MB at most. */
export const LOG_CONFIG = `
rootLogger.level = INFO
rootLogger.appenderRef.file.ref = file
appender.file.name = file
appender.file.type = RollingFile
appender.file.fileName = \${sys:log.file}
appender.file.filePattern = \${sys:log.file}.%i
appender.file.layout.type = PatternLayout
appender.file.layout.pattern = %d{yyyy-MM-dd HH:mm:ss,SSS} %-5p %-60c [%t] - %m%n%xEx
appender.file.policies.type = Policies
appender.file.policies.size.type = SizeBasedTriggeringPolicy
appender.file.policies.size.size = 10MB
appender.file.strategy.type = DefaultRolloverStrategy
appender.file.strategy.max = 2
logger.pekko.name = org.apache.pekko
logger.pekko.level = WARN
logger.zookeeper.name = org.apache.flink.shaded.zookeeper3
logger.zookeeper.level = INFO
`;
