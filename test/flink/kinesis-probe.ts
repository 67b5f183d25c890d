import { execFile, spawn } from 'node:child_process';
import { mkdtemp, readFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

// Not a package's: it is looked for on the path.
const JAVA = 'java';
const PROJECT = fileURLToPath(new URL('../../flink-host/', import.meta.url));

export interface ProbeRecord {
  readonly kind: 'record';
  readonly subtask: number;
  readonly source: number;
  readonly shard: string;
  readonly sequenceNumber: string;
  readonly index: number;
  readonly arrival: number;
  readonly size: number;
  readonly text: string;
}

export interface ProbeTip {
  /** -1: not empty. */
  readonly emptyMs: number;
  /** -1: not told. */
  readonly behindMs: number;
}

type Told =
  | ProbeRecord
  | { readonly kind: 'started'; readonly restored: boolean }
  | { readonly kind: 'failed'; readonly error: string }
  | { readonly kind: 'savepoint'; readonly path: string }
  | {
      readonly kind: 'tips';
      readonly subtask: number;
      readonly known: boolean;
      readonly shards: Readonly<Record<string, ProbeTip>>;
    };

/** Compiles the Java project with its tests. Returns the class path. */
export async function probeClassPath(): Promise<string> {
  const file = join(await mkdtemp(join(tmpdir(), 'class-path-')), 'list');
  const goals = ['test-compile', 'dependency:build-classpath', `-Dmdep.outputFile=${file}`];
  await promisify(execFile)('mvn', ['-q', '-B', ...goals], { cwd: PROJECT, timeout: 500_000 });
  const jars = (await readFile(file, 'utf8')).trim();
  return [join(PROJECT, 'target/classes'), join(PROJECT, 'target/test-classes'), jars].join(delimiter);
}

/** The job of KinesisProbe.java in a JVM of its own, and what it told so far. */
export class Probe {
  readonly records: ProbeRecord[] = [];
  /** Of each subtask, the last. */
  readonly tips: Readonly<Record<string, ProbeTip>>[] = [];
  /** All that were ever told, of all subtasks. */
  readonly allTips: { readonly subtask: number; readonly shards: Readonly<Record<string, ProbeTip>> }[] = [];
  /** For each start, how many records had been told before it. */
  readonly starts: { readonly restored: boolean; readonly after: number }[] = [];
  failure: string | undefined;
  #savepoint: string | undefined;
  #log = '';
  readonly #child;
  readonly #ended: Promise<void>;

  constructor(
    classPath: string,
    options: Readonly<Record<string, string | number>>,
    environment: Readonly<Record<string, string>> = {},
  ) {
    const opened = ['lang', 'util', 'time'].map((name) => `--add-opens=java.base/java.${name}=ALL-UNNAMED`);
    const args = Object.entries(options).map(([name, value]) => `${name}=${value}`);
    const main = 'io.tenantanalytics.flinkhost.source.KinesisProbe';
    this.#child = spawn(JAVA, ['-Xmx512m', ...opened, '-cp', classPath, main, ...args], {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { PATH: process.env.PATH, ...environment },
    });
    this.#child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-20_000);
    });
    createInterface(this.#child.stdout).on('line', (line) => {
      if (line.startsWith('{"kind"')) this.#take(JSON.parse(line));
      else this.#log = `${this.#log}${line}\n`.slice(-20_000);
    });
    this.#ended = new Promise((resolve) => this.#child.once('close', () => resolve()));
  }

  #take(told: Told): void {
    if (told.kind === 'record') this.records.push(told);
    else if (told.kind === 'started') this.starts.push({ restored: told.restored, after: this.records.length });
    else if (told.kind === 'failed') this.failure = told.error;
    else if (told.kind === 'savepoint') this.#savepoint = told.path;
    else if (told.known) {
      this.tips[told.subtask] = told.shards;
      this.allTips.push(told);
    }
  }

  get texts(): string[] {
    return this.records.map(({ text }) => text);
  }

  get log(): string {
    return this.#log;
  }

  /** The tips of all subtasks together. */
  tip(shard: string): ProbeTip | undefined {
    return Object.assign({}, ...this.tips)[shard];
  }

  get shards(): string[] {
    return Object.keys(Object.assign({}, ...this.tips)).sort();
  }

  /** Resolves with the path of a savepoint, once the JVM is gone. */
  async stop(folder: string): Promise<string> {
    this.#child.stdin.write(`${folder}\n`);
    await this.#ended;
    if (this.#savepoint === undefined) throw new Error(`no savepoint: ${this.failure ?? ''}\n${this.#log}`);
    return this.#savepoint;
  }

  async kill(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#ended;
  }
}
