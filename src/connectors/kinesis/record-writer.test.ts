import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { SimulatedKinesis } from '../../../test/support/simulated-kinesis.ts';
import { VirtualTime } from '../../../test/support/virtual-time.ts';
import type { TenantAnalyticsError } from '../../base/errors.ts';
import { seededRandom } from '../../base/random.ts';
import { Pressure } from '../../runtime/pressure.ts';
import { KinesisFailure, type KinesisFailureKind, type PutEntry } from './kinesis-api.ts';
import { KinesisRowStream } from './record-writer.ts';

const MIB = 1024 * 1024;
const STREAM = 'enrichedcompanies';

function start(random = () => 0.5) {
  const time = new VirtualTime(1_000_000);
  const kinesis = new SimulatedKinesis({ clock: time.clock, sleep: (ms, signal) => time.after(ms, signal) });
  kinesis.createStream(STREAM, 3);
  const requests: (readonly PutEntry[])[] = [];
  const under = { way: 0, most: 0, keys: new Set<string>(), doubled: [] as string[] };
  const putRecords = async (stream: string, entries: readonly PutEntry[]) => {
    requests.push(entries.map(({ partitionKey, data }) => ({ partitionKey, data })));
    under.most = Math.max(under.most, ++under.way);
    for (const { partitionKey } of entries) {
      if (under.keys.has(partitionKey)) under.doubled.push(partitionKey);
      under.keys.add(partitionKey);
    }
    try {
      return await kinesis.putRecords(stream, entries);
    } finally {
      under.way--;
      for (const { partitionKey } of entries) under.keys.delete(partitionKey);
    }
  };
  const warnings: string[] = [];
  const failures: unknown[] = [];
  const pressure = new Pressure();
  const rows = new KinesisRowStream(
    { putRecords },
    { clock: time.clock, sleep: time.sleep, random, warn: (message) => warnings.push(message) },
    pressure,
    { stream: STREAM, parameter: 'enrichedcompanies.stream.name', onFailure: (error) => failures.push(error) },
  );
  const send = (key: string, text: string) => rows.send(key, Buffer.from(text));
  const arrived = () =>
    kinesis.arrived(STREAM).map(({ partitionKey, data }) => `${partitionKey}:${Buffer.from(data).toString()}`);
  return { time, kinesis, rows, send, arrived, requests, under, warnings, failures, pressure };
}

const down = (kind: KinesisFailureKind = 'unavailable') => new KinesisFailure(kind, 'Simulated', `simulated ${kind}`);

function watched(promise: Promise<void>) {
  const state = { end: 'open' as 'open' | 'resolved' | TenantAnalyticsError };
  promise.then(
    () => {
      state.end = 'resolved';
    },
    (error) => {
      state.end = error;
    },
  );
  return state;
}

/** Lets time go on until all rows taken were accepted. */
async function allAccepted(time: VirtualTime, rows: KinesisRowStream): Promise<void> {
  const waiting = watched(rows.accepted());
  for (await time.settle(); waiting.end === 'open'; await time.settle()) time.wakeNext();
  expect(waiting.end).toBe('resolved');
}

describe('latency', () => {
  it('a row leaves in the same turn, with all others of that turn, and waits for nobody', async () => {
    const { time, send, requests, arrived, rows } = start();
    for (const key of ['a', 'b', 'c']) send(key, '1');
    await time.settle();
    expect(requests).toHaveLength(1);
    expect(arrived()).toEqual(['a:1', 'b:1', 'c:1']);
    await rows.accepted();
    expect(time.slept).toEqual([]);
  });

  it('a key that waits holds up no other', async () => {
    const { time, kinesis, send, arrived } = start();
    kinesis.faults = { rejectEntry: ({ partitionKey }) => (partitionKey === 'hot' ? 'Throttled' : undefined) };
    send('hot', '1');
    await time.settle();
    for (const text of ['1', '2', '3']) send('cold', text);
    await time.settle();
    expect(arrived()).toEqual(['cold:1', 'cold:2', 'cold:3']);
    expect(time.now).toBe(1_000_000);
  });

  it('up to four requests are under way at a time', async () => {
    const { time, kinesis, send, under, rows, arrived } = start();
    kinesis.faults = { delayMs: () => 20 };
    for (let index = 0; index < 10; index++) {
      send(`key-${index}`, '1');
      await time.settle();
    }
    expect(under.way).toBe(4);
    await allAccepted(time, rows);
    expect(under.most).toBe(4);
    expect(arrived()).toHaveLength(10);
  });
});

