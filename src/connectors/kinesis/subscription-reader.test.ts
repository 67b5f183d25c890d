import { describe, expect, it } from 'vitest';
import { FIRST, HORIZON, MINUTE, ShardLife, STREAM, unavailable } from '../../../test/support/shard-life.ts';
import type { SubscriptionEvent } from './kinesis-api.ts';
import { registeredConsumer } from './stream-consumer.ts';
import { SubscriptionReader } from './subscription-reader.ts';

async function start() {
  const life = new ShardLife();
  const { kinesis, time } = life;
  const { arn } = await kinesis.describeStream(STREAM);
  kinesis.consumerActiveAfterMs = 0;
  const consumer = await registeredConsumer(kinesis, life.world, arn, STREAM, 'test');
  const listed = { isClosed: false };
  const reader = new SubscriptionReader(life.setting(), HORIZON, consumer, () => listed.isClosed);
  const reading = life.read(reader);
  return { life, kinesis, time, listed, reading, subscriptions: () => life.callsOf('subscribeToShard') };
}

describe('a subscribed shard', () => {
  it('is read as records arrive, without polling, and its subscription renewed after five minutes', async () => {
    const { life, kinesis, time, subscriptions } = await start();
    for (let count = 0; count < 11 * 60; count++) {
      life.put();
      await time.advance(1000);
    }
    expect(life.texts).toEqual(life.expected);
    expect(subscriptions().length).toBe(3);
    expect(life.callsOf('getRecords')).toEqual([]);
    expect([life.failures, life.warnings]).toEqual([0, []]);
    expect(kinesis.violations).toEqual([]);
  });

  it('goes on after the last record when its subscription fails in the middle', async () => {
    const { life, kinesis, time } = await start();
    let events = 0;
    kinesis.faults.fault = (call) => (call === 'subscription-event' && ++events % 5 === 0 ? unavailable : undefined);
    for (let count = 0; count < 100; count++) {
      life.put();
      await time.advance(2000);
    }
    kinesis.faults = {};
    await time.advance(20_000);
    expect(life.texts).toEqual(life.expected);
    expect(life.failures).toBeGreaterThan(5);
  });

  it('whose subscriptions end at once is not subscribed to again and again without a pause', async () => {
    const { life, kinesis, time, subscriptions } = await start();
    const subscribe = kinesis.subscribeToShard.bind(kinesis);
    kinesis.subscribeToShard = async function* (...args): AsyncGenerator<SubscriptionEvent> {
      for await (const event of subscribe(...args)) {
        yield event;
        return;
      }
    };
    await time.advance(MINUTE); // the first one goes on
    kinesis.faults.fault = (call) => (call === 'subscription-event' ? unavailable : undefined);
    await time.advance(10_000);
    kinesis.faults = {};
    const before = subscriptions().length;
    life.put(5);
    await time.advance(2 * MINUTE);
    expect(life.texts).toEqual(life.expected);
    expect(subscriptions().length - before).toBeLessThan(100);
  });

  it('that lost the record read last, and gives all of itself again, is not counted again', async () => {
    for (const type of ['AFTER_SEQUENCE_NUMBER', 'AT_SEQUENCE_NUMBER'] as const) {
      const life = new ShardLife();
      const { kinesis, time } = life;
      kinesis.consumerActiveAfterMs = 0;
      const { arn } = await kinesis.describeStream(STREAM);
      const consumer = await registeredConsumer(kinesis, life.world, arn, STREAM, 'test');
      const subscribe = kinesis.subscribeToShard.bind(kinesis);
      kinesis.subscribeToShard = (of, shardId, _, signal) => subscribe(of, shardId, HORIZON, signal);
      life.put(4);
      const [, second] = kinesis.arrived(STREAM);
      const start = { type, sequenceNumber: second?.sequenceNumber ?? '' } as const;
      void life.read(new SubscriptionReader(life.setting(), start, consumer, () => false));
      await time.advance(1000);
      life.put();
      await time.advance(20_000);
      expect(life.texts).toEqual(type === 'AT_SEQUENCE_NUMBER' ? ['1', '2', '3', '4'] : ['2', '3', '4']);
      expect(life.warnings).toEqual([expect.stringContaining('Leaving out what was read before.')]);
      life.closing.abort();
    }
  });

  it('is subscribed to anew after a minute of silence', async () => {
    const { life, kinesis, time } = await start();
    await time.advance(1000);
    kinesis.heartbeatMs = 10 * MINUTE;
    await time.advance(10_000);
    await time.advance(2 * MINUTE);
    expect(life.warnings).toContainEqual(expect.stringContaining('no event within 60 s'));
    life.put();
    await time.advance(20_000);
    expect(life.texts).toEqual(['0']);
  });

  it('does not end by an event without a continuation, unless that names children', async () => {
    const { life, kinesis, time } = await start();
    kinesis.faults.falseEnd = () => true;
    life.put(2);
    await time.advance(20_000);
    life.put(2);
    await time.advance(20_000);
    kinesis.faults = {};
    await time.advance(20_000);
    expect(life.end).toBeUndefined();
    expect(life.texts).toEqual(life.expected);
  });
});

describe('the end of a subscribed shard', () => {
  it('is told with its children', async () => {
    const { life, kinesis, time, reading } = await start();
    life.put(2);
    await time.advance(1000);
    const children = kinesis.split(STREAM, FIRST);
    await time.advance(1000);
    await reading;
    expect(life.texts).toEqual(['0', '1']);
    expect(life.end?.map(({ shardId }) => shardId)).toEqual(children);
  });

  it('is found where subscriptions do not tell of it, once the stream lists it as closed', async () => {
    const { life, kinesis, time, listed, reading } = await start();
    kinesis.signalsShardEnd = false;
    life.put(2);
    await time.advance(1000);
    life.put(1);
    kinesis.split(STREAM, FIRST);
    await time.advance(MINUTE);
    expect(life.end).toBeUndefined();
    listed.isClosed = true;
    await time.advance(MINUTE);
    await reading;
    expect(life.texts).toEqual(['0', '1', '2']);
    expect(life.end).toHaveLength(2);
  });

  it('ends with its run, and gives its connection back', async () => {
    const { life, kinesis, time, reading } = await start();
    await time.advance(1000);
    life.closing.abort();
    await time.advance(1000);
    await reading;
    life.put();
    await time.advance(1000);
    expect([life.texts, kinesis.calls.at(-1)?.call]).toEqual([[], 'subscribeToShard']);
  });
});

describe('a consumer', () => {
  it('is waited for until it can be used, also while the last one of its name is still being deleted', async () => {
    const life = new ShardLife();
    const { kinesis, time } = life;
    const { arn } = await kinesis.describeStream(STREAM);
    let refusals = 5;
    kinesis.faults.fault = (call) => (call === 'registerConsumer' && refusals-- > 0 ? unavailable : undefined);
    const registered = registeredConsumer(kinesis, life.world, arn, STREAM, 'test');
    await time.advance(5000);
    expect(await registered).toBe(`${arn}/consumer/test`);
  });

  it('that never can be used ends the start with the reason', async () => {
    const life = new ShardLife();
    const { kinesis, time } = life;
    const { arn } = await kinesis.describeStream(STREAM);
    kinesis.faults.fault = () => unavailable;
    const registered = registeredConsumer(kinesis, life.world, arn, STREAM, 'test').catch((error: unknown) => error);
    await time.advance(2 * MINUTE);
    expect(await registered).toMatchObject({ code: 'KINESIS_REFUSED', message: expect.stringContaining('simulated') });
  });
});
