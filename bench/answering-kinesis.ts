/** A Kinesis that only answers: what is in its streams was made before, and what is put is counted and forgotten. */
import { answer, type WireRequest, type WireResponse, wireServer } from '../test/support/kinesis-wire.ts';

const CREATED = 1_700_000_000;
const READ_MAX = 10_000;

export interface AnsweringKinesis {
  readonly endpoint: string;
  /** Records for readers of a stream, from now on. */
  publish(stream: string, partitionKeys: readonly string[], texts: readonly string[]): void;
  put(): number;
  close(): void;
}

interface Stored {
  readonly Data: string;
  readonly PartitionKey: string;
  readonly SequenceNumber: string;
  readonly ApproximateArrivalTimestamp: number;
}

/** Streams of one shard each, over HTTP on this machine. */
export async function answeringKinesis(): Promise<AnsweringKinesis> {
  const streams = new Map<string, Stored[]>();
  let put = 0;
  const reply = ({ operation, input }: WireRequest): object => {
    const name = String(input.StreamName);
    switch (operation) {
      case 'DescribeStreamSummary':
        return { StreamDescriptionSummary: summary(name) };
      case 'ListShards':
        return { Shards: [{ ShardId: 'shardId-000000000000', ...RANGES }] };
      case 'GetShardIterator':
        return { ShardIterator: `${name} 0` };
      case 'GetRecords': {
        const [stream = '', from = '0'] = String(input.ShardIterator).split(' ');
        const records = (streams.get(stream) ?? []).slice(Number(from), Number(from) + READ_MAX);
        const next = Number(from) + records.length;
        return { Records: records, NextShardIterator: `${stream} ${next}`, MillisBehindLatest: 0 };
      }
      case 'PutRecords': {
        const entries = input.Records as readonly unknown[];
        put += entries.length;
        const accepted = { SequenceNumber: '1', ShardId: 'shardId-000000000000' };
        return { FailedRecordCount: 0, Records: entries.map(() => accepted) };
      }
      default:
        throw new Error(`an answer to ${operation} is not there`);
    }
  };
  const server = await wireServer('http', (request: WireRequest, response: WireResponse) =>
    answer(response, reply(request)),
  );
  return {
    endpoint: server.endpoint,
    publish(stream, partitionKeys, texts) {
      const stored = streams.get(stream) ?? [];
      streams.set(stream, stored);
      const arrived = Date.now() / 1000;
      for (const [index, text] of texts.entries()) {
        stored.push({
          Data: Buffer.from(text).toString('base64'),
          PartitionKey: partitionKeys[index] ?? '',
          SequenceNumber: String(stored.length + 1).padStart(20, '4'),
          ApproximateArrivalTimestamp: arrived,
        });
      }
    },
    put: () => put,
    close: () => server.close(),
  };
}

const RANGES = {
  HashKeyRange: { StartingHashKey: '0', EndingHashKey: '340282366920938463463374607431768211455' },
  SequenceNumberRange: { StartingSequenceNumber: '0' },
};

function summary(name: string): object {
  return {
    ...{ StreamName: name, StreamARN: `arn:aws:kinesis:us-west-2:000000000000:stream/${name}`, StreamStatus: 'ACTIVE' },
    ...{ RetentionPeriodHours: 24, StreamCreationTimestamp: CREATED, OpenShardCount: 1, EnhancedMonitoring: [] },
  };
}
