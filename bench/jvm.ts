/** Runs a Java program and measures it from outside, the same for every contender: Linux only (`/proc`). */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { performance } from 'node:perf_hooks';

const RUN_MS_MAX = 30 * 60_000;
const SAMPLE_MS = 100;
const STDERR_CHARS_MAX = 4_000;
const TICKS_PER_SECOND = 100;

/** Flink needs these in a plain JVM; its own scripts pass them. */
const OPENED = [
  'java.lang',
  'java.lang.invoke',
  'java.lang.reflect',
  'java.io',
  'java.math',
  'java.net',
  'java.nio',
  'java.text',
  'java.time',
  'java.util',
  'java.util.concurrent',
  'java.util.concurrent.atomic',
  'java.util.concurrent.locks',
];

/** The same for every contender. */
export const JVM_SETTINGS: readonly string[] = ['-Xms2g', '-Xmx2g', '-XX:+UseG1GC'];

/** The JVM says its process id and becomes the program; the shell around it tells the CPU time once it has ended. */
const MEASURING_SHELL = `sh -c 'echo "pid $$" >&3; exec "$@" 3>&-' sh "$@"; code=$?; times >&3; exit "$code"`;

export interface JavaProgram {
  readonly classPath: string;
  readonly mainClass: string;
  readonly args: readonly string[];
}

/** How far the program had read its input, and the CPU time it had taken by then. */
export interface Sample {
  readonly position: number;
  readonly cpuSeconds: number;
}

export interface JavaRun {
  /** User and system time of the whole process with all its threads. */
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly rssMiBMax: number;
  /** While it had the watched file open. */
  readonly samples: readonly Sample[];
}

/**
 * Runs a program to its end; the position in `watched` (an absolute path) is sampled meanwhile.
 * @throws Error when it ends otherwise than with code 0, or not within half an hour
 */
export async function runJava({ classPath, mainClass, args }: JavaProgram, watched: string): Promise<JavaRun> {
  const java = process.env.JAVA_HOME === undefined ? 'java' : `${process.env.JAVA_HOME}/bin/java`;
  const opens = OPENED.map((name) => `--add-opens=java.base/${name}=ALL-UNNAMED`);
  const logging = '-Dorg.slf4j.simpleLogger.defaultLogLevel=error';
  const command = [java, ...JVM_SETTINGS, ...opens, logging, '-cp', classPath, mainClass, ...args];
  const started = performance.now();
  const shell = spawn('sh', ['-c', MEASURING_SHELL, 'sh', ...command], { stdio: ['ignore', 'ignore', 'pipe', 'pipe'] });
  let stderr = '';
  let told = '';
  shell.stdio[2]?.setEncoding('utf8').on('data', (text: string) => {
    stderr = (stderr + text).slice(-STDERR_CHARS_MAX);
  });
  const sampler = new Sampler(watched);
  const toldBy = shell.stdio[3] as NodeJS.ReadableStream;
  toldBy.setEncoding('utf8').on('data', (text: string) => {
    told += text;
  });
  const sampling = setInterval(() => sampler.sample(processID(told)), SAMPLE_MS);
  const limit = setTimeout(() => kill(processID(told)), RUN_MS_MAX);
  try {
    await new Promise<void>((resolve, reject) => {
      shell.on('error', reject);
      shell.on('close', (code, signal) => {
        if (code === 0) resolve();
        else reject(new Error(`ended with ${signal ?? `exit code ${code}`}: ${stderr.trim() || 'nothing on stderr'}`));
      });
    });
  } finally {
    clearInterval(sampling);
    clearTimeout(limit);
  }
  const wallSeconds = (performance.now() - started) / 1000;
  return { cpuSeconds: cpuOfChildren(told), wallSeconds, rssMiBMax: sampler.rssMiBMax, samples: sampler.samples };
}

function kill(pid: number | undefined): void {
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
}

function processID(told: string): number | undefined {
  const pid = /^pid (\d+)\n/.exec(told)?.[1];
  return pid === undefined ? undefined : Number(pid);
}

/** `times` prints two lines, of the shell and of its children, each `0m1.25s 0m0.50s` (user, system). */
function cpuOfChildren(told: string): number {
  const [user, system] = told
    .trimEnd()
    .split('\n')
    .slice(-1)
    .flatMap((line) => [...line.matchAll(/(\d+)m([\d.]+)s/g)])
    .map(([, minutes, seconds]) => Number(minutes) * 60 + Number(seconds));
  if (user === undefined || system === undefined) throw new Error(`expected the times of the shell, got ${told}`);
  return user + system;
}

class Sampler {
  readonly samples: Sample[] = [];
  rssMiBMax = 0;
  readonly #watched: string;
  #descriptor: string | undefined;

  constructor(watched: string) {
    this.#watched = watched;
  }

  sample(pid: number | undefined): void {
    if (pid === undefined) return;
    try {
      const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
      this.rssMiBMax = Math.max(this.rssMiBMax, Number(peak ?? 0) / 1024);
      this.#descriptor = this.#find(pid);
      if (this.#descriptor === undefined) return;
      const position = /^pos:\s+(\d+)$/m.exec(readFileSync(`/proc/${pid}/fdinfo/${this.#descriptor}`, 'utf8'))?.[1];
      // The name, in parentheses, may hold blanks; utime and stime are fields 14 and 15 of the line.
      const fields = readFileSync(`/proc/${pid}/stat`, 'utf8')
        .replace(/^.*\) /s, '')
        .split(' ');
      const cpuSeconds = (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
      this.samples.push({ position: Number(position ?? 0), cpuSeconds });
    } catch {
      // It has ended, or closed the file, between two reads.
    }
  }

  #find(pid: number): string | undefined {
    const isWatched = (descriptor: string) => {
      try {
        return readlinkSync(`/proc/${pid}/fd/${descriptor}`) === this.#watched;
      } catch {
        return false;
      }
    };
    if (this.#descriptor !== undefined && isWatched(this.#descriptor)) return this.#descriptor;
    return readdirSync(`/proc/${pid}/fd`).find(isWatched);
  }
}
