import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';

const CACHE = resolve('node_modules/.cache/model-venv');
const REQUIREMENTS = resolve('model/requirements.txt');

/** What is missing to train the model here, or null. */
export function missingForTraining(): string | null {
  const ask = (code: string) => spawnSync('python3', ['-c', code], { stdio: 'ignore', timeout: 20_000 }).status === 0;
  // Asked together first: each start of Python takes a while.
  if (ask('import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))')) return null;
  return ask('import sys; sys.exit(sys.version_info < (3, 11))') ? 'pip for python3' : 'python3, 3.11 or newer';
}

/** A Python with the packages of model/requirements.txt; made once, and anew when they change. */
export async function pythonForTraining(): Promise<string> {
  const python = `${CACHE}/bin/python`;
  const made = `${CACHE}/made-for`;
  const wanted = createHash('sha256')
    .update(await readFile(REQUIREMENTS))
    .digest('hex');
  if (existsSync(made) && (await readFile(made, 'utf8')) === wanted) return python;
  await rm(CACHE, { recursive: true, force: true });
  await runPython('python3', ['-m', 'venv', CACHE]);
  await runPython(python, ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check', '-r', REQUIREMENTS]);
  await writeFile(made, wanted);
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
