import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { readdir, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { TenantAnalyticsError } from '../../../base/errors.ts';
import { packageFile } from '../../../services/local-kinesis/package-file.ts';

const JAR = 'dist/flink/tenant-analytics-flink.jar';
const BUILD = 'flink-host/build.js';
/** What the jar is made of. */
const SOURCES = [
  'flink-host',
  'src/base',
  'src/core',
  'src/runtime',
  'src/connectors/file/first-line.ts',
  'src/pipeline',
  'src/hosts/flink',
];
/** Made by a build, or no part of the job. */
const NOT_SOURCES = /(^|\/)(target|node_modules|cluster)$|\.test\.ts$/;
const KEPT_CHARACTERS = 20_000;

/**
 * The application as a job for Flink: the jar that is there, or, when there is none or its sources were changed since, a
 * new one.
 * @throws TenantAnalyticsError FLINK_MISSING with the last lines of a build that failed
 */
export async function applicationJar(warn: (message: string) => void): Promise<string> {
  const root = dirname(packageFile('package.json'));
  const jar = join(root, JAR);
  const madeAt = await modifiedAt(jar);
  const canBuild = existsSync(join(root, BUILD));
  if (madeAt > 0 && (!canBuild || (await latestChange(root)) <= madeAt)) return jar;
  if (!canBuild) {
    throw new TenantAnalyticsError(
      'FLINK_MISSING',
      `Expected the job for Flink at ${jar}. Build it: npm run build:flink.`,
    );
  }
  warn(`Building the job for Flink (${madeAt > 0 ? 'its sources have changed' : 'once'}) …`);
  await build(root);
  return jar;
}

async function latestChange(root: string): Promise<number> {
  let latest = 0;
  const look = async (path: string): Promise<void> => {
    if (NOT_SOURCES.test(path)) return;
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) return;
    if (!found.isDirectory()) latest = Math.max(latest, found.mtimeMs);
    else for (const name of await readdir(path)) await look(join(path, name));
  };
  for (const source of SOURCES) await look(join(root, source));
  return latest;
}

async function modifiedAt(path: string): Promise<number> {
  return (await stat(path).catch(() => undefined))?.mtimeMs ?? 0;
}

function build(root: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, [BUILD], { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] });
    let said = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.setEncoding('utf8').on('data', (text: string) => {
        said = (said + text).slice(-KEPT_CHARACTERS);
      });
    }
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) return resolve();
      const lines = said.trim().split('\n');
      const errors = lines.filter((line) => /error/i.test(line));
      const why = (errors.length > 0 ? errors.slice(0, 3) : lines.slice(-3)).join(' ');
      reject(
        new TenantAnalyticsError(
          'FLINK_MISSING',
          `The job for Flink could not be built: ${why} Try: npm run build:flink.`,
        ),
      );
    });
  });
}
