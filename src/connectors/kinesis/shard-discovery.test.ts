import { describe, expect, it } from 'vitest';
import { FIRST, MINUTE, ShardLife, STREAM, throttled, unavailable } from '../../../test/support/shard-life.ts';
import { StreamRun } from '../../../test/support/stream-run.ts';

const HORIZON = { type: 'TRIM_HORIZON' } as const;
const LATEST = { type: 'LATEST' } as const;
const SECOND = 'shardId-000000000001';

describe('where a stream is begun', () => {
  it('LATEST leaves out what came before the first start, and reads all that came since, also while it was down', async () => {
    const life = new ShardLife();
    life.put(2);
    await life.time.advance(1000);
    const first = await StreamRun.start(life, LATEST);
    life.put(1);
    const state = first.state; // killed before it has read anything
    await first.stop();
    await life.time.advance(5000);
    life.put(1);
    await life.time.advance(5000);
    const second = await StreamRun.start(life, LATEST, { ...state, partitions: {} });
    life.put(1);
    await life.time.advance(5000);
    expect(second.texts).toEqual(['2', '3', '4']);
  });

  it('LATEST reads shards that are born while it is down from their beginning, and never those closed before', async () => {
    const life = new ShardLife();
    life.put(1);
    const [low = '', high = ''] = life.kinesis.split(STREAM, FIRST);
    await life.time.advance(1000);
    const first = await StreamRun.start(life, LATEST);
    expect(first.handedOut).toEqual([low, high]);
    const state = await first.stop();
    const merged = life.kinesis.merge(STREAM, low, high);
    life.put(1);
    await life.time.advance(5000);
    const second = await StreamRun.start(life, LATEST, state);
    await life.time.advance(20_000);
    expect(second.handedOut).toEqual([low, high, merged]);
    expect(second.texts).toEqual(['1']);
  });

  it('TRIM_HORIZON reads all there is; AT_TIMESTAMP what came since, in shards that were split since, too', async () => {
    const life = new ShardLife();
    life.put(1);
    await life.time.advance(1000);
    const timestamp = life.time.now;
    life.put(1);
    life.kinesis.split(STREAM, FIRST);
    life.put(1);
    await life.time.advance(1000);
    const all = await StreamRun.start(life, HORIZON);
    await life.time.advance(5000);
    await all.stop();
    const since = await StreamRun.start(life, { type: 'AT_TIMESTAMP', timestamp });
    await life.time.advance(5000);
    expect(all.texts).toEqual(['0', '1', '2']);
    expect(since.texts).toEqual(['1', '2']);
  });

  it('is waited for while the start is throttled, and a stream that cannot be asked at all ends it', async () => {
    const life = new ShardLife();
    let refusals = 3;
    life.kinesis.faults.fault = () => (refusals-- > 0 ? throttled : undefined);
    life.put(1);
    const opening = StreamRun.start(life, HORIZON);
    await life.time.advance(10_000);
    await life.time.advance(1000);
    expect((await opening).texts).toEqual(['0']);
    life.kinesis.faults.fault = () => unavailable;
    await expect(StreamRun.start(life, HORIZON)).rejects.toThrow('simulated');
  });

  it('in a stream that was deleted and made anew is refused', async () => {
    const life = new ShardLife();
    const state = await (await StreamRun.start(life, HORIZON)).stop();
    life.kinesis.deleteStream(STREAM);
    life.kinesis.createStream(STREAM);
    await expect(StreamRun.start(life, HORIZON, state)).rejects.toMatchObject({ code: 'STREAM_CHANGED', exitCode: 2 });
  });
});

