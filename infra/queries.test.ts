// Athena cannot be asked here: the questions keep to what Trino and DuckDB both understand, and DuckDB answers them.
import { DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { DAY_MS, isoDate } from '../src/base/time.ts';
import { type Row, row, scored } from '../test/support/dashboard-rows.ts';
import { namedQueries } from './queries.ts';
import { DEAD_LETTER_COLUMNS, ROW_COLUMNS } from './stacks/catalog.ts';

const DUCK: Readonly<Record<string, string>> = {
  string: 'VARCHAR',
  double: 'DOUBLE',
  bigint: 'BIGINT',
  boolean: 'BOOLEAN',
};
const today = Math.floor(Date.UTC(2026, 10, 22) / DAY_MS);
const at = (daysAgo: number): number => (today - daysAgo) * DAY_MS + 3_600_000;
const date = (daysAgo: number): string => isoDate(today - daysAgo);

const job = (companyID: string, version: number, daysAgo: number, over: Partial<Row> = {}): Row =>
  row({ companyID, version, eventTime: at(daysAgo), eventID: `${companyID}-${version}`, ...over });

/** Four tenants: busy and well; at risk since three days, scored late; silent since weeks; never scored. */
const ROWS: readonly Row[] = [
  job('busy', 1, 40, { nbJobs: 5, job30: 5, job90: 5, industry: 'retail', monthlyFee: 100 }),
  scored(
    job('busy', 2, 2, {
      nbJobs: 7,
      job30: 7,
      job90: 12,
      industry: 'retail',
      monthlyFee: 100,
      userID: 'ann',
      dataSize: 10,
    }),
    0.1,
  ),
  job('risky', 1, 3, { nbJobs: 2, job30: 2, job90: 2, industry: 'retail', monthlyFee: 900 }),
  scored(job('risky', 1, 3, { nbJobs: 2, job30: 2, job90: 2, industry: 'retail', monthlyFee: 900 }), 0.9, {
    riskChanged: 'at-risk',
  }),
  scored(job('silent', 1, 20, { nbJobs: 1, job30: 1, job90: 1, industry: 'banking', monthlyFee: 50 }), 0.2),
  scored(
    row({
      companyID: 'silent',
      version: 2,
      eventTime: at(1),
      trigger: 'decay',
      nbJobs: 0,
      job30: 0,
      job90: 1,
      industry: 'banking',
      monthlyFee: 50,
    }),
    0.3,
  ),
  job('comp_1', 1, 1, { nbJobs: 4, job30: 4, job90: 4, industry: 'banking', monthlyFee: 10 }),
];

let database: DuckDBInstance;
beforeAll(async () => {
  database = await DuckDBInstance.create();
  const connection = await database.connect();
  for (const [table, columns] of Object.entries({
    enriched_companies: ROW_COLUMNS,
    dead_letters: DEAD_LETTER_COLUMNS,
  })) {
    const list = Object.entries(columns).map(([name, type]) => `"${name.toLowerCase()}" ${DUCK[type]}`);
    await connection.run(`CREATE TABLE ${table} (${list.join(', ')}, dt VARCHAR)`);
  }
  const insert = async (table: string, columns: object, one: object, dt: string) => {
    const cells = Object.keys(columns).map((name) => literal((one as Record<string, unknown>)[name]));
    await connection.run(`INSERT INTO ${table} VALUES (${cells.join(', ')}, ${literal(dt)})`);
  };
  for (const one of ROWS)
    await insert('enriched_companies', ROW_COLUMNS, one, isoDate(Math.floor(one.eventTime / DAY_MS)));
  const letter = {
    source: 'jobs',
    shardId: null,
    sequenceNumber: '7',
    arrivalTime: at(1),
    reason: 'malformed',
    message: 'no JSON',
    payload: 'e30=',
  };
  await insert('dead_letters', DEAD_LETTER_COLUMNS, letter, date(1));
  await insert('dead_letters', DEAD_LETTER_COLUMNS, { ...letter, sequenceNumber: '8' }, date(1));
  connection.closeSync();
});
afterAll(() => database.closeSync());

function literal(value: unknown): string {
  if (value === undefined || value === null) return 'NULL';
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return `'${text.replaceAll("'", "''")}'`;
}

async function answer(name: string): Promise<unknown[][]> {
  const query = namedQueries({ rows: 'enriched_companies', deadLetters: 'dead_letters' }).find(
    (one) => one.name === name,
  );
  if (query === undefined) throw new Error(`there is no question ${name}`);
  const connection = await database.connect();
  try {
    const sql = query.sql.replaceAll('current_date', `DATE '${date(0)}'`);
    return (await connection.runAndReadAll(sql)).getRowsJson() as unknown[][];
  } finally {
    connection.closeSync();
  }
}

const reasons = (jobs: number) =>
  JSON.stringify([{ feature: 'job30', contribution: 1.2, text: `${jobs} jobs in 30 days, typical 120` }]);

describe('the named questions', () => {
  test.each<[string, unknown[][]]>([
    [
      'customers-by-industry',
      [
        ['retail', '2', '9', '14', 1000, 2344, 58160, 290],
        ['banking', '2', '4', '5', 60, 2344, 58160, 290],
      ],
    ],
    [
      'least-active-30-days',
      [
        ['silent', 'banking', '0', '1', 50, false],
        ['risky', 'retail', '2', '2', 900, true],
        ['comp_1', 'banking', '4', '4', 10, null],
        ['busy', 'retail', '7', '12', 100, false],
      ],
    ],
    [
      'least-active-90-days',
      [
        ['silent', 'banking', '0', '1', 50, false],
        ['risky', 'retail', '2', '2', 900, true],
        ['comp_1', 'banking', '4', '4', 10, null],
        ['busy', 'retail', '7', '12', 100, false],
      ],
    ],
    ['company-jobs', [[date(1), '4', '1', null]]],
    ['active-users', [['user_1', '4', date(1)]]],
    [
      'batches-per-day',
      [
        [date(40), '1', '5', '1'],
        [date(20), '1', '1', '1'],
        [date(3), '1', '2', '1'],
        [date(2), '1', '7', '1'],
        [date(1), '1', '4', '1'],
      ],
    ],
    ['churn-risk', [['risky', 'retail', 0.9, reasons(2), 900, '2', '2']]],
    [
      'revenue-at-risk',
      [
        ['retail', '2', '1', 900, 1000],
        ['banking', '2', '0', 0, 60],
      ],
    ],
    ['risk-changes', [['risky', '1', 'at-risk', date(3), 0.9, 900]]],
    ['silent-tenants', [['silent', 'banking', date(20), '1', 50, false]]],
    [
      'unscored-share',
      [
        ['scored', '3', 0.75],
        ['unavailable', '1', 0.25],
      ],
    ],
    ['dead-letters', [[date(1), 'jobs', 'malformed', '2', 'no JSON']]],
  ])('%s', async (name, expected) => {
    expect(await answer(name)).toEqual(expected);
  });

  test('submissions-by-month counts each version once, scored later or not', async () => {
    const months = await answer('submissions-by-month');
    expect(months.reduce((sum, [, jobs]) => sum + Number(jobs), 0)).toBe(5 + 7 + 2 + 1 + 4);
    expect(months.reduce((sum, [, , batches]) => sum + Number(batches), 0)).toBe(5);
  });

  test('each has an answer that is tested here', () => {
    const names = namedQueries({ rows: 'r', deadLetters: 'd' }).map(({ name }) => name);
    expect(names).toHaveLength(13);
    expect(new Set(names).size).toBe(13);
  });
});
