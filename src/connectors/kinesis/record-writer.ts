import { backoffMs } from '../../base/backoff.ts';
import { messageOf, TenantAnalyticsError } from '../../base/errors.ts';
import type { EpochMs } from '../../base/time.ts';
import type { RowStream, World } from '../../runtime/ports.ts';
import type { Pressure } from '../../runtime/pressure.ts';
import { type KinesisApi, KinesisFailure, type PutResult } from './kinesis-api.ts';

/** What one PutRecords takes; sizes are those of data and partition keys. */
const REQUEST_ENTRIES = 500;
const REQUEST_BYTES = 5 * 1024 * 1024;
export const RECORD_BYTES = 1024 * 1024;
const REQUESTS_IN_FLIGHT = 4;
/** The first wait is up to this long, and each later one up to twice the one before, up to the longest. */
const BACKOFF_FIRST_MS = 100;
const BACKOFF_LONGEST_MS = 10_000;
/** A row that is tried for this long makes an outage. Shorter throttling is everyday, and not worth a warning each time. */
const OUTAGE_MS = 5000;

export interface RowStreamOptions {
  readonly stream: string;
  /** The parameter or option that names the stream, for messages. */
  readonly parameter: string;
  /** What its messages say of the sender; without it, that of a run. */
  readonly words?: WriterWords;
  /** Called once, when rows can never be sent. */
  readonly onFailure: (error: unknown) => void;
}

/** What is sent, and what its sender does about trouble, as messages tell it. */
export interface WriterWords {
  /** `rows`. */
  readonly records: string;
  readonly whileTheyWait: string;
  readonly whenMended: string;
  /** What names the region. */
  readonly region: string;
}

const OF_A_RUN: WriterWords = {
  records: 'rows',
  whileTheyWait: 'reading stops when too many wait',
  whenMended: 'Then run the same command again: it goes on from the last checkpoint.',
  region: 'aws.region',
};

interface Row {
  /** Counts the rows taken. */
  readonly number: number;
  readonly partitionKey: string;
  readonly data: Uint8Array;
  readonly size: number;
  /** The row of the same key after this one. */
  next: Row | undefined;
  attempts: number;
  firstTriedAt: EpochMs | undefined;
  isLate: boolean;
}

interface Waiter {
  /** The number of the last row taken before. */
  readonly upTo: number;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Sends rows to a stream, again and again until they are accepted, those of one partition key in their order: at most one
 * row of a key is under way at a time, because of two in one request either may be refused. So a key gets one row through
 * in each round trip, while all keys share requests. A row of a key that has none under way leaves in the same turn.
 *
 * A row may arrive twice: when Kinesis accepted it and its answer was lost.
 */
export class KinesisRowStream implements RowStream {
  /** Rows over 1 MiB: no request can carry them. They are passed over; files still get them. */
  tooLarge = 0;
  readonly #kinesis: Pick<KinesisApi, 'putRecords'>;
  readonly #world: Pick<World, 'clock' | 'sleep' | 'random' | 'warn'>;
  readonly #pressure: Pressure;
  readonly #options: RowStreamOptions & { readonly words: WriterWords };
  readonly #over = new AbortController();
  /** Taken and not accepted yet, in the order of taking. */
  readonly #outstanding = new Set<Row>();
  /** The newest of the outstanding rows of each key. */
  readonly #newest = new Map<string, Row>();
  /** The oldest of the outstanding rows of each key, but for those under way or waiting for their next try. */
  #ready: Row[] = [];
  #waiters: Waiter[] = [];
  #taken = 0;
  #inFlight = 0;
  #isScheduled = false;
  /** After a request that failed as a whole nothing is sent for a while. */
  #isPaused = false;
  #failedRequests = 0;
  #late = 0;
  #outageSince: EpochMs | undefined;
  /** Why rows that were taken will never be accepted. */
  #lost: unknown;

  constructor(
    kinesis: Pick<KinesisApi, 'putRecords'>,
    world: Pick<World, 'clock' | 'sleep' | 'random' | 'warn'>,
    pressure: Pressure,
    options: RowStreamOptions,
  ) {
    this.#kinesis = kinesis;
    this.#world = world;
    this.#pressure = pressure;
    this.#options = { words: OF_A_RUN, ...options };
  }

