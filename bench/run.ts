/** `npm run bench -- [SUITE] [--quick] [--runs N] [--only ID,ID] [--events N]`: see README.md. Tables on stdout, progress on stderr. */
import { parseArgs } from 'node:util';
import { callsSuite } from './suites/calls.ts';
import { dashboardSuite } from './suites/dashboard.ts';
import { flinkSuite } from './suites/flink.ts';
import { flinkCallsSuite } from './suites/flink-calls.ts';
import { latencySuite } from './suites/latency.ts';
import { liveSuite } from './suites/live.ts';
import { replaySuite } from './suites/replay.ts';
import type { Suite } from './suites/suite.ts';
import { machineLine } from './table.ts';

/** The first is run when none is named. A new suite is one file and one entry. */
const SUITES: readonly [Suite, ...Suite[]] = [
  replaySuite,
  callsSuite,
  latencySuite,
  liveSuite,
  dashboardSuite,
  flinkSuite,
  flinkCallsSuite,
];
const RUNS_MAX = 100;
const EVENTS_MAX = 50_000_000;

const HELP = `Usage: npm run bench -- [SUITE] [options]

Suites (default ${SUITES[0].name}):
${SUITES.map(({ name, summary, contenders }) => `  ${name.padEnd(10)} ${summary}\n${' '.repeat(13)}contenders: ${contenders.join(', ')}`).join('\n')}

Options:
  --runs N      rounds, each with every contender once (default 3)
  --quick       the small input only
  --only IDS    these contenders only, separated by commas, beside the reference
  --events N    an input of so many events (${SUITES.filter(({ takesEvents }) => takesEvents)
    .map(({ name }) => name)
    .join(', ')} only)
  --help
`;

class UsageError extends Error {}

async function main(args: string[]): Promise<boolean> {
  const { values, positionals } = parse(args);
  if (values.help) {
    process.stdout.write(HELP);
    return true;
  }
  const [suiteName = SUITES[0].name, ...excess] = positionals;
  const suite = SUITES.find(({ name }) => name === suiteName);
  if (suite === undefined || excess.length > 0) {
    throw new UsageError(
      `expected one of the suites ${SUITES.map(({ name }) => name).join(', ')}, got ${positionals.join(' ')}`,
    );
  }
  const runs = Number(values.runs);
  if (!Number.isInteger(runs) || runs < 1 || runs > RUNS_MAX) {
    throw new UsageError(`--runs: expected an integer from 1 to ${RUNS_MAX}, got ${values.runs}`);
  }
  const only = values.only?.split(',');
  const unknown = only?.find((id) => !suite.contenders.includes(id));
  if (unknown !== undefined) {
    throw new UsageError(`--only: expected some of ${suite.contenders.join(', ')}, got ${unknown}`);
  }
  const events = values.events === undefined ? undefined : Number(values.events);
  if (events !== undefined && (!Number.isInteger(events) || events < 1 || events > EVENTS_MAX)) {
    throw new UsageError(`--events: expected an integer from 1 to ${EVENTS_MAX}, got ${values.events}`);
  }
  if (events !== undefined && suite.takesEvents !== true) {
    throw new UsageError(`--events: the suite ${suite.name} has inputs of its own; --quick makes them small`);
  }
  process.stdout.write(`${machineLine()}; ${runs} rounds, median (min..max)\n\n`);
  return suite.run({ quick: values.quick, runs, only, events });
}

function parse(args: string[]) {
  try {
    return parseArgs({
      args,
      allowPositionals: true,
      options: {
        runs: { type: 'string', default: '3' },
        quick: { type: 'boolean', default: false },
        only: { type: 'string' },
        events: { type: 'string' },
        help: { type: 'boolean', default: false },
      },
    });
  } catch (error) {
    throw new UsageError(error instanceof Error ? error.message : String(error));
  }
}

try {
  process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`${error.message}\n\n${HELP}`);
  process.exitCode = 2;
}
