import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ByteWriter } from '../base/bytes.ts';
import { MAX_TIME } from '../base/time.ts';
import type { DeadLetter } from '../runtime/contract.ts';
import { base64, deadLetterPartition, encodeDeadLetter } from './dead-letter.ts';

const letter: DeadLetter = {
  source: 'jobs.jsonl',
  shardId: null,
  sequenceNumber: '12',
  arrivalTime: Date.UTC(2025, 0, 2, 23, 59, 59, 999),
  reason: 'malformed',
  message: 'expected "this",\ngot that',
  payload: Buffer.from('{"companyID":'),
};

function lineOf(of: DeadLetter): string {
  const to = new ByteWriter(1);
  encodeDeadLetter(of, to);
  return new TextDecoder().decode(to.take());
}

test('base64 is that of RFC 4648, for any bytes', () => {
  const holds = (bytes: Uint8Array): boolean => base64(bytes) === Buffer.from(bytes).toString('base64');
  fc.assert(fc.property(fc.uint8Array({ maxLength: 100 }), holds), { numRuns: 1000 });
  expect(['', 'f', 'fo', 'foo', 'foob'].map((text) => base64(Buffer.from(text)))).toEqual([
    '',
    'Zg==',
    'Zm8=',
    'Zm9v',
    'Zm9vYg==',
  ]);
  expect(holds(Uint8Array.from({ length: 256 }, (_, byte) => byte))).toBe(true);
});

test('a dead letter is one line of JSON with its origin, its reason and the original bytes', () => {
  const line = lineOf(letter);
  expect(line.indexOf('\n')).toBe(line.length - 1);
  expect(JSON.parse(line)).toEqual({ ...letter, payload: 'eyJjb21wYW55SUQiOg==' });
  expect(Object.keys(JSON.parse(line))).toEqual([
    ...['source', 'shardId', 'sequenceNumber', 'arrivalTime', 'reason', 'message', 'payload'],
  ]);
});

test('what was not readable comes back byte by byte', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.string({ unit: 'binary' }), (payload, message) => {
      const read = JSON.parse(lineOf({ ...letter, payload, message, shardId: 'shardId-000000000001' }));
      expect(Buffer.from(read.payload, 'base64').equals(payload)).toBe(true);
      expect(read).toMatchObject({ message, shardId: 'shardId-000000000001' });
    }),
  );
});

test('dead letters lie by the UTC date on which their record arrived', () => {
  const at = (arrivalTime: number): string => deadLetterPartition({ ...letter, arrivalTime });
  expect(at(letter.arrivalTime)).toBe('dt=2025-01-02');
  expect(at(letter.arrivalTime + 1)).toBe('dt=2025-01-03');
  expect(at(MAX_TIME)).toBe('dt=9999-12-31');
});
