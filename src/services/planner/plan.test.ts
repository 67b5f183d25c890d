import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { INPUTS, type InputName, type InputSpec, type PlanInputs, planNumbers } from './inputs.ts';
import { AWS, MONTH_SECONDS } from './limits.ts';
import { type Plan, planOf } from './plan.ts';
import { planLines } from './plan-text.ts';
import { readPrices } from './prices.ts';

const PRICES_TEXT = readFileSync(new URL('../../../prices.json', import.meta.url), 'utf8');
const PRICES = readPrices(PRICES_TEXT, 'prices.json');

const PARAMETERS: Omit<PlanInputs, 'numbers'> = {
  host: 'flink',
  streams: 'provisioned',
  isLookup: true,
  isScored: true,
  isDecaying: true,
  format: 'json',
  isFanOut: false,
  rollBytes: 64 * 1024 * 1024,
  rollMs: 300_000,
  tenantTtlMs: 300_000,
  tenantCacheSize: 100_000,
  tenantConcurrency: 100,
  scoreConcurrency: 100,
};

function inputs(
  numbers: Partial<Record<InputName, number>> = {},
  parameters: Partial<Omit<PlanInputs, 'numbers'>> = {},
): PlanInputs {
  return {
    ...PARAMETERS,
    ...parameters,
    numbers: { ...planNumbers({ eventsPerSecond: '500', companies: '10000' }), ...numbers },
  };
}

const planned = (...what: Parameters<typeof inputs>): Plan => planOf(inputs(...what), PRICES);
const shardsOf = (plan: Plan, index: number) => plan.streams[index]?.shards ?? Number.NaN;

/** All numbers of a plan, by where they are. */
function numbersOf(value: unknown, path = ''): [string, number][] {
  if (typeof value === 'number') return [[path, value]];
  if (typeof value !== 'object' || value === null) return [];
  return Object.entries(value).flatMap(([key, inner]) => numbersOf(inner, `${path}.${key}`));
}

const anyParameters = fc.record({
  host: fc.constantFrom('node' as const, 'flink' as const),
  streams: fc.constantFrom('provisioned' as const, 'on-demand' as const),
  isLookup: fc.boolean(),
  isScored: fc.boolean(),
  isDecaying: fc.boolean(),
  format: fc.constantFrom('json' as const, 'csv' as const),
  isFanOut: fc.boolean(),
  rollBytes: fc.integer({ min: 1, max: 2 ** 40 }),
  rollMs: fc.integer({ min: 1, max: 86_400_000 }),
  tenantTtlMs: fc.integer({ min: 0, max: 86_400_000 }),
  tenantCacheSize: fc.integer({ min: 1, max: 1e9 }),
  tenantConcurrency: fc.integer({ min: 1, max: 1e6 }),
  scoreConcurrency: fc.integer({ min: 1, max: 1e6 }),
});
const anyNumbers = fc.record(
  Object.fromEntries(
    Object.entries(INPUTS as Record<InputName, InputSpec>).map(([name, { least, most, isWhole }]) => [
      name,
      isWhole === true ? fc.integer({ min: least, max: most }) : fc.double({ min: least, max: most, noNaN: true }),
    ]),
  ) as Record<InputName, fc.Arbitrary<number>>,
);