  send(partitionKey: string, data: Uint8Array): void {
    const size = Buffer.byteLength(partitionKey) + data.length;
    if (size > RECORD_BYTES) {
      this.#passOver(partitionKey, size);
      return;
    }
    if (this.#over.signal.aborted) {
      this.#lost ??= stopped(this.#options);
      return;
    }
    const number = ++this.#taken;
    const row: Row = {
      number,
      partitionKey,
      data,
      size,
      next: undefined,
      attempts: 0,
      firstTriedAt: undefined,
      isLate: false,
    };
    this.#pressure.add(size);
    this.#outstanding.add(row);
    const before = this.#newest.get(partitionKey);
    this.#newest.set(partitionKey, row);
    if (before !== undefined) {
      before.next = row;
      return;
    }
    this.#ready.push(row);
    if (this.#isScheduled) return;
    // What else comes in this turn goes into the same request.
    this.#isScheduled = true;
    queueMicrotask(() => {
      this.#isScheduled = false;
      this.#sendReady();
    });
  }

  accepted(): Promise<void> {
    if (this.#lost !== undefined) return Promise.reject(this.#lost);
    if (this.#outstanding.size === 0) return Promise.resolve();
    return new Promise((resolve, reject) => this.#waiters.push({ upTo: this.#taken, resolve, reject }));
  }

  async close(): Promise<void> {
    this.#end(stopped(this.#options));
  }

  #passOver(partitionKey: string, size: number): void {
    this.tooLarge++;
    if (this.tooLarge > 1) return;
    const { stream } = this.#options;
    this.#world.warn(
      `A row of ${partitionKey} has ${size} bytes with its key; a record of stream ${stream} has at most ${RECORD_BYTES}. ` +
        'It was not sent there, and neither will be other rows that large; they are in the rows at S3SinkPath.',
    );
  }

  #sendReady(): void {
    while (this.#ready.length > 0 && !this.#isPaused && !this.#over.signal.aborted) {
      // After a failure one request finds out whether Kinesis is back.
      if (this.#inFlight >= (this.#failedRequests > 0 ? 1 : REQUESTS_IN_FLIGHT)) return;
      this.#request(this.#nextBatch()).catch((error) => this.#fail(error));
    }
  }

  #nextBatch(): readonly Row[] {
    let bytes = 0;
    let count = 0;
    for (const { size } of this.#ready) {
      bytes += size;
      if (count === REQUEST_ENTRIES || bytes > REQUEST_BYTES) break;
      count++;
    }
    return this.#ready.splice(0, count);
  }

  async #request(rows: readonly Row[]): Promise<void> {
    const now = this.#world.clock.now();
    for (const row of rows) {
      row.attempts++;
      row.firstTriedAt ??= now;
    }
    this.#inFlight++;
    try {
      const results = await this.#kinesis.putRecords(this.#options.stream, rows);
      if (!this.#over.signal.aborted) this.#answered(rows, results);
    } catch (error) {
      if (!this.#over.signal.aborted) this.#failed(rows, error);
    } finally {
      this.#inFlight--;
    }
    this.#sendReady();
  }

  #answered(rows: readonly Row[], results: readonly PutResult[]): void {
    this.#failedRequests = 0;
    const again = new Map<number, Row[]>();
    let reason = '';
    for (const [index, row] of rows.entries()) {
      // Kinesis names but two codes for an entry, throughput and internal failure; any other is worth another try, too.
      const { errorCode, errorMessage } = results[index] ?? { errorCode: 'NoResult', errorMessage: 'none was told' };
      if (errorCode === null) {
        this.#accept(row);
        continue;
      }
      reason = `${errorCode}: ${errorMessage}`;
      const alike = again.get(row.attempts);
      if (alike === undefined) again.set(row.attempts, [row]);
      else alike.push(row);
    }
    this.#tellOutage([...again.values()].flat(), reason);
    // Shards are throttled one by one: other keys need not wait.
    for (const [attempts, alike] of again) this.#later(attempts, () => this.#ready.unshift(...alike));
    this.#tellAccepted();
  }

  #accept(row: Row): void {
    this.#outstanding.delete(row);
    this.#pressure.remove(row.size);
    if (row.isLate) this.#late--;
    if (row.next === undefined) this.#newest.delete(row.partitionKey);
    else this.#ready.push(row.next);
  }

