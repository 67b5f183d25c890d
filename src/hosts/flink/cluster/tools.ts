import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { delimiter, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { messageOf, systemCode, TenantAnalyticsError } from '../../../base/errors.ts';
import { packageFile } from '../../../services/local-kinesis/package-file.ts';

/** What the processes of a cluster are started with. */
export interface FlinkTools {
  readonly java: string;
  /** Flink's jars where Maven keeps them: a build of ours removes nothing that a running cluster has yet to load. */
  readonly classPath: string;
}

const POM = 'flink-host/cluster/pom.xml';
const LEAST_JAVA = 11;
/** Flink's jars are 100 MB, once. */
const MAVEN_LIMIT_MS = 600_000;
const S3_PLUGIN = 'org.apache.flink:flink-s3-fs-hadoop:1.20.1';

const runFile = promisify(execFile);

/**
 * Finds Java, and through Maven the jars of a cluster; they are downloaded the first time.
 * @throws TenantAnalyticsError FLINK_MISSING for what this machine lacks, with what to install
 */
export async function flinkTools(): Promise<FlinkTools> {
  const java = process.env.JAVA_HOME === undefined ? 'java' : join(process.env.JAVA_HOME, 'bin/java');
  const major = await javaVersion(java);
  if (major < LEAST_JAVA) {
    throw missing(`Flink needs Java ${LEAST_JAVA} or later, ${java} is Java ${major}. Set JAVA_HOME to a later one.`);
  }
  return { java, classPath: await classPath() };
}

async function javaVersion(java: string): Promise<number> {
  const { stderr } = await runFile(java, ['-version']).catch((error: unknown) => {
    throw missing(
      `Flink needs Java ${LEAST_JAVA} or later; ${java} cannot be run (${systemCode(error) ?? messageOf(error)}). Install one, for example openjdk-17-jdk-headless, or set JAVA_HOME.`,
      error,
    );
  });
  return Number(/version "(?:1\.)?(\d+)/.exec(stderr)?.[1] ?? 0);
}

/** From Maven, or from the file in which the answer for the same list was kept. */
async function classPath(): Promise<string> {
  const pom = packageFile(POM);
  const digest = createHash('sha256')
    .update(await readFile(pom))
    .digest('hex')
    .slice(0, 12);
  const kept = join(dirname(pom), `../../dist/flink/cluster-class-path-${digest}`);
  const known = await readFile(kept, 'utf8').catch(() => '');
  if (known !== '' && known.split(delimiter).every((jar) => existsSync(jar))) return known;
  await mkdir(dirname(kept), { recursive: true });
  const next = `${kept}.${process.pid}`;
  await maven(['-f', pom, 'dependency:build-classpath', '-DincludeScope=runtime', `-Dmdep.outputFile=${next}`]);
  await rename(next, kept);
  return (await readFile(kept, 'utf8')).trim();
}

/**
 * Puts Flink's file system for S3 where a cluster looks for plugins.
 * @throws TenantAnalyticsError FLINK_MISSING
 */
export async function addS3Plugin(plugins: string): Promise<void> {
  const folder = join(plugins, 's3');
  const [, name, version] = S3_PLUGIN.split(':');
  if (existsSync(join(folder, `${name}-${version}.jar`))) return;
  await mkdir(folder, { recursive: true });
  // A project of its own, or Maven would look for one in the current folder.
  await writeFile(
    join(folder, 'pom.xml'),
    '<project><modelVersion>4.0.0</modelVersion><groupId>x</groupId><artifactId>x</artifactId><version>1</version><packaging>pom</packaging></project>',
  );
  const words = [`-Dartifact=${S3_PLUGIN}`, `-DoutputDirectory=${folder}`];
  await maven(['-f', join(folder, 'pom.xml'), 'dependency:copy', ...words]);
}

async function maven(words: readonly string[]): Promise<void> {
  await runFile('mvn', ['-q', '-B', ...words], { timeout: MAVEN_LIMIT_MS, maxBuffer: 16 * 1024 * 1024 }).catch(
    (error: unknown) => {
      if (systemCode(error) === 'ENOENT') {
        throw missing(
          'Flink is had through Maven; mvn is not there. Install it, for example the package maven.',
          error,
        );
      }
      const { stdout = '' } = error as { stdout?: string };
      const why = stdout.split('\n').find((line) => line.includes('[ERROR]')) ?? messageOf(error);
      throw missing(`Maven could not bring what a Flink cluster needs: ${why.replace(/.*\[ERROR\]\s*/, '')}`, error);
    },
  );
}

function missing(message: string, cause?: unknown): TenantAnalyticsError {
  return new TenantAnalyticsError('FLINK_MISSING', message, { cause });
}
