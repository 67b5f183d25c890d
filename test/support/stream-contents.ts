import type { KinesisApi, KinesisRecord } from '../../src/connectors/kinesis/kinesis-api.ts';

export interface StreamRecord extends KinesisRecord {
  readonly shardId: string;
  readonly text: string;
}

/** All that a stream holds, shard by shard from its beginning, closed ones too. */
export async function contentsOf(api: KinesisApi, stream: string): Promise<readonly StreamRecord[]> {
  const all: StreamRecord[] = [];
  for (const { shardId } of await api.listShards(stream)) {
    let iterator: string | null = await api.getShardIterator(stream, shardId, { type: 'TRIM_HORIZON' });
    while (iterator !== null) {
      const { records, nextIterator, millisBehindLatest } = await api.getRecords(iterator, 10_000);
      for (const record of records) all.push({ ...record, shardId, text: Buffer.from(record.data).toString('utf8') });
      iterator = records.length === 0 && millisBehindLatest === 0 ? null : nextIterator;
    }
  }
  return all;
}

export interface ToPut {
  readonly partitionKey: string;
  readonly data: string | Uint8Array;
}

/** In their order; all must be accepted. */
export async function put(api: KinesisApi, stream: string, records: readonly ToPut[]): Promise<void> {
  for (let from = 0; from < records.length; from += 500) {
    const entries = records
      .slice(from, from + 500)
      .map(({ partitionKey, data }) => ({ partitionKey, data: Buffer.from(data) }));
    const refused = (await api.putRecords(stream, entries)).filter(({ errorCode }) => errorCode !== null);
    if (refused.length > 0) throw new Error(`expected all records to be accepted, got ${JSON.stringify(refused[0])}`);
  }
}