  #tellAccepted(): void {
    const [oldest] = this.#outstanding;
    const first = oldest?.number ?? Number.POSITIVE_INFINITY;
    const told = this.#waiters.filter(({ upTo }) => upTo < first);
    if (told.length > 0) this.#waiters = this.#waiters.filter(({ upTo }) => upTo >= first);
    for (const { resolve } of told) resolve();
  }

  /** A request that failed as a whole. */
  #failed(rows: readonly Row[], error: unknown): void {
    if (!(error instanceof KinesisFailure) || (error.kind !== 'throttled' && error.kind !== 'unavailable')) throw error;
    this.#tellOutage(rows, `${error.code}: ${error.message}`);
    this.#ready.unshift(...rows);
    if (this.#isPaused) return;
    this.#isPaused = true;
    this.#failedRequests++;
    this.#later(this.#failedRequests, () => {
      this.#isPaused = false;
    });
  }

  /** Exponential back-off with full jitter. */
  #later(attempts: number, then: () => void): void {
    const { signal } = this.#over;
    const { random, sleep } = this.#world;
    const ms = backoffMs(random, attempts - 1, BACKOFF_FIRST_MS, BACKOFF_LONGEST_MS);
    const wait = sleep(ms, signal).then(() => {
      if (signal.aborted) return;
      then();
      this.#sendReady();
    });
    wait.catch((error) => this.#fail(error));
  }

  #tellOutage(refused: readonly Row[], reason: string): void {
    const now = this.#world.clock.now();
    const { stream, words } = this.#options;
    for (const row of refused) {
      if (row.isLate || now - (row.firstTriedAt ?? now) < OUTAGE_MS) continue;
      row.isLate = true;
      this.#late++;
      if (this.#outageSince !== undefined) continue;
      this.#outageSince = row.firstTriedAt ?? now;
      this.#world.warn(
        `Stream ${stream} has not accepted ${words.records} for ${seconds(now - this.#outageSince)}: ${reason}. They wait, and are ` +
          `sent again until it does; ${words.whileTheyWait}. Look whether Kinesis can be reached and has enough shards.`,
      );
    }
    if (this.#late > 0 || this.#outageSince === undefined) return;
    this.#world.warn(`Stream ${stream} accepts ${words.records} again, after ${seconds(now - this.#outageSince)}.`);
    this.#outageSince = undefined;
  }

  #fail(thrown: unknown): void {
    if (this.#over.signal.aborted) return;
    const error = thrown instanceof KinesisFailure ? neverAccepted(thrown, this.#options) : thrown;
    this.#end(error);
    this.#options.onFailure(error);
  }

  #end(reason: unknown): void {
    if (this.#over.signal.aborted) return;
    this.#over.abort();
    if (this.#outstanding.size > 0) this.#lost = reason;
    let bytes = 0;
    for (const { size } of this.#outstanding) bytes += size;
    this.#pressure.remove(bytes);
    this.#outstanding.clear();
    this.#newest.clear();
    this.#ready = [];
    for (const { reject } of this.#waiters.splice(0)) reject(reason);
  }
}

function neverAccepted(
  failure: KinesisFailure,
  { stream, parameter, words }: RowStreamOptions & { readonly words: WriterWords },
): TenantAnalyticsError {
  const what = `Expected stream ${stream} (${parameter}) to accept ${words.records}`;
  const came = `${failure.code}: ${messageOf(failure)}`;
  if (failure.kind === 'not-found') {
    const todo = `Create the stream, or set ${parameter} to one that exists.`;
    return new TenantAnalyticsError(
      'STREAM_NOT_FOUND',
      `${what}, but there is none: ${came}. ${todo} ${words.whenMended}`,
      { cause: failure },
    );
  }
  const todo = `Check the credentials, their permission for kinesis:PutRecords, and ${words.region}.`;
  return new TenantAnalyticsError(
    'KINESIS_REFUSED',
    `${what}, but Kinesis refuses them: ${came}. ${todo} ${words.whenMended}`,
    { cause: failure },
  );
}

function stopped({ stream, words }: { readonly stream: string; readonly words: WriterWords }): TenantAnalyticsError {
  const what = words.records[0]?.toUpperCase() + words.records.slice(1);
  return new TenantAnalyticsError('STOPPED', `${what} for stream ${stream} were not sent: the run is over.`);
}

function seconds(ms: number): string {
  return `${Math.round(ms / 1000)} s`;
}
