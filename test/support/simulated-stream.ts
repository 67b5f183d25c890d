import { createHash } from 'node:crypto';
import { PbfWriter } from 'pbf';
import type { EpochMs } from '../../src/base/time.ts';
import {
  type ChildShard,
  KinesisFailure,
  type KinesisRecord,
  type PutEntry,
  type StartingPosition,
} from '../../src/connectors/kinesis/kinesis-api.ts';

const HASHES = 1n << 128n;
/** 21 digits, and soon 22: whoever compares sequence numbers as text is found out. */
const FIRST_SEQUENCE = 10n ** 21n - 20n;
const RECORD_BYTES = 1024 * 1024;
const REQUEST_BYTES = 5 * 1024 * 1024;
const REQUEST_ENTRIES = 500;
const HOUR_MS = 3_600_000;

export interface StoredRecord extends KinesisRecord {
  readonly sequence: bigint;
}

/** One shard of a simulated stream: the records whose partition keys hash into [fromHash, toHash). */
export class SimulatedShard {
  readonly shardId: string;
  readonly parents: readonly SimulatedShard[];
  readonly fromHash: bigint;
  readonly toHash: bigint;
  /** Below the sequence numbers of all its records. */
  readonly starting: bigint;
  children: readonly SimulatedShard[] = [];
  closedAt: EpochMs | undefined;
  records: StoredRecord[] = [];
  /** Called when a record arrived or the shard was closed. */
  readonly watchers = new Set<() => void>();

  constructor(id: number, parents: readonly SimulatedShard[], hashes: readonly [bigint, bigint], starting: bigint) {
    this.shardId = `shardId-${String(id).padStart(12, '0')}`;
    this.parents = parents;
    [this.fromHash, this.toHash] = hashes;
    this.starting = starting;
  }

  /** How many of its records are below a sequence number. */
  indexOf(sequence: bigint): number {
    let low = 0;
    let high = this.records.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.records[middle]?.sequence ?? sequence) < sequence) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  changed(): void {
    for (const tell of [...this.watchers]) tell();
  }
}

/** One stream as the service keeps it: what the simulated Kinesis answers its calls from. */
export class SimulatedStream {
  readonly name: string;
  readonly arn: string;
  readonly createdAt: EpochMs;
  readonly retentionHours: number;
  /** Those that are gone are not listed any more. */
  shards: SimulatedShard[] = [];
  #made = 0;
  #sequence = FIRST_SEQUENCE;

  constructor(name: string, createdAt: EpochMs, shards: number, retentionHours: number) {
    this.name = name;
    this.arn = `arn:aws:kinesis:us-west-2:000000000000:stream/${name}`;
    this.createdAt = createdAt;
    this.retentionHours = retentionHours;
    const edge = (index: number) => (HASHES * BigInt(index)) / BigInt(shards);
    for (let index = 0; index < shards; index++) this.#make([], edge(index), edge(index + 1));
  }

  #make(parents: readonly SimulatedShard[], fromHash: bigint, toHash: bigint): SimulatedShard {
    const shard = new SimulatedShard(this.#made++, parents, [fromHash, toHash], this.#sequence++);
    this.shards.push(shard);
    return shard;
  }

  shard(shardId: string): SimulatedShard {
    const shard = this.shards.find((each) => each.shardId === shardId);
    if (shard !== undefined) return shard;
    const message = `Shard ${shardId} in stream ${this.name} does not exist`;
    throw new KinesisFailure('not-found', 'ResourceNotFoundException', message);
  }

  put(partitionKey: string, data: Uint8Array, arrivalTime: EpochMs): { shardId: string; sequenceNumber: string } {
    const hash = BigInt(`0x${createHash('md5').update(partitionKey).digest('hex')}`);
    const isFor = (each: SimulatedShard) => each.closedAt === undefined && each.fromHash <= hash && hash < each.toHash;
    const shard = this.shards.find(isFor);
    if (shard === undefined)
      throw new Error(`no open shard of ${this.name} holds ${partitionKey}: a fault of this stream`);
    const sequence = this.#sequence++;
    const sequenceNumber = String(sequence);
    // A copy: the program may use its buffer again.
    shard.records.push({ sequence, sequenceNumber, arrivalTime, partitionKey, data: data.slice() });
    shard.changed();
    return { shardId: shard.shardId, sequenceNumber };
  }

  split(shardId: string, now: EpochMs): readonly SimulatedShard[] {
    const shard = this.#open(shardId);
    const middle = (shard.fromHash + shard.toHash) / 2n;
    this.#sequence++;
    return this.#replace(
      [shard],
      () => [this.#make([shard], shard.fromHash, middle), this.#make([shard], middle, shard.toHash)],
      now,
    );
  }

