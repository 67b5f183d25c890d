import { spawn } from 'node:child_process';

import { mkdtemp, rm } from 'node:fs/promises';
import type { AddressInfo } from 'node:net';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { missingForVenv, pythonWith } from './python-venv.ts';

/** ministack, and the AWS CLI: `-m ministack`, `-m awscli`. */
const REQUIREMENTS = resolve('test/support/ministack-requirements.txt');

/** What is missing to run ministack here, or null. */
export const missingForMinistack = (): string | null => missingForVenv(10);

export interface Ministack {
  readonly endpoint: string;
  readonly python: string;
  /** For programs that are to find it in place of AWS. */
  readonly environment: Readonly<Record<string, string>>;
  stop(): Promise<void>;
}

const START_MS = 60_000;
const TRIES = 5;
const CREDENTIALS = { AWS_ACCESS_KEY_ID: 'test', AWS_SECRET_ACCESS_KEY: 'test', AWS_DEFAULT_REGION: 'us-west-2' };

/** AWS on 127.0.0.1, in memory, until it is stopped. */
export async function startMinistack(): Promise<Ministack> {
  const python = await pythonWith('ministack', REQUIREMENTS);
  for (let tries = 1; ; tries++) {
    try {
      return await startAt(await freePort(), python);
    } catch (error) {
      // Another program may have taken the port meanwhile.
      if (tries === TRIES) throw error;
    }
  }
}

async function startAt(port: number, python: string): Promise<Ministack> {
  const folder = await mkdtemp(join(tmpdir(), 'ministack-'));
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
  const until = Date.now() + START_MS;
  while (child.exitCode !== null || !(await answers(endpoint))) {
    if (child.exitCode === null && Date.now() < until) {
      await sleep(100);
      continue;
    }
    child.kill('SIGKILL');
    await ended;
    await rm(folder, { recursive: true, force: true });
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
