import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { sleep } from '../../src/base/sleep.ts';
import { awsKinesis } from '../../src/connectors/kinesis/aws-kinesis.ts';
import type {
  KinesisApi,
  KinesisRecord,
  RecordBatch,
  StartingPosition,
  SubscriptionEvent,
} from '../../src/connectors/kinesis/kinesis-api.ts';
import { LOCAL_REGION, startLocalKinesis } from '../support/local-kinesis.ts';
import { SimulatedKinesis } from '../support/simulated-kinesis.ts';

/* What the source and the sink rely on, rerun on each Kinesis: a simulation on one that behaves otherwise would show nothing. */

interface Backend {
  readonly api: KinesisApi;
  createStream(name: string, shards: number): Promise<void>;
  split(stream: string, shardId: string): Promise<void>;
  merge(stream: string, shardId: string, otherID: string): Promise<void>;
  stop(): Promise<void>;
}

async function local(): Promise<Backend> {
  const { endpoint, ...server } = await startLocalKinesis();
  const api = awsKinesis({ region: LOCAL_REGION, endpoint });
  const stop = () => {
    api.close();
    return server.stop();
  };
  return { api, ...server, stop };
}

async function simulated(): Promise<Backend> {
  const api = new SimulatedKinesis({ clock: { now: Date.now }, sleep });
  api.enforcesReadLimit = false;
  return {
    api,
    createStream: async (name, shards) => api.createStream(name, shards),
    split: async (stream, shardId) => void api.split(stream, shardId),
    merge: async (stream, shardId, otherID) => void api.merge(stream, shardId, otherID),
    stop: async () => api.close(),
  };
}

const HORIZON: StartingPosition = { type: 'TRIM_HORIZON' };
const text = ({ data }: KinesisRecord) => Buffer.from(data).toString();
const entry = (data: string, partitionKey = 'key') => ({ partitionKey, data: Buffer.from(data) });
const hasEnded = (batch: RecordBatch | undefined) => batch?.nextIterator === null;

