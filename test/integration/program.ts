// The real program in processes of its own: started, watched, stopped, killed. Whatever a test leaves running is killed
// when its file ends; nothing else is touched.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { rm } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeEach } from 'vitest';
import type { CrashOrder } from './crash-child.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const PROGRAM = `${ROOT}bin/tenant-analytics.js`;
const CRASH_CHILD = `${ROOT}test/integration/crash-child.ts`;

/** Parameters without which a replay refuses: no service is called. */
const OFFLINE = ['enrichment=join', 'scoring=off'];

export interface Ended {
  code: number | null;
  signal: NodeJS.Signals | null;
  stdout: string;
  stderr: string;
}

export interface Running {
  pid: number;
  /** What was written so far. */
  stdout(): string;
  stderr(): string;
  hasEnded(): boolean;
  ended: Promise<Ended>;
  send(signal: NodeJS.Signals): void;
}

export interface Replay {
  companies: string;
  jobs: string;
  output: string;
  /** `name=value`, after `enrichment=join` and `scoring=off`. */
  settings?: readonly string[];
}

const children = new Set<ChildProcess>();
let startedBefore: ReadonlySet<ChildProcess> = new Set();
const outputs = new Set<string>();

/**
 * For a file of tests: what its tests leave running ends with it. A second try starts as the first did: nothing that the
 * first one started runs on, or has written what it would go on from.
 */
export function endPrograms(): void {
  afterAll(() => {
    for (const child of children) child.kill('SIGKILL');
    children.clear();
  });
  beforeEach(() => {
    startedBefore = new Set(children);
    outputs.clear();
  });
  afterEach(async ({ task }) => {
    if (task.result?.state !== 'fail') return;
    const own = [...children].filter((child) => !startedBefore.has(child));
    await Promise.all(
      own.map(async (child) => {
        child.kill('SIGKILL');
        await once(child, 'close');
      }),
    );
    for (const output of outputs) await rm(output, { recursive: true, force: true });
  });
}

/** Runs the program to its end. */
export function run(...words: readonly string[]): Promise<Ended> {
  return start(...words).ended;
}

export function start(...words: readonly string[]): Running {
  return startProcess(process.execPath, [PROGRAM, ...words]);
}

export function runReplay(replay: Replay): Promise<Ended> {
  return run(...replayWords(replay));
}

export function startReplay(replay: Replay): Running {
  return start(...replayWords(replay));
}

/** Runs it to its end, which must be a good one. */
export async function completeReplay(replay: Replay): Promise<Ended> {
  const ended = await runReplay(replay);
  if (ended.code !== 0) throw new Error(`expected the replay to end well, got ${JSON.stringify(ended)}`);
  return ended;
}

/** Runs it with files of at most `kibibytes`: a write beyond fails as on a disk that is full, with EFBIG. */
export function runReplayWithin(kibibytes: number, replay: Replay): Promise<Ended> {
  return startWithin(kibibytes, ...replayWords(replay)).ended;
}

/** The same replay in a process that kills itself with SIGKILL where the order says; it compacts, unless told not to. */
export function runToCrash(
  replay: Replay,
  order: Pick<CrashOrder, 'point' | 'after' | 'occurrence'> & Partial<Pick<CrashOrder, 'compact'>>,
): Promise<Ended> {
  const { companies, jobs, output, settings = [] } = replay;
  outputs.add(output);
  const full: CrashOrder = {
    compact: true,
    ...order,
    companies,
    jobs,
    output,
    settings: [...OFFLINE, ...settings],
  };
  return startProcess(process.execPath, ['--import', 'tsx', CRASH_CHILD, JSON.stringify(full)]).ended;
}

/** Starts it with files of at most `kibibytes`: a write beyond fails as on a disk that is full, with EFBIG. */
export function startWithin(kibibytes: number, ...words: readonly string[]): Running {
  const script = `trap '' XFSZ; ulimit -f ${kibibytes}; exec "$@"`;
  return startProcess('bash', ['-c', script, 'bash', process.execPath, PROGRAM, ...words]);
}

export function runCommand(command: string, ...words: readonly string[]): Promise<Ended> {
  return startProcess(command, words).ended;
}

function replayWords({ companies, jobs, output, settings = [] }: Replay): string[] {
  outputs.add(output);
  const files = ['--companies', companies, '--jobs', jobs, '--output', output];
  return ['replay', ...files, ...[...OFFLINE, ...settings].flatMap((setting) => ['--set', setting])];
}

function startProcess(command: string, words: readonly string[]): Running {
  const environment = Object.entries(process.env).filter(([name]) => !/^(TENANT_ANALYTICS_|NODE_|AWS_SDK_)/.test(name));
  const child = spawn(command, words, {
    cwd: ROOT,
    env: Object.fromEntries(environment),
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.add(child);
  const texts = { stdout: '', stderr: '' };
  for (const name of ['stdout', 'stderr'] as const) {
    child[name].setEncoding('utf8');
    child[name].on('data', (text: string) => {
      texts[name] += text;
    });
  }
  const ended = new Promise<Ended>((resolve, reject) => {
    child.on('error', reject);
    child.on('close', (code, signal) => {
      children.delete(child);
      resolve({ code, signal, ...texts });
    });
  });
  return {
    pid: child.pid ?? Number.NaN,
    stdout: () => texts.stdout,
    stderr: () => texts.stderr,
    hasEnded: () => child.exitCode !== null || child.signalCode !== null,
    ended,
    send: (signal) => {
      child.kill(signal);
    },
  };
}

/** What the program wrote to stderr, which must be one line. */
export function oneLine(stderr: string): string {
  if (!/^[^\n]+\n$/.test(stderr)) throw new Error(`expected one line on stderr, got ${JSON.stringify(stderr)}`);
  return stderr.trimEnd();
}