describe('whatever is asked for', () => {
  test('all figures are finite and not negative, and there is at least one shard, subtask and KPU', () => {
    fc.assert(
      fc.property(anyNumbers, anyParameters, (numbers, parameters) => {
        const plan = planned(numbers, parameters);
        const { perCompanyMost, ...host } = plan.host;
        expect(perCompanyMost).toBeGreaterThan(0);
        for (const [path, value] of numbersOf({ ...plan, host })) {
          expect(value, path).toBeGreaterThanOrEqual(0);
          expect(value, path).toBeLessThan(Number.POSITIVE_INFINITY);
        }
        for (const { shards } of plan.streams) expect(shards).toBeGreaterThanOrEqual(1);
        expect(plan.host.parallelism).toBeGreaterThanOrEqual(1);
        expect(plan.host.kpus).toBeGreaterThanOrEqual(plan.inputs.host === 'flink' ? 2 : 0);
        expect(planLines(plan).join('\n')).not.toMatch(/NaN|Infinity|undefined|null/);
      }),
    );
  });

  test('more events never ask for less: of shards, CPU, calls, objects, KPUs or money', () => {
    fc.assert(
      fc.property(
        anyNumbers,
        anyParameters,
        fc.double({ min: 1, max: 100, noNaN: true }),
        (numbers, parameters, by) => {
          const less = planned(numbers, parameters);
          const more = planned({ ...numbers, eventsPerSecond: numbers.eventsPerSecond * by }, parameters);
          const grown = [
            ...less.streams.map(({ shards }, index) => [shards, shardsOf(more, index)]),
            [less.host.peakCpu, more.host.peakCpu],
            [less.host.parallelism, more.host.parallelism],
            [less.host.kpus, more.host.kpus],
            [less.host.tenantInFlight.needed, more.host.tenantInFlight.needed],
            [less.host.scoreInFlight.needed, more.host.scoreInFlight.needed],
            [less.host.lambdaConcurrency, more.host.lambdaConcurrency],
            [less.host.objectsPerDay, more.host.objectsPerDay],
            [less.load.stateBytes, more.load.stateBytes],
            [less.cost.perMonth, more.cost.perMonth],
          ] as const;
          for (const [before = 0, after = 0] of grown) expect(after).toBeGreaterThanOrEqual(before * (1 - 1e-9));
        },
      ),
    );
  });

  test('a higher peak never asks for less, and costs no more calls, rows or requests', () => {
    fc.assert(
      fc.property(anyNumbers, anyParameters, fc.double({ min: 1, max: 10, noNaN: true }), (numbers, parameters, by) => {
        const low = planned({ ...numbers, peakFactor: 1 }, parameters);
        const high = planned({ ...numbers, peakFactor: by }, parameters);
        for (const [index, { shards }] of low.streams.entries())
          expect(shardsOf(high, index)).toBeGreaterThanOrEqual(shards);
        expect(high.host.parallelism).toBeGreaterThanOrEqual(low.host.parallelism);
        expect(high.load.scores.mean).toBe(low.load.scores.mean);
        expect(high.load.rows.mean).toBe(low.load.rows.mean);
      }),
    );
  });

  test('the cost is the sum of its lines, each its quantity times its price', () => {
    fc.assert(
      fc.property(anyNumbers, anyParameters, (numbers, parameters) => {
        const { cost } = planned(numbers, parameters);
        const all = cost.lines.map(({ perMonth }) => perMonth);
        expect(cost.perMonth).toBeCloseTo(
          all.reduce((sum, each) => sum + each, 0),
          2,
        );
        for (const { quantity, price, perMonth } of cost.lines) expect(perMonth).toBe(quantity * PRICES.of[price]);
        const millions = (numbers.eventsPerSecond * MONTH_SECONDS) / 1e6;
        if (millions >= 1e-6) expect(cost.perMillionEvents).toBe(cost.perMonth / millions);
        else expect(cost.perMillionEvents).toBeNull();
      }),
    );
  });
});

describe('shards of bigdatajobs', () => {
  const shards = (numbers: Partial<Record<InputName, number>>, isFanOut = false) =>
    shardsOf(planned({ peakFactor: 1, utilization: 1, ...numbers }, { isFanOut }), 0);

  test('one for 1,000 small records a second, two for one more', () => {
    expect(shards({ eventsPerSecond: 1000, eventBytes: 100 })).toBe(1);
    expect(shards({ eventsPerSecond: 1001, eventBytes: 100 })).toBe(2);
  });

  test('one for 1 MiB a second, two for a byte more', () => {
    expect(shards({ eventsPerSecond: 512, eventBytes: 2048 })).toBe(1);
    expect(shards({ eventsPerSecond: 512, eventBytes: 2049 })).toBe(2);
  });

  test('for the peak, and with room', () => {
    expect(shards({ eventsPerSecond: 1000, eventBytes: 100, peakFactor: 3 })).toBe(3);
    expect(shards({ eventsPerSecond: 1000, eventBytes: 100, peakFactor: 3, utilization: 0.5 })).toBe(6);
  });

  test('of enrichedcompanies: reads are shared by all that poll it', () => {
    const enriched = (rowReaders: number) =>
      shardsOf(planned({ eventsPerSecond: 1000, peakFactor: 1, utilization: 1, rowBytes: 1024, rowReaders }), 2);
    expect(enriched(2)).toBe(1);
    expect(enriched(4)).toBe(2);
  });
});

