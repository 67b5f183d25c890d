import { describe, expect, it } from 'vitest';
import { MemoryPartition } from '../../test/support/memory-partition.ts';
import type { LivePartition } from './ports.ts';
import { type Reading, Readings } from './readings.ts';
import { Watermark } from './watermark.ts';

const IDLE_MS = 30_000;

class LiveMemory extends MemoryPartition implements LivePartition {
  tip = { emptySince: undefined as number | undefined, isBehind: false, millisBehindLatest: 0 };
}

function live(outOfOrdernessMs = 10) {
  const watermark = new Watermark(outOfOrdernessMs);
  const readings = new Readings(watermark, outOfOrdernessMs, []);
  const add = (id: string, drivesWatermark = true) => {
    const partition = new LiveMemory(id, 'jobs', []);
    const readFirst = !drivesWatermark;
    const visit = () => true;
    const setting = { partition, live: partition, readFirst, drivesWatermark, visit, tooLong: visit };
    const reading: Reading = readings.add(setting, undefined);
    return { reading, tip: partition.tip, id };
  };
  const turns = (count: number) => Array.from({ length: count }, () => readings.next()?.partition.id);
  return { watermark, readings, add, turns };
}

describe('live partitions', () => {
  it('take turns while they have something to deliver, whatever their source; others are passed over', () => {
    const { add, turns } = live();
    const [a, b, c] = [add('a'), add('b'), add('companies', false)];
    expect(turns(1)).toEqual([undefined]);
    c.tip.emptySince = 0;
    expect(turns(1)).toEqual([undefined]);
    a.reading.isReady = true;
    c.reading.isReady = true;
    expect(turns(4)).toEqual(['a', 'companies', 'a', 'companies']);
    b.reading.isReady = true;
    expect(turns(4)).toEqual(['b', 'a', 'companies', 'b']);
  });

  it('what is read first comes to the tip before the others begin', () => {
    const { add, turns } = live();
    const [jobs, companies] = [add('jobs'), add('companies', false)];
    jobs.reading.isReady = true;
    companies.tip.isBehind = true; // not read yet
    expect(turns(1)).toEqual([undefined]);
    companies.reading.isReady = true;
    expect(turns(2)).toEqual(['companies', 'companies']);
    companies.reading.isReady = false; // delivered, but there is more
    expect(turns(1)).toEqual([undefined]);
    companies.tip.isBehind = false;
    expect(turns(1)).toEqual(['jobs']);
    companies.tip.isBehind = true; // behind again: it takes turns from then on
    companies.reading.isReady = true;
    expect(turns(2)).toEqual(['companies', 'jobs']);
  });

  it.each([
    ['that is empty, or cannot be read', { emptySince: undefined, isBehind: false }],
    ['that ended', undefined],
  ])('nobody waits for one %s', async (_, tip) => {
    const { readings, add, turns } = live();
    const [jobs, companies] = [add('jobs'), add('companies', false)];
    jobs.reading.isReady = true;
    if (tip === undefined) await readings.end(companies.reading, () => undefined);
    else Object.assign(companies.tip, tip);
    expect(turns(1)).toEqual(['jobs']);
  });

  it('one that is never at its tip is waited for no longer than for one that is idle', () => {
    const { readings, add, turns } = live();
    const [jobs, companies] = [add('jobs'), add('companies', false)];
    jobs.reading.isReady = true;
    companies.tip.isBehind = true;
    readings.lookAtTips(1000, IDLE_MS);
    readings.lookAtTips(1000 + IDLE_MS - 1, IDLE_MS);
    expect(turns(1)).toEqual([undefined]);
    readings.lookAtTips(1000 + IDLE_MS, IDLE_MS);
    expect(turns(1)).toEqual(['jobs']);
  });

  it('one that is ahead by more than events may lag waits for those that have more to give', () => {
    const { readings, add, turns } = live(10);
    const [a, b] = [add('a'), add('b')];
    a.reading.isReady = true;
    a.reading.clock?.show(1000);
    b.reading.clock?.show(989);
    b.tip.isBehind = true; // it is being read
    expect(readings.isAhead(a.reading.clock)).toBe(true);
    expect(turns(1)).toEqual([undefined]);
    b.reading.isReady = true;
    expect(turns(2)).toEqual(['b', 'b']);
    b.reading.clock?.show(990);
    expect(turns(2)).toEqual(['a', 'b']);
  });

  it('none waits for one at the tip, or one that cannot be read: not for good', () => {
    const { add, turns } = live(10);
    const [a, b] = [add('a'), add('b')];
    a.reading.isReady = true;
    a.reading.clock?.show(1_000_000);
    b.tip.isBehind = true; // not read yet
    expect(turns(1)).toEqual([undefined]);
    b.tip.isBehind = false;
    expect(turns(1)).toEqual(['a']);
  });

  it('of those ahead and behind there is always one that may go on', () => {
    const { add, turns } = live(0);
    const all = [5, 3, 9, 3].map((time, index) => ({ ...add(`p${index}`), time }));
    for (const { reading, time } of all) {
      reading.isReady = true;
      reading.clock?.show(time);
    }
    expect(turns(4)).toEqual(['p1', 'p3', 'p1', 'p3']);
  });

  it('are idle once nothing came for long enough, and not when that is not known', () => {
    const { watermark, readings, add } = live(10);
    const [a, b] = [add('a'), add('b')];
    a.reading.clock?.show(1000);
    b.tip.emptySince = 5000;
    readings.lookAtTips(5000 + IDLE_MS - 1, IDLE_MS);
    expect([b.reading.clock?.isIdle, watermark.value]).toEqual([false, Number.NEGATIVE_INFINITY]);
    readings.lookAtTips(5000 + IDLE_MS, IDLE_MS);
    expect([b.reading.clock?.isIdle, watermark.value]).toEqual([true, 990]);
    b.tip.emptySince = undefined; // throttled, or it hangs
    readings.lookAtTips(1e9, IDLE_MS);
    expect(b.reading.clock?.isIdle).toBe(false);
    a.reading.clock?.show(9000);
    expect(watermark.value).toBe(990);
  });

  it('are not idle with records at hand that were not worked on yet', () => {
    const { readings, add } = live();
    const a = add('a');
    a.tip.emptySince = 0;
    a.reading.isReady = true;
    readings.lookAtTips(1e9, IDLE_MS);
    expect(a.reading.clock?.isIdle).toBe(false);
  });

  it('all idle: the watermark follows the wall clock', () => {
    const { watermark, readings, add } = live(10);
    for (const { tip } of [add('a'), add('b'), add('companies', false)]) tip.emptySince = 0;
    readings.lookAtTips(1e6, IDLE_MS);
    expect(watermark.value).toBe(1e6 - 10);
  });
});

describe('partitions that ended', () => {
  it('stay known until they are forgotten, and the watermark waits for those that go on from them', async () => {
    const { watermark, readings, add } = live(10);
    const [parent, other] = [add('jobs:1'), add('jobs:2')];
    parent.reading.clock?.show(500);
    other.reading.clock?.show(900);
    await readings.end(parent.reading, () => {
      expect(readings.isEnded('jobs:1')).toBe(true);
      add('jobs:3');
    });
    expect(watermark.value).toBe(490); // jobs:3 may show anything
    expect(readings.all.map(({ partition }) => partition.id)).toEqual(['jobs:2', 'jobs:3']);
    expect([...readings.ended('jobs:')]).toEqual(['jobs:1']);
    expect(readings.states()['jobs:1']).toMatchObject({ ended: true, maxTime: 500 });
    readings.forget('jobs:1');
    expect(Object.keys(readings.states())).toEqual(['jobs:2', 'jobs:3']);
  });
});
