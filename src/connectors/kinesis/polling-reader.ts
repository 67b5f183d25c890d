import type { EpochMs } from '../../base/time.ts';
import { KinesisFailure, type KinesisRecord, type RecordBatch, type StartingPosition } from './kinesis-api.ts';
import {
  belongsTo,
  bytesOf,
  Outage,
  positionAfter,
  type ShardBatch,
  type ShardReader,
  type ShardReaderSetting,
  tellForgotten,
  tellLost,
} from './shard-reader.ts';

/** GetRecords: at most 5 calls a second and 2 MiB a second for each shard, shared by all who poll it. */
const READS_PER_SECOND = 5;
/** Timers fire a little early, and clocks count whole milliseconds: what is exactly at the limit is often beyond it. */
const MARGIN_MS = 5;
const READ_INTERVAL_MS = 1000 / READS_PER_SECOND + MARGIN_MS;
const BYTES_PER_MS = (2 * 1024 * 1024) / 1000;
const MOST_RECORDS = 10_000;
/** Longer than after the largest answer. */
const LONGEST_WAIT_MS = 10_000;
/** A shard that gave nothing for so long is asked less often. */
const QUIET_AFTER_MS = 60_000;
const QUIET_INTERVAL_MS = 1000;

/**
 * Reads a shard with GetRecords, as often as Kinesis allows and no oftener: 5 times a second, less often after large
 * answers (2 MiB a second), once a second when there was nothing for a minute.
 *
 * Invariant: a shard is at its end only when the API says so: no next iterator, and either its children are named, or the
 * stream listed it as closed before the read, and that read found nothing. An answer without a next iterator alone may be
 * a fault: it goes on with a new one.
 */
export class PollingReader implements ShardReader {
  readonly #setting: ShardReaderSetting;
  readonly #outage: Outage;
  #position: StartingPosition;
  #iterator: string | undefined;
  #nextRead: EpochMs = Number.NEGATIVE_INFINITY;
  /** When the last reads were over: Kinesis counts when they reach it, somewhere before. */
  #over: EpochMs[] = [];
  #lastRecords: EpochMs;
  /** What is still to be read, when the stream does not know the record read last any more. */
  #belongs: ((record: KinesisRecord) => boolean) | undefined;
  /** The stream listed the shard as closed: what is not there by now will never be. */
  #isClosed = false;

  constructor(setting: ShardReaderSetting, start: StartingPosition) {
    this.#setting = setting;
    this.#outage = new Outage(setting);
    this.#position = start;
    this.#lastRecords = setting.world.clock.now();
  }

  async read(): Promise<ShardBatch | undefined> {
    const { world, signal, budget } = this.#setting;
    for (;;) {
      const wait = this.#waitFrom(world.clock.now());
      if (wait > 0) await world.sleep(wait, signal);
      if (signal.aborted) return undefined;
      const wasClosed = this.#isClosed;
      try {
        const answer = await budget.use(
          () => this.#ask(),
          (batch) => bytesOf(batch.records),
        );
        const end = await this.#endOf(answer, wasClosed);
        this.#outage.over();
        const { records, millisBehindLatest } = answer;
        return { records, millisBehindLatest, bytes: bytesOf(records), end };
      } catch (error) {
        if (error instanceof KinesisFailure && error.kind === 'iterator-expired') {
          this.#iterator = undefined;
        } else if (error instanceof KinesisFailure && error.kind === 'not-found' && (await this.#saysClosed())) {
          tellLost(this.#setting);
          return { records: [], bytes: 0, millisBehindLatest: 0, end: [] };
        } else {
          this.#iterator = undefined;
          await this.#outage.pause(error);
        }
      }
    }
  }

  #waitFrom(now: EpochMs): number {
    if (this.#nextRead - now > LONGEST_WAIT_MS) {
      // The clock was set back.
      this.#nextRead = now + READ_INTERVAL_MS;
      this.#over = [];
    }
    return this.#nextRead - now;
  }

  async #ask(): Promise<RecordBatch> {
    const { api, world } = this.#setting;
    this.#iterator ??= await this.#newIterator();
    const asked = world.clock.now();
    this.#nextRead = asked + READ_INTERVAL_MS;
    const all = await api.getRecords(this.#iterator, MOST_RECORDS).finally(() => this.#isOver(world.clock.now()));
    const answer = this.#belongs === undefined ? all : { ...all, records: all.records.filter(this.#belongs) };
    this.#iterator = answer.nextIterator ?? undefined;
    this.#position = positionAfter(answer.records, this.#position);
    if (answer.records.length > 0) this.#lastRecords = asked;
    const isQuiet = asked - this.#lastRecords >= QUIET_AFTER_MS && answer.millisBehindLatest === 0;
    const interval = isQuiet ? QUIET_INTERVAL_MS : READ_INTERVAL_MS;
    this.#nextRead = Math.max(this.#nextRead, asked + Math.max(interval, bytesOf(answer.records) / BYTES_PER_MS));
    return answer;
  }

  /**
   * A local Kinesis that was killed forgets what it took last, and then refuses a position in it. Of the shard itself
   * nothing is wrong: what arrived since is read. What it forgot has been counted, and stays so.
   */
  async #newIterator(): Promise<string> {
    const { api, stream, shardId } = this.#setting;
    const position = this.#position;
    try {
      return await api.getShardIterator(stream, shardId, position);
    } catch (error) {
      const arrivedAt = 'arrivedAt' in position ? position.arrivedAt : undefined;
      const isUnknown = error instanceof KinesisFailure && error.kind === 'not-found' && arrivedAt !== undefined;
      if (!isUnknown || !('sequenceNumber' in position) || (await this.#saysClosed())) throw error;
      this.#belongs = belongsTo(position);
      this.#position = { type: 'AT_TIMESTAMP', timestamp: arrivedAt };
      tellForgotten(this.#setting, position.sequenceNumber, 'Going on with what arrived since.');
      return api.getShardIterator(stream, shardId, this.#position);
    }
  }

  /** However long each read is on its way, no more than five reach Kinesis within a second. */
  #isOver(now: EpochMs): void {
    this.#over.push(now);
    const fifthLast = this.#over.at(-READS_PER_SECOND);
    if (fifthLast === undefined) return;
    this.#nextRead = Math.max(this.#nextRead, fifthLast + 1000 + MARGIN_MS);
    this.#over = this.#over.slice(1 - READS_PER_SECOND);
  }

  async #endOf(answer: RecordBatch, wasClosed: boolean): Promise<ShardBatch['end']> {
    const { nextIterator, children, records, millisBehindLatest } = answer;
    if (nextIterator !== null) return undefined;
    if (children.length > 0) return children;
    if (wasClosed && records.length === 0 && millisBehindLatest === 0) return [];
    this.#isClosed ||= await this.#saysClosed();
    return undefined;
  }

  /** When the stream cannot be asked just now, the shard is read on, and tells again. */
  async #saysClosed(): Promise<boolean> {
    return this.#setting.isClosed().catch(() => false);
  }
}
