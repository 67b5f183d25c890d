import type { RecordMeta } from '../../runtime/contract.ts';
import type {
  Clock,
  LivePartition,
  PartitionTip,
  Position,
  RecordVisitor,
  TooLongVisitor,
} from '../../runtime/ports.ts';
import { userRecords } from './deaggregate.ts';
import type { ChildShard, KinesisRecord, StartingPosition } from './kinesis-api.ts';
import type { ReadBudget } from './read-budget.ts';
import { afterRecord, type ShardReader } from './shard-reader.ts';

/** Where reading goes on; of an aggregate, after so many of its user records. JSON. */
export interface ShardPosition {
  readonly start: StartingPosition;
  readonly skip: number;
}

export interface ShardPartitionSetting {
  readonly sourceID: string;
  readonly stream: string;
  readonly shardId: string;
  readonly clock: Clock;
  readonly budget: ReadBudget;
  readonly maxRecordBytes: number;
  readonly reader: ShardReader;
  /** Called before `deliver` says that it ended. */
  readonly onEnd: (children: readonly ChildShard[]) => void;
  readonly onClose: () => void;
}

/**
 * What a read told holds for so long: it may be idle, or the others may wait for it. One that hangs, or cannot be read,
 * is neither.
 */
const READABLE_WITHIN_MS = 10_000;

/**
 * One shard as a partition. Records that the KPL aggregated are delivered one by one.
 *
 * Invariant: `position()` is that after the last record delivered, also in the middle of an aggregate.
 */
export class ShardPartition implements LivePartition {
  readonly id: string;
  readonly sourceID: string;
  readonly #setting: ShardPartitionSetting;
  readonly #meta: { -readonly [K in keyof RecordMeta]: RecordMeta[K] };
  #position: ShardPosition;
  #records: readonly KinesisRecord[] = [];
  #bytes = 0;
  #at = 0;
  /** The user records of the aggregate at `#at`. */
  #users: readonly Uint8Array[] | null = null;
  #end: readonly ChildShard[] | undefined;
  #emptySince: number | undefined;
  #millisBehindLatest = 0;
  #wasRead = false;
  #lastRead: number;

