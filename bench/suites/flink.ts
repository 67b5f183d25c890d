/** Our Flink host against the same pipeline written natively in Java: one local job a process, the same JVM settings. */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import { mkdir, realpath, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import {
  buildNativePeer,
  checkpointFolder,
  type FlinkInput,
  HOST_JAR,
  hostJob,
  isHostBuilt,
  nativeJob,
} from '../flink-jobs.ts';
import { type BenchInput, DATA_DIR, ensureInput } from '../generate.ts';
import { type JavaProgram, type JavaRun, JVM_SETTINGS, runJava } from '../jvm.ts';
import { ROOT_DIR } from '../measure.ts';
import { checksum, countRows } from '../rows.ts';
import { firstLine, spread } from '../table.ts';
import type { Suite, SuiteOptions } from './suite.ts';

const EVENTS = 5_000_000;
const EVENTS_QUICK = 500_000;
/** The rows are compared on no more than this: they are sorted in memory. */
const EVENTS_COMPARED_MAX = 500_000;
const COMPANIES = 10_000;
const PARALLELISMS = [1, 2] as const;
const OUT_DIR = join(DATA_DIR, 'out-flink');
const CANONICAL_BYTES_MAX = 1 << 28;
const THIRDS = 3;

export const flinkSuite: Suite = {
  name: 'flink',
  summary: 'the Flink host against the same pipeline written natively in Java, from files (needs a JDK and Maven)',
  contenders: ['native', 'host'],
  takesEvents: true,
  run: runFlinkSuite,
};

interface Job {
  readonly id: string;
  readonly name: string;
  readonly program: (input: FlinkInput) => JavaProgram;
  readonly missing?: string | undefined;
}

interface Round extends JavaRun {
  /** CPU seconds of the same job over no events. */
  readonly startSeconds: number;
  readonly thirds: readonly number[];
}

interface Contest {
  readonly job: Job;
  readonly rounds: Round[];
  failure: string | undefined;
}

async function runFlinkSuite({ quick, runs, only, events: wanted }: SuiteOptions): Promise<boolean> {
  await buildNativePeer();
  const jobs = allJobs().filter(({ id }, index) => index === 0 || only === undefined || only.includes(id));
  const events = wanted ?? (quick ? EVENTS_QUICK : EVENTS);
  process.stdout.write(`${javaVersion()}, ${JVM_SETTINGS.join(' ')}; checkpoints each 10 s, on disk\n\n`);
  let good = await verify(await ensureInput(Math.min(events, EVENTS_COMPARED_MAX), COMPANIES), jobs);
  const input = await ensureInput(events, COMPANIES);
  const tables = PARALLELISMS.map((parallelism) => ({
    parallelism,
    contests: jobs.map((job): Contest => ({ job, rounds: [], failure: job.missing })),
  }));
  for (let round = 1; round <= runs; round++) {
    for (const { parallelism, contests } of tables) {
      for (const contest of contests) {
        if (contest.failure !== undefined) continue;
        process.stderr.write(`round ${round} of ${runs}, parallelism ${parallelism}: ${contest.job.name} … `);
        try {
          const measured = await measureOnce(contest.job, input, parallelism);
          contest.rounds.push(measured);
          process.stderr.write(`${measured.cpuSeconds.toFixed(1)} CPU s\n`);
        } catch (error) {
          good = false;
          contest.failure = error instanceof Error ? error.message : String(error);
          process.stderr.write(`FAILED\n  ${contest.failure}\n`);
        }
      }
    }
  }
  for (const { parallelism, contests } of tables) process.stdout.write(`${table(input, parallelism, contests)}\n`);
  return good;
}

function allJobs(): readonly Job[] {
  const missing = isHostBuilt() ? undefined : `${HOST_JAR} is missing (\`npm run build:flink\`)`;
  return [
    { id: 'native', name: 'native Java', program: nativeJob },
    { id: 'host', name: 'Flink host', program: hostJob, missing },
  ];
}

/** The canonical rows of each, and of the Node host, must be the same bytes. */
async function verify(input: BenchInput, jobs: readonly Job[]): Promise<boolean> {
  const { companiesFile, jobsFile, events } = input;
  const program = join(ROOT_DIR, 'bin/tenant-analytics.js');
  const replay = ['replay', '--companies', companiesFile, '--jobs', jobsFile, '--output'];
  const settings = ['--set', 'enrichment=join', '--set', 'scoring=off'];
  const node = await inFreshFolder(async (output) => {
    execFileSync(process.execPath, [program, ...replay, output, ...settings], { stdio: 'ignore' });
    return canonical(program, output);
  });
  let good = true;
  const verdicts = [`- Node host: ${node.length} rows, sha256 ${checksum(node)}…\n`];
  for (const { name, program: programOf, missing } of jobs) {
    if (missing !== undefined) {
      verdicts.push(`- ${name}: ${missing}\n`);
      continue;
    }
    for (const parallelism of PARALLELISMS) {
      process.stderr.write(`verifying ${name}, parallelism ${parallelism}\n`);
      let verdict = 'the same';
      try {
        await inFreshFolder(async (output) => {
          await runJava(programOf({ companiesFile, jobsFile, output, parallelism }), jobsFile);
          const rows = canonical(program, output);
          const at = rows.findIndex((row, index) => row !== node[index]);
          if (at >= 0 || rows.length !== node.length) {
            const row = at < 0 ? rows.length : at;
            throw new Error(`row ${row + 1}: expected ${node[row] ?? 'no more'}, got ${rows[row] ?? 'no more'}`);
          }
        });
      } catch (error) {
        good = false;
        verdict = `FAILED: ${error instanceof Error ? error.message : String(error)}`;
      }
      verdicts.push(`- ${name}, parallelism ${parallelism}: ${verdict}\n`);
    }
  }
  process.stdout.write(`Canonical rows over ${events.toLocaleString('en')} events:\n\n${verdicts.join('')}\n`);
  return good;
}

function canonical(program: string, output: string): string[] {
  const options = { maxBuffer: CANONICAL_BYTES_MAX, encoding: 'utf8' } as const;
  return execFileSync(process.execPath, [program, 'canonical', output], options).trimEnd().split('\n');
}

async function measureOnce(job: Job, input: BenchInput, parallelism: number): Promise<Round> {
  const { companiesFile, events } = input;
  const empty = join(DATA_DIR, 'jobs-0.jsonl');
  await writeFile(empty, '');
  const start = await inFreshFolder((output) =>
    runJava(job.program({ companiesFile, jobsFile: empty, output, parallelism }), empty),
  );
  const jobsFile = await realpath(input.jobsFile);
  return inFreshFolder(async (output) => {
    const run = await runJava(job.program({ companiesFile, jobsFile, output, parallelism }), jobsFile);
    if (!existsSync(checkpointFolder(output))) {
      throw new Error('expected checkpoints on disk: this job has kept them in memory, or made none');
    }
    const rows = await countRows(output);
    if (rows < events) throw new Error(`expected at least ${events} rows, found ${rows}`);
    return { ...run, startSeconds: start.cpuSeconds, thirds: thirdsOf(run, events) };
  });
}

async function inFreshFolder<T>(use: (folder: string) => Promise<T>): Promise<T> {
  await rm(OUT_DIR, { recursive: true, force: true });
  await mkdir(OUT_DIR, { recursive: true });
  try {
    return await use(OUT_DIR);
  } finally {
    await rm(OUT_DIR, { recursive: true, force: true });
  }
}

/** Events per CPU-second in each third of the input, by how far it was read; empty when it was read too quickly to tell. */
function thirdsOf({ samples }: JavaRun, events: number): number[] {
  const read = samples.filter(({ position }) => position > 0);
  const size = read.at(-1)?.position ?? 0;
  if (read.length < THIRDS * THIRDS) return [];
  const cpuAt = (position: number) => {
    const after = read.findIndex((sample) => sample.position >= position);
    const [before, next] = [read[Math.max(0, after - 1)], read[after]];
    if (before === undefined || next === undefined) return Number.NaN;
    if (next.position === before.position) return next.cpuSeconds;
    const share = (position - before.position) / (next.position - before.position);
    return before.cpuSeconds + share * (next.cpuSeconds - before.cpuSeconds);
  };
  const first = read[0]?.position ?? 0;
  const third = (size - first) / THIRDS;
  return Array.from({ length: THIRDS }, (_, index) => {
    const seconds = cpuAt(first + (index + 1) * third) - cpuAt(first + index * third);
    return ((events / size) * third) / seconds;
  });
}

function table({ events, companies }: BenchInput, parallelism: number, contests: readonly Contest[]): string {
  const reference = contests[0];
  const rate = ({ cpuSeconds, startSeconds }: Round) => events / (cpuSeconds - startSeconds);
  const lines = [
    `### ${events.toLocaleString('en')} events, ${companies.toLocaleString('en')} companies, parallelism ${parallelism}`,
    '',
    `| Contender | Events per CPU-second | Ratio to ${reference?.job.name} | In thirds of the input | Start-up CPU s | Wall s | Peak RSS MiB |`,
    '|---|--:|--:|--:|--:|--:|--:|',
  ];
  const thousands = (value: number) => `${Math.round(value / 1000)} k`;
  for (const { job, rounds, failure } of contests) {
    if (failure !== undefined || rounds.length === 0) {
      lines.push(`| ${job.name} | not measured: ${firstLine(failure ?? 'no round ended')} | | | | | |`);
      continue;
    }
    const ratios = rounds.flatMap((round, index) => {
      const other = reference?.rounds[index];
      return other === undefined ? [] : [rate(round) / rate(other)];
    });
    const thirds = Array.from({ length: THIRDS }, (_, index) =>
      median(rounds.flatMap((round) => round.thirds[index] ?? [])),
    );
    const cells = [
      spread(rounds.map(rate), thousands),
      spread(ratios, (value) => value.toFixed(2)),
      thirds.map((value) => (Number.isNaN(value) ? '–' : thousands(value))).join(', '),
      spread(
        rounds.map(({ startSeconds }) => startSeconds),
        (value) => value.toFixed(1),
      ),
      spread(
        rounds.map(({ wallSeconds }) => wallSeconds),
        (value) => value.toFixed(1),
      ),
      spread(
        rounds.map(({ rssMiBMax }) => rssMiBMax),
        (value) => value.toFixed(0),
      ),
    ];
    lines.push(`| ${job.name} | ${cells.join(' | ')} |`);
  }
  return `${lines.join('\n')}\n`;
}

function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[Math.floor((sorted.length - 1) / 2)] ?? Number.NaN;
}

function javaVersion(): string {
  const java = process.env.JAVA_HOME === undefined ? 'java' : `${process.env.JAVA_HOME}/bin/java`;
  return execFileSync(java, ['--version'], { encoding: 'utf8' }).split('\n', 1)[0] ?? 'java';
}
