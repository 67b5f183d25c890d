import { describe, expect, it } from 'vitest';
import { FIRST, HORIZON, MINUTE, ShardLife, STREAM, throttled, unavailable } from '../../../test/support/shard-life.ts';
import { KinesisFailure } from './kinesis-api.ts';
import { PollingReader } from './polling-reader.ts';

function start() {
  const life = new ShardLife();
  const reading = life.read(new PollingReader(life.setting(), HORIZON));
  return { life, kinesis: life.kinesis, time: life.time, reading };
}

describe('a polled shard', () => {
  it('is read five times a second and no oftener, also when each read is on its way for another time', async () => {
    const { life, kinesis, time } = start();
    let read = 0;
    kinesis.faults.delayMs = (call) => (call === 'getRecords' ? ([150, 0, 40, 180, 0, 90][read++ % 6] ?? 0) : 0);
    for (let second = 0; second < 30; second++) {
      life.put(3);
      await time.advance(1000);
    }
    await time.advance(1000);
    expect(life.texts).toEqual(life.expected);
    expect(kinesis.violations).toEqual([]);
    expect(life.callsOf('getRecords').length).toBeGreaterThan(30 * 4);
  });

  it('is not read oftener after it was throttled, and what was throttled is read then', async () => {
    const { life, kinesis, time } = start();
    let count = 0;
    kinesis.faults.fault = (call) => (call === 'getRecords' && ++count % 3 === 0 ? throttled : undefined);
    for (let second = 0; second < 60; second++) {
      life.put();
      await time.advance(1000);
    }
    kinesis.faults = {};
    await time.advance(15_000);
    expect(life.texts).toEqual(life.expected);
    expect(kinesis.violations).toEqual([]);
    expect(life.failures).toBeGreaterThan(10);
    expect(life.warnings).toEqual([]); // everyday, and no news
  });

  it('is asked with longer and longer pauses while it cannot be read, and one warning each is told of both', async () => {
    const { life, kinesis, time } = start();
    kinesis.faults.fault = () => unavailable;
    await time.advance(10 * MINUTE);
    const calls = kinesis.calls.length;
    expect(calls).toBeLessThan(150);
    kinesis.faults = {};
    life.put();
    await time.advance(11_000);
    expect(life.texts).toEqual(['0']);
    expect(life.warnings).toEqual([
      `Cannot read ${STREAM}/${FIRST}: simulated [InternalFailure]. Trying again; other shards go on.`,
      `Reading ${STREAM}/${FIRST} again.`,
    ]);
  });

  it('takes at most 2 MiB a second', async () => {
    const { life, kinesis, time } = start();
    for (let count = 0; count < 24; count++) kinesis.put(STREAM, 'key', new Uint8Array(1024 * 1024));
    await time.advance(1000);
    expect(life.texts.length).toBe(10); // one answer
    await time.advance(3500);
    expect(life.texts.length).toBe(10);
    await time.advance(1500);
    expect(life.texts.length).toBe(20);
  });

  it('is asked once a second when nothing came for a minute, and at full speed once something comes', async () => {
    const { life, time } = start();
    await time.advance(MINUTE + 2000);
    const before = life.callsOf('getRecords').length;
    await time.advance(10_000);
    expect(life.callsOf('getRecords').length - before).toBe(10);
    life.put();
    await time.advance(1000);
    expect(life.texts).toEqual(['0']);
    const after = life.callsOf('getRecords').length;
    await time.advance(10_000);
    expect([48, 49, 50]).toContain(life.callsOf('getRecords').length - after);
  });

  it('goes on without loss or repeat when an iterator has expired, or an answer was lost', async () => {
    const { life, kinesis, time } = start();
    const expired = new KinesisFailure('iterator-expired', 'ExpiredIteratorException', 'simulated');
    let count = 0;
    for (let second = 0; second < 40; second++) {
      life.put(2);
      kinesis.faults.fault = (call) => (call === 'getRecords' && ++count % 4 === 0 ? expired : undefined);
      kinesis.faults.lostAnswer = (call) => (call === 'getRecords' && count % 7 === 0 ? unavailable : undefined);
      await time.advance(700);
    }
    kinesis.faults = {};
    await time.advance(15_000);
    expect(life.texts).toEqual(life.expected);
    expect(kinesis.violations).toEqual([]);
  });

  it('whose iterator was not used for more than five minutes goes on where it was', async () => {
    const { life, kinesis, time } = start();
    life.put(3);
    await time.advance(1000);
    kinesis.faults.delayMs = (call) => (call === 'getRecords' ? 6 * MINUTE : 0);
    await time.advance(1000);
    life.put(3);
    kinesis.faults = {};
    await time.advance(7 * MINUTE);
    expect(life.texts).toEqual(life.expected);
  });

  it('is read in answers that are cut anywhere, also empty ones in the middle', async () => {
    const { life, kinesis, time } = start();
    kinesis.faults.emptyRead = () => time.now % 3 === 0;
    life.put(100);
    await time.advance(20_000);
    expect(life.texts).toEqual(life.expected);
  });
});