  merge(shardId: string, otherID: string, now: EpochMs): SimulatedShard {
    const [low, high] = [this.#open(shardId), this.#open(otherID)].sort((a, b) => (a.fromHash < b.fromHash ? -1 : 1));
    if (low === undefined || high === undefined || low.toHash !== high.fromHash) {
      throw new Error(`${shardId} and ${otherID} are not adjacent: only adjacent shards can be merged`);
    }
    const [child] = this.#replace([low, high], () => [this.#make([low, high], low.fromHash, high.toHash)], now);
    if (child === undefined) throw new Error('a merge makes one shard');
    return child;
  }

  #open(shardId: string): SimulatedShard {
    const shard = this.shard(shardId);
    if (shard.closedAt !== undefined) throw new Error(`${shardId} is closed already: split or merge open shards`);
    return shard;
  }

  #replace(parents: readonly SimulatedShard[], make: () => SimulatedShard[], now: EpochMs): SimulatedShard[] {
    for (const parent of parents) parent.closedAt = now;
    const children = make();
    for (const parent of parents) {
      parent.children = children;
      parent.changed();
    }
    return children;
  }

  /** Removes what arrived before, and the shards that were closed before. */
  trim(before: EpochMs): void {
    for (const shard of this.shards) shard.records = shard.records.filter(({ arrivalTime }) => arrivalTime >= before);
    this.shards = this.shards.filter(({ closedAt }) => closedAt === undefined || closedAt >= before);
  }

  trimHorizon(now: EpochMs): EpochMs {
    return now - this.retentionHours * HOUR_MS;
  }

  /** The least sequence number that is to be read from this position on. */
  position(shard: SimulatedShard, start: StartingPosition, now: EpochMs): bigint {
    switch (start.type) {
      case 'TRIM_HORIZON':
        return shard.starting;
      case 'AT_TIMESTAMP': {
        if (start.timestamp > now) throw invalid(`The timestamp ${start.timestamp} lies after the current time ${now}`);
        return shard.records.find(({ arrivalTime }) => arrivalTime >= start.timestamp)?.sequence ?? this.#sequence;
      }
      case 'AT_SEQUENCE_NUMBER':
      case 'AFTER_SEQUENCE_NUMBER': {
        if (!/^\d+$/.test(start.sequenceNumber)) throw invalid(`${start.sequenceNumber} is no sequence number`);
        const sequence = BigInt(start.sequenceNumber);
        if (sequence < shard.starting || sequence >= this.#sequence) {
          throw invalid(`The sequence number ${sequence} is not one of ${shard.shardId}`);
        }
        return start.type === 'AT_SEQUENCE_NUMBER' ? sequence : sequence + 1n;
      }
    }
  }
}

export function invalid(message: string): KinesisFailure {
  return new KinesisFailure('refused', 'InvalidArgumentException', message);
}

/** One Kinesis record of many user records, as the Kinesis Producer Library makes it. */
export function kplAggregate(userRecords: readonly PutEntry[]): Uint8Array {
  const pbf = new PbfWriter();
  const keys = [...new Set(userRecords.map(({ partitionKey }) => partitionKey))];
  for (const key of keys) pbf.writeStringField(1, key);
  const write = ({ partitionKey, data }: PutEntry, nested: PbfWriter) => {
    nested.writeVarintField(1, keys.indexOf(partitionKey));
    nested.writeBytesField(3, data);
  };
  for (const record of userRecords) pbf.writeMessage(3, write, record);
  const message = pbf.finish();
  return Buffer.concat([Buffer.from('f3899ac2', 'hex'), message, createHash('md5').update(message).digest()]);
}

export function childShard(shard: SimulatedShard): ChildShard {
  return { shardId: shard.shardId, parents: shard.parents.map((parent) => parent.shardId) };
}

export function parseIterator(iterator: string) {
  const [name, shardId, from, issuedAt] = iterator.split(' ');
  if (name === undefined || shardId === undefined || from === undefined || issuedAt === undefined) {
    throw invalid(`Invalid ShardIterator: ${iterator}`);
  }
  return { name, shardId, from: BigInt(from), issuedAt: Number(issuedAt) };
}

export function checkRequest(entries: readonly PutEntry[]): void {
  if (entries.length < 1 || entries.length > REQUEST_ENTRIES) throw invalid(`${entries.length} entries, not 1..500`);
  let total = 0;
  for (const { partitionKey, data } of entries) {
    const size = Buffer.byteLength(partitionKey) + data.length;
    if (size > RECORD_BYTES) throw invalid(`a record of ${size} bytes, more than 1 MiB`);
    if (partitionKey.length < 1 || partitionKey.length > 256)
      throw invalid(`a partition key of ${partitionKey.length}`);
    total += size;
  }
  if (total > REQUEST_BYTES) throw invalid(`a request of ${total} bytes, more than 5 MiB`);
}

export function notFound(message: string): KinesisFailure {
  return new KinesisFailure('not-found', 'ResourceNotFoundException', message);
}

export function resourceInUse(message: string): KinesisFailure {
  return new KinesisFailure('throttled', 'ResourceInUseException', message);
}
