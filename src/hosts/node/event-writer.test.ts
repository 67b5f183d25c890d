import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimulatedKinesis } from '../../../test/support/simulated-kinesis.ts';
import { VirtualTime } from '../../../test/support/virtual-time.ts';
import { seededRandom } from '../../base/random.ts';
import { userRecords } from '../../connectors/kinesis/deaggregate.ts';
import { KinesisFailure, type PutEntry } from '../../connectors/kinesis/kinesis-api.ts';
import { aggregatingWriter } from './aggregating-writer.ts';
import { eventWriter, OF_A_COMMAND } from './event-writer.ts';

const STREAM = 'bigdatajobs';

function begun(random = () => 0.5) {
  const time = new VirtualTime(1_000_000);
  const kinesis = new SimulatedKinesis({ clock: time.clock, sleep: (ms, signal) => time.after(ms, signal) });
  kinesis.createStream(STREAM, 3);
  const requests: string[][] = [];
  const putRecords = (stream: string, entries: readonly PutEntry[]) => {
    requests.push(entries.map(({ partitionKey }) => partitionKey));
    return kinesis.putRecords(stream, entries);
  };
  const warnings: string[] = [];
  const world = { clock: time.clock, sleep: time.sleep, random, warn: (text: string) => warnings.push(text) };
  const writer = eventWriter({ putRecords }, world, '--jobs-stream', OF_A_COMMAND);
  const put = (key: string, text: string) => writer.put(STREAM, key, Buffer.from(text));
  return { time, kinesis, writer, put, requests, warnings };
}

/** Lets time go on until all of it is done. */
async function done<Value>(time: VirtualTime, all: Promise<Value>): Promise<Value> {
  const state = { over: false };
  const over = () => {
    state.over = true;
  };
  all.then(over, over);
  for (await time.settle(); !state.over; await time.settle()) if (time.sleeping > 0) time.wakeNext();
  return all;
}

describe('events', () => {
  it('of a request only what was refused is sent again', async () => {
    const { time, kinesis, put, requests } = begun();
    let refusals = 2;
    kinesis.faults = {
      rejectEntry: ({ partitionKey }) => (partitionKey === 'b' && refusals-- > 0 ? 'Throttled' : undefined),
    };
    await done(time, Promise.all(['a', 'b', 'c'].map((key) => put(key, '1'))));
    expect(requests).toEqual([['a', 'b', 'c'], ['b'], ['b']]);
    expect(kinesis.arrived(STREAM).map(({ partitionKey }) => partitionKey)).toEqual(['a', 'c', 'b']);
  });

  it('throttled for long wait, told of in words of who sends them, and arrive when it is over', async () => {
    const { time, kinesis, put, warnings } = begun();
    kinesis.faults = { rejectEntry: () => 'ProvisionedThroughputExceededException' };
    const sent = put('a', '1');
    await time.advance(60_000);
    expect(warnings).toEqual([
      expect.stringMatching(
        /^Stream bigdatajobs has not accepted records for \d+ s: ProvisionedThroughputExceeded.*nothing else is sent meanwhile, and Ctrl-C gives up/,
      ),
    ]);
    kinesis.faults = {};
    await done(time, sent);
    expect(warnings[1]).toMatch(/^Stream bigdatajobs accepts records again/);
  });

  it('over 1 MiB are refused, and what comes after them is sent', async () => {
    const { time, kinesis, writer, put } = begun();
    const large = writer.put(STREAM, 'é', new Uint8Array(1024 * 1024 - 1));
    await expect(large).rejects.toMatchObject({
      code: 'INPUT_CORRUPT',
      message: expect.stringMatching(/bigdatajobs .*at most 1048576 bytes.*has 1048577: it was not sent/),
    });
    await done(time, put('é', '1'));
    await done(time, writer.put(STREAM, 'é', new Uint8Array(1024 * 1024 - 2)));
    expect(kinesis.arrived(STREAM)).toHaveLength(2);
  });

  it.each([
    [
      'not-found',
      'STREAM_NOT_FOUND',
      /\(--jobs-stream\) to accept records, but there is none.*set --jobs-stream to one/,
    ],
    ['refused', 'KINESIS_REFUSED', /Check the credentials, their permission for kinesis:PutRecords, and --region/],
  ] as const)('%s: the error says what to do, in words of the command', async (kind, code, message) => {
    const { time, kinesis, put } = begun();
    kinesis.faults = { fault: () => new KinesisFailure(kind, 'Simulated', 'simulated') };
    const sent = put('a', '1');
    await expect(done(time, sent)).rejects.toMatchObject({ code, message: expect.stringMatching(message) });
    await expect(sent).rejects.toThrow(/Then run the same command again\.$/);
    await expect(sent).rejects.not.toThrow(/checkpoint/);
  });
});

