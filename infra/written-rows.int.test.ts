// The tables and questions on rows that the program itself wrote: by the folders and columns that Athena is told of.
import { readFile, writeFile } from 'node:fs/promises';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { temporaryFolder } from '../test/integration/folders.ts';
import { lines, parts } from '../test/integration/outputs.ts';
import { completeReplay } from '../test/integration/program.ts';
import { namedQueries } from './queries.ts';
import { CSV_COLUMNS, DEAD_LETTER_COLUMNS, ROW_COLUMNS } from './stacks/catalog.ts';

const COMPANIES = 'conformance/rolling/companies.jsonl';
const JOBS = 'conformance/rolling/jobs.jsonl';
/** Told by a row only where there is something to tell. With scoring=off there is no score, and no risk that flips. */
const OF_SCORES = ['churnProbability', 'modelVersion', 'reasons', 'riskChanged'];
const TYPES: Readonly<Record<string, string>> = {
  string: 'VARCHAR',
  double: 'DOUBLE',
  bigint: 'BIGINT',
  boolean: 'BOOLEAN',
};

interface Written {
  readonly companyID: string;
  readonly industry: string;
  readonly version: number;
  readonly job30: number;
  readonly job90: number;
  readonly trigger: string;
  readonly nbJobs: number;
  readonly eventTime: number;
}

let output: string;
let csv: string;
let connection: DuckDBConnection;

beforeAll(async () => {
  const folder = await temporaryFolder();
  // One that tells its bytes, and two that cannot be used.
  const more = [
    '{"companyID":"comp_4","userID":"u","nbJobs":1,"dataSize":1024,"creationDate":1752964369940}',
    '{"companyID":',
    '{"companyID":"nobody","userID":"u","nbJobs":1}',
  ];
  const jobs = `${folder}/jobs.jsonl`;
  await writeFile(jobs, `${await readFile(JOBS, 'utf8')}${more.join('\n')}\n`);
  output = `${folder}/json`;
  csv = `${folder}/csv`;
  await completeReplay({ companies: COMPANIES, jobs, output });
  await completeReplay({ companies: COMPANIES, jobs, output: csv, settings: ['S3SinkFormat=csv'] });
  connection = await (await DuckDBInstance.create()).connect();
  await view('enriched_companies', output, ROW_COLUMNS);
  await view('dead_letters', `${output}/_dead-letters`, DEAD_LETTER_COLUMNS);
}, 120_000);
afterAll(() => connection.closeSync());

/** As the table says: the columns with their types and no others, `dt` from the folder. A value of another type is an error. */
async function view(name: string, folder: string, columns: Readonly<Record<string, string>>): Promise<void> {
  const typed = Object.entries(columns).map(([column, type]) => `'${column}': '${TYPES[type]}'`);
  await connection.run(`CREATE VIEW ${name} AS SELECT * FROM read_json('${folder}/dt=*/*', format = 'newline_delimited',
    columns = {${typed.join(', ')}}, hive_partitioning = true, hive_types = {'dt': VARCHAR})`);
}

async function asked(sql: string): Promise<Record<string, unknown>[]> {
  return (await connection.runAndReadAll(sql)).getRowObjectsJson();
}

const keysOf = async (folder: string, what: 'rows' | 'dead-letters'): Promise<string[]> =>
  [...new Set((await lines(folder, what)).flatMap((line) => Object.keys(JSON.parse(line) as object)))].sort();

const written = async (): Promise<Written[]> => (await lines(output)).map((line) => JSON.parse(line) as Written);