describe('calls', () => {
  test('a company is asked about at most once in tenant.cache.ttl, however many events it has', () => {
    const { load } = planned({ eventsPerSecond: 1e6, companies: 3000 });
    expect(load.lookups.mean).toBeGreaterThan(9.99);
    expect(load.lookups.mean).toBeLessThanOrEqual(10);
    expect(planned({ eventsPerSecond: 1e6, companies: 3000 }, { isLookup: false }).load.lookups.mean).toBe(0);
  });

  test('never more often than events come, and for each of them without a cache', () => {
    expect(planned({ eventsPerSecond: 1, companies: 1e6 }, { tenantCacheSize: 1e9 }).load.lookups.mean).toBeLessThan(1);
    expect(planned({ eventsPerSecond: 7 }, { tenantTtlMs: 0 }).load.lookups.mean).toBeCloseTo(7, 9);
  });

  test('each row is scored, those of decay too, but for features that repeat', () => {
    const { load } = planned({ eventsPerSecond: 1, companies: 86_400, repeatShare: 0.25 });
    expect(load.rows.mean).toBeCloseTo(2, 9);
    expect(load.scores.mean).toBeCloseTo(1.5, 9);
    expect(planned({}, { isScored: false }).load.scores).toEqual({ mean: 0, peak: 0 });
  });

  test("in flight by Little's law: rate times latency, with room, over the subtasks", () => {
    const { host } = planned({ eventsPerSecond: 1000, peakFactor: 2, scoreLatencyMs: 70, utilization: 0.7 });
    expect(host.scoreInFlight.needed).toBe(200);
    expect(host.scoreInFlight.perSubtask).toBe(Math.max(100, Math.ceil(200 / host.parallelism)));
    expect(host.lambdaConcurrency).toBe(Math.ceil((2000 * 0.08) / 0.7));
  });
});

describe('nothing to do', () => {
  test('without events and companies there are no calls, rows, objects and state, but streams and a host cost', () => {
    const { load, host, cost } = planned({ eventsPerSecond: 0, companies: 0 });
    expect([load.rows.mean, load.lookups.mean, load.scores.mean, load.stateBytes]).toEqual([0, 0, 0, 0]);
    expect([host.objectsPerDay, host.parallelism, host.kpus]).toEqual([0, 1, 2]);
    expect(cost.perMillionEvents).toBeNull();
    expect(cost.perMonth).toBeGreaterThan(0);
  });

  test('companies without events have rows of decay all the same', () => {
    expect(planned({ eventsPerSecond: 0 }).load.midnightRows).toBe(10_000);
    expect(planned({ eventsPerSecond: 0 }, { isDecaying: false }).load.rows.mean).toBe(0);
  });
});