describe('shards that split and merge', () => {
  it('are read one after the other: children once their parents have been worked off', async () => {
    const life = new ShardLife();
    life.put(5);
    const [low = '', high = ''] = life.kinesis.split(STREAM, FIRST);
    life.put(5);
    const merged = life.kinesis.merge(STREAM, low, high);
    life.put(5);
    const run = await StreamRun.start(life, HORIZON);
    await life.time.advance(20_000);
    expect(run.handedOut).toEqual([FIRST, low, high, merged]);
    expect(run.texts).toEqual(life.expected);
  });

  it('a merged shard waits for both of its parents, also over a restart', async () => {
    const life = new ShardLife(2);
    const hangs = (_call: string, shardId: string | null) => (shardId === SECOND ? 10 * MINUTE : 0);
    life.kinesis.faults.delayMs = hangs;
    const merged = life.kinesis.merge(STREAM, FIRST, SECOND);
    life.put(1);
    const first = await StreamRun.start(life, HORIZON);
    await life.time.advance(30_000);
    expect(first.handedOut).toEqual([FIRST, SECOND]);
    const state = await first.stop();
    const second = await StreamRun.start(life, HORIZON, state);
    await life.time.advance(30_000);
    expect(second.handedOut).toEqual([SECOND]);
    life.kinesis.faults = {};
    await life.time.advance(11 * MINUTE);
    expect(second.handedOut).toEqual([SECOND, merged]);
    expect(second.texts).toEqual(['0']);
  });

  it('go on although the listing lags behind, also over a restart', async () => {
    const life = new ShardLife();
    const old = await life.kinesis.listShards(STREAM);
    const { listShards } = life.kinesis;
    life.kinesis.listShards = async () => old;
    life.put(1);
    const children = life.kinesis.split(STREAM, FIRST);
    life.put(2);
    const first = await StreamRun.start(life, HORIZON);
    await life.time.advance(30_000);
    expect(first.handedOut).toEqual([FIRST, ...children]);
    expect(first.texts).toEqual(life.expected);
    const state = await first.stop();
    life.put(1);
    const second = await StreamRun.start(life, HORIZON, state);
    await life.time.advance(30_000);
    life.kinesis.faults.falseEnd = () => true; // no end, as it is not listed as closed
    await life.time.advance(5000);
    life.kinesis.faults = {};
    life.kinesis.listShards = listShards;
    life.put(1);
    await life.time.advance(30_000);
    expect(second.handedOut).toEqual(children);
    expect([...first.texts, ...second.texts]).toEqual(life.expected);
    expect(life.warnings).toEqual([]);
  });

  it('are found by listing where the end of a shard names no children', async () => {
    const life = new ShardLife();
    const getRecords = life.kinesis.getRecords.bind(life.kinesis);
    life.kinesis.getRecords = async (iterator, limit) => ({ ...(await getRecords(iterator, limit)), children: [] });
    const run = await StreamRun.start(life, HORIZON);
    const children = life.kinesis.split(STREAM, FIRST);
    life.put(3);
    await life.time.advance(30_000);
    expect(run.handedOut).toEqual([FIRST, ...children]);
    expect(run.texts).toEqual(life.expected);
  });

  it('are found again once a stream that could not be listed can be, and both are told once', async () => {
    const life = new ShardLife();
    const run = await StreamRun.start(life, HORIZON);
    life.kinesis.faults.fault = (call) => (call === 'listShards' ? unavailable : undefined);
    await life.time.advance(MINUTE);
    life.kinesis.faults = {};
    life.kinesis.split(STREAM, FIRST);
    await life.time.advance(30_000);
    expect(run.handedOut).toHaveLength(3);
    expect(life.warnings).toEqual([
      `Cannot list the shards of ${STREAM}: simulated. Trying again.`,
      `The shards of ${STREAM} can be listed again.`,
    ]);
  });
});

