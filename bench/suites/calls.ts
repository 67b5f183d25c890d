/** Calls to services that answer in 20 ms, 100 at a time: the program as a whole, and HTTP clients alone. */
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { answeringServer, type CallJobs, ensureCallJobs } from '../call-inputs.ts';
import { type Contender, type Measurement, ROOT_DIR, runOnce } from '../measure.ts';
import type { Suite, SuiteOptions } from './suite.ts';

const DELAY_MS = 20;
const CONCURRENCY = 100;
const CALLS = 30_000;
const CALLS_QUICK = 10_000;
/** No client can do better: each of the calls under way takes the delay. */
const BOUND = (CONCURRENCY * 1000) / DELAY_MS;
const PROGRAM = 'bin/tenant-analytics.js';

export const callsSuite: Suite = {
  name: 'calls',
  summary: `calls to services that answer in ${DELAY_MS} ms, ${CONCURRENCY} at a time; the bound is ${BOUND} a second`,
  contenders: ['node', 'undici', 'transport', 'lookup', 'score', 'both'],
  run: runCallsSuite,
};

interface Caller {
  readonly contender: Contender;
  /** How many rows it writes, and how many calls it makes. */
  readonly rows: number;
  readonly calls: number;
  /** Where it tells its calls a second; undefined: they are taken from the time of the whole process. */
  readonly tells?: (outDir: string) => string;
}

interface Round extends Measurement {
  readonly perSecond: number;
}

async function runCallsSuite({ quick, runs, only }: SuiteOptions): Promise<boolean> {
  const calls = quick ? CALLS_QUICK : CALLS;
  const jobs = await ensureCallJobs(calls);
  const servers = [await answeringServer(DELAY_MS), await answeringServer(DELAY_MS)] as const;
  try {
    const all = [...clients(servers[0].url, calls), ...programs(servers[0].url, servers[1].url, calls, jobs)];
    const callers = all.filter(({ contender: { id } }) => only === undefined || only.includes(id));
    const rounds = new Map<Caller, Round[]>(callers.map((caller) => [caller, []]));
    let good = true;
    for (let round = 1; round <= runs; round++) {
      for (const caller of callers) {
        process.stderr.write(`${calls} calls, round ${round} of ${runs}: ${caller.contender.name} … `);
        try {
          const measured = await measure(caller);
          rounds.get(caller)?.push(measured);
          process.stderr.write(`${Math.round(measured.perSecond)} calls/s\n`);
        } catch (error) {
          good = false;
          process.stderr.write(`FAILED\n  ${String(error)}\n`);
        }
      }
    }
    process.stdout.write(table(calls, rounds));
    return good;
  } finally {
    for (const { process: server } of servers) server.stdin?.end();
  }
}

async function measure({ contender, rows, calls, tells }: Caller): Promise<Round> {
  let perSecond = Number.NaN;
  const measured = await runOnce(contender, rows, async (outDir) => {
    if (tells !== undefined) perSecond = Number(JSON.parse(await readFile(tells(outDir), 'utf8')).perSecond);
  });
  return { ...measured, perSecond: tells === undefined ? calls / measured.wallSeconds : perSecond };
}

function clients(url: string, calls: number): Caller[] {
  const tells = (outDir: string) => `${outDir}/_calls.json`;
  const client = (id: string, name: string): Caller => ({
    rows: 0,
    calls,
    tells,
    contender: {
      id,
      name,
      rows: 'exactly',
      args: (outDir) => [
        ...['--import', 'tsx', 'bench/peers/calls.ts', id, url],
        ...[String(calls), String(CONCURRENCY), tells(outDir)],
      ],
    },
  });
  return [
    client('node', "client: Node's `http`, keep-alive `Agent`"),
    client('undici', 'client: undici, `request`'),
    client('transport', "client: our transport (Node's `http`, time-out, abort)"),
  ];
}

/** Each event is of a company of its own: nothing comes from a cache. */
function programs(tenants: string, scoring: string, calls: number, { jobs, companies }: CallJobs): Caller[] {
  const program = (id: string, name: string, callsOfEvent: number, settings: readonly string[]): Caller => ({
    rows: calls,
    calls: calls * callsOfEvent,
    contender: {
      id,
      name,
      rows: 'exactly',
      args: (outDir) => [
        ...[PROGRAM, 'replay', '--companies', companies, '--jobs', jobs, '--output', outDir],
        ...['activity.decay=off', ...settings].flatMap((setting) => ['--set', setting]),
      ],
    },
  });
  if (!existsSync(join(ROOT_DIR, 'dist/cli.js'))) throw new Error('expected dist/cli.js: run `npm run build` first');
  const lookup = ['enrichment=lookup', `tenantManagerEndpoint=${tenants}`, `tenant.concurrency=${CONCURRENCY}`];
  const score = [
    'scoring=on',
    `predictChurnApiEndpoint=${scoring}/prod/assessChurn`,
    `score.concurrency=${CONCURRENCY}`,
  ];
  return [
    program('lookup', '`replay`, a lookup for each event', 1, [...lookup, 'scoring=off']),
    program('score', '`replay`, a score for each event', 1, ['enrichment=join', ...score]),
    program('both', '`replay`, both for each event', 2, [...lookup, ...score]),
  ];
}

function table(calls: number, rounds: ReadonlyMap<Caller, readonly Round[]>): string {
  const lines = [
    `### ${calls.toLocaleString('en')} events, answers after ${DELAY_MS} ms, ${CONCURRENCY} calls at a time`,
    '',
    `| Caller | Calls a second | Of the bound | CPU µs a call | Wall s | Peak RSS MiB |`,
    '|---|--:|--:|--:|--:|--:|',
  ];
  for (const [{ contender, calls: made }, measured] of rounds) {
    // Two services, each with its own calls at a time: the bound is twice as high.
    const bound = BOUND * (made / calls);
    const cells = [
      median(
        measured,
        ({ perSecond }) => perSecond,
        (value) => Math.round(value).toLocaleString('en'),
      ),
      median(
        measured,
        ({ perSecond }) => (100 * perSecond) / bound,
        (value) => `${value.toFixed(0)} %`,
      ),
      median(
        measured,
        ({ cpuSeconds }) => (cpuSeconds * 1e6) / made,
        (value) => value.toFixed(0),
      ),
      median(
        measured,
        ({ wallSeconds }) => wallSeconds,
        (value) => value.toFixed(1),
      ),
      median(
        measured,
        ({ rssMiBMax }) => rssMiBMax,
        (value) => value.toFixed(0),
      ),
    ];
    lines.push(`| ${contender.name} | ${cells.join(' | ')} |`);
  }
  return `${lines.join('\n')}\n`;
}

function median(rounds: readonly Round[], value: (round: Round) => number, format: (value: number) => string): string {
  const sorted = rounds.map(value).sort((a, b) => a - b);
  const [least, middle, most] = [sorted[0], sorted[sorted.length >> 1], sorted.at(-1)];
  if (least === undefined || middle === undefined || most === undefined) return 'not measured';
  return `${format(middle)} (${format(least)}..${format(most)})`;
}