describe('what streams cost', () => {
  const DAY_GB = (1000 * 86_400 * 1024) / 2 ** 30;
  const MONTH_GB = (1000 * MONTH_SECONDS * 1024) / 2 ** 30;
  const lines = (numbers: Partial<Record<InputName, number>>, parameters: Parameters<typeof inputs>[1] = {}) => {
    const load = { eventsPerSecond: 1000, eventBytes: 1024, peakFactor: 1, utilization: 1, ...numbers };
    const all = planned(load, parameters).cost.lines.filter(({ part }) => part === 'stream bigdatajobs');
    return Object.fromEntries(all.map(({ price, quantity }) => [price, quantity]));
  };

  test('with shards: their hours, payload units, what is kept for longer, and fan-out', () => {
    expect(lines({})).toEqual({ 'kinesis.shard': 730, 'kinesis.put': 2628 });
    expect(lines({ retentionHours: 48 })['kinesis.retention7']).toBe(730);
    expect(lines({ retentionHours: 24 * 10 })['kinesis.retentionLong']).toBeCloseTo(3 * DAY_GB, 6);
    expect(lines({}, { isFanOut: true })).toMatchObject({ 'kinesis.fanOut': 730, 'kinesis.fanOutData': MONTH_GB });
  });

  test('on demand: GB in and out, what is kept for longer, and fan-out in place of reads', () => {
    const streams = 'on-demand';
    const both = { 'kinesis.onDemandStream': 730, 'kinesis.onDemandIn': MONTH_GB };
    expect(lines({}, { streams })).toEqual({ ...both, 'kinesis.onDemandOut': MONTH_GB });
    expect(lines({}, { streams, isFanOut: true })).toEqual({ ...both, 'kinesis.onDemandFanOut': MONTH_GB });
    const kept = lines({ retentionHours: 24 * 10 }, { streams });
    expect(kept['kinesis.onDemandRetention7']).toBeCloseTo(6 * DAY_GB, 6);
    expect(kept['kinesis.retentionLong']).toBeCloseTo(3 * DAY_GB, 6);
    expect(lines({ retentionHours: 36 }, { streams })['kinesis.onDemandRetention7']).toBeCloseTo(DAY_GB / 2, 6);
  });
});

