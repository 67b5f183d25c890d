import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { runPython } from './model-venv.ts';

/** What is missing to make one here, or null; `least` is the minor version of Python 3. */
export function missingForVenv(least: number): string | null {
  const code = `import sys, venv, ensurepip; sys.exit(sys.version_info < (3, ${least}))`;
  return spawnSync('python3', ['-c', code], { stdio: 'ignore', timeout: 20_000 }).status === 0
    ? null
    : `python3, 3.${least} or newer, with venv and pip`;
}

/**
 * A Python with the packages of a requirements file; made once, and anew when they change. Made aside and moved: two test
 * files may ask at the same time. The network is needed when it is made, and never after.
 */
export async function pythonWith(name: string, requirements: string): Promise<string> {
  const cache = resolve(`node_modules/.cache/${name}-venv`);
  const python = `${cache}/bin/python`;
  const wanted = createHash('sha256')
    .update(await readFile(requirements))
    .digest('hex');
  const madeFor = `${cache}/made-for`;
  const isMade = async () => existsSync(madeFor) && (await readFile(madeFor, 'utf8')) === wanted;
  if (await isMade()) return python;
  const next = `${cache}-${process.pid}`;
  await rm(next, { recursive: true, force: true });
  await runPython('python3', ['-m', 'venv', next]);
  const install = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', requirements];
  await runPython(`${next}/bin/python`, install);
  await writeFile(`${next}/made-for`, wanted);
  if (!(await isMade())) {
    await rm(cache, { recursive: true, force: true });
    await rename(next, cache).catch(async (error: unknown) => {
      if (!(await isMade())) throw error;
    });
  }
  await rm(next, { recursive: true, force: true });
  return python;
}
