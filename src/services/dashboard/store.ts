import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type DuckDBConnection, DuckDBInstance } from '@duckdb/node-api';
import { messageOf } from '../../base/errors.ts';
import { dayOf, type EpochMs } from '../../base/time.ts';
import { APPLY, foldSql, RENEW, TABLES } from './apply-sql.ts';
import { OF_COMPANY } from './company-sql.ts';
import { IS_ROW, ROW_COLUMNS } from './row-input.ts';

export type Cell = string | number | boolean | null;
/** A row of an answer. */
export type Flat = Readonly<Record<string, Cell>>;

/** One moment of the store: all that is asked of it fits together. */
export interface View {
  /** Whole numbers come as numbers. `values` may name more than the SQL uses. */
  all(sql: string, values?: Readonly<Record<string, Cell>>): Promise<readonly Flat[]>;
}

/** What a batch changed. */
export interface Applied {
  /** Rows that counted: each (companyID, version) once. */
  readonly fresh: number;
  /** Rows that could not be used. */
  readonly unusable: number;
  /** Companies whose newest row is another one now, and of them the latest and those that are watched, in order. */
  readonly changed: number;
  readonly newest: readonly string[];
  /** All of them, in order; each once, however often its row comes. */
  readonly flips: readonly Flat[];
}

/** More than these are not told of one batch; all are counted. */
const MOST_TOLD = 20;
/** Appended rows at which tables are folded, at least. */
const FOLD_ROWS = 200_000;
/** Rows at which the tables that are updated are made anew: they are small. */
const RENEW_ROWS = 20_000;
/** Memory beyond which DuckDB spills to a temporary folder. */
const MEMORY_LIMIT = '1GB';

/**
 * The numbers of the dashboard, in a DuckDB in memory. One batch of rows at a time is applied, each in one transaction;
 * who reads sees all of a batch or nothing of it.
 */
export class DashboardStore {
  readonly #database: DuckDBInstance;
  readonly #writer: DuckDBConnection;
  readonly #now: () => EpochMs;
  readonly #spill: string;
  readonly #warn: (message: string) => void;
  #isFoldTold = false;
  /** Since the start: rows that counted, and those that could not be used. */
  rows = 0;
  unusable = 0;
  #turn: Promise<unknown> = Promise.resolve();
  #appended = 0;
  #updated = 0;
  #foldAt = FOLD_ROWS;

  private constructor(
    database: DuckDBInstance,
    writer: DuckDBConnection,
    now: () => EpochMs,
    spill: string,
    warn: (message: string) => void,
  ) {
    this.#database = database;
    this.#writer = writer;
    this.#now = now;
    this.#spill = spill;
    this.#warn = warn;
  }

  /** `warn`: told of what is wrong with the store, but not with rows, and is tried again. */
  static async open(now: () => EpochMs, warn: (message: string) => void = () => undefined): Promise<DashboardStore> {
    const spill = await mkdtemp(join(tmpdir(), 'tenant-analytics-dashboard-'));
    const database = await DuckDBInstance.create(':memory:', {
      threads: '2',
      memory_limit: MEMORY_LIMIT,
      temp_directory: spill,
      preserve_insertion_order: 'false',
      // Whatever is missing is an error, and no download.
      autoinstall_known_extensions: 'false',
      autoload_known_extensions: 'false',
    });
    const writer = await database.connect();
    await writer.run(TABLES);
    return new DashboardStore(database, writer, now, spill, warn);
  }

  /** Rows as JSON texts, each checked before. Of the companies that are watched, each that changed is told. */
  applyTexts(texts: readonly string[], watched: readonly string[] = []): Promise<Applied> {
    const shape = JSON.stringify([ROW_COLUMNS]);
    const rows = `SELECT unnest(from_json($texts, '${shape}'), recursive := true)`;
    return this.#apply(rows, { texts: `[${texts.join()}]` }, watched);
  }

