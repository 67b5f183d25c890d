import type { ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { expect, test } from 'vitest';
import { NOW } from '../../../test/support/dashboard-rows.ts';
import { Feed } from './feed.ts';
import type { Flip, Status } from './insights-schema.ts';

const STATUS: Status = {
  state: 'live',
  appliedAt: null,
  eventTime: null,
  rows: 0,
  now: '',
  today: '',
  tenants: 0,
  companiesNotShown: 0,
};

/** A reader as far as the feed knows it: what is written waits in it until it is read. */
function reader() {
  const stream = new PassThrough({ highWaterMark: 1024 });
  return { stream, response: stream as unknown as ServerResponse };
}

const flip = (version: number): Flip => ({
  companyID: 'x'.repeat(1000),
  industry: 'retail',
  change: 'at-risk',
  at: '',
  churnProbability: null,
  monthlyFee: 1,
  version,
});

test('who reads too slowly is cut off, so that nothing piles up; who reads goes on', async () => {
  const feed = new Feed(NOW);
  const [slow, quick] = [reader(), reader()];
  let taken = 0;
  quick.stream.on('data', (chunk: Buffer) => {
    taken += chunk.length;
  });
  for (const { response } of [slow, quick])
    expect(feed.read(response, { lastEventID: undefined, status: STATUS })).toBe(true);
  for (let index = 0; index < 2000; index++) {
    feed.publish({ event: 'flip', data: flip(index) });
    if (index % 50 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  await new Promise((resolve) => setImmediate(resolve));
  expect([slow.stream.destroyed, quick.stream.destroyed]).toEqual([true, false]);
  expect(slow.stream.writableLength).toBeLessThan(600 * 1024);
  expect(taken).toBeGreaterThan(2_000_000);
  expect(feed.readers).toBe(1);
  feed.close();
});

test('who went before the feed began is no reader', () => {
  const feed = new Feed(NOW);
  const gone = reader();
  gone.stream.destroy();
  expect(feed.read(gone.response, { lastEventID: undefined, status: STATUS, companyID: undefined })).toBe(true);
  expect(feed.readers).toBe(0);
  feed.close();
});

test('a feed that too many read takes nobody else until one goes', async () => {
  const feed = new Feed(NOW);
  const readers = Array.from({ length: 100 }, reader);
  for (const { stream, response } of readers) {
    stream.resume();
    expect(feed.read(response, { lastEventID: undefined, status: STATUS })).toBe(true);
  }
  const late = reader();
  expect(feed.read(late.response, { lastEventID: undefined, status: STATUS })).toBe(false);
  expect(late.stream.writableLength).toBe(0);
  readers[0]?.stream.destroy();
  await new Promise((resolve) => setImmediate(resolve));
  expect(feed.read(late.response, { lastEventID: undefined, status: STATUS })).toBe(true);
  feed.close();
});

test('what was missed is kept in bounds: who was away for long is told the newest only', () => {
  const feed = new Feed(NOW);
  for (let version = 1; version <= 700; version++) feed.publish({ event: 'flip', data: flip(version) });
  const back = reader();
  const chunks: string[] = [];
  back.stream.on('data', (chunk: Buffer) => void chunks.push(chunk.toString()));
  feed.read(back.response, { lastEventID: `${NOW.toString(36)}-1`, status: STATUS });
  feed.close();
  return new Promise<void>((resolve) => {
    back.stream.on('end', () => {
      const versions = [...chunks.join('').matchAll(/"version":(\d+)/g)].map((match) => Number(match[1]));
      expect([versions[0], versions.at(-1), versions.length]).toEqual([201, 700, 500]);
      resolve();
    });
  });
});

/** What a reader was told: events, and ids. */
function listen(feed: Feed, companyID: string | undefined, lastEventID?: string) {
  const one = reader();
  let text = '';
  one.stream.on('data', (chunk: Buffer) => {
    text += chunk.toString();
  });
  const isTaken = feed.read(one.response, { lastEventID, status: STATUS, companyID });
  const told = async () => {
    await new Promise((resolve) => setImmediate(resolve));
    return {
      versions: [...text.matchAll(/"version":(\d+)/g)].map((match) => Number(match[1])),
      ids: [...text.matchAll(/^id: (.*)$/gm)].map((match) => match[1] ?? ''),
      text,
    };
  };
  return { ...one, isTaken, told };
}

const of = (companyID: string, version: number): Flip => ({ ...flip(version), companyID });

test('who reads for a company is told of that one only, live and after coming back, and counts nothing of the others', async () => {
  const feed = new Feed(NOW);
  const [mine, all] = [listen(feed, 'a'), listen(feed, undefined)];
  for (const [index, companyID] of ['a', 'b', 'b', 'a', 'b'].entries()) {
    feed.publish({ event: 'flip', data: of(companyID, index) });
  }
  const first = await mine.told();
  expect(first.versions).toEqual([0, 3]);
  expect((await all.told()).versions).toEqual([0, 1, 2, 3, 4]);
  expect(first.text).not.toContain('"b"');
  // Ids say where it was, and no more.
  expect(new Set(first.ids).size).toBe(3);
  for (const id of first.ids) expect(id).toMatch(/^\w+-k[0-9a-f]+$/);
  mine.stream.destroy();
  feed.publish({ event: 'flip', data: of('b', 5) });
  feed.publish({ event: 'flip', data: of('a', 6) });
  const [seenOne, seenTwo] = first.ids.slice(1);
  expect((await listen(feed, 'a', seenTwo).told()).versions).toEqual([6]);
  expect((await listen(feed, 'a', seenOne).told()).versions).toEqual([3, 6]);
  expect((await listen(feed, 'a', first.ids[0]).told()).versions).toEqual([0, 3, 6]);
  // An id of somebody else, of another run, or of all: never what is of others.
  const other = listen(feed, 'b', seenTwo);
  expect((await other.told()).text).not.toContain('"a"');
  expect((await listen(feed, 'a', `x${seenOne}`).told()).versions).toEqual([]);
  const id = (await all.told()).ids.at(1);
  expect((await listen(feed, 'a', id).told()).versions).toEqual([0, 3, 6]);
  feed.close();
});

test('the status that a company is told is its own', async () => {
  const feed = new Feed(NOW);
  const [mine, all] = [listen(feed, 'a'), listen(feed, undefined)];
  await feed.publishStatus(async (companyID) => ({ ...STATUS, tenants: companyID === undefined ? 777 : 1 }));
  expect((await mine.told()).text).not.toContain('777');
  expect((await mine.told()).text).toContain('"tenants":1');
  expect((await all.told()).text).toContain('"tenants":777');
  expect(feed.watched).toEqual(['a']);
  feed.close();
});

test('one company does not take the places of all', () => {
  const feed = new Feed(NOW);
  const taken = Array.from({ length: 12 }, () => listen(feed, 'a').isTaken);
  expect(taken.filter(Boolean)).toHaveLength(10);
  expect([listen(feed, 'b').isTaken, listen(feed, undefined).isTaken]).toEqual([true, true]);
  feed.close();
});