describe('warnings', () => {
  const said = (...what: Parameters<typeof inputs>) => planned(...what).warnings.join('\n');

  test('a company that is too busy for rows that leave one after the other, or for one shard', () => {
    expect(said({ eventsPerSecond: 10, busiestShare: 0.1 })).toBe('');
    expect(said({ eventsPerSecond: 1000, busiestShare: 0.1 })).toMatch(
      /busiest company has 300 events\/s .* at most 10\/s/,
    );
    expect(said({ eventsPerSecond: 5000, busiestShare: 0.1 })).toMatch(/all in one shard of bigdatajobs/);
    expect(said({ eventsPerSecond: 100 }, { host: 'node', isScored: false })).not.toMatch(/busiest/);
    expect(said({ eventsPerSecond: 200 }, { host: 'node', isScored: false })).toMatch(
      /at most 50\/s \(each waits until/,
    );
  });

  test('calls that API Gateway sells for less than the price of the first ones', () => {
    expect(said({ eventsPerSecond: 100, busiestShare: 0 })).not.toMatch(/API Gateway/);
    expect(said({ eventsPerSecond: 500, busiestShare: 0 })).toMatch(/1,314\.3 million calls .* beyond 333 million/);
  });

  test('more than one process, the quotas, and the key groups take', () => {
    expect(said({ eventsPerSecond: 20_000, busiestShare: 0 }, { host: 'node' })).toMatch(/Use --host flink/);
    expect(said({ eventsPerSecond: 1e6, busiestShare: 0 })).toMatch(/KPUs are beyond a quota/);
    expect(said({ eventsPerSecond: 1e6, busiestShare: 0 })).toMatch(/128 key groups/);
    expect(said({ eventsPerSecond: 1e6, busiestShare: 0 })).toContain(AWS.lambdaQuota.name);
  });

  test('readers of the rows that take the reads of a shard from each other', () => {
    expect(said({ eventsPerSecond: 1, rowReaders: 5 })).toBe('');
    expect(said({ eventsPerSecond: 1, rowReaders: 6 })).toMatch(/6 readers poll enrichedcompanies .*5 GetRecords\/s/);
  });

  test('caches that do not hold all companies', () => {
    expect(said({ companies: 100_000, eventsPerSecond: 1 })).toBe('');
    expect(said({ companies: 100_001, eventsPerSecond: 1 })).toMatch(/tenant\.cache\.size \(100,000\)/);
  });
});

describe('inputs', () => {
  test.each([
    [{}, /--events-per-second: expected a number from 0 to 1000000000 .* it is missing/],
    [{ eventsPerSecond: '1' }, /--companies: expected a whole number .* it is missing/],
    [{ eventsPerSecond: '-1', companies: '1' }, /--events-per-second: .* got -1\.$/],
    [{ eventsPerSecond: 'many', companies: '1' }, /--events-per-second: .* got many\.$/],
    [{ eventsPerSecond: ' ', companies: '1' }, /--events-per-second: /],
    [{ eventsPerSecond: '1', companies: '1.5' }, /--companies: expected a whole number .* got 1\.5\.$/],
    [{ eventsPerSecond: '1', companies: '1', peakFactor: '0.5' }, /--peak-factor: expected a number from 1 to 1000/],
    [{ eventsPerSecond: '1', companies: '1', derate: '0' }, /--derate: /],
    [{ eventsPerSecond: 'Infinity', companies: '1' }, /--events-per-second: /],
  ] as const)('%o is refused by name', (given, message) => {
    expect(() => planNumbers(given)).toThrow(
      expect.objectContaining({ code: 'USAGE', message: expect.stringMatching(message) }),
    );
  });
});

describe('prices', () => {
  type Edited = { prices: Record<string, { price: unknown; unit: string; source: string }>; asOf: string };
  const edited = (edit: (file: Edited) => void) => {
    const file = JSON.parse(PRICES_TEXT) as Edited;
    edit(file);
    return () => readPrices(JSON.stringify(file), 'mine.json');
  };

  test('of this package have a day, a region, a page each, and say that nobody checked them', () => {
    const file = JSON.parse(PRICES_TEXT) as { prices: Record<string, { source: string }>; note: string };
    for (const { source } of Object.values(file.prices)) expect(source).toMatch(/^https:\/\/aws\.amazon\.com\//);
    expect(file.note).toMatch(/not checked/);
    expect(PRICES).toMatchObject({ region: 'us-west-2', currency: 'USD' });
  });

  test.each([
    ['missing', (file: Edited) => delete file.prices['flink.kpu'], /flink\.kpu is missing \(per KPU-hour\)/],
    ['negative', (file: Edited) => Object.assign(file.prices['s3.put'] ?? {}, { price: -1 }), /s3\.put price: .*>=0/],
    ['no number', (file: Edited) => Object.assign(file.prices['s3.put'] ?? {}, { price: '1' }), /s3\.put price/],
    [
      'unknown',
      (file: Edited) => Object.assign(file.prices, { 'flink.kpus': { price: 1, unit: 'h', source: '' } }),
      /flink\.kpus is not known; known are .*flink\.kpu/,
    ],
    [
      'per another unit',
      (file: Edited) => Object.assign(file.prices['flink.kpu'] ?? {}, { unit: 'KPU-month' }),
      /flink\.kpu is per KPU-month, expected per KPU-hour/,
    ],
    ['without a day', (file: Edited) => Object.assign(file, { asOf: 'today' }), /asOf/],
  ])('a price that is %s is named, with the file', (_name, edit, message) => {
    expect(edited(edit)).toThrow(
      expect.objectContaining({ code: 'PARAMETER_INVALID', message: expect.stringMatching(message) }),
    );
    expect(edited(edit)).toThrow(/^mine\.json: .*--prices/);
  });

  test('a file that is no JSON is told as that', () => {
    expect(() => readPrices('prices:', 'mine.json')).toThrow(/^mine\.json: expected JSON/);
  });

  test('a price that doubles doubles its lines, and nothing else', () => {
    const twice = edited((file) => Object.assign(file.prices['flink.kpu'] ?? {}, { price: 0.22 }))();
    const [one, two] = [planned(), planOf(inputs(), twice)];
    for (const [index, line] of one.cost.lines.entries()) {
      expect(two.cost.lines[index]?.perMonth).toBeCloseTo(line.perMonth * (line.price === 'flink.kpu' ? 2 : 1), 9);
    }
  });
});
