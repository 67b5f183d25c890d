import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Duplex, Readable } from 'node:stream';
import { messageOf, TenantAnalyticsError } from '../../../base/errors.ts';
import { sleep } from '../../../base/sleep.ts';
import { lastWords } from './log-text.ts';
import type { FlinkTools } from './tools.ts';

export interface JvmSpec {
  /** Names its files: `<folder>/log/<name>.log` and `.out`. */
  readonly name: string;
  readonly folder: string;
  readonly mainClass: string;
  readonly options: readonly string[];
  readonly words: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** Goes on after this process ended. */
  readonly outlivesUs: boolean;
}

/**
 * Starts a JVM and ends it with its parent, however that ends: the pipe at 4 closes with it. Its process id goes to 3.
 * A shell rather than the JVM itself, since there is no moment at which a JVM runs and is not watched.
 */
const WATCHED = `
"$@" 3>&- 4<&- & jvm=$!
echo "$jvm" >&3
exec 3>&-
(cat <&4 >/dev/null; kill -9 "$jvm") 2>/dev/null & watch=$!
wait "$jvm"; code=$?
kill "$watch" 2>/dev/null
exit "$code"`;

const LOOK_MS = 50;
const STOP_LIMIT_MS = 10_000;

/** One JVM, from its start to its end. Its log is a file; nothing secret is in its command line. */
export class Jvm {
  readonly name: string;
  readonly logFile: string;
  readonly ended: Promise<void>;
  readonly #outFile: string;
  readonly #child: ChildProcess;
  #pid = Number.NaN;
  #failure: string | undefined;
  #hasEnded = false;

  private constructor(spec: JvmSpec, child: ChildProcess) {
    this.name = spec.name;
    this.logFile = logFileOf(spec);
    this.#outFile = outFileOf(spec);
    this.#child = child;
    this.ended = new Promise((resolve) => {
      const over = () => {
        this.#hasEnded = true;
        (child.stdio[4] as Duplex | null | undefined)?.destroy();
        resolve();
      };
      child.on('exit', over);
      child.on('error', (error) => {
        this.#failure = messageOf(error);
        over();
      });
    });
  }

  /** Resolves once there is a process, which may not have come up yet. */
  static async start(spec: JvmSpec, { java, classPath }: FlinkTools): Promise<Jvm> {
    const words = [
      ...spec.options,
      `-Dlog.file=${logFileOf(spec)}`,
      `-Dlog4j.configurationFile=${join(spec.folder, 'conf/log4j2.properties')}`,
      spec.mainClass,
      ...spec.words,
    ];
    // The class path is long: in the environment it does not fill each list of processes.
    const env = { ...process.env, ...spec.environment, CLASSPATH: classPath };
    const out = openSync(outFileOf(spec), 'w', 0o600);
    // In a session of its own: Ctrl-C in the terminal is for us, who then stop it in order.
    const common = { env, detached: true, cwd: spec.folder };
    const child = spec.outlivesUs
      ? spawn(java, words, { ...common, stdio: ['ignore', out, out] })
      : spawn('sh', ['-c', WATCHED, 'sh', java, ...words], {
          ...common,
          stdio: ['ignore', out, out, 'pipe', 'pipe'],
        });
    closeSync(out);
    const jvm = new Jvm(spec, child);
    (child.stdio[4] as Duplex | null | undefined)?.on('error', () => undefined);
    if (spec.outlivesUs) {
      child.unref();
      jvm.#pid = child.pid ?? Number.NaN;
    } else {
      jvm.#pid = Number(await firstLine(child.stdio[3] as Readable));
    }
    return jvm;
  }

  get pid(): number {
    return this.#pid;
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Does nothing when it has ended. */
  kill(signal: NodeJS.Signals): void {
    if (this.#hasEnded || !(this.#pid > 0)) return;
    try {
      process.kill(this.#pid, signal);
    } catch {
      // it ended just now
    }
  }

  /** Ends it in order; a JVM that does not end is killed. */
  async stop(): Promise<void> {
    this.kill('SIGTERM');
    const limit = new AbortController();
    await Promise.race([this.ended, sleep(STOP_LIMIT_MS, limit.signal)]);
    limit.abort();
    this.kill('SIGKILL');
    await this.ended;
  }

  /**
   * Waits for a line in its log.
   * @throws TenantAnalyticsError FLINK_FAILED when it ends before, or the line does not come in time
   */
  async logged(line: RegExp, limitMs: number, signal: AbortSignal): Promise<RegExpExecArray> {
    for (const until = Date.now() + limitMs; ; await sleep(LOOK_MS, signal)) {
      const found = line.exec(await readFile(this.logFile, 'utf8').catch(() => ''));
      if (found !== null) return found;
      if (this.#hasEnded) throw await this.whyEnded();
      if (signal.aborted) throw new TenantAnalyticsError('STOPPED', `Stopped while Flink's ${this.name} was starting.`);
      if (Date.now() > until) {
        throw new TenantAnalyticsError(
          'FLINK_FAILED',
          `Flink's ${this.name} did not come up within ${limitMs / 1000} s${await this.#said()}`,
        );
      }
    }
  }

  async whyEnded(): Promise<TenantAnalyticsError> {
    const { exitCode, signalCode } = this.#child;
    const how = this.#failure ?? signalCode ?? `exit code ${exitCode}`;
    return new TenantAnalyticsError('FLINK_FAILED', `Flink's ${this.name} ended (${how})${await this.#said()}`);
  }

  async #said(): Promise<string> {
    const [log, out] = await Promise.all(
      [this.logFile, this.#outFile].map((path) => readFile(path, 'utf8').catch(() => '')),
    );
    const words = lastWords(log ?? '', out ?? '');
    return words === '' ? `. Its log is ${this.logFile}.` : `: ${words}. Its log is ${this.logFile}.`;
  }
}

function logFileOf({ folder, name }: JvmSpec): string {
  return join(folder, 'log', `${name}.log`);
}

function outFileOf({ folder, name }: JvmSpec): string {
  return join(folder, 'log', `${name}.out`);
}

/** Empty when it ends without one. */
function firstLine(stream: Readable): Promise<string> {
  return new Promise((resolve) => {
    let text = '';
    const end = () => resolve(text.split('\n')[0] ?? '');
    stream.setEncoding('utf8').on('data', (more: string) => {
      text += more;
      if (text.includes('\n')) end();
    });
    stream.on('close', end);
    stream.on('error', end);
  });
}
