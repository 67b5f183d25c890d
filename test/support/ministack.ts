import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync } from 'node:fs';
import { mkdtemp, readFile, rename, rm, writeFile } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { runPython } from './model-venv.ts';

const CACHE = resolve('node_modules/.cache/ministack-venv');
const REQUIREMENTS = resolve('test/support/ministack-requirements.txt');

/** What is missing to run ministack here, or null. */
export function missingForMinistack(): string | null {
  const code = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))';
  return spawnSync('python3', ['-c', code], { stdio: 'ignore', timeout: 20_000 }).status === 0
    ? null
    : 'python3, 3.10 or newer, with venv and pip';
}

/**
 * A Python with ministack and the AWS CLI (`-m ministack`, `-m awscli`); made once, and anew when they change. Made aside and
 * moved: two test files may ask at the same time. The network is needed when it is made, and never after.
 */
async function pythonWithAws(): Promise<string> {
  const python = `${CACHE}/bin/python`;
  const wanted = createHash('sha256')
    .update(await readFile(REQUIREMENTS))
    .digest('hex');
  const isMade = async () =>
    existsSync(`${CACHE}/made-for`) && (await readFile(`${CACHE}/made-for`, 'utf8')) === wanted;
  if (await isMade()) return python;
  const next = `${CACHE}-${process.pid}`;
  await rm(next, { recursive: true, force: true });
  await runPython('python3', ['-m', 'venv', next]);
  await runPython(`${next}/bin/python`, [
    '-m',
    'pip',
    'install',
    '-q',
    '--disable-pip-version-check',
    '-r',
    REQUIREMENTS,
  ]);
  await writeFile(`${next}/made-for`, wanted);
  if (!(await isMade())) {
    await rm(CACHE, { recursive: true, force: true });
    await rename(next, CACHE).catch(async (error: unknown) => {
      if (!(await isMade())) throw error;
    });
  }
  await rm(next, { recursive: true, force: true });
  return python;
}

export interface Ministack {
  readonly endpoint: string;
  readonly python: string;
  /** For programs that are to find it in place of AWS. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const START_MS = 60_000;
const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_DEFAULT_REGION: 'us-west-2' };

/** AWS on 127.0.0.1, in memory, until it is stopped. */
export async function startMinistack(): Promise<Ministack> {
  const python = await pythonWithAws();
  const folder = await mkdtemp(join(tmpdir(), 'ministack-'));
  const port = await freePort();
  const endpoint = `http://127.0.0.1:${port}`;
  const own = Object.entries(process.env).filter(([name]) => !/^(AWS_|MINISTACK_|DOCKER_)/.test(name));
  const child = spawn(python, ['-m', 'ministack'], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: {
      ...Object.fromEntries(own),
      BIND_HOST: '127.0.0.1',
      GATEWAY_PORT: `${port}`,
      TMPDIR: folder,
      MINISTACK_REGION: 'us-west-2',
      // Without a Docker it runs no Flink job, which takes minutes, on any machine alike.
      DOCKER_HOST: 'unix:///nowhere',
    },
  });
  let said = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      said = (said + text).slice(-4000);
    });
  }
  const ended = new Promise<void>((resolved) => child.once('close', () => resolved()));
  process.once('exit', () => child.kill('SIGKILL'));
  for (const until = Date.now() + START_MS; !(await answers(endpoint)); await sleep(100)) {
    if (child.exitCode === null && Date.now() < until) continue;
    child.kill('SIGKILL');
    throw new Error(`ministack did not start: ${said}`);
  }
  return {
    endpoint,
    python,
    environment: { ...CREDENTIALS, AWS_ENDPOINT_URL: endpoint, AWS_PAGER: '' },
    async stop() {
      child.kill('SIGKILL');
      await ended;
      await rm(folder, { recursive: true, force: true });
    },
  };
}

function answers(endpoint: string): Promise<boolean> {
  return fetch(`${endpoint}/_ministack/health`).then(
    ({ ok }) => ok,
    () => false,
  );
}

/** ministack takes no port of 0. */
async function freePort(): Promise<number> {
  const server = createServer();
  await new Promise<void>((resolved) => server.listen(0, '127.0.0.1', resolved));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolved) => server.close(resolved));
  return port;
}
