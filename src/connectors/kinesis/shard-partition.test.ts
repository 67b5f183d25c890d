import { describe, expect, it } from 'vitest';
import { FIRST, HORIZON, MINUTE, ShardLife, STREAM, throttled } from '../../../test/support/shard-life.ts';
import { KinesisFailure } from './kinesis-api.ts';
import { PollingReader } from './polling-reader.ts';
import { ShardPartition, type ShardPosition } from './shard-partition.ts';

interface Delivered {
  readonly text: string;
  readonly id: string;
}

/** A partition over the first shard, from a position on; records are taken by `take`. */
function open(life: ShardLife, position: ShardPosition = { start: HORIZON, skip: 0 }) {
  const closing = new AbortController();
  const reader = new PollingReader(
    { ...life.setting(), signal: closing.signal, onFailure: () => partition.readFailed() },
    position.start,
  );
  const children: string[] = [];
  const partition: ShardPartition = new ShardPartition(
    {
      sourceID: 'jobs',
      stream: STREAM,
      shardId: FIRST,
      clock: life.time.clock,
      budget: life.budget,
      maxRecordBytes: 20,
      reader,
      onEnd: (told) => children.push(...told.map(({ shardId }) => shardId)),
      onClose: () => closing.abort(),
    },
    position,
  );
  const delivered: Delivered[] = [];
  /** Delivers up to so many records. */
  const deliver = (most = Number.POSITIVE_INFINITY) => {
    let count = 0;
    const see = (text: string, sequenceNumber: string | number, sub: number | null) => {
      delivered.push({ text, id: sub === null ? `${sequenceNumber}` : `${sequenceNumber}:${sub}` });
      return ++count < most;
    };
    return partition.deliver(
      (bytes, from, to, meta) =>
        see(Buffer.from(bytes.slice(from, to)).toString(), meta.sequenceNumber, meta.subSequence),
      (head, size, meta) => see(`${Buffer.from(head)}… of ${size}`, meta.sequenceNumber, meta.subSequence),
    );
  };
  const fill = async () => {
    const filled = partition.fill().then(() => true);
    await life.time.advance(2000);
    return Promise.race([filled, Promise.resolve(false)]);
  };
  return { partition, delivered, deliver, fill, children };
}

const entries = (...texts: string[]) => texts.map((text) => ({ partitionKey: 'key', data: Buffer.from(text) }));

function filled() {
  const life = new ShardLife();
  const { kinesis } = life;
  kinesis.put(STREAM, 'key', 'a');
  kinesis.putAggregate(STREAM, entries('b', 'c', 'x'.repeat(30), 'd'));
  kinesis.put(STREAM, 'key', 'y'.repeat(25));
  kinesis.putAggregate(STREAM, entries('e'));
  kinesis.put(STREAM, 'key', 'f');
  return life;
}

