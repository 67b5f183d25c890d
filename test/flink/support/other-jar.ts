import { execFile } from 'node:child_process';
import { copyFile, mkdir } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { build } from 'esbuild';
import { applicationJar } from '../../../src/hosts/flink/control/jar.ts';

const runFile = promisify(execFile);

/** The jar of the build with another graph inside: not a class of it differs. */
export async function jarWith(entry: string, folder: string): Promise<string> {
  await mkdir(folder, { recursive: true });
  await build({
    entryPoints: [fileURLToPath(new URL(entry, import.meta.url))],
    outfile: `${folder}/graph.js`,
    bundle: true,
    format: 'iife',
    target: 'es2022',
    platform: 'neutral',
    mainFields: ['module', 'main'],
    logLevel: 'warning',
  });
  const jar = `${folder}/other.jar`;
  await copyFile(await applicationJar(() => undefined), jar);
  await runFile('jar', ['--update', '--file', jar, '-C', folder, 'graph.js']);
  return jar;
}
