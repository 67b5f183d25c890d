import { execFile } from 'node:child_process';
import { mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { flinkTools } from '../../../src/hosts/flink/cluster/tools.ts';

const SOURCE = fileURLToPath(new URL('../counting-job/CountingJob.java', import.meta.url));
const runFile = promisify(execFile);

/** Compiles the job of the tests into `folder`, and returns its jar. */
export async function countingJar(folder: string): Promise<string> {
  const { classPath } = await flinkTools();
  await mkdir(`${folder}/classes`, { recursive: true });
  await runFile('javac', ['--release', '11', '-cp', classPath, '-d', `${folder}/classes`, SOURCE]);
  const jar = `${folder}/counting-job.jar`;
  await runFile('jar', ['--create', '--file', jar, '--main-class', 'CountingJob', '-C', `${folder}/classes`, '.']);
  return jar;
}