describe.each([
  ['the simulated one', simulated],
  ['the local one, through the AWS SDK', local],
])('Kinesis: %s', (_name, start) => {
  let backend: Backend;
  let api: KinesisApi;
  beforeAll(async () => {
    backend = await start();
    api = backend.api;
  });
  afterAll(() => backend?.stop());

  let streams = 0;
  async function stream(shards = 1): Promise<{ name: string; shardIds: string[] }> {
    const name = `stream-${streams++}`;
    await backend.createStream(name, shards);
    return { name, shardIds: (await api.listShards(name)).map(({ shardId }) => shardId) };
  }

  /** What is there from a position on: all batches up to the tip of the stream, or the end of the shard. */
  async function batches(name: string, shardId: string, from = HORIZON, limit = 1000): Promise<RecordBatch[]> {
    const all: RecordBatch[] = [];
    let iterator: string | null = await api.getShardIterator(name, shardId, from);
    while (iterator !== null) {
      const batch: RecordBatch = await api.getRecords(iterator, limit);
      all.push(batch);
      iterator = batch.nextIterator;
      if (batch.records.length === 0 && batch.millisBehindLatest === 0) break;
    }
    return all;
  }

  async function read(name: string, shardId: string, from = HORIZON): Promise<readonly KinesisRecord[]> {
    return (await batches(name, shardId, from)).flatMap(({ records }) => records);
  }

  async function put(name: string, ...texts: string[]): Promise<void> {
    // One at a time: the order within one request is not promised.
    for (const each of texts) {
      expect(await api.putRecords(name, [entry(each)])).toEqual([{ errorCode: null, errorMessage: '' }]);
    }
  }

  it('a stream is described', async () => {
    const before = Date.now();
    const { name } = await stream();
    const { arn, createdAt, retentionHours } = await api.describeStream(name);
    expect(arn).toMatch(new RegExp(`^arn:aws:kinesis:us-west-2:\\d{12}:stream/${name}$`));
    expect(createdAt).toBeGreaterThan(before - 2000); // The protocol may round it to seconds.
    expect(createdAt).toBeLessThanOrEqual(Date.now());
    expect(retentionHours).toBe(24);
  });

  it('what was put is read in order, whole, with its key and a time', async () => {
    const { name, shardIds } = await stream();
    const [shardId = ''] = shardIds;
    const data = Uint8Array.from({ length: 256 }, (_, index) => index);
    await put(name, 'a', 'b', 'c');
    await api.putRecords(name, [{ partitionKey: 'ключ 🔑', data }]);
    const records = await read(name, shardId);
    expect(records.slice(0, 3).map(text)).toEqual(['a', 'b', 'c']);
    expect(records[3]?.partitionKey).toBe('ключ 🔑');
    expect(records[3]?.data).toEqual(data);
    const numbers = records.map(({ sequenceNumber }) => BigInt(sequenceNumber));
    expect(numbers).toEqual([...numbers].sort((a, b) => (a < b ? -1 : 1)));
    const times = records.map(({ arrivalTime }) => arrivalTime);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(new Set(numbers).size).toBe(4);
  });

  it('AT a sequence number is with its record, AFTER is without', async () => {
    const { name, shardIds } = await stream();
    const [shardId = ''] = shardIds;
    await put(name, 'a', 'b', 'c');
    const [, second, third] = await read(name, shardId);
    const from = async (type: 'AT_SEQUENCE_NUMBER' | 'AFTER_SEQUENCE_NUMBER', record = second) =>
      (await read(name, shardId, { type, sequenceNumber: record?.sequenceNumber ?? '' })).map(text);
    expect(await from('AT_SEQUENCE_NUMBER')).toEqual(['b', 'c']);
    expect(await from('AFTER_SEQUENCE_NUMBER')).toEqual(['c']);
    expect(await from('AFTER_SEQUENCE_NUMBER', third)).toEqual([]);
    await put(name, 'd');
    expect(await from('AFTER_SEQUENCE_NUMBER', third)).toEqual(['d']);
  });

  it('AT a time is with all records that arrived then or later', async () => {
    const { name, shardIds } = await stream();
    const [shardId = ''] = shardIds;
    await put(name, 'a');
    await sleep(20, new AbortController().signal);
    await put(name, 'b', 'c');
    const [first, second] = await read(name, shardId);
    const from = async (timestamp = 0) => (await read(name, shardId, { type: 'AT_TIMESTAMP', timestamp })).map(text);
    expect(await from(second?.arrivalTime)).toEqual(['b', 'c']);
    expect(await from((first?.arrivalTime ?? 0) + 1)).toEqual(['b', 'c']);
    expect(await from(first?.arrivalTime)).toEqual(['a', 'b', 'c']);
    expect(await from((first?.arrivalTime ?? 0) - 60_000)).toEqual(['a', 'b', 'c']);
  });

  it('the limit is kept, and nothing is left out for it', async () => {
    const { name, shardIds } = await stream();
    const [shardId = ''] = shardIds;
    await put(name, 'a', 'b', 'c', 'd', 'e');
    const all = await batches(name, shardId, HORIZON, 2);
    expect(all.slice(0, 3).map(({ records }) => records.map(text))).toEqual([['a', 'b'], ['c', 'd'], ['e']]);
    expect(all.some(hasEnded)).toBe(false);
  });

  it('the limit is kept in a closed shard, too, and its end comes after its last record', async () => {
    const { name, shardIds } = await stream();
    const [shardId = ''] = shardIds;
    await put(name, 'a', 'b', 'c');
    await backend.split(name, shardId);
    const all = await batches(name, shardId, HORIZON, 2);
    expect(all.flatMap(({ records }) => records.map(text))).toEqual(['a', 'b', 'c']);
    expect(all.map(hasEnded).lastIndexOf(false)).toBe(all.length - 2);
    expect(all.at(-1)?.nextIterator).toBeNull();
  });

  it('an iterator at the tip of an open shard stays of use: what comes later is read with its next one', async () => {
    const { name, shardIds } = await stream();
    const empty = await api.getRecords(await api.getShardIterator(name, shardIds[0] ?? '', HORIZON), 10);
    expect(empty).toMatchObject({ records: [], millisBehindLatest: 0, children: [] });
    await put(name, 'a');
    expect((await api.getRecords(empty.nextIterator ?? '', 10)).records.map(text)).toEqual(['a']);
  });

  it('a split shard tells its children at its end; they tell it as their parent, and take what comes', async () => {
    const { name, shardIds } = await stream();
    const [shardId = ''] = shardIds;
    await put(name, 'a');
    await backend.split(name, shardId);
    await put(name, 'b');
    const last = (await batches(name, shardId)).at(-1);
    const children = last?.children ?? [];
    expect(children).toHaveLength(2);
    expect(children.map(({ parents }) => parents)).toEqual([[shardId], [shardId]]);
    expect(await api.listShards(name)).toEqual([
      { shardId, parents: [], isClosed: true },
      ...children.map((child) => ({ ...child, isClosed: false })),
    ]);
    const read1 = await Promise.all(children.map((child) => read(name, child.shardId)));
    expect(read1.flat().map(text)).toEqual(['b']);
    expect((await read(name, shardId)).map(text)).toEqual(['a']);
  });

  it('a merged shard has both parents, and both tell it at their end', async () => {
    const { name, shardIds } = await stream(2);
    const [one = '', other = ''] = shardIds;
    await backend.merge(name, one, other);
    const merged = (await api.listShards(name)).filter(({ isClosed }) => !isClosed);
    expect(merged).toHaveLength(1);
    expect([...(merged[0]?.parents ?? [])].sort()).toEqual([one, other].sort());
    for (const parent of [one, other]) {
      const last = (await batches(name, parent)).at(-1);
      expect(last?.nextIterator).toBeNull();
      expect(last?.children.map((child) => child.shardId)).toEqual([merged[0]?.shardId]);
      expect([...(last?.children[0]?.parents ?? [])].sort()).toEqual([one, other].sort());
    }
  });

  it('a put of many has a result for each, and each is there once', async () => {
    const { name, shardIds } = await stream(3);
    const texts = Array.from({ length: 500 }, (_, index) => `record ${index}`);
    const results = await api.putRecords(
      name,
      texts.map((each) => entry(each, each)),
    );
    expect(results).toEqual(texts.map(() => ({ errorCode: null, errorMessage: '' })));
    const read3 = await Promise.all(shardIds.map((shardId) => read(name, shardId)));
    expect(read3.every((records) => records.length > 0)).toBe(true);
    expect(read3.flat().map(text).sort()).toEqual([...texts].sort());
  });

  it('a subscription delivers what is there and what comes, and ends when it is told to', async () => {
    const { name, shardIds } = await stream();
    await put(name, 'a');
    const { arn } = await api.describeStream(name);
    const consumer = await ready(arn, 'reader');
    const abort = new AbortController();
    const events: SubscriptionEvent[] = [];
    for await (const event of api.subscribeToShard(consumer, shardIds[0] ?? '', HORIZON, abort.signal)) {
      events.push(event);
      const count = events.flatMap(({ records }) => records).length;
      if (count === 1 && event.records.length === 1) await put(name, 'b');
      if (count === 2) abort.abort();
    }
    const records = events.flatMap((event) => event.records);
    expect(records.map(text)).toEqual(['a', 'b']);
    expect(events.at(-1)?.continuation).toBe(records.at(-1)?.sequenceNumber);
    expect(records).toEqual(await read(name, shardIds[0] ?? ''));
  });

  it('a consumer keeps its address, can be deregistered, and need not be there for it', async () => {
    const { name } = await stream();
    const { arn } = await api.describeStream(name);
    const consumer = await ready(arn, 'reader');
    expect((await api.registerConsumer(arn, 'reader')).arn).toBe(consumer);
    await api.deregisterConsumer(arn, 'reader');
    await api.deregisterConsumer(arn, 'never there');
  });

  async function ready(streamARN: string, name: string): Promise<string> {
    for (;;) {
      const { arn, isActive } = await api.registerConsumer(streamARN, name);
      if (isActive) return arn;
      await sleep(20, new AbortController().signal);
    }
  }

  it.each<[string, (name: string) => Promise<unknown>]>([
    ['describeStream', () => api.describeStream('nowhere')],
    ['listShards', () => api.listShards('nowhere')],
    ['getShardIterator', () => api.getShardIterator('nowhere', 'shardId-000000000000', HORIZON)],
    ['putRecords', () => api.putRecords('nowhere', [entry('a')])],
    ['registerConsumer', () => api.registerConsumer('arn:aws:kinesis:us-west-2:000000000000:stream/nowhere', 'reader')],
    ['getShardIterator of a shard', (name) => api.getShardIterator(name, 'shardId-000000000077', HORIZON)],
  ])('what is not there is not found: %s', async (_call, ask) => {
    const { name } = await stream();
    await expect(ask(name)).rejects.toMatchObject({ kind: 'not-found', code: 'ResourceNotFoundException' });
  });

  it('a limit that cannot be is refused', async () => {
    const { name, shardIds } = await stream();
    const iterator = await api.getShardIterator(name, shardIds[0] ?? '', HORIZON);
    await expect(api.getRecords(iterator, 10_001)).rejects.toMatchObject({ kind: 'refused' });
  });
});