describe('aggregated events', () => {
  it('of one company arrive in order, each once, no aggregate over 50 KiB, whatever Kinesis rejects', async () => {
    const sends = fc.array(
      fc.record({
        key: fc.nat(4),
        bytes: fc.constantFrom(1, 10, 20_000, 60_000),
        pauseMs: fc.constantFrom(0, 0, 0, 50),
      }),
      { minLength: 1, maxLength: 80 },
    );
    await fc.assert(
      fc.asyncProperty(sends, fc.nat(), async (list, seed) => {
        const random = seededRandom(seed);
        const { time, kinesis, writer, requests } = begun(random);
        kinesis.faults = {
          rejectEntry: () => (random() < 0.3 ? 'ProvisionedThroughputExceededException' : undefined),
          delayMs: () => Math.floor(random() * 30),
        };
        const aggregating = aggregatingWriter(writer);
        const all: Promise<void>[] = [];
        for (const [index, { key, bytes, pauseMs }] of list.entries()) {
          all.push(aggregating.put(STREAM, `${key}`, Buffer.from(`${index}`.padEnd(bytes))));
          if (pauseMs > 0) await time.advance(pauseMs);
        }
        await done(time, Promise.all(all));
        const arrived = kinesis.arrived(STREAM);
        for (let key = 0; key <= 4; key++) {
          const records = arrived.filter(({ partitionKey }) => partitionKey === `${key}`);
          const texts = records
            .flatMap(({ data }) => userRecords(data) ?? [data])
            .map((data) => `${Buffer.from(data)}`);
          const expected = list.flatMap((sent, index) => (sent.key === key ? [index] : []));
          expect(texts.map(Number)).toEqual(expected);
        }
        for (const { data } of arrived) {
          const records = userRecords(data);
          if (records === null) continue;
          expect(records.length).toBeGreaterThan(1);
          expect(records.reduce((sum, { length }) => sum + length, 0)).toBeLessThanOrEqual(51_200);
        }
        expect(requests.flat().length).toBeGreaterThanOrEqual(arrived.length);
      }),
      { numRuns: 60 },
    );
  });

  it('take fewer records than events: a busy company is not held to one event a round trip', async () => {
    const { time, kinesis, writer } = begun();
    const aggregating = aggregatingWriter(writer);
    await done(time, Promise.all(Array.from({ length: 400 }, () => aggregating.put(STREAM, 'a', Buffer.from('x')))));
    expect(kinesis.arrived(STREAM)).toHaveLength(1);
  });

  it('that the stream refuses are refused to each who sent one, and the next begin anew', async () => {
    const { time, kinesis, writer } = begun();
    const aggregating = aggregatingWriter(writer);
    kinesis.faults = { fault: () => new KinesisFailure('not-found', 'Simulated', 'simulated') };
    const all = Promise.allSettled([1, 2, 3].map((text) => aggregating.put(STREAM, 'a', Buffer.from(`${text}`))));
    expect((await done(time, all)).map(({ status }) => status)).toEqual(['rejected', 'rejected', 'rejected']);
    kinesis.faults = {};
    await done(time, aggregating.put(STREAM, 'a', Buffer.from('4')));
    expect(kinesis.arrived(STREAM)).toHaveLength(1);
  });
});
