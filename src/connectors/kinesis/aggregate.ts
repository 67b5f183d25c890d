import { createHash } from 'node:crypto';
import { PbfWriter } from 'pbf';
import { DATA, MAGIC, PARTITION_KEY_INDEX, PARTITION_KEY_TABLE, RECORDS } from './kpl-format.ts';

/**
 * User records of one partition key as one Kinesis record in the KPL's format, in their order. All of one key: so they
 * belong to one shard whatever becomes of the shards, and no reader drops one of them for its key.
 */
export function aggregateRecord(partitionKey: string, userRecords: readonly Uint8Array[]): Uint8Array {
  const pbf = new PbfWriter();
  pbf.writeStringField(PARTITION_KEY_TABLE, partitionKey);
  for (const data of userRecords) pbf.writeMessage(RECORDS, writeUserRecord, data);
  const message = pbf.finish();
  return Buffer.concat([Buffer.from(MAGIC), message, createHash('md5').update(message).digest()]);
}

function writeUserRecord(data: Uint8Array, pbf: PbfWriter): void {
  pbf.writeVarintField(PARTITION_KEY_INDEX, 0);
  pbf.writeBytesField(DATA, data);
}
