/** The two Flink jobs that are compared: ours, and the same pipeline written natively; each a local job in a JVM of its own. */
import { execFile } from 'node:child_process';
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';
import type { JavaProgram } from './jvm.ts';
import { ROOT_DIR } from './measure.ts';

const PEER_DIR = join(ROOT_DIR, 'bench/peers/flink-native');
const PEER_JAR = join(PEER_DIR, 'target/flink-native.jar');
/** What a cluster brings: the same for both. */
const FLINK_LIBS = join(PEER_DIR, 'target/flink/*');
export const HOST_JAR = 'dist/flink/tenant-analytics-flink.jar';
const CHECKPOINT_MS = 10_000;

export interface FlinkInput {
  readonly companiesFile: string;
  readonly jobsFile: string;
  readonly output: string;
  readonly parallelism: number;
}

/** Builds the native peer when its jar is missing or older than its sources. Needs a JDK and Maven. */
export async function buildNativePeer(): Promise<void> {
  const built = statSync(PEER_JAR, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const sources = readdirSync(join(PEER_DIR, 'src'), { recursive: true, encoding: 'utf8' });
  const paths = [...sources.map((path) => join(PEER_DIR, 'src', path)), join(PEER_DIR, 'pom.xml')];
  if (paths.every((path) => statSync(path).mtimeMs <= built)) return;
  const building = promisify(execFile)('mvn', ['-q', '-B', 'package'], { cwd: PEER_DIR });
  building.child.stdin?.end();
  await building.catch((error: unknown) => {
    const { stdout = '', code } = error as { stdout?: string; code?: unknown };
    const why = code === 'ENOENT' ? 'mvn was not found; install Maven and a JDK' : stdout || String(error);
    throw new Error(`Cannot build ${PEER_DIR}: ${why}`, { cause: error });
  });
}

export function nativeJob({ companiesFile, jobsFile, output, parallelism }: FlinkInput): JavaProgram {
  return {
    classPath: `${PEER_JAR}:${FLINK_LIBS}`,
    mainClass: 'io.tenantanalytics.peer.NativePeer',
    args: [
      ...['--companies', companiesFile, '--jobs', jobsFile, '--output', output],
      ...checkpoints(output),
      ...['--parallelism', String(parallelism)],
    ],
  };
}

export function hostJob(
  { companiesFile, jobsFile, output, parallelism }: FlinkInput,
  settings: Readonly<Record<string, string>> = { enrichment: 'join', scoring: 'off' },
): JavaProgram {
  const application = { S3SinkPath: pathToFileURL(output).href, ...settings };
  const properties = [{ PropertyGroupId: 'ApplicationConfigProperties', PropertyMap: application }];
  return {
    classPath: `${join(ROOT_DIR, HOST_JAR)}:${FLINK_LIBS}`,
    mainClass: 'io.tenantanalytics.flinkhost.Main',
    args: [
      ...['--mode', 'replay', '--properties', JSON.stringify(properties)],
      ...['--companies', companiesFile, '--jobs', jobsFile],
      ...checkpoints(output),
      ...['--parallelism', String(parallelism)],
    ],
  };
}

/** On disk for both: in memory, where Flink keeps them by default, those of 10,000 companies are refused as too large. */
function checkpoints(output: string): string[] {
  const folder = pathToFileURL(checkpointFolder(output)).href;
  return ['--checkpoint-interval-ms', String(CHECKPOINT_MS), '--checkpoint-dir', folder];
}

export function checkpointFolder(output: string): string {
  return join(output, '.checkpoints');
}

export function isHostBuilt(): boolean {
  return existsSync(join(ROOT_DIR, HOST_JAR));
}
