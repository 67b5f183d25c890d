import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { kplAggregate } from '../../../test/support/simulated-stream.ts';
import { aggregateRecord } from './aggregate.ts';
import { userRecords } from './deaggregate.ts';

const hex = (records: readonly Uint8Array[] | null) => records?.map((data) => Buffer.from(data).toString('hex'));

test('what was put together comes apart as it was, empty records too', () => {
  fc.assert(
    fc.property(
      fc.string({ minLength: 1, maxLength: 128 }),
      fc.array(fc.uint8Array({ maxLength: 400 }), { minLength: 1, maxLength: 50 }),
      (partitionKey, list) => {
        const aggregate = aggregateRecord(partitionKey, list);
        expect(hex(userRecords(aggregate))).toEqual(hex(list));
        const entries = list.map((data) => ({ partitionKey, data }));
        expect(Buffer.from(aggregate)).toEqual(Buffer.from(kplAggregate(entries)));
      },
    ),
  );
});

test.each(['one', 'several-of-one-key'])("%s: the same bytes as AWS's own library makes", (name) => {
  const golden: { aggregate: string; userRecords: string[]; partitionKey?: string } = JSON.parse(
    readFileSync(new URL(`../../../test/fixtures/kpl/${name}.json`, import.meta.url), 'utf8'),
  );
  const aggregate = Buffer.from(golden.aggregate, 'base64');
  // The key is the first thing in the message: a field, its length, its text.
  const key = aggregate.subarray(6, 6 + (aggregate[5] ?? 0)).toString('utf8');
  const records = golden.userRecords.map((data) => Buffer.from(data, 'base64'));
  expect(Buffer.from(aggregateRecord(key, records)).toString('hex')).toBe(aggregate.toString('hex'));
});
