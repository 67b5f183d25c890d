/** How soon the dashboard answers after its start, how fast it catches up from files of rows, and how much memory it takes. */
import { fork } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { INSIGHTS, type InsightName } from '../../src/services/dashboard/insights-schema.ts';
import type { FromDashboard } from '../dashboard-child.ts';
import { DASHBOARD_COMPANIES, ensureDashboardRows } from '../dashboard-rows.ts';
import { spread } from '../table.ts';
import type { Suite, SuiteOptions } from './suite.ts';

const ROWS = 5_000_000;
const ROWS_QUICK = 500_000;
const CHILD = fileURLToPath(new URL('../dashboard-child.ts', import.meta.url));
const RUN_MS_MAX = 10 * 60_000;
/** What the page asks for when it is opened. */
const FIRST_VIEW = ['overview', 'customers-by-industry', 'companies'] as const satisfies readonly InsightName[];

interface Measured {
  readonly firstViewMs: number;
  readonly rowsPerSecond: number;
  readonly rssMiB: number;
  readonly slowest: { readonly name: string; readonly ms: number };
}

export const dashboardSuite: Suite = {
  name: 'dashboard',
  summary: 'the dashboard: ms to the first view, rows/s of catching up, peak memory, the slowest question',
  contenders: ['files'],
  run: runDashboardSuite,
};

async function runDashboardSuite({ quick, runs }: SuiteOptions): Promise<boolean> {
  const rows = quick ? ROWS_QUICK : ROWS;
  const folder = await ensureDashboardRows(rows);
  const all: Measured[] = [];
  for (let round = 1; round <= runs; round++) {
    process.stderr.write(`round ${round} of ${runs}: ${rows} rows … `);
    const measured = await measure(folder, rows);
    process.stderr.write(`${Math.round(measured.rowsPerSecond)} rows/s\n`);
    all.push(measured);
  }
  const slowest = all.map((one) => one.slowest).sort((a, b) => b.ms - a.ms)[0]?.name;
  const of = (value: (one: Measured) => number) => spread(all.map(value), (one) => one.toFixed(0));
  const cells = [
    rows.toLocaleString('en'),
    of(({ firstViewMs }) => firstViewMs),
    of(({ rowsPerSecond }) => rowsPerSecond),
    of(({ rssMiB }) => rssMiB),
    `${of((one) => one.slowest.ms)}, ${slowest}`,
  ];
  process.stdout.write(`### ${DASHBOARD_COMPANIES.toLocaleString('en')} companies

| Rows | First view ms | Catching up, rows/s | Peak RSS MiB | Slowest question ms |
|--:|--:|--:|--:|--:|
| ${cells.join(' | ')} |
`);
  return true;
}

/** The first view is asked for as soon as the service is up, so while it catches up. */
async function measure(folder: string, rows: number): Promise<Measured> {
  const child = fork(CHILD, [folder], {
    execArgv: ['--import', 'tsx'],
    stdio: ['ignore', 'ignore', 'inherit', 'ipc'],
    timeout: RUN_MS_MAX,
    killSignal: 'SIGKILL',
  });
  const ended = new Promise<never>((_resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code, signal) => reject(new Error(`the dashboard ended with ${signal ?? code}`)));
  });
  const told = <K extends FromDashboard['kind']>(kind: K): Promise<Extract<FromDashboard, { kind: K }>> => {
    const came = new Promise<Extract<FromDashboard, { kind: K }>>((resolve) => {
      child.on('message', (message: FromDashboard) => {
        if (message.kind === kind) resolve(message as Extract<FromDashboard, { kind: K }>);
      });
    });
    return Promise.race([came, ended]);
  };
  ended.catch(() => undefined);
  try {
    const [up, caughtUp, peak] = [told('up'), told('caught-up'), told('peak')];
    for (const later of [caughtUp, peak]) later.catch(() => undefined);
    const { url } = await up;
    const begun = performance.now();
    await Promise.all(FIRST_VIEW.map((name) => ask(url, name)));
    const firstViewMs = performance.now() - begun;
    const { seconds } = await caughtUp;
    const slowest = await slowestOf(url, rows);
    child.send('enough');
    const { rssMiB } = await peak;
    return { firstViewMs, rowsPerSecond: rows / seconds, rssMiB, slowest };
  } finally {
    child.kill('SIGKILL');
  }
}

async function slowestOf(url: string, rows: number): Promise<Measured['slowest']> {
  const { asOf } = await ask(url, 'overview');
  if (asOf.rows !== rows) throw new Error(`expected ${rows} rows in the answers, got ${asOf.rows}`);
  let slowest = { name: '', ms: 0 };
  for (const name of Object.keys(INSIGHTS) as InsightName[]) {
    const begun = performance.now();
    await ask(url, name, 'companyID' in INSIGHTS[name].query.shape ? '?companyID=company_7' : '');
    const ms = performance.now() - begun;
    if (ms > slowest.ms) slowest = { name, ms };
  }
  return slowest;
}

async function ask(url: string, name: InsightName, query = ''): Promise<{ readonly asOf: { readonly rows: number } }> {
  const response = await fetch(`${url}/api/insights/${name}${query}`);
  if (!response.ok) throw new Error(`${name}: ${response.status} ${await response.text()}`);
  return (await response.json()) as { asOf: { rows: number } };
}