  constructor(setting: ShardPartitionSetting, position: ShardPosition) {
    this.id = `${setting.sourceID}:${setting.shardId}`;
    this.sourceID = setting.sourceID;
    this.#setting = setting;
    this.#position = position;
    this.#lastRead = setting.clock.now();
    this.#meta = {
      source: setting.stream,
      shardId: setting.shardId,
      sequenceNumber: '',
      subSequence: null,
      arrivalTime: 0,
      live: true,
      columns: null,
    };
  }

  get tip(): PartitionTip {
    const { clock, budget } = this.#setting;
    const sinceRead = clock.now() - this.#lastRead;
    const isReadable = sinceRead < READABLE_WITHIN_MS;
    return {
      emptySince: isReadable ? this.#emptySince : undefined,
      // While others hold the whole budget this one cannot be read: were they to wait for it, nobody would go on.
      isBehind: isReadable && !budget.isFull && (!this.#wasRead || this.#millisBehindLatest > 0),
      // What nobody could read since may be as old as that.
      millisBehindLatest: this.#millisBehindLatest + (isReadable ? 0 : sinceRead),
    };
  }

  /** What was known of the tip does not hold any more. */
  readFailed(): void {
    this.#emptySince = undefined;
  }

  position(): Position {
    return { ...this.#position };
  }

  progress(): { readonly read: number; readonly total: number } {
    return { read: 0, total: 0 };
  }

  async fill(): Promise<void> {
    const { reader, clock } = this.#setting;
    while (this.#end === undefined) {
      const batch = await reader.read();
      if (batch === undefined) return new Promise(() => undefined); // closed: there is nothing to wait for any more
      const { records, bytes, millisBehindLatest, end } = batch;
      this.#wasRead = true;
      this.#lastRead = clock.now();
      this.#millisBehindLatest = millisBehindLatest;
      this.#end = end;
      const isAtTip = records.length === 0 && millisBehindLatest === 0;
      // Not after now: the clock may have been set back.
      this.#emptySince = isAtTip ? Math.min(this.#emptySince ?? this.#lastRead, this.#lastRead) : undefined;
      if (records.length === 0) continue;
      this.#records = records;
      this.#bytes = bytes;
      this.#at = 0;
      return;
    }
  }

  deliver(visit: RecordVisitor, tooLong: TooLongVisitor): 'paused' | 'empty' | 'ended' {
    for (let record = this.#records[this.#at]; record !== undefined; record = this.#records[this.#at]) {
      const goOn = this.#users === null ? this.#begin(record, visit, tooLong) : true;
      if (this.#users !== null && !this.#deliverUsers(record, this.#users, visit, tooLong)) return 'paused';
      if (!goOn) return 'paused';
    }
    if (this.#bytes > 0) this.#giveBack();
    if (this.#end === undefined) return 'empty';
    this.#setting.onEnd(this.#end);
    return 'ended';
  }

  /** A plain record is delivered; of an aggregate the user records are laid out. */
  #begin(record: KinesisRecord, visit: RecordVisitor, tooLong: TooLongVisitor): boolean {
    const users = userRecords(record.data);
    if (users === null) {
      this.#pass(record);
      return this.#visit(record, null, record.data, visit, tooLong);
    }
    const isWhereItWas = this.#position.start.type === 'AT_SEQUENCE_NUMBER' && isAt(this.#position.start, record);
    if (!isWhereItWas) this.#position = { start: atRecord(record), skip: 0 };
    this.#users = users;
    return true;
  }

  /** False: paused. The record is passed once all of its user records were delivered. */
  #deliverUsers(
    record: KinesisRecord,
    users: readonly Uint8Array[],
    visit: RecordVisitor,
    tooLong: TooLongVisitor,
  ): boolean {
    for (let index = this.#position.skip; index < users.length; ) {
      const data = users[index] ?? new Uint8Array(0);
      index++;
      if (index < users.length) this.#position = { start: atRecord(record), skip: index };
      else this.#pass(record);
      if (!this.#visit(record, index - 1, data, visit, tooLong)) return false;
    }
    if (this.#users !== null) this.#pass(record); // an aggregate of none
    return true;
  }

  #pass(record: KinesisRecord): void {
    this.#position = { start: afterRecord(record), skip: 0 };
    this.#users = null;
    this.#at++;
  }

  #visit(
    record: KinesisRecord,
    subSequence: number | null,
    data: Uint8Array,
    visit: RecordVisitor,
    tooLong: TooLongVisitor,
  ): boolean {
    this.#meta.sequenceNumber = record.sequenceNumber;
    this.#meta.subSequence = subSequence;
    this.#meta.arrivalTime = record.arrivalTime;
    const { maxRecordBytes } = this.#setting;
    if (data.length > maxRecordBytes) return tooLong(data.subarray(0, maxRecordBytes), data.length, this.#meta);
    return visit(data, 0, data.length, this.#meta);
  }

  #giveBack(): void {
    this.#setting.budget.free(this.#bytes);
    this.#bytes = 0;
    this.#records = [];
    this.#at = 0;
  }

  async close(): Promise<void> {
    this.#setting.onClose();
    if (this.#bytes > 0) this.#giveBack();
  }
}

function atRecord({ sequenceNumber, arrivalTime }: KinesisRecord): StartingPosition {
  return { type: 'AT_SEQUENCE_NUMBER', sequenceNumber, arrivedAt: arrivalTime };
}

function isAt(start: StartingPosition, { sequenceNumber }: KinesisRecord): boolean {
  return 'sequenceNumber' in start && start.sequenceNumber === sequenceNumber;
}
