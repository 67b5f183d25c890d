import { describe, expect, it } from 'vitest';
import {
  KinesisFailure,
  type StartingPosition,
  type SubscriptionEvent,
} from '../../src/connectors/kinesis/kinesis-api.ts';
import { SimulatedKinesis } from './simulated-kinesis.ts';
import { VirtualTime } from './virtual-time.ts';

const HORIZON: StartingPosition = { type: 'TRIM_HORIZON' };
const FIRST = 'shardId-000000000000';
const MINUTE = 60_000;

function start(shards = 1) {
  const time = new VirtualTime(1_000_000_000);
  const sleep = (ms: number, signal: AbortSignal) => time.after(ms, signal);
  const kinesis = new SimulatedKinesis({ clock: time.clock, sleep });
  kinesis.createStream('jobs', shards);
  const texts = async (shardId: string, position: StartingPosition) => {
    const batch = await kinesis.getRecords(await kinesis.getShardIterator('jobs', shardId, position), 10_000);
    return batch.records.map(({ data }) => Buffer.from(data).toString());
  };
  return { time, kinesis, texts };
}

const kindOf = (call: Promise<unknown>) =>
  call.then(
    () => 'no failure',
    (error) => (error instanceof KinesisFailure ? error.kind : error),
  );

/** Reads a subscription in the background. */
function collect(events: AsyncIterable<SubscriptionEvent>) {
  const got: SubscriptionEvent[] = [];
  const state = { got, end: 'open' as unknown };
  const read = async () => {
    for await (const event of events) got.push(event);
  };
  read().then(
    () => {
      state.end = 'ended';
    },
    (error) => {
      state.end = error instanceof KinesisFailure ? error.kind : error;
    },
  );
  return state;
}

describe('records', () => {
  it('go to the shard of their key, with sequence numbers that grow over the whole stream', () => {
    const { kinesis } = start(4);
    const puts = Array.from({ length: 100 }, (_, index) => kinesis.put('jobs', `key-${index}`, `${index}`));
    expect(new Set(puts.map(({ shardId }) => shardId)).size).toBe(4);
    const numbers = puts.map(({ sequenceNumber }) => BigInt(sequenceNumber));
    expect(numbers.every((number, index) => index === 0 || number > (numbers[index - 1] ?? number))).toBe(true);
    expect(new Set(puts.map(({ sequenceNumber }) => sequenceNumber.length))).toEqual(new Set([21, 22]));
    expect(kinesis.arrived('jobs').map(({ data }) => Number(Buffer.from(data)))).toEqual([...Array(100).keys()]);
    expect(kinesis.put('jobs', 'key-7', '').shardId).toBe(puts[7]?.shardId);
  });

  it('are found from each position', async () => {
    const { time, kinesis, texts } = start();
    kinesis.put('jobs', 'key', 'one');
    await time.advance(1000);
    const two = kinesis.put('jobs', 'key', 'two');
    await time.advance(1000);
    kinesis.put('jobs', 'key', 'three');
    expect(await texts(FIRST, HORIZON)).toEqual(['one', 'two', 'three']);
    expect(await texts(FIRST, { type: 'AT_SEQUENCE_NUMBER', ...two })).toEqual(['two', 'three']);
    expect(await texts(FIRST, { type: 'AFTER_SEQUENCE_NUMBER', ...two })).toEqual(['three']);
    await time.advance(1000);
    expect(await texts(FIRST, { type: 'AT_TIMESTAMP', timestamp: time.now })).toEqual([]);
    expect(await texts(FIRST, { type: 'AT_TIMESTAMP', timestamp: 1_000_000_001 })).toEqual(['two', 'three']);
    await time.advance(1000);
    const future = kinesis.getShardIterator('jobs', FIRST, { type: 'AT_TIMESTAMP', timestamp: time.now + 1 });
    expect(await kindOf(future)).toBe('refused');
  });

  it('are read in batches, each telling how far it is behind', async () => {
    const { time, kinesis } = start();
    for (let index = 0; index < 5; index++) kinesis.put('jobs', 'key', `${index}`);
    await time.advance(700);
    const first = await kinesis.getRecords(await kinesis.getShardIterator('jobs', FIRST, HORIZON), 3);
    expect(first).toMatchObject({ records: { length: 3 }, millisBehindLatest: 700, children: [] });
    const second = await kinesis.getRecords(first.nextIterator ?? '', 3);
    expect(second).toMatchObject({ records: { length: 2 }, millisBehindLatest: 0 });
    kinesis.put('jobs', 'key', 'later');
    const third = await kinesis.getRecords(second.nextIterator ?? '', 3);
    expect(third.records.map(({ arrivalTime }) => arrivalTime)).toEqual([time.now]);
  });

  it('are gone after the retention, and so are shards closed before', async () => {
    const { time, kinesis, texts } = start();
    kinesis.put('jobs', 'key', 'old');
    kinesis.split('jobs', FIRST);
    await time.advance(25 * 60 * MINUTE);
    const { shardId } = kinesis.put('jobs', 'key', 'new');
    kinesis.trim('jobs');
    expect(await texts(shardId, HORIZON)).toEqual(['new']);
    expect(await kindOf(kinesis.getShardIterator('jobs', FIRST, HORIZON))).toBe('not-found');
    expect((await kinesis.listShards('jobs')).map((shard) => shard.parents)).toEqual([[FIRST], [FIRST]]);
  });
});

