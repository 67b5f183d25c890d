import { expect, test } from 'vitest';
import { VirtualTime } from '../../../test/support/virtual-time.ts';
import { OutboxPublisher, type Publish } from './outbox-publisher.ts';
import type { Unsent } from './tenant-repository.ts';

/** An outbox in memory, and a publisher that runs until `stop`. */
function started(publish: Publish, isPublisher = () => true) {
  const time = new VirtualTime(1_000_000);
  const outbox: Unsent[] = [];
  const warnings: string[] = [];
  const stop = new AbortController();
  let looked = 0;
  const store = {
    isPublisher: async () => isPublisher(),
    async unsent(limit: number) {
      looked++;
      return outbox.slice(0, limit);
    },
    async sent(ids: readonly number[]) {
      for (const id of ids) {
        outbox.splice(
          outbox.findIndex((each) => each.id === id),
          1,
        );
      }
    },
  };
  const world = {
    now: () => time.now,
    sleep: time.sleep,
    random: () => 1,
    warn: (message: string) => void warnings.push(message),
  };
  const publisher = new OutboxPublisher(store, publish, world);
  let ids = 0;
  const add = (...companyIDs: string[]) => {
    for (const companyID of companyIDs) outbox.push({ id: ++ids, companyID, record: `${companyID}${ids}` });
  };
  let isOver = false;
  const ended = publisher.run(stop.signal).then(() => {
    isOver = true;
  });
  return { time, outbox, warnings, publisher, add, ended, stop, looked: () => looked, isOver: () => isOver };
}

const text = (data: Uint8Array) => new TextDecoder().decode(data);

test('a change leaves at once when it is told of, and within a second when another process made it', async () => {
  const sent: string[] = [];
  const it = started(async (key, data) => void sent.push(`${key}:${text(data)}`));
  await it.time.settle();
  it.add('a');
  it.publisher.poke();
  await it.time.settle();
  expect(sent).toEqual(['a:a1']);
  it.add('b');
  await it.time.advance(999);
  expect(sent).toHaveLength(1);
  await it.time.advance(1);
  expect(sent).toEqual(['a:a1', 'b:b2']);
  expect(it.outbox).toEqual([]);
});

test('records of one tenant leave one after the other, those of others beside them', async () => {
  const underWay: string[] = [];
  const accept: (() => void)[] = [];
  const it = started((_key, data) => {
    underWay.push(text(data));
    return new Promise((resolve) => accept.push(resolve));
  });
  it.add('a', 'a', 'b', 'a');
  it.publisher.poke();
  await it.time.advance(1000);
  expect(underWay).toEqual(['a1', 'b3']);
  accept[0]?.();
  await it.time.settle();
  expect(underWay).toEqual(['a1', 'b3', 'a2']);
  // Not accepted: all that is not stays in the outbox.
  expect(it.outbox).toHaveLength(4);
  it.stop.abort();
  await it.time.advance(10_000);
  expect(it.isOver()).toBe(true);
});

test('while the stream is away records wait, with longer and longer pauses, and a person is told once, and when it is over', async () => {
  let isAway = true;
  const sent: string[] = [];
  const it = started(async (_key, data) => {
    if (isAway) throw new Error('no such stream');
    sent.push(text(data));
  });
  it.add('a', 'b', 'a');
  it.publisher.poke();
  await it.time.advance(60_000);
  expect(it.time.slept.filter((ms) => ms !== 1000).slice(0, 8)).toEqual([100, 200, 400, 800, 1600, 3200, 5000, 5000]);
  expect(it.warnings).toHaveLength(1);
  expect(it.warnings[0]).toContain('no such stream');
  isAway = false;
  await it.time.advance(5000);
  expect(sent).toEqual(['a1', 'b2', 'a3']);
  expect(it.outbox).toEqual([]);
  expect(it.warnings).toHaveLength(2);
});

test('a record whose acceptance is not known is sent again, before those after it of its tenant', async () => {
  const sent: string[] = [];
  let answersLost = 2;
  const it = started(async (_key, data) => {
    sent.push(text(data));
    if (answersLost-- > 0) throw new Error('no answer');
  });
  it.add('a', 'a');
  it.publisher.poke();
  await it.time.advance(10_000);
  expect(sent).toEqual(['a1', 'a1', 'a1', 'a2']);
});

test('who may not publish sends nothing, until it may', async () => {
  const sent: string[] = [];
  let mayPublish = false;
  const it = started(
    async (_key, data) => void sent.push(text(data)),
    () => mayPublish,
  );
  it.add('a');
  it.publisher.poke();
  await it.time.advance(10_000);
  expect(sent).toEqual([]);
  expect(it.looked(), 'now and then, whether another sends').toBeLessThanOrEqual(2);
  mayPublish = true;
  await it.time.advance(1000);
  expect(sent).toEqual(['a1']);
});

test('a stop waits for what is under way, but not for ever, and sends nothing more', async () => {
  const accept: (() => void)[] = [];
  const it = started(() => new Promise((resolve) => accept.push(resolve)));
  it.add('a', 'a');
  it.publisher.poke();
  await it.time.settle();
  it.stop.abort();
  await it.time.advance(4000);
  expect(it.isOver()).toBe(false);
  accept[0]?.();
  await it.time.settle();
  expect(it.isOver()).toBe(true);
  expect([accept.length, it.outbox.map(({ record }) => record)]).toEqual([1, ['a2']]);

  const hanging = started(() => new Promise(() => undefined));
  hanging.add('a');
  hanging.publisher.poke();
  await hanging.time.settle();
  hanging.stop.abort();
  await hanging.time.advance(5000);
  expect(hanging.isOver()).toBe(true);
});

test('a thousand records go in rounds that do not grow with the outbox', async () => {
  let most = 0;
  let underWay = 0;
  const it = started(async () => {
    most = Math.max(most, ++underWay);
    await Promise.resolve();
    underWay--;
  });
  it.add(...Array.from({ length: 1200 }, (_, index) => `t${index}`));
  it.publisher.poke();
  await it.time.advance(1000);
  expect([it.outbox.length, most]).toEqual([0, 500]);
});

test('while another process publishes, and does not, that is told once; its own turn ends it', async () => {
  let isMine = false;
  const sent: string[] = [];
  const it = started(
    async (key) => void sent.push(key),
    () => isMine,
  );
  await it.time.advance(600_000);
  it.add('a');
  await it.time.advance(50_000);
  expect(it.warnings).toEqual([]);
  // That one is sent by the other: the next one waits from now on.
  it.outbox.splice(0);
  it.add('b');
  await it.time.advance(60_000);
  expect(it.warnings).toEqual([]);
  await it.time.advance(30_000);
  expect(it.warnings).toEqual([
    expect.stringMatching(/^Changes of tenants have waited in the outbox for 6\d s: another/),
  ]);
  const looked = it.looked();
  await it.time.advance(600_000);
  expect(it.warnings).toHaveLength(1);
  expect(it.looked() - looked).toBeLessThanOrEqual(61);
  isMine = true;
  await it.time.advance(2000);
  expect(sent).toEqual(['b']);
  it.stop.abort();
  await it.ended;
});