describe('the tables', () => {
  test('have exactly the columns that rows have', async () => {
    expect([...(await keysOf(output, 'rows')), ...OF_SCORES].sort()).toEqual(Object.keys(ROW_COLUMNS).sort());
  });

  test('have exactly the columns that dead letters have', async () => {
    expect(await keysOf(output, 'dead-letters')).toEqual(Object.keys(DEAD_LETTER_COLUMNS).sort());
  });

  test('of CSV rows have as many columns as the rows, and the company first', async () => {
    const rows = (await lines(csv)).map((line) => line.split(','));
    expect(new Set(rows.map((row) => row.length))).toEqual(new Set([Object.keys(CSV_COLUMNS).length]));
    expect(Object.keys(CSV_COLUMNS)[0]).toBe('companyID');
    const companies = new Set((await written()).map(({ companyID }) => companyID));
    expect(new Set(rows.map(([company]) => company))).toEqual(companies);
  });

  test('find every row and every dead letter in the folders of their days, with the types that are told', async () => {
    for (const [table, what] of [
      ['enriched_companies', 'rows'],
      ['dead_letters', 'dead-letters'],
    ] as const) {
      const [found] = await asked(`SELECT count(*) AS n FROM ${table} WHERE dt BETWEEN '1970-01-01' AND '2100-01-01'`);
      expect(Number(found?.n)).toBe((await lines(output, what)).length);
      for (const path of await parts(output, what)) expect(path).toMatch(/dt=\d{4}-\d{2}-\d{2}\/[^._]/);
    }
    // A wrong type would be an error, or no value at all.
    const [sum] = await asked('SELECT sum(job90) AS jobs, count(version) AS versions FROM enriched_companies');
    const rows = await written();
    expect(Number(sum?.jobs)).toBe(rows.reduce((all, { job90 }) => all + job90, 0));
    expect(Number(sum?.versions)).toBe(rows.length);
  });
});

describe('the questions, on the last day of these rows', () => {
  const on = (name: string, today: string): string => {
    const query = namedQueries({ rows: 'enriched_companies', deadLetters: 'dead_letters' }).find(
      (one) => one.name === name,
    );
    if (query === undefined) throw new Error(`there is no question ${name}`);
    return query.sql.replaceAll('current_date', `DATE '${today}'`);
  };
  const lastDay = async (): Promise<string> => {
    const last = Math.max(...(await written()).map(({ eventTime }) => eventTime));
    return new Date(last).toISOString().slice(0, 10);
  };
  /** Of each company the row with the highest version. */
  const newest = async (): Promise<Written[]> => {
    const kept = new Map<string, Written>();
    for (const row of await written()) {
      if (row.version > (kept.get(row.companyID)?.version ?? 0)) kept.set(row.companyID, row);
    }
    return [...kept.values()];
  };

  test('all have an answer', async () => {
    const today = await lastDay();
    for (const { name } of namedQueries({ rows: '', deadLetters: '' })) {
      await expect(asked(on(name, today)), name).resolves.toBeInstanceOf(Array);
    }
  });

  test('customers-by-industry counts each company once, as of its highest version', async () => {
    const industries = new Map<string, { tenants: number; job30: number; job90: number }>();
    for (const { industry, job30, job90 } of await newest()) {
      const sum = industries.get(industry) ?? { tenants: 0, job30: 0, job90: 0 };
      industries.set(industry, {
        tenants: sum.tenants + 1,
        job30: sum.job30 + job30,
        job90: sum.job90 + job90,
      });
    }
    const answers = await asked(on('customers-by-industry', await lastDay()));
    expect(answers.length).toBeGreaterThan(1);
    expect(
      new Map(
        answers.map(({ industry, tenants, job30, job90 }) => [
          industry,
          { tenants: Number(tenants), job30: Number(job30), job90: Number(job90) },
        ]),
      ),
    ).toEqual(industries);
  });

  test('submissions-by-month counts each job once', async () => {
    const jobs = (await written()).filter(({ trigger }) => trigger === 'job');
    const months = await asked(on('submissions-by-month', await lastDay()));
    expect(months.reduce((all, { batches }) => all + Number(batches), 0)).toBe(jobs.length);
    expect(months.reduce((all, month) => all + Number(month.jobs), 0)).toBe(
      jobs.reduce((all, { nbJobs }) => all + nbJobs, 0),
    );
  });

  test('dead-letters counts all that could not be used, by reason', async () => {
    const counts = new Map<string, number>();
    for (const line of await lines(output, 'dead-letters')) {
      const { reason } = JSON.parse(line) as { reason: string };
      counts.set(reason, (counts.get(reason) ?? 0) + 1);
    }
    expect([...counts.keys()].sort()).toEqual(['late', 'malformed', 'unknown-company']);
    // Their day is that of their arrival: the time of the file.
    const letters = await asked(on('dead-letters', new Date().toISOString().slice(0, 10)));
    expect(new Map(letters.map(({ reason, records }) => [reason, Number(records)]))).toEqual(counts);
  });
});