describe('shards', () => {
  it('tell their children once they are read to the end, and split and merge without losing a key', async () => {
    const { kinesis } = start();
    kinesis.put('jobs', 'key', 'before');
    const [low = '', high = ''] = kinesis.split('jobs', FIRST);
    const parent = await kinesis.getRecords(await kinesis.getShardIterator('jobs', FIRST, HORIZON), 10);
    const children = [
      { shardId: low, parents: [FIRST] },
      { shardId: high, parents: [FIRST] },
    ];
    expect(parent).toMatchObject({ records: { length: 1 }, nextIterator: null, children });
    const merged = kinesis.merge('jobs', high, low);
    for (let index = 0; index < 20; index++) expect(kinesis.put('jobs', `${index}`, '').shardId).toBe(merged);
    expect(await kinesis.listShards('jobs')).toEqual([
      { shardId: FIRST, parents: [], isClosed: true },
      { shardId: low, parents: [FIRST], isClosed: true },
      { shardId: high, parents: [FIRST], isClosed: true },
      { shardId: merged, parents: [low, high], isClosed: false },
    ]);
  });

  it('that are not adjacent do not merge', () => {
    const { kinesis } = start(3);
    expect(() => kinesis.merge('jobs', FIRST, 'shardId-000000000002')).toThrow('not adjacent');
  });
});

describe('limits and faults', () => {
  it('an iterator lives five minutes', async () => {
    const { time, kinesis } = start();
    const iterator = await kinesis.getShardIterator('jobs', FIRST, HORIZON);
    await time.advance(5 * MINUTE);
    expect(await kindOf(kinesis.getRecords(iterator, 1))).toBe('no failure');
    await time.advance(1);
    expect(await kindOf(kinesis.getRecords(iterator, 1))).toBe('iterator-expired');
  });

  it('the sixth read of a shard within a second is throttled, and remembered', async () => {
    const { time, kinesis } = start();
    const iterator = await kinesis.getShardIterator('jobs', FIRST, HORIZON);
    const read = () => kindOf(kinesis.getRecords(iterator, 1));
    for (let index = 0; index < 10; index++, await time.advance(200)) expect(await read()).toBe('no failure');
    expect(kinesis.violations).toEqual([]);
    await read();
    expect(await read()).toBe('throttled');
    expect(kinesis.violations).toEqual([{ call: 'getRecords', shardId: FIRST, at: time.now }]);
    kinesis.enforcesReadLimit = false;
    expect(await read()).toBe('no failure');
    expect(kinesis.violations).toHaveLength(2);
  });

  it('calls fail, hang, lose their answers and lie on demand', async () => {
    const { time, kinesis } = start();
    const down = new KinesisFailure('unavailable', 'InternalFailure', 'down');
    const put = () => kinesis.putRecords('jobs', [{ partitionKey: 'a', data: Buffer.from('a') }]);
    kinesis.faults = { fault: (call) => (call === 'putRecords' ? down : undefined) };
    expect(await kindOf(put())).toBe('unavailable');
    expect(kinesis.arrived('jobs')).toHaveLength(0);
    kinesis.faults = { lostAnswer: () => down };
    expect(await kindOf(put())).toBe('unavailable');
    expect(kinesis.arrived('jobs')).toHaveLength(1);
    kinesis.faults = { rejectEntry: () => 'InternalFailure' };
    expect(await put()).toEqual([{ errorCode: 'InternalFailure', errorMessage: 'simulated InternalFailure' }]);
    kinesis.faults = { falseEnd: () => true };
    const lie = await kinesis.getRecords(await kinesis.getShardIterator('jobs', FIRST, HORIZON), 10);
    expect(lie).toMatchObject({ nextIterator: null, children: [] });
    kinesis.faults = { delayMs: () => 1000 };
    const hanging = kinesis.describeStream('jobs');
    expect(time.next).toBe(time.now + 1000);
    await time.advance(1000);
    expect(await hanging).toMatchObject({ retentionHours: 24 });
    const closed = put();
    kinesis.close();
    expect(await kindOf(closed)).toBe('unavailable');
  });

  it('a stream that is made anew is another one', async () => {
    const { time, kinesis } = start();
    const { createdAt } = await kinesis.describeStream('jobs');
    kinesis.deleteStream('jobs');
    expect(await kindOf(kinesis.describeStream('jobs'))).toBe('not-found');
    await time.advance(1);
    kinesis.createStream('jobs');
    expect((await kinesis.describeStream('jobs')).createdAt).toBe(createdAt + 1);
  });
});

