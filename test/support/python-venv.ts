import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';

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

/** Its standard output; `input` is its standard input. */
export async function runPython(python: string, words: readonly string[], input = ''): Promise<string> {
  const child = spawn(python, words, { stdio: 'pipe', env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1' } });
  let [out, err] = ['', ''];
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    out += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    err += text;
  });
  // One that failed early does not read its input; its exit code tells more than the broken pipe.
  child.stdin.on('error', () => undefined).end(input);
  const code = await new Promise((resolved, reject) => child.once('error', reject).once('close', resolved));
  if (code !== 0)
    throw new Error(`${python} ${words.join(' ')}: expected exit code 0, got ${code}: ${err.slice(-2000)}`);
  return out;
}