describe('shards beyond the retention', () => {
  it('hold up none of their children, and what was lost with them is told', async () => {
    const life = new ShardLife();
    const first = await StreamRun.start(life, HORIZON);
    const state = await first.stop();
    life.kinesis.split(STREAM, FIRST);
    await life.time.advance(1000);
    life.kinesis.trim(STREAM, life.time.now);
    life.put(2);
    const second = await StreamRun.start(life, HORIZON, state);
    await life.time.advance(5000);
    expect(second.handedOut).toHaveLength(2);
    expect(second.texts).toEqual(['0', '1']);
    expect(life.warnings).toEqual([expect.stringContaining(`${STREAM}/${FIRST} is beyond the retention`)]);
  });

  it('that were worked off are forgotten, and stay worked off for a child that waits for another parent', async () => {
    const life = new ShardLife(2);
    life.kinesis.faults.delayMs = (_call, shardId) => (shardId === SECOND ? 10 * MINUTE : 0);
    const merged = life.kinesis.merge(STREAM, FIRST, SECOND);
    life.put(1);
    const run = await StreamRun.start(life, HORIZON);
    await life.time.advance(5000);
    expect([...run.ended]).toEqual([`jobs:${FIRST}`]);
    life.kinesis.trim(STREAM, life.time.now);
    life.kinesis.put(STREAM, 'key', 'after');
    await life.time.advance(15_000);
    expect([...run.ended]).toEqual([]);
    await life.time.advance(15 * MINUTE);
    expect(run.handedOut).toEqual([FIRST, SECOND, merged]);
    expect(run.texts).toEqual(['after']);
  });

  it('are kept in mind as long as they are listed: none is read twice', async () => {
    const life = new ShardLife();
    life.put(2);
    life.kinesis.split(STREAM, FIRST);
    const first = await StreamRun.start(life, HORIZON);
    await life.time.advance(30_000);
    const second = await StreamRun.start(life, HORIZON, await first.stop());
    await life.time.advance(30_000);
    expect([...second.ended]).toEqual([`jobs:${FIRST}`]);
    expect([first.texts, second.texts]).toEqual([['0', '1'], []]);
  });
});

describe('enhanced fan-out', () => {
  it('registers one consumer for all shards, finds it after a crash, and deregisters it at the end', async () => {
    const life = new ShardLife(2);
    const first = await StreamRun.start(life, HORIZON, undefined, { consumer: 'EFO', newRunID: 'one' });
    life.put(2);
    await life.time.advance(10_000);
    const { state } = first; // and it is killed
    const second = await StreamRun.start(life, HORIZON, state, { consumer: 'EFO', newRunID: 'two' });
    life.put(2);
    await life.time.advance(30_000);
    expect(second.texts).toEqual(['2', '3']);
    const { arn } = await life.kinesis.describeStream(STREAM);
    expect((await life.kinesis.registerConsumer(arn, 'tenant-analytics-one')).isActive).toBe(true);
    await second.stop();
    expect((await life.kinesis.registerConsumer(arn, 'tenant-analytics-one')).isActive).toBe(false); // a new one
    expect(life.callsOf('deregisterConsumer')).toHaveLength(1);
    expect(life.callsOf('getRecords')).toEqual([]);
  });

  it('follows shards that split where subscriptions do not tell of it', async () => {
    const life = new ShardLife();
    life.kinesis.signalsShardEnd = false;
    const run = await StreamRun.start(life, HORIZON, undefined, { consumer: 'EFO' });
    life.put(2);
    await life.time.advance(5000);
    const children = life.kinesis.split(STREAM, FIRST);
    life.put(2);
    await life.time.advance(MINUTE);
    expect(run.handedOut).toEqual([FIRST, ...children]);
    expect(run.texts).toEqual(life.expected);
  });

  it('whose consumer cannot be deregistered says that it stays, and costs', async () => {
    const life = new ShardLife();
    const run = await StreamRun.start(life, HORIZON, undefined, { consumer: 'EFO', newRunID: 'one' });
    life.kinesis.faults.fault = (call) => (call === 'deregisterConsumer' ? unavailable : undefined);
    await run.stop();
    expect(life.warnings).toEqual([
      `The consumer tenant-analytics-one of ${STREAM} stays registered, and costs: simulated.`,
    ]);
  });
});
