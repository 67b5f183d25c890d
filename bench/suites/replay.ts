/** `replay` against the plain script, the readline script and DuckDB: one question, the same files, one process each. */
import { existsSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { type BenchInput, ensureInput } from '../generate.ts';
import { type Comparison, type Contender, measure, ROOT_DIR, runOnce } from '../measure.ts';
import { checksum, firstDifference, sortedRows } from '../rows.ts';
import { markdownTable } from '../table.ts';
import type { Suite, SuiteOptions } from './suite.ts';

const SMALL = 500_000;
const LARGE = 5_000_000;
const COMPANIES = 10_000;
const ROWS_FILE = 'rows.csv';
const PROGRAM = 'bin/tenant-analytics.js';
const BUILT = 'dist/cli.js';

export const replaySuite: Suite = {
  name: 'replay',
  summary: 'replay of job events from files, against scripts and DuckDB',
  contenders: ['plain', 'readline', 'duckdb', 'replay', 'replay-json'],
  run: runReplaySuite,
};

async function runReplaySuite(options: SuiteOptions): Promise<boolean> {
  warnOfStaleBuild();
  let good = await verify(await ensureInput(SMALL, COMPANIES), options);
  for (const events of options.quick ? [SMALL] : [SMALL, LARGE]) {
    const input = await ensureInput(events, COMPANIES);
    good = (await compare(input, [...peers(input), ...replays(input)], options)) && good;
  }
  const input = await ensureInput(options.quick ? SMALL : LARGE, COMPANIES * 10);
  const few = [...peers(input), ...replays(input)].filter(({ id }) => id === 'plain' || id === 'replay');
  return (await compare(input, few, options)) && good;
}

async function compare(input: BenchInput, all: readonly Contender[], options: SuiteOptions): Promise<boolean> {
  const contenders = select(all, options);
  const title = `${input.events.toLocaleString('en')} events, ${input.companies.toLocaleString('en')} companies`;
  const comparison: Comparison = { title, events: input.events, contenders };
  const results = await measure(comparison, options.runs);
  process.stdout.write(`${markdownTable(comparison, results)}\n`);
  return results.every(({ contender, failure }) => failure === undefined || contender.missing !== undefined);
}

/** All rows of every contender that answers the very same question, as a multiset, against those of the plain script. */
async function verify(input: BenchInput, options: SuiteOptions): Promise<boolean> {
  const same = select([...peers(input), ...replays(input)], options).filter(({ rows }) => rows === 'exactly');
  let expected: string[] | undefined;
  let good = true;
  const verdicts: string[] = [];
  for (const contender of same) {
    process.stderr.write(`verifying ${contender.name}\n`);
    let verdict = contender.missing;
    try {
      verdict ??= await rowsVerdict(contender);
    } catch (error) {
      good = false;
      verdict = `FAILED: ${error instanceof Error ? error.message : String(error)}`;
    }
    verdicts.push(`- ${contender.name}: ${verdict}\n`);
  }
  process.stdout.write(
    `Rows over ${input.events.toLocaleString('en')} events, compared as a multiset:\n\n${verdicts.join('')}\n`,
  );
  return good;

  async function rowsVerdict(contender: Contender): Promise<string> {
    let rows: string[] = [];
    await runOnce(contender, input.events, async (outDir) => {
      rows = await sortedRows(outDir);
    });
    expected ??= rows;
    const difference = firstDifference(expected, rows);
    if (difference !== undefined) throw new Error(difference);
    return `${rows.length} rows, sha256 of the sorted rows ${checksum(rows)}…`;
  }
}

/** The program runs what was built last; to measure that in place of what was just edited is an easy mistake. */
function warnOfStaleBuild(): void {
  const built = statSync(join(ROOT_DIR, BUILT), { throwIfNoEntry: false })?.mtimeMs;
  if (built === undefined) return;
  const edited = readdirSync(join(ROOT_DIR, 'src'), { recursive: true, encoding: 'utf8' }).find(
    (path) => /(?<!\.test)\.ts$/.test(path) && statSync(join(ROOT_DIR, 'src', path)).mtimeMs > built,
  );
  if (edited !== undefined) process.stdout.write(`**${BUILT} is older than src/${edited}: build first.**\n\n`);
}

/** `--only` narrows the contenders; the reference is always measured. */
function select(all: readonly Contender[], { only }: SuiteOptions): Contender[] {
  return all.filter(({ id }, index) => index === 0 || only === undefined || only.includes(id));
}

function peers({ companiesFile, jobsFile }: BenchInput): Contender[] {
  const peer = (id: string, name: string): Contender => ({
    id,
    name,
    rows: 'exactly',
    args: (outDir) => [`bench/peers/${id}.mjs`, companiesFile, jobsFile, `${outDir}/${ROWS_FILE}`],
  });
  return [
    peer('plain', 'plain script'),
    peer('readline', 'readline script'),
    peer('duckdb', 'DuckDB, 2 threads, 2 GB'),
  ];
}

function replays({ companiesFile, jobsFile }: BenchInput): Contender[] {
  const replay = (id: string, name: string, rows: Contender['rows'], settings: readonly string[]): Contender => ({
    id,
    name,
    rows,
    missing: [PROGRAM, BUILT].some((path) => !existsSync(join(ROOT_DIR, path)))
      ? `${PROGRAM} or its build ${BUILT} is missing (\`npm run build\`)`
      : undefined,
    args: (outDir) => [
      ...[PROGRAM, 'replay', '--companies', companiesFile, '--jobs', jobsFile, '--output', outDir],
      ...['enrichment=join', 'scoring=off', ...settings].flatMap((setting) => ['--set', setting]),
    ],
  });
  return [
    replay('replay', '`replay`, CSV rows, decay off', 'exactly', ['activity.decay=off', 'S3SinkFormat=csv']),
    replay('replay-json', '`replay`, JSON rows, decay on', 'at least', []),
  ];
}
