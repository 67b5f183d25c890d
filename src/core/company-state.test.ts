import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { ByteReader, ByteWriter } from '../base/bytes.ts';
import { type CompanyState, companyStateCodec, NO_DAY, tombstone } from './company-state.ts';
import { DayBuckets, LONG_WINDOW } from './day-buckets.ts';
import type { CompanyProfile } from './events.ts';

const anyCount = fc.oneof(fc.nat(200), fc.constantFrom(0, 127, 128, 2 ** 32), fc.maxSafeNat());
const anyNumber = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.nat());
const anyText = fc.string({ unit: 'binary', maxLength: 20 });
const anyProfile: fc.Arbitrary<CompanyProfile> = fc.record({
  companyID: anyText,
  industry: anyText,
  revenu: anyNumber,
  employees: anyNumber,
  job30: anyCount,
  job90: anyCount,
  monthlyFee: anyNumber,
  totalFee: anyNumber,
});
const anyDay = fc.oneof(fc.nat(100), fc.nat(2_932_896));
const anyBuckets = fc
  .record({ day: anyDay, jobs: fc.array(fc.tuple(fc.nat(LONG_WINDOW - 1), fc.nat(2 ** 45)), { maxLength: 100 }) })
  .map(({ day, jobs }) => {
    const buckets = new DayBuckets(day);
    for (const [age, count] of jobs) if (age <= day) buckets.add(day - age, count);
    return buckets;
  });
const anyState: fc.Arbitrary<CompanyState> = fc.record({
  profile: anyProfile,
  time: fc.maxSafeNat(),
  version: fc.maxSafeNat(),
  baseDay: anyDay,
  buckets: fc.option(anyBuckets),
  settled: fc.oneof(anyDay, fc.constant(NO_DAY)),
  stated30: anyCount,
  stated90: anyCount,
  due: fc.oneof(anyDay, fc.constant(NO_DAY)),
});

function encoded(state: CompanyState): Uint8Array {
  const to = new ByteWriter(16);
  companyStateCodec.encode(state, to);
  return to.take();
}

function decoded(bytes: Uint8Array): CompanyState {
  const from = new ByteReader(bytes);
  const state = companyStateCodec.decode(from, 1);
  expect(from.remaining).toBe(0);
  return state;
}

/** A state as plain data, its buckets as day and count. */
function plain({ buckets, ...rest }: CompanyState): object {
  if (buckets === null) return rest;
  const days = Array.from({ length: LONG_WINDOW }, (_, age) => buckets.day - age).filter((day) => day >= 0);
  const { day, sum30, sum90 } = buckets;
  return { ...rest, day, sum30, sum90, counts: days.map((counted) => buckets.count(counted)) };
}

test('any state comes back from its bytes as it was', () => {
  fc.assert(
    fc.property(anyState, (state) => {
      expect(plain(decoded(encoded(state)))).toEqual(plain(state));
    }),
    { numRuns: 1000 },
  );
});

test('a tombstone keeps its time and version, and takes a few bytes', () => {
  const grave = tombstone(1_750_000_000_000, 12);
  expect(decoded(encoded(grave))).toEqual(grave);
  expect(encoded(grave).length).toBeLessThan(10);
});

test('a company with one busy day costs little more than its profile, however many days are empty', () => {
  const profile = {
    companyID: 'a',
    industry: 'IT',
    revenu: 1,
    employees: 1,
    job30: 1,
    job90: 1,
    monthlyFee: 1,
    totalFee: 1,
  };
  const buckets = new DayBuckets(20_000);
  buckets.add(19_950, 5);
  const state = { ...tombstone(1_750_000_000_000, 1), profile, baseDay: 20_000, buckets };
  expect(encoded(state).length).toBeLessThan(45);
});

describe('bytes that cannot be a state are refused', () => {
  test('when they are cut anywhere', () => {
    const buckets = new DayBuckets(20_000);
    for (let age = 0; age < LONG_WINDOW; age += 7) buckets.add(20_000 - age, 300);
    const [profile] = fc.sample(anyProfile, { numRuns: 1, seed: 3 });
    const state = { ...tombstone(5, 6), profile: profile ?? null, buckets, settled: 20_000, due: 20_001 };
    const bytes = encoded(state);
    for (let length = 0; length < bytes.length; length++) {
      expect(() => companyStateCodec.decode(new ByteReader(bytes.subarray(0, length)), 1)).toThrow(RangeError);
    }
  });

  test('when they are of a layout that is not known', () => {
    const bytes = encoded(tombstone(5, 6));
    for (const version of [0, 2]) {
      expect(() => companyStateCodec.decode(new ByteReader(bytes), version)).toThrow(
        `expected layout 1, got ${version}`,
      );
    }
  });
});