describe('a shard', () => {
  it('delivers plain records and those inside aggregates one by one, and the first bytes of those too large', async () => {
    const { deliver, delivered, fill } = open(filled());
    expect(await fill()).toBe(true);
    expect(deliver()).toBe('empty');
    const texts = delivered.map(({ text }) => text);
    expect(texts).toEqual(['a', 'b', 'c', `${'x'.repeat(20)}… of 30`, 'd', `${'y'.repeat(20)}… of 25`, 'e', 'f']);
    expect(new Set(delivered.map(({ id }) => id)).size).toBe(8);
    expect(delivered.map(({ id }) => id.split(':')[1])).toEqual([
      undefined,
      '0',
      '1',
      '2',
      '3',
      undefined,
      '0',
      undefined,
    ]);
  });

  it('goes on exactly where it was after a restart between any two records, also within an aggregate', async () => {
    const whole = open(filled());
    await whole.fill();
    whole.deliver();
    for (let first = 0; first <= 8; first++) {
      for (const step of [1, 2, 100]) {
        const life = filled();
        const before = open(life);
        await before.fill();
        if (first > 0) expect(before.deliver(first)).toBe('paused');
        const position = JSON.parse(JSON.stringify(before.partition.position())) as ShardPosition;
        await before.partition.close();
        const after = open(life, position);
        if (await after.fill()) while (after.deliver(step) === 'paused');
        expect([...before.delivered, ...after.delivered], `${first}, then ${step} at a time`).toEqual(whole.delivered);
      }
    }
  });

  it('paused within an aggregate goes on there in the same run, too', async () => {
    const { deliver, delivered, fill } = open(filled());
    await fill();
    while (deliver(1) === 'paused');
    expect(delivered.map(({ text }) => text[0]).join('')).toBe('abcxdyef');
  });

  it('whose aggregate is gone when it is started again goes on with the first record that is there', async () => {
    const life = filled();
    const before = open(life);
    await before.fill();
    before.deliver(2);
    const position = before.partition.position() as unknown as ShardPosition;
    expect(position).toMatchObject({ start: { type: 'AT_SEQUENCE_NUMBER' }, skip: 1 });
    await life.time.advance(1000);
    life.kinesis.trim(STREAM, life.time.now);
    life.kinesis.putAggregate(STREAM, entries('g', 'h'));
    const after = open(life, position);
    await after.fill();
    after.deliver();
    expect(after.delivered.map(({ text }) => text)).toEqual(['g', 'h']);
  });

  it('whose stream lost the aggregate in the middle of it goes on, with its rest if that is there after all', async () => {
    const unknown = new KinesisFailure('not-found', 'ResourceNotFoundException', 'no such record');
    for (const isThere of [true, false]) {
      const life = filled();
      const before = open(life);
      await before.fill();
      before.deliver(2);
      const position = before.partition.position() as unknown as ShardPosition;
      await before.partition.close();
      await life.time.advance(1000);
      if (!isThere) life.kinesis.trim(STREAM, life.time.now);
      life.put();
      const iterator = life.kinesis.getShardIterator.bind(life.kinesis);
      life.kinesis.getShardIterator = async (stream, shardId, start) => {
        if (start.type === 'AT_SEQUENCE_NUMBER') throw unknown;
        return iterator(stream, shardId, start);
      };
      const after = open(life, position);
      await after.fill();
      after.deliver();
      expect(after.delivered.map(({ text }) => text).at(-1)).toBe('0');
      expect(after.delivered.map(({ text }) => text)).not.toContain('a');
      expect(after.delivered.length > 1).toBe(isThere);
      if (isThere)
        expect([...before.delivered, ...after.delivered].map(({ text }) => text[0]).join('')).toBe('abcxdyef0');
    }
  });

  it('delivers all records before it ends, and names its children', async () => {
    const life = filled();
    const halves = life.kinesis.split(STREAM, FIRST);
    const { deliver, delivered, fill, children } = open(life);
    await fill();
    expect(deliver(3)).toBe('paused');
    expect(children).toEqual([]);
    expect(deliver()).toBe('ended');
    expect(delivered).toHaveLength(8);
    expect(children).toEqual(halves);
  });

  it('gives back what it held in the budget, worked off or closed', async () => {
    const life = filled();
    const { partition, deliver, fill } = open(life);
    await fill();
    expect(life.budget.bytes).toBeGreaterThan(0);
    deliver(8);
    deliver();
    expect(life.budget.bytes).toBe(0);
    life.put();
    await fill();
    expect(life.budget.bytes).toBeGreaterThan(0);
    await partition.close();
    expect(life.budget.bytes).toBe(0);
  });
});

describe('the tip of a shard', () => {
  it('is empty since the first read that found nothing, and not while there are records', async () => {
    const life = new ShardLife();
    const { partition, fill, deliver } = open(life);
    expect(partition.tip).toEqual({ emptySince: undefined, isBehind: true, millisBehindLatest: 0 });
    const began = life.time.now;
    expect(await fill()).toBe(false);
    expect(partition.tip).toEqual({ emptySince: began, isBehind: false, millisBehindLatest: 0 });
    life.put();
    await life.time.advance(1000);
    expect(partition.tip.emptySince).toBeUndefined();
    deliver();
  });

  it('is not known while reads are throttled, however seldom', async () => {
    const life = new ShardLife();
    const { partition, fill } = open(life);
    await fill();
    life.kinesis.faults.fault = (call) => (call === 'getRecords' ? throttled : undefined);
    await life.time.advance(300);
    expect(partition.tip.emptySince).toBeUndefined();
    await life.time.advance(MINUTE);
    expect(partition.tip).toMatchObject({ emptySince: undefined, isBehind: false });
  });

  it('is not known while a read hangs: it is not idle, and nobody waits for it for more than ten seconds', async () => {
    const life = new ShardLife();
    life.put(2);
    life.kinesis.faults.emptyRead = () => true;
    const { partition, fill } = open(life);
    await fill();
    expect(partition.tip).toMatchObject({ emptySince: undefined, isBehind: true });
    life.kinesis.faults.delayMs = () => 10 * MINUTE;
    await life.time.advance(9000);
    expect(partition.tip.isBehind).toBe(true);
    await life.time.advance(2000);
    expect(partition.tip).toMatchObject({ emptySince: undefined, isBehind: false });
  });

  it('that had been reached is not held to be there any more while a read hangs', async () => {
    const life = new ShardLife();
    const { partition, fill } = open(life);
    await fill();
    expect(partition.tip.emptySince).toBeDefined();
    life.kinesis.faults.delayMs = () => 10 * MINUTE;
    await life.time.advance(11_000);
    expect(partition.tip.emptySince).toBeUndefined();
  });

  it('makes nobody wait while others hold the whole budget: it could not be read', async () => {
    const life = new ShardLife();
    const { partition } = open(life);
    expect(partition.tip.isBehind).toBe(true);
    await life.budget.add(1e9);
    expect(partition.tip.isBehind).toBe(false);
  });
});
