/** The Flink host's calls to a service that answers in 20 ms, 100 at a time in each slot: a score for each event. */
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { answeringServer, ensureCallJobs } from '../call-inputs.ts';
import { HOST_JAR, hostJob, isHostBuilt } from '../flink-jobs.ts';
import { DATA_DIR } from '../generate.ts';
import { type JavaRun, runJava } from '../jvm.ts';
import { countRows } from '../rows.ts';
import { spread } from '../table.ts';
import type { Suite, SuiteOptions } from './suite.ts';

const DELAY_MS = 20;
const CONCURRENCY = 100;
const CALLS = 100_000;
const CALLS_QUICK = 10_000;
const OUT_DIR = join(DATA_DIR, 'out-flink-calls');

export const flinkCallsSuite: Suite = {
  name: 'flink-calls',
  summary: `the Flink host's calls to a service that answers in ${DELAY_MS} ms, ${CONCURRENCY} at a time in each slot`,
  contenders: ['host'],
  run: runFlinkCallsSuite,
};

async function runFlinkCallsSuite({ quick, runs }: SuiteOptions): Promise<boolean> {
  if (!isHostBuilt()) throw new Error(`${HOST_JAR} is missing (\`npm run build:flink\`)`);
  const calls = quick ? CALLS_QUICK : CALLS;
  const { jobs, companies } = await ensureCallJobs(calls);
  const empty = join(DATA_DIR, 'jobs-0.jsonl');
  await writeFile(empty, '');
  const { url, process: server } = await answeringServer(DELAY_MS);
  const settings = {
    ...{ enrichment: 'join', scoring: 'on', 'score.concurrency': String(CONCURRENCY), 'activity.decay': 'off' },
    predictChurnApiEndpoint: `${url}/prod/assessChurn`,
  };
  const run = async (jobsFile: string, parallelism: number, rows: number): Promise<JavaRun> => {
    await rm(OUT_DIR, { recursive: true, force: true });
    await mkdir(OUT_DIR, { recursive: true });
    const input = { companiesFile: resolve(companies), jobsFile: resolve(jobsFile), output: OUT_DIR, parallelism };
    const measured = await runJava(hostJob(input, settings), input.jobsFile);
    const found = await countRows(OUT_DIR);
    if (found !== rows) throw new Error(`expected ${rows} rows, found ${found}`);
    return measured;
  };
  try {
    const lines = ['| Slots | Calls a second | Of the bound | CPU µs a call |', '|--:|--:|--:|--:|'];
    for (const parallelism of [1, 2]) {
      const perSecond: number[] = [];
      const cpu: number[] = [];
      for (let round = 1; round <= runs; round++) {
        const start = await run(empty, parallelism, 0);
        const whole = await run(jobs, parallelism, calls);
        perSecond.push(calls / (whole.wallSeconds - start.wallSeconds));
        cpu.push((1e6 * (whole.cpuSeconds - start.cpuSeconds)) / calls);
        process.stderr.write(
          `${parallelism} slots, round ${round} of ${runs}: ${Math.round(perSecond.at(-1) ?? 0)} calls/s\n`,
        );
      }
      const bound = (parallelism * CONCURRENCY * 1000) / DELAY_MS;
      const whole = (value: number) => value.toFixed(0);
      const share = perSecond.map((each) => (100 * each) / bound);
      lines.push(
        `| ${parallelism} | ${spread(perSecond, whole)} | ${spread(share, whole)} % | ${spread(cpu, whole)} |`,
      );
    }
    process.stdout.write(
      `### ${calls.toLocaleString('en')} scores, without the start of the job\n\n${lines.join('\n')}\n`,
    );
    return true;
  } finally {
    server.stdin?.end();
    await rm(OUT_DIR, { recursive: true, force: true });
  }
}
