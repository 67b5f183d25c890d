import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { kplAggregate } from '../../../test/support/simulated-stream.ts';
import { userRecords } from './deaggregate.ts';

const GOLDEN = new URL('../../../test/fixtures/kpl/', import.meta.url);

interface Golden {
  readonly aggregate: string;
  readonly userRecords: readonly string[];
}

/** As hex: what differs is readable. */
const hex = (records: readonly Uint8Array[] | null) => records?.map((record) => Buffer.from(record).toString('hex'));

// An encoder by hand, which can also write what no library would.

function varint(value: number | bigint): Buffer {
  const bytes: number[] = [];
  let rest = BigInt(value);
  for (; rest > 127n; rest >>= 7n) bytes.push(Number(rest & 127n) | 128);
  return Buffer.from([...bytes, Number(rest)]);
}

const number = (field: number, value: number | bigint) => Buffer.concat([varint(field << 3), varint(value)]);
const text = (field: number, value: Uint8Array | string, length: number | bigint = value.length) =>
  Buffer.concat([varint((field << 3) | 2), varint(length), Buffer.from(value)]);
const record = (...fields: Uint8Array[]) => text(3, Buffer.concat(fields));

function sealed(...fields: Uint8Array[]): Buffer {
  const message = Buffer.concat(fields);
  return Buffer.concat([Buffer.from('f3899ac2', 'hex'), message, createHash('md5').update(message).digest()]);
}

const KEY = text(1, 'comp_1');
const ONE = record(number(1, 0), text(3, 'one'));

describe("aggregates of AWS's own library", () => {
  const names = readdirSync(GOLDEN).filter((name) => name.endsWith('.json'));

  it('there are ten', () => expect(names).toHaveLength(10));

  it.each(names)('%s: all user records, in their order, without a copy', (name) => {
    const golden: Golden = JSON.parse(readFileSync(new URL(name, GOLDEN), 'utf8'));
    const aggregate = Buffer.from(golden.aggregate, 'base64');
    const records = userRecords(aggregate);
    expect(hex(records)).toEqual(golden.userRecords.map((data) => Buffer.from(data, 'base64').toString('hex')));
    expect(records?.every((data) => data.buffer === aggregate.buffer)).toBe(true);
  });
});

describe('aggregates of any kind', () => {
  const bytes = fc.uint8Array({ maxLength: 300 });
  const aggregated = fc.array(
    fc.record({
      partitionKey: fc.constantFrom('a', 'b', 'comp_1', 'é'),
      data: bytes,
      hashKey: fc.option(fc.nat(300)),
      tags: fc.array(fc.string(), { maxLength: 2 }),
    }),
    { minLength: 1, maxLength: 30 },
  );

  it('come apart as they were put together', () => {
    fc.assert(
      fc.property(aggregated, (list) => {
        const encoded = list.map(({ data, hashKey, tags }, index) =>
          record(
            number(1, index),
            ...(hashKey === null ? [] : [number(2, hashKey)]),
            text(3, data),
            ...tags.map((tag) => text(4, text(1, Buffer.from(tag)))),
          ),
        );
        const expected = hex(list.map(({ data }) => data));
        expect(hex(userRecords(sealed(KEY, text(2, '170141183460469231731687'), ...encoded)))).toEqual(expected);
        expect(hex(userRecords(kplAggregate(list)))).toEqual(expected);
      }),
    );
  });

  it('with any byte flipped, cut or added are plain records', () => {
    fc.assert(
      fc.property(aggregated, fc.nat(), fc.integer({ min: 1, max: 255 }), (list, at, flip) => {
        const aggregate = Buffer.from(kplAggregate(list));
        const index = at % aggregate.length;
        expect(userRecords(aggregate.subarray(0, index))).toBeNull();
        expect(userRecords(Buffer.concat([aggregate, Buffer.from([flip])]))).toBeNull();
        aggregate[index] = (aggregate[index] ?? 0) ^ flip;
        expect(userRecords(aggregate)).toBeNull();
      }),
    );
  });

  it('with bytes flipped under a right checksum never throw, and give nothing that is not there', () => {
    fc.assert(
      fc.property(aggregated, fc.array(fc.tuple(fc.nat(), fc.nat(255)), { maxLength: 5 }), (list, flips) => {
        const message = Buffer.from(kplAggregate(list).slice(4, -16));
        for (const [at, flip] of flips) {
          const index = at % message.length;
          message[index] = (message[index] ?? 0) ^ flip;
        }
        expect(bytesOf(userRecords(sealed(message)))).toBeLessThanOrEqual(message.length);
      }),
      { numRuns: 1000 },
    );
  });

  it('random bytes under a right checksum never throw', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (message) => {
        expect(bytesOf(userRecords(sealed(message)))).toBeLessThanOrEqual(message.length);
        expect(userRecords(message)).toBeNull();
      }),
      { numRuns: 1000 },
    );
  });
});

const bytesOf = (records: readonly Uint8Array[] | null) => (records ?? []).reduce((sum, { length }) => sum + length, 0);

describe('what is no aggregate is a plain record', () => {
  it.each([
    ['nothing', Buffer.alloc(0)],
    ['JSON', Buffer.from('{"companyID":"comp_4"}')],
    ['the magic alone', Buffer.from('f3899ac2', 'hex')],
    ['an empty message', sealed()],
    ['an aggregate without user records', sealed(KEY)],
    ['a user record without data', sealed(KEY, ONE, record(number(1, 0)))],
    ['a user record without a key', sealed(KEY, ONE, record(text(3, 'one')))],
    ['data that is a number', sealed(KEY, record(number(1, 0), number(3, 5)))],
    ['data beyond its user record', sealed(KEY, record(number(1, 0), text(3, 'one', 100)), ONE)],
    ['data beyond the message', sealed(KEY, record(number(1, 0), text(3, 'one', 2n ** 62n)))],
    ['a length of all bits', sealed(KEY, record(number(1, 0), text(3, 'one', 2n ** 64n - 1n)))],
    ['a user record beyond the message', sealed(KEY, ONE, text(3, 'one', 10_000_000))],
    ['a key beyond the message', sealed(ONE, text(1, 'comp_1', 10_000_000))],
    ['a tag beyond its user record', sealed(record(number(1, 0), text(3, 'one'), text(4, 'tag', 50)), ONE)],
    ['a field 0', sealed(KEY, ONE, Buffer.from([0, 0]))],
    ['a half field', sealed(KEY, ONE, Buffer.from([0x1a]))],
    ['a number without end', sealed(KEY, ONE, Buffer.alloc(20, 0xff))],
    ['a type that is not one', sealed(KEY, ONE, Buffer.from([0x0f, 1, 1]))],
  ])('%s', (_name, data) => {
    expect(userRecords(data)).toBeNull();
  });

  it('unknown fields are passed over, and keys that are in no table do not matter', () => {
    const strange = record(number(1, 7_000_000_000), number(2, 2n ** 63n), text(3, 'two'), number(9, 1), text(10, 'x'));
    expect(hex(userRecords(sealed(ONE, number(7, 5), text(8, 'later'), strange)))).toEqual(
      hex([Buffer.from('one'), Buffer.from('two')]),
    );
  });

  it('a message of a mebibyte of empty user records gives as many as are in it, and no more', () => {
    const empty = record(number(1, 0), text(3, ''));
    const count = Math.floor((1024 * 1024 - 20) / empty.length);
    const records = userRecords(sealed(Buffer.concat(Array.from({ length: count }, () => empty))));
    expect(empty).toHaveLength(6);
    expect(records?.length).toBe(count);
  });
});
