// The live application as a user runs it: the real program on streams of its own, and what it left behind.
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { pathToFileURL } from 'node:url';
import { afterAll, expect } from 'vitest';
import { messageOf, systemCode } from '../../src/base/errors.ts';
import { awsKinesis } from '../../src/connectors/kinesis/aws-kinesis.ts';
import type { KinesisApi } from '../../src/connectors/kinesis/kinesis-api.ts';
import { decodeCheckpoint } from '../../src/runtime/checkpoint-format.ts';
import type { CheckpointBody } from '../../src/runtime/checkpointer.ts';
import { LOCAL_REGION, type LocalKinesis, startLocalKinesis } from '../support/local-kinesis.ts';
import { contentsOf, put, type StreamRecord, type ToPut } from '../support/stream-contents.ts';
import { filesBelow, temporaryFolder } from './folders.ts';
import { type Letter, lines } from './outputs.ts';
import { type Ended, type Running, start } from './program.ts';

export interface Row {
  companyID: string;
  job30: number;
  job90: number;
  riskOfChurn: boolean | null;
  scoreStatus: string;
  trigger: string;
  eventID: string;
  userID?: string;
  nbJobs: number;
  version: number;
  companyStale: boolean;
}

const LIMIT_MS = 90_000;
const LOOK_AGAIN_MS = 50;

/**
 * Waits until it is so, while the program runs. A file may be renamed while it is looked for: then it is looked again.
 * @throws when the program ends before, or it takes very long
 */
export async function until(what: string, program: Running, isSo: () => Promise<boolean> | boolean): Promise<void> {
  const deadline = Date.now() + LIMIT_MS;
  let last: unknown;
  for (;;) {
    const ended = program.hasEnded();
    try {
      if (await isSo()) return;
    } catch (error) {
      if (systemCode(error) !== 'ENOENT') throw error;
      last = error;
    }
    if (ended) throw new Error(`${what}: the program ended before: ${JSON.stringify(await program.ended)}`);
    if (Date.now() > deadline) {
      throw new Error(
        `${what}: not within ${LIMIT_MS} ms (${messageOf(last)}): ${program.stdout()}${program.stderr()}`,
      );
    }
    await sleep(LOOK_AGAIN_MS);
  }
}

/** Stops it as Ctrl-C does; it must end well. */
export async function stopWell(program: Running): Promise<Ended> {
  program.send('SIGINT');
  const ended = await program.ended;
  if (ended.code !== 0) throw new Error(`expected it to stop well, got ${JSON.stringify(ended)}`);
  return ended;
}

export async function kill(program: Running): Promise<void> {
  program.send('SIGKILL');
  await program.ended;
}

/** Whole lines of all files of rows (or of dead letters) below a folder, those still being written too. */
async function linesBelow(folder: string, what: 'rows' | 'dead-letters' = 'rows'): Promise<string[]> {
  const wanted = what === 'rows' ? /^dt=[^/]+\/\.?part-/ : /^_dead-letters\/dt=[^/]+\/\.?part-/;
  for (;;) {
    const lines: string[] = [];
    if (!existsSync(folder)) return lines;
    try {
      for (const path of (await filesBelow(folder)).filter((name) => wanted.test(name))) {
        lines.push(...(await readFile(`${folder}/${path}`, 'utf8')).split('\n').slice(0, -1));
      }
      return lines;
    } catch (error) {
      // A part was finished, and so renamed, meanwhile: it is in the next list.
      if (systemCode(error) !== 'ENOENT') throw error;
    }
  }
}

export async function rowsBelow(folder: string): Promise<Row[]> {
  return (await linesBelow(folder)).map((line) => JSON.parse(line) as Row);
}

/** In the order of their records in their shard. */
export async function lettersBelow(folder: string): Promise<Letter[]> {
  const letters = (await linesBelow(folder, 'dead-letters')).map((line) => JSON.parse(line) as Letter);
  return letters.sort((a, b) => (a.sequenceNumber < b.sequenceNumber ? -1 : 1));
}

