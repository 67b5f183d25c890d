/** Starts contenders as child processes, one at a time, and measures CPU (all threads), peak memory and wall time. */
import { spawn } from 'node:child_process';
import { mkdir, readFile, rm } from 'node:fs/promises';
import { performance } from 'node:perf_hooks';
import { fileURLToPath } from 'node:url';
import { DATA_DIR } from './generate.ts';
import { countRows } from './rows.ts';

export const ROOT_DIR = fileURLToPath(new URL('..', import.meta.url));
const OUT_DIR = `${DATA_DIR}out`;
const USAGE_PRELOAD = new URL('usage.mjs', import.meta.url).href;
const RUN_MS_MAX = 30 * 60_000;
const STDERR_CHARS_MAX = 4_000;

export interface Contender {
  /** What `--only` selects by. */
  readonly id: string;
  readonly name: string;
  /** Arguments for `node`, with the fresh folder that the rows go into. */
  readonly args: (outDir: string) => readonly string[];
  /** `at least`: one row an event and some more (rows of decay). */
  readonly rows: 'exactly' | 'at least';
  /** Why it cannot run here, if so. */
  readonly missing?: string | undefined;
}

/** Contenders over the same input; the first is the one the others are measured against. */
export interface Comparison {
  readonly title: string;
  readonly events: number;
  readonly contenders: readonly Contender[];
}

export interface Measurement {
  readonly cpuSeconds: number;
  readonly wallSeconds: number;
  readonly rssMiBMax: number;
}

/** One result a round, or why there is none. */
export interface Result {
  readonly contender: Contender;
  readonly measurements: readonly Measurement[];
  readonly failure?: string;
}

/** Runs all contenders in turn, `rounds` times over (A B C A B C …): a drift of the machine meets all of them. */
export async function measure(comparison: Comparison, rounds: number): Promise<Result[]> {
  const results = comparison.contenders.map((contender) => ({
    contender,
    measurements: [] as Measurement[],
    failure: contender.missing,
  }));
  for (let round = 1; round <= rounds; round++) {
    for (const result of results) {
      if (result.failure !== undefined) continue;
      process.stderr.write(`${comparison.title}, round ${round} of ${rounds}: ${result.contender.name} … `);
      try {
        const measured = await runOnce(result.contender, comparison.events);
        result.measurements.push(measured);
        process.stderr.write(`${measured.cpuSeconds.toFixed(2)} CPU s\n`);
      } catch (error) {
        result.failure = error instanceof Error ? error.message : String(error);
        process.stderr.write(`FAILED\n  ${result.failure}\n`);
      }
    }
  }
  return results.map(({ failure, ...result }) => (failure === undefined ? result : { ...result, failure }));
}

/**
 * Runs a contender once into a fresh folder, which is deleted afterwards. `look` sees the rows before that.
 * Throws when it fails, or when the number of rows is wrong: a contender that does less is not faster.
 */
export async function runOnce(
  contender: Contender,
  events: number,
  look?: (outDir: string) => Promise<void>,
): Promise<Measurement> {
  await rm(OUT_DIR, { recursive: true, force: true });
  const outDir = `${OUT_DIR}/${contender.id}`;
  const usageFile = `${OUT_DIR}/usage.jsonl`;
  await mkdir(outDir, { recursive: true });
  try {
    const started = performance.now();
    await runNode(contender.args(outDir), usageFile);
    const wallSeconds = (performance.now() - started) / 1000;
    const usage = await readUsage(usageFile);
    const rows = await countRows(outDir);
    if (contender.rows === 'exactly' ? rows !== events : rows < events) {
      throw new Error(`expected ${contender.rows} ${events} rows, found ${rows} under ${outDir}`);
    }
    await look?.(outDir);
    return { wallSeconds, ...usage };
  } finally {
    await rm(OUT_DIR, { recursive: true, force: true });
  }
}

function runNode(args: readonly string[], usageFile: string): Promise<void> {
  // Through the environment, so that Node processes which the contender starts are measured too.
  const env = { ...process.env, BENCH_USAGE_FILE: usageFile, NODE_OPTIONS: `--import=${USAGE_PRELOAD}` };
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, args, {
      cwd: ROOT_DIR,
      env,
      stdio: ['ignore', 'ignore', 'pipe'],
      timeout: RUN_MS_MAX,
      killSignal: 'SIGKILL',
    });
    let stderr = '';
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      stderr = (stderr + text).slice(-STDERR_CHARS_MAX);
    });
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve();
      else reject(new Error(`ended with ${signal ?? `exit code ${code}`}: ${stderr.trim() || 'nothing on stderr'}`));
    });
  });
}

/** Each line is one process of the contender (see usage.mjs). Their peaks are added up: the most they can have held together. */
async function readUsage(usageFile: string): Promise<Pick<Measurement, 'cpuSeconds' | 'rssMiBMax'>> {
  let cpuSeconds = 0;
  let rssMiBMax = 0;
  for (const line of (await readFile(usageFile, 'utf8')).trimEnd().split('\n')) {
    const usage = JSON.parse(line) as { cpuMicros: number; rssKiBMax: number };
    cpuSeconds += usage.cpuMicros / 1e6;
    rssMiBMax += usage.rssKiBMax / 1024;
  }
  return { cpuSeconds, rssMiBMax };
}