  /** Files of rows, a JSON row a line. */
  applyFiles(paths: readonly string[]): Promise<Applied> {
    const shape = Object.entries(ROW_COLUMNS).map(([name, type]) => `${name}: '${type}'`);
    const files = paths.map((path) => `'${escaped(path).replaceAll("'", "''")}'`);
    return this.#apply(`FROM read_json([${files.join()}], format = 'newline_delimited', hive_partitioning = false,
      ignore_errors = true, columns = {${shape.join(', ')}})`);
  }

  /** With a company, every table holds the rows of that company only, whatever is asked. */
  async view<T>(look: (view: View) => Promise<T>, companyID?: string): Promise<T> {
    const connection = await this.#database.connect();
    try {
      if (companyID !== undefined) {
        await connection.run('SET VARIABLE only_company = $companyID', { companyID });
        for (const sql of OF_COMPANY) await connection.run(sql);
      }
      await connection.run('BEGIN TRANSACTION READ ONLY');
      return await look({ all: (sql, values = {}) => ask(connection, sql, values) });
    } finally {
      connection.closeSync();
    }
  }

  async close(): Promise<void> {
    await this.#turn;
    this.#writer.closeSync();
    this.#database.closeSync();
    await rm(this.#spill, { recursive: true, force: true });
  }

  /** Makes the tables as small as they can be; done by itself after many rows. */
  fold(): Promise<void> {
    return this.#inTurn(() => this.#foldNow(this.#now()));
  }

  #apply(
    rows: string,
    values: Readonly<Record<string, string>> = {},
    watched: readonly string[] = [],
  ): Promise<Applied> {
    return this.#inTurn(() => this.#applyNow(rows, values, watched));
  }

  #inTurn<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#turn.then(work);
    this.#turn = mine.catch(() => undefined);
    return mine;
  }

  async #applyNow(
    rows: string,
    values: Readonly<Record<string, string>>,
    watched: readonly string[],
  ): Promise<Applied> {
    const writer = this.#writer;
    await writer.run(`CREATE OR REPLACE TEMP TABLE came AS ${rows}`, { ...values });
    await writer.run(`CREATE OR REPLACE TEMP VIEW incoming AS FROM came WHERE ${IS_ROW}`);
    const now = this.#now();
    await this.#transaction(APPLY, { now });
    const [counts = {}] = await ask(
      writer,
      `SELECT came - usable AS unusable, * FROM (SELECT (SELECT count(*) FROM fresh) AS fresh, (SELECT count(*) FROM came) AS came,
        (SELECT count(*) FROM incoming) AS usable, (SELECT count(*) FROM newest WHERE isNewer) AS changed)`,
      {},
    );
    const newest = await ask(
      writer,
      `SELECT companyID FROM newest WHERE isNewer AND (
        companyID IN (SELECT companyID FROM newest WHERE isNewer ORDER BY eventTime DESC, companyID LIMIT ${MOST_TOLD})
        OR companyID IN (SELECT unnest(from_json($watched, '["VARCHAR"]')))) ORDER BY eventTime, companyID`,
      { watched: JSON.stringify(watched) },
    );
    const flips = await ask(
      writer,
      'SELECT companyID, version, change, eventTime AS "at", probability AS churnProbability, industry, monthlyFee, reasons FROM new_flips ORDER BY eventTime, companyID, version',
      {},
    );
    this.rows += Number(counts.fresh ?? 0);
    this.unusable += Number(counts.unusable ?? 0);
    await this.#foldIfDue(Number(counts.usable ?? 0), now).then(
      () => {
        this.#isFoldTold = false;
      },
      (error: unknown) => this.#foldFailed(error),
    );
    return {
      fresh: Number(counts.fresh ?? 0),
      unusable: Number(counts.unusable ?? 0),
      changed: Number(counts.changed ?? 0),
      newest: newest.map(({ companyID }) => String(companyID)),
      flips,
    };
  }

  /** The rows are applied all the same, and their flips must be told: it is tried again with the next rows. */
  #foldFailed(error: unknown): void {
    if (this.#isFoldTold) return;
    this.#isFoldTold = true;
    this.#warn(`The dashboard could not make its tables small (${firstLine(error)}); trying again with the next rows.`);
  }

  /** The larger the tables, the rarer: the cost of folding stays a small share of that of applying. */
  async #foldIfDue(rows: number, now: EpochMs): Promise<void> {
    this.#appended += rows;
    this.#updated += rows;
    if (this.#appended >= this.#foldAt) await this.#foldNow(now);
    if (this.#updated < RENEW_ROWS) return;
    await this.#transaction(RENEW, {});
    this.#updated = 0;
  }

  async #foldNow(now: EpochMs): Promise<void> {
    await this.#transaction([...foldSql(dayOf(now)), ...RENEW], {});
    const [size] = await ask(
      this.#writer,
      'SELECT (SELECT count(*) FROM days) + (SELECT count(*) FROM users) AS rows',
      {},
    );
    this.#appended = 0;
    this.#foldAt = Math.max(FOLD_ROWS, Number(size?.rows ?? 0) / 2);
  }

  async #transaction(statements: readonly string[], values: Readonly<Record<string, Cell>>): Promise<void> {
    const writer = this.#writer;
    await writer.run('BEGIN TRANSACTION');
    try {
      for (const sql of statements) await writer.run(sql, used(sql, values));
      await writer.run('COMMIT');
    } catch (error) {
      // It may have ended the transaction itself.
      await writer.run('ROLLBACK').catch(() => undefined);
      throw error;
    }
  }
}

/** Whether an error of DuckDB is of the database (memory, disk, itself), and not of the rows that it was given. */
export function isOfDatabase(error: unknown): boolean {
  return /^(Out of Memory|FATAL|INTERNAL|IO|TransactionContext) Error/i.test(messageOf(error));
}

export function firstLine(error: unknown): string {
  return messageOf(error).split('\n', 1)[0] ?? '';
}

async function ask(
  connection: DuckDBConnection,
  sql: string,
  values: Readonly<Record<string, Cell>>,
): Promise<readonly Flat[]> {
  const read = await connection.runAndReadAll(sql, used(sql, values));
  return read
    .getRowObjectsJS()
    .map((row) => Object.fromEntries(Object.entries(row).map(([name, cell]) => [name, cellOf(cell)])));
}

/** DuckDB refuses values that a statement does not name. */
function used(sql: string, values: Readonly<Record<string, Cell>>): Record<string, Cell> {
  return Object.fromEntries(Object.entries(values).filter(([name]) => sql.includes(`$${name}`)));
}

function cellOf(cell: unknown): Cell {
  if (typeof cell === 'bigint') return Number(cell);
  if (cell === null || typeof cell === 'string' || typeof cell === 'number' || typeof cell === 'boolean') return cell;
  throw new Error(`expected text, a number or a truth value of DuckDB, got ${typeof cell}`);
}

/** A path is a path, whatever characters are in it: DuckDB would take these for a pattern. */
function escaped(path: string): string {
  return path.replaceAll(/[[*?]/g, '[$&]');
}