describe('order and number', () => {
  const sends = fc.array(fc.record({ key: fc.nat(6), pauseMs: fc.constantFrom(0, 0, 0, 3, 200) }), { maxLength: 120 });

  it('rows of a key arrive in their order, each once, whatever Kinesis rejects', async () => {
    await fc.assert(
      fc.asyncProperty(sends, fc.nat(), async (list, seed) => {
        const random = seededRandom(seed);
        const { time, kinesis, send, arrived, rows, under, pressure } = start(random);
        kinesis.faults = {
          rejectEntry: () => (random() < 0.3 ? 'ProvisionedThroughputExceededException' : undefined),
          fault: () => (random() < 0.1 ? down(random() < 0.5 ? 'throttled' : 'unavailable') : undefined),
          delayMs: () => Math.floor(random() * 30),
        };
        for (const [index, { key, pauseMs }] of list.entries()) {
          send(`${key}`, `${index}`);
          if (pauseMs > 0) await time.advance(pauseMs);
        }
        await allAccepted(time, rows);
        const ofKeys = (texts: readonly string[]) =>
          [0, 1, 2, 3, 4, 5, 6].map((key) => texts.filter((text) => text.startsWith(`${key}:`)));
        expect(ofKeys(arrived())).toEqual(ofKeys(list.map(({ key }, index) => `${key}:${index}`)));
        expect(under.doubled).toEqual([]);
        expect(pressure.bytes).toBe(0);
      }),
      { numRuns: 100 },
    );
  });

  it('when answers are lost, rows arrive again, but never after a later one of their key', async () => {
    await fc.assert(
      fc.asyncProperty(sends, fc.nat(), async (list, seed) => {
        const random = seededRandom(seed);
        const { time, kinesis, send, arrived, rows } = start(random);
        kinesis.faults = { lostAnswer: () => (random() < 0.3 ? down() : undefined) };
        for (const [index, { key }] of list.entries()) send(`${key}`, `${index}`);
        await allAccepted(time, rows);
        const texts = arrived();
        for (let key = 0; key <= 6; key++) {
          const came = texts.filter((text) => text.startsWith(`${key}:`));
          const withoutRepeats = came.filter((text, index) => text !== came[index - 1]);
          expect(withoutRepeats).toEqual(list.flatMap((sent, index) => (sent.key === key ? [`${key}:${index}`] : [])));
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe('limits', () => {
  it('a request is filled with 500 rows', async () => {
    const { time, rows, send, requests } = start();
    for (let index = 0; index < 1001; index++) send(`key-${index}`, 'x');
    await time.settle();
    expect(requests.map((entries) => entries.length)).toEqual([500, 500, 1]);
    await rows.accepted();
  });

  it('a request is filled with 5 MiB, keys included, and a row with 1 MiB', async () => {
    const { time, rows, requests, arrived } = start();
    for (const key of ['a', 'bb', 'ccc', 'é', 'e', 'f']) {
      rows.send(key, new Uint8Array(MIB - Buffer.byteLength(key)));
    }
    await time.settle();
    expect(requests.map((entries) => entries.length)).toEqual([5, 1]);
    expect(arrived()).toHaveLength(6);
    expect(rows.tooLarge).toBe(0);
    rows.send('g', new Uint8Array(4 * 1024));
    for (let index = 0; index < 5; index++) rows.send(`h${index}`, new Uint8Array(MIB - 2 - (index === 0 ? 4095 : 0)));
    await time.settle();
    expect(requests.slice(2).map((entries) => entries.length)).toEqual([5, 1]);
  });

  it('a row beyond 1 MiB is counted, told of once, and holds up nothing', async () => {
    const { time, rows, send, arrived, warnings, pressure } = start();
    send('a', '1');
    rows.send('a', new Uint8Array(MIB));
    rows.send('é', new Uint8Array(MIB - 1));
    send('a', '2');
    await time.settle();
    await rows.accepted();
    expect(arrived()).toEqual(['a:1', 'a:2']);
    expect(rows.tooLarge).toBe(2);
    expect(warnings).toEqual([expect.stringMatching(/A row of a has 1048577 bytes .* S3SinkPath/)]);
    expect(pressure.bytes).toBe(0);
  });

  it('rows are back-pressure until they are accepted', async () => {
    const { time, kinesis, rows, send, pressure } = start();
    kinesis.faults = { rejectEntry: ({ partitionKey }) => (partitionKey === 'bb' ? 'Throttled' : undefined) };
    send('a', '12345');
    send('bb', '123');
    expect(pressure.bytes).toBe(11);
    await time.settle();
    expect(pressure.bytes).toBe(5);
    kinesis.faults = {};
    await allAccepted(time, rows);
    expect(pressure.bytes).toBe(0);
  });
});

describe('accepted', () => {
  it('waits for the rows taken before it, and for no other', async () => {
    const { time, kinesis, rows, send } = start();
    await rows.accepted();
    kinesis.faults = { rejectEntry: ({ data }) => (data[0] === 50 ? 'Throttled' : undefined) };
    send('a', '1');
    const first = watched(rows.accepted());
    send('a', '2');
    const second = watched(rows.accepted());
    await time.advance(60_000);
    expect([first.end, second.end]).toEqual(['resolved', 'open']);
    kinesis.faults = {};
    await time.advance(10_000);
    expect(second.end).toBe('resolved');
  });
});

describe('an outage', () => {
  it('is told of once, as is its end; rows wait, one request asks whether it is over', async () => {
    const { time, kinesis, rows, send, arrived, warnings, failures, requests, under } = start(() => 1);
    kinesis.faults = { fault: () => down() };
    for (let index = 0; index < 1000; index++) send(`key-${index}`, '1');
    const accepted = watched(rows.accepted());
    await time.settle();
    const atOnce = requests.length;
    await time.advance(3600_000);
    expect(accepted.end).toBe('open');
    expect(warnings).toEqual([
      expect.stringMatching(/^Stream enrichedcompanies has not accepted rows for .* Simulated/),
    ]);
    expect(time.slept.slice(0, 9)).toEqual([100, 200, 400, 800, 1600, 3200, 6400, 10_000, 10_000]);
    expect(requests.length - atOnce).toBe(time.slept.length - 1);
    kinesis.faults = {};
    await time.advance(10_000);
    expect(accepted.end).toBe('resolved');
    expect(arrived()).toHaveLength(1000);
    expect(warnings).toHaveLength(2);
    expect(warnings[1]).toMatch(/^Stream enrichedcompanies accepts rows again, after 360\d s/);
    expect(failures).toEqual([]);
    expect(under.doubled).toEqual([]);
  });

  it('leaves nothing behind: four requests at a time again, and the next back-off begins anew', async () => {
    const { time, kinesis, rows, send, under } = start(() => 1);
    kinesis.faults = { fault: () => down('throttled') };
    send('a', '1');
    await time.advance(1000);
    kinesis.faults = { delayMs: () => 20 };
    await allAccepted(time, rows);
    for (let index = 0; index < 4; index++) {
      send(`key-${index}`, '1');
      await time.settle();
    }
    expect(under.way).toBe(4);
    await allAccepted(time, rows);
    const slept = time.slept.length;
    kinesis.faults = { fault: () => down() };
    send('a', '2');
    await time.settle();
    expect(time.slept.slice(slept)).toEqual([100]);
  });

  it('of one shard is an outage, too, and short throttling is none', async () => {
    const { time, kinesis, send, warnings } = start();
    kinesis.faults = { rejectEntry: () => 'ProvisionedThroughputExceededException' };
    send('a', '1');
    await time.advance(1000);
    kinesis.faults = {};
    await time.advance(10_000);
    expect(warnings).toEqual([]);
    kinesis.faults = { rejectEntry: ({ partitionKey }) => (partitionKey === 'a' ? 'InternalFailure' : undefined) };
    send('a', '2');
    for (let index = 0; index < 100; index++) {
      send('b', `${index}`);
      await time.advance(1000);
    }
    expect(warnings).toEqual([expect.stringContaining('InternalFailure')]);
    kinesis.faults = {};
    await time.advance(10_000);
    expect(warnings).toEqual([expect.anything(), expect.stringContaining('accepts rows again')]);
  });
});

describe('the end', () => {
  it.each([
    ['not-found', 'STREAM_NOT_FOUND'],
    ['refused', 'KINESIS_REFUSED'],
  ] as const)('%s: nothing is sent any more, and the error says what to do', async (kind, code) => {
    const { time, kinesis, rows, send, failures, requests, pressure } = start();
    kinesis.faults = { fault: () => down(kind) };
    send('a', '1');
    send('a', '2');
    const accepted = watched(rows.accepted());
    await time.advance(60_000);
    expect(failures).toEqual([expect.objectContaining({ code })]);
    expect(accepted.end).toBe(failures[0]);
    expect(failures[0]).toMatchObject({
      message: expect.stringMatching(
        /stream enrichedcompanies \(enrichedcompanies\.stream\.name\).*run the same command/,
      ),
    });
    send('b', '1');
    await time.advance(60_000);
    expect(requests).toHaveLength(1);
    expect(pressure.bytes).toBe(0);
    await expect(rows.accepted()).rejects.toBe(failures[0]);
  });

  it('a fault of the program is passed on as it is', async () => {
    const { time, kinesis, rows, send, failures } = start();
    const fault = new RangeError('a fault of the program');
    kinesis.faults = {
      fault: () => {
        throw fault;
      },
    };
    send('a', '1');
    await time.settle();
    expect(failures).toEqual([fault]);
    await expect(rows.accepted()).rejects.toBe(fault);
  });

  it('close ends waits and sends nothing more; who waits for rows hears that they were not sent', async () => {
    const { time, kinesis, rows, send, requests, failures, pressure } = start();
    kinesis.faults = { fault: () => down() };
    send('a', '1');
    const accepted = watched(rows.accepted());
    await time.settle();
    expect(time.sleeping).toBe(1);
    await rows.close();
    await time.settle();
    expect(time.sleeping).toBe(0);
    expect(accepted.end).toMatchObject({ code: 'STOPPED' });
    send('b', '1');
    await time.advance(60_000);
    expect(requests).toHaveLength(1);
    expect(failures).toEqual([]);
    expect(pressure.bytes).toBe(0);
  });

  it('after close, an answer that comes late changes nothing', async () => {
    const { time, kinesis, rows, send, pressure, failures, requests } = start();
    for (const late of [undefined, down('refused')]) {
      kinesis.faults = { delayMs: () => 1000, fault: () => late };
      send('a', '1');
      send('a', '2');
      await time.settle();
      await rows.close();
      await time.advance(2000);
    }
    expect(requests).toHaveLength(1);
    expect([pressure.bytes, failures]).toEqual([0, []]);
  });

  it('all accepted before close stays so', async () => {
    const { time, rows, send } = start();
    send('a', '1');
    await time.settle();
    await rows.close();
    await rows.accepted();
  });
});