describe('the end of a polled shard', () => {
  it('is told with its children', async () => {
    const { life, kinesis, time } = start();
    life.put(2);
    const [low, high] = kinesis.split(STREAM, FIRST);
    await time.advance(1000);
    expect(life.texts).toEqual(['0', '1']);
    expect(life.end?.map(({ shardId }) => shardId)).toEqual([low, high]);
  });

  it('is not an answer without a next iterator, unless the stream says that the shard is closed', async () => {
    const { life, kinesis, time } = start();
    kinesis.faults.falseEnd = () => true;
    for (let count = 0; count < 10; count++) {
      life.put();
      await time.advance(1000);
    }
    expect(life.end).toBeUndefined();
    expect(life.texts).toEqual(life.expected);
    expect(kinesis.violations).toEqual([]);
  });

  it('is reached without being told of children once the stream lists it as closed, and nothing is left', async () => {
    const { life, kinesis, time } = start();
    kinesis.split(STREAM, FIRST);
    const getRecords = kinesis.getRecords.bind(kinesis);
    kinesis.getRecords = async (iterator, limit) => ({ ...(await getRecords(iterator, limit)), children: [] });
    await time.advance(1000);
    expect(life.end).toEqual([]);
  });

  it('is not reached by a fault between the last record and the closing of the shard', async () => {
    const life = new ShardLife();
    const { kinesis, time } = life;
    const setting = life.setting();
    // The listing is asked after an answer; what happened in between must be read, too.
    const isClosed = () => {
      if (life.expected.length === 0) {
        life.put(2);
        kinesis.split(STREAM, FIRST);
      }
      return setting.isClosed();
    };
    kinesis.faults.falseEnd = () => true;
    const reading = life.read(new PollingReader({ ...setting, isClosed }, HORIZON));
    await time.advance(5000);
    await reading;
    expect(life.texts).toEqual(['0', '1']);
    expect(life.end).toHaveLength(2);
  });

  it('that is beyond the retention is the end of it, and is told', async () => {
    const { life, kinesis, time } = start();
    kinesis.split(STREAM, FIRST);
    kinesis.trim(STREAM, time.now + 1);
    await time.advance(1000);
    expect(life.end).toEqual([]);
    expect(life.warnings).toEqual([expect.stringContaining(`${STREAM}/${FIRST} is beyond the retention`)]);
  });

  it('ends with its run', async () => {
    const { life, time, reading } = start();
    await time.advance(1000);
    life.closing.abort();
    await time.advance(1000);
    await reading;
    expect(life.end).toBeUndefined();
  });
});

describe('a stream that lost what it took last', () => {
  it('goes on with what arrived since, and tells of it once, when it does not know the last position any more', async () => {
    const life = new ShardLife();
    const { kinesis, time } = life;
    life.put();
    life.put();
    const [first, lost] = kinesis.arrived(STREAM);
    if (first === undefined || lost === undefined) throw new Error('two records were put');
    const unknown = new KinesisFailure('not-found', 'ResourceNotFoundException', 'no such record');
    let iterators = 0;
    kinesis.faults.fault = (call) => (call === 'getShardIterator' && iterators++ === 0 ? unknown : undefined);
    const position = {
      type: 'AFTER_SEQUENCE_NUMBER',
      sequenceNumber: first.sequenceNumber,
      arrivedAt: first.arrivalTime,
    } as const;
    void life.read(new PollingReader(life.setting(), position));
    await time.advance(1000);
    expect(life.texts).toEqual(['1']); // what arrived in the same millisecond, and not what had been read
    expect(life.warnings).toEqual([expect.stringContaining('the stream lost what it took then')]);
    life.put();
    await time.advance(1000);
    expect(life.texts).toEqual(['1', '2']);
  });
});

describe('a clock that is set back', () => {
  it('holds no shard up, and Kinesis is not asked more often than it allows', async () => {
    const life = new ShardLife();
    const { time, world } = life;
    let setBackMs = 0;
    const clock = { now: () => time.clock.now() - setBackMs };
    void life.read(new PollingReader({ ...life.setting(), world: { ...world, clock } }, HORIZON));
    await time.advance(2000);
    setBackMs = 60 * MINUTE;
    life.put();
    await time.advance(2000);
    expect(life.texts).toEqual(['0']);
    life.put();
    await time.advance(1000);
    expect(life.texts).toEqual(['0', '1']);
    expect(life.kinesis.violations).toEqual([]);
  });
});