describe('subscriptions', () => {
  async function consumer() {
    const started = start();
    const { time, kinesis } = started;
    const { arn: streamARN } = await kinesis.describeStream('jobs');
    const { arn, isActive } = await kinesis.registerConsumer(streamARN, 'reader');
    expect(isActive).toBe(false);
    const over = new AbortController();
    const subscribe = (position = HORIZON) => collect(kinesis.subscribeToShard(arn, FIRST, position, over.signal));
    const early = subscribe();
    await time.advance(1000);
    expect(early.end).toBe('throttled');
    expect(await kinesis.registerConsumer(streamARN, 'reader')).toEqual({ arn, isActive: true });
    return { ...started, over, subscribe, streamARN };
  }

  it('push records as they arrive, beat when there are none, and end after five minutes', async () => {
    const { time, kinesis, subscribe } = await consumer();
    kinesis.put('jobs', 'key', 'one');
    const subscription = subscribe();
    await time.settle();
    expect(subscription.got.map(({ records }) => records.length)).toEqual([1]);
    const { sequenceNumber } = kinesis.put('jobs', 'key', 'two');
    await time.settle();
    expect(subscription.got.map(({ records }) => records.length)).toEqual([1, 1]);
    await time.advance(10_000);
    expect(subscription.got.map(({ records }) => records.length)).toEqual([1, 1, 0, 0]);
    expect(subscription.got.at(-1)?.continuation).toBe(sequenceNumber);
    await time.advance(5 * MINUTE - 10_001);
    expect(subscription.end).toBe('open');
    await time.advance(1);
    expect(subscription.end).toBe('ended');
    expect(time.sleeping).toBe(0);
  });

  it('tell the end of a shard, unless told not to', async () => {
    const { time, kinesis, subscribe } = await consumer();
    const first = subscribe();
    await time.settle();
    const [low = ''] = kinesis.split('jobs', FIRST);
    await time.settle();
    expect(first.end).toBe('ended');
    expect(first.got.at(-1)?.continuation).toBeNull();
    expect(first.got.at(-1)?.children).toContainEqual({ shardId: low, parents: [FIRST] });
    kinesis.signalsShardEnd = false;
    await time.advance(5000);
    const second = subscribe();
    await time.advance(5 * MINUTE);
    expect(second.end).toBe('ended');
    expect(second.got.every(({ continuation }) => continuation !== null)).toBe(true);
  });

  it('are refused within five seconds of the last, then take over', async () => {
    const { time, subscribe, over, kinesis, streamARN } = await consumer();
    const first = subscribe();
    await time.advance(4999);
    const second = subscribe();
    await time.settle();
    expect([first.end, second.end]).toEqual(['open', 'throttled']);
    await time.advance(1);
    const third = subscribe();
    await time.settle();
    expect([first.end, third.end]).toEqual(['throttled', 'open']);
    over.abort();
    await time.settle();
    expect(third.end).toBe('ended');
    await kinesis.deregisterConsumer(streamARN, 'reader');
    await kinesis.deregisterConsumer(streamARN, 'reader');
  });
});