/** By company, in order of versions. */
export function byCompany(rows: readonly Row[]): ReadonlyMap<string, readonly Row[]> {
  const all = new Map<string, Row[]>();
  for (const row of rows) all.set(row.companyID, [...(all.get(row.companyID) ?? []), row]);
  for (const own of all.values()) own.sort((a, b) => a.version - b.version);
  return all;
}

export const eventIDOf = ({ shardId, sequenceNumber }: Pick<StreamRecord, 'shardId' | 'sequenceNumber'>): string =>
  `${shardId}:${sequenceNumber}`;

const versionOf = ({ companyID, version }: Row): string => `${companyID} ${version}`;

/** Of a version that left without a score and later with it, the first row alone: on a busy machine scoring may be late. */
export function asFirstLeft(rows: readonly Row[]): Row[] {
  const unscored = new Set(rows.filter(({ scoreStatus }) => scoreStatus === 'unavailable').map(versionOf));
  // One scored row for one without: a second one stays, and is one too many.
  return rows.filter((row) => row.scoreStatus !== 'scored' || !unscored.delete(versionOf(row)));
}

export interface Outcome {
  /** The records of the stream of jobs. */
  readonly sent: readonly StreamRecord[];
  readonly rows: readonly Row[];
  readonly deadLetters: readonly Letter[];
  /** The enriched companies on their stream. */
  readonly arrived: readonly Row[];
}

/**
 * Each record is in exactly one row or dead letter, and counted in the rows after it; versions are without a gap, and each
 * arrived on the stream: once and in order if nothing was killed. For rows of jobs, none of them scored later.
 */
export function expectExact({ sent, rows, deadLetters, arrived }: Outcome, crashed: 'killed' | 'never killed'): void {
  const letters = deadLetters.map(({ shardId, sequenceNumber }) => `${shardId}:${sequenceNumber}`);
  expect([...rows.map(({ eventID }) => eventID), ...letters].sort()).toEqual(sent.map(eventIDOf).sort());
  for (const own of byCompany(rows).values()) {
    expect(own.map(({ version }) => version)).toEqual(own.map((_, index) => index + 1));
    let counted = (own[0]?.job90 ?? 0) - (own[0]?.nbJobs ?? 0);
    expect(own.map(({ job90 }) => job90)).toEqual(own.map(({ nbJobs }) => (counted += nbJobs)));
  }
  const versions = rows.map(versionOf).sort();
  expect([...new Set(arrived.map(versionOf))].sort()).toEqual(versions);
  if (crashed === 'killed') return;
  expect(arrived).toHaveLength(rows.length);
  for (const [companyID, own] of byCompany(rows)) {
    const came = arrived.filter((row) => row.companyID === companyID);
    expect(came.map(({ version }) => version)).toEqual(own.map(({ version }) => version));
  }
}

/** A Kinesis for one test file; it ends with it. */
export async function liveKinesis(): Promise<{ kinesis: LocalKinesis; api: KinesisApi }> {
  const kinesis = await startLocalKinesis();
  const api = awsKinesis({ region: LOCAL_REGION, endpoint: kinesis.endpoint });
  afterAll(async () => {
    api.close();
    await kinesis.stop();
  });
  return { kinesis, api };
}

export interface LiveOptions {
  readonly kinesis: LocalKinesis;
  readonly api: KinesisApi;
  /** Of the stream of jobs. */
  readonly shards?: number;
  /** `name=value`, over those that every test has. */
  readonly settings?: readonly string[];
}

let made = 0;

/** The application with streams, state and rows of its own. Without other settings it calls no service. */
export class LiveApplication {
  readonly jobs: string;
  readonly companies: string;
  readonly enriched: string;
  readonly folder: string;
  readonly #options: LiveOptions;

  private constructor(options: LiveOptions, folder: string, name: string) {
    this.#options = options;
    this.folder = folder;
    [this.jobs, this.companies, this.enriched] = [`jobs-${name}`, `companies-${name}`, `enriched-${name}`];
  }

  static async create(options: LiveOptions): Promise<LiveApplication> {
    const live = new LiveApplication(options, await temporaryFolder(), String(++made));
    await options.kinesis.createStream(live.jobs, options.shards ?? 1);
    await options.kinesis.createStream(live.companies);
    await options.kinesis.createStream(live.enriched);
    return live;
  }

