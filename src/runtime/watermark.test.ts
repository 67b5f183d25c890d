import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { Watermark } from './watermark.ts';

describe('the watermark', () => {
  test('is the latest event of a single partition less the disorder it may have, exactly', () => {
    const watermark = new Watermark(60_000);
    const partition = watermark.add('jobs');
    expect(watermark.value).toBe(Number.NEGATIVE_INFINITY);
    partition.show(100_000);
    expect(watermark.value).toBe(40_000);
    partition.show(100_001);
    expect(watermark.value).toBe(40_001);
    partition.show(0);
    expect([watermark.value, partition.maxTime]).toEqual([40_001, 100_001]);
  });

  test('is that of the partition furthest behind', () => {
    const watermark = new Watermark(10);
    const [a, b] = [watermark.add('a'), watermark.add('b')];
    a.show(500);
    expect(watermark.value).toBe(Number.NEGATIVE_INFINITY); // Nobody knows yet what b will show.
    b.show(200);
    expect(watermark.value).toBe(190);
    b.show(900);
    expect(watermark.value).toBe(490);
  });

  test('leaves a partition that ended out of the least', () => {
    const watermark = new Watermark(10);
    const [a, b] = [watermark.add('a'), watermark.add('b')];
    a.show(500);
    b.show(200);
    watermark.end('b');
    expect(watermark.value).toBe(490);
    a.show(600);
    expect(watermark.value).toBe(590);
  });

  test('goes on without a partition that ended before its first event', () => {
    const watermark = new Watermark(10);
    const a = watermark.add('a');
    watermark.add('empty');
    a.show(500);
    watermark.end('empty');
    expect(watermark.value).toBe(490);
  });

  test('is final once the last partition ended: the end of the input fires nothing beyond it', () => {
    const watermark = new Watermark(10);
    const [a, b] = [watermark.add('a'), watermark.add('b')];
    a.show(500);
    b.show(700);
    watermark.end('a');
    expect(watermark.value).toBe(690);
    watermark.end('b');
    watermark.end('b');
    watermark.end('unknown');
    expect(watermark.value).toBe(690);
  });

  test('never goes back: neither for a partition that comes late, nor after a restore', () => {
    const watermark = new Watermark(10);
    watermark.add('a').show(500);
    const late = watermark.add('late');
    expect(watermark.value).toBe(490);
    late.show(100);
    expect(watermark.value).toBe(490);
    const restored = new Watermark(10);
    restored.restore(490);
    const again = restored.add('a', 450);
    expect([restored.value, again.maxTime]).toEqual([490, 450]);
    again.show(480);
    expect(restored.value).toBe(490);
    again.show(501);
    expect(restored.value).toBe(491);
  });

  test('goes on after a restore where it would have gone without one', () => {
    const watermark = new Watermark(10);
    watermark.restore(190);
    const [a, b] = [watermark.add('a', 500), watermark.add('b', 200)];
    b.show(300);
    expect(watermark.value).toBe(290);
    a.show(600);
    expect(watermark.value).toBe(290);
    watermark.end('b');
    expect(watermark.value).toBe(590);
  });
});

describe('idle partitions', () => {
  test('leave the least, and are back in it with their next event', () => {
    const watermark = new Watermark(10);
    const [a, b] = [watermark.add('a'), watermark.add('b')];
    a.show(500);
    b.show(200);
    b.isIdle = true;
    watermark.update(100_000);
    expect(watermark.value).toBe(490); // the wall clock counts only when all are idle
    b.show(150);
    expect([b.isIdle, watermark.value]).toEqual([false, 490]);
    a.show(600);
    expect(watermark.value).toBe(490);
    b.show(550);
    expect(watermark.value).toBe(540);
  });

  test('that never showed an event do not hold the others back', () => {
    const watermark = new Watermark(10);
    const [a, b] = [watermark.add('a'), watermark.add('b')];
    a.show(500);
    b.isIdle = true;
    watermark.update(0);
    expect(watermark.value).toBe(490);
  });

  test('all of them let time pass: the watermark follows the wall clock, and never goes back', () => {
    const watermark = new Watermark(10);
    const [a, b] = [watermark.add('a'), watermark.add('b')];
    a.show(500);
    a.isIdle = true;
    watermark.update(9000);
    expect(watermark.value).toBe(Number.NEGATIVE_INFINITY); // b may still show anything
    b.isIdle = true;
    watermark.update(9000);
    expect(watermark.value).toBe(8990);
    watermark.update(8000); // a clock that was put back
    a.show(700);
    expect(watermark.value).toBe(8990);
    watermark.update(10_000);
    expect(watermark.value).toBe(8990);
    a.show(9500);
    expect(watermark.value).toBe(9490); // b is idle still
  });

  test('none at all are not idle: the wall clock says nothing while no partition is known', () => {
    const watermark = new Watermark(10);
    watermark.update(9000);
    expect(watermark.value).toBe(Number.NEGATIVE_INFINITY);
  });
});

test('a partition that comes after the last one had ended takes its place: a shard found late', () => {
  const watermark = new Watermark(10);
  const parent = watermark.add('parent');
  parent.show(500);
  watermark.end('parent');
  watermark.update(9000);
  expect(watermark.value).toBe(490);
  const child = watermark.add('child');
  child.show(800);
  expect(watermark.value).toBe(790);
});

test('of any number of partitions it is the greatest that the least was', () => {
  const anyStep = fc.oneof(
    { weight: 8, arbitrary: fc.record({ show: fc.nat(3), time: fc.nat(1000) }) },
    { weight: 1, arbitrary: fc.record({ end: fc.nat(3) }) },
  );
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 40 }), (steps) => {
      const watermark = new Watermark(60);
      const clocks = [0, 1, 2, 3].map((index) => watermark.add(`p${index}`));
      const shown = new Map(clocks.map((clock, index) => [index, { clock, max: Number.NEGATIVE_INFINITY }]));
      let expected = Number.NEGATIVE_INFINITY;
      for (const step of steps) {
        if ('end' in step) {
          watermark.end(`p${step.end}`);
          if (shown.size > 1) shown.delete(step.end);
        } else {
          const partition = shown.get(step.show);
          partition?.clock.show(step.time);
          if (partition !== undefined) partition.max = Math.max(partition.max, step.time);
        }
        expected = Math.max(expected, Math.min(...[...shown.values()].map(({ max }) => max)) - 60);
        expect(watermark.value).toBe(expected);
      }
    }),
    { numRuns: 500 },
  );
});