  get output(): string {
    return `${this.folder}/rows`;
  }

  words(...settings: readonly string[]): string[] {
    const all = [
      `aws.endpoint=${this.#options.kinesis.endpoint}`,
      `jobs.stream.name=${this.jobs}`,
      `companies.stream.name=${this.companies}`,
      `enrichedcompanies.stream.name=${this.enriched}`,
      'jobs.stream.initial.position=TRIM_HORIZON',
      'companies.stream.initial.position=TRIM_HORIZON',
      `S3SinkPath=${pathToFileURL(this.output).href}`,
      `data.dir=${this.folder}/data`,
      'checkpoint.interval=100ms',
      'sink.roll.age=300ms',
      'enrichment=join',
      'scoring=off',
      ...(this.#options.settings ?? []),
      ...settings,
    ];
    return ['run', ...all.flatMap((setting) => ['--set', setting])];
  }

  start(...settings: readonly string[]): Running {
    return start(...this.words(...settings));
  }

  /** Each with a base of 10 jobs in 30 days, 30 in 90. */
  putCompanies(...names: readonly string[]): Promise<void> {
    return put(this.#options.api, this.companies, names.map(companyRecord));
  }

  put(records: readonly ToPut[]): Promise<void> {
    return put(this.#options.api, this.jobs, records);
  }

  rows(): Promise<Row[]> {
    return rowsBelow(this.output);
  }

  deadLetters(): Promise<Letter[]> {
    return lettersBelow(this.output);
  }

  /** Waits until so many dead letters can be listed: those in a part that is being written cannot. */
  async deadLettersVisible(count: number, program: Running): Promise<void> {
    await until(`${count} dead letters`, program, async () => {
      return (await lines(this.output, 'dead-letters')).length >= count;
    });
  }

  async arrived(): Promise<Row[]> {
    return (await contentsOf(this.#options.api, this.enriched)).map(({ text }) => JSON.parse(text) as Row);
  }

  sent(): Promise<readonly StreamRecord[]> {
    return contentsOf(this.#options.api, this.jobs);
  }

  /** What the newest checkpoint says was taken from the stream of jobs. */
  async jobsInCheckpoint(): Promise<number> {
    const folder = `${this.folder}/data/state/checkpoints`;
    const newest = (await filesBelow(folder)).filter((name) => /^chk-\d+$/.test(name)).at(-1);
    if (newest === undefined) return 0;
    const { meta } = decodeCheckpoint(await readFile(`${folder}/${newest}`));
    return (meta.body as CheckpointBody).counters['records.jobs'] ?? 0;
  }

  /** Waits until so many rows are in files. */
  async rowsReached(count: number, program: Running): Promise<void> {
    await until(`${count} rows`, program, async () => (await this.rows()).length >= count);
  }

  async outcome(): Promise<Outcome> {
    return {
      sent: await this.sent(),
      rows: await this.rows(),
      deadLetters: await this.deadLetters(),
      arrived: await this.arrived(),
    };
  }
}

/** No two have the same features. */
export function companyProfile(companyID: string): Record<string, string | number> {
  const revenu = 1000 + Number(/\d+/.exec(companyID)?.[0] ?? 0);
  return { companyID, industry: 'retail', revenu, employees: 10, job30: 10, job90: 30, monthlyFee: 1, totalFee: 12 };
}

function companyRecord(companyID: string): ToPut {
  return { partitionKey: companyID, data: JSON.stringify(companyProfile(companyID)) };
}

/** So many job events of the companies in turn; of each company the users are numbered on from `from`, in order. */
export function jobsOf(companies: readonly string[], count: number, from = 0): ToPut[] {
  return Array.from({ length: count }, (_, index) => {
    const companyID = companies[index % companies.length] ?? '';
    const userID = String(from + Math.floor(index / companies.length));
    return { partitionKey: companyID, data: JSON.stringify({ companyID, userID, nbJobs: 1 + (index % 3) }) };
  });
}
