import { readFileSync } from 'node:fs';
import { csvParse } from 'd3-dsv';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { accuracy, areaUnderCurve, brierScore, generatedCompany } from '../../../test/support/churn-companies.ts';
import { seededRandom } from '../../base/random.ts';
import { churnModel } from './churn-model.ts';
import type { CompanyFeatures } from './company-features.ts';
import {
  binsFromColumns,
  binsOf,
  columnsOf,
  contributionsOf,
  logOdds,
  probabilityOf,
  readScorecard,
  type Scorecard,
} from './scorecard.ts';

const ARTIFACT = new URL('../../../model/model.json', import.meta.url);
const committed = () => JSON.parse(readFileSync(ARTIFACT, 'utf8'));

const oddsOf = (company: CompanyFeatures) => logOdds(churnModel, binsOf(churnModel, company));

const anyNumber = fc.oneof(fc.double({ noNaN: true, noDefaultInfinity: true }), fc.integer({ min: 0, max: 200_000 }));
const anyCount = fc.oneof(fc.nat({ max: 120 }), fc.maxSafeNat());
const anyCompany: fc.Arbitrary<CompanyFeatures> = fc.record({
  industry: fc.oneof(fc.string(), fc.constantFrom('gov', 'Retail', 'IT', 'consulting', 'finance')),
  revenu: anyNumber,
  employees: anyNumber,
  job30: anyCount,
  job90: anyCount,
  monthlyFee: anyNumber,
  totalFee: anyNumber,
});

test('scores are those that Python gives, to 1e-9', () => {
  const rows = csvParse(readFileSync(new URL('../../../test/fixtures/churn-scores.csv', import.meta.url), 'utf8'));
  expect(rows.length).toBe(400);
  for (const row of rows) {
    const number = (name: string) => Number(row[name]);
    const odds = oddsOf({
      industry: row.industry ?? '',
      revenu: number('revenu'),
      employees: number('employees'),
      job30: number('job30'),
      job90: number('job90'),
      monthlyFee: number('monthlyFee'),
      totalFee: number('totalFee'),
    });
    expect(Math.abs(odds - number('logOdds'))).toBeLessThanOrEqual(1e-9);
    expect(Math.abs(probabilityOf(odds) - number('probability'))).toBeLessThanOrEqual(1e-9);
  }
});

test('on companies of the generator that it has not seen, the model tells who leaves, and how surely', () => {
  const random = seededRandom(20_260_101);
  const scored = Array.from({ length: 20_000 }, () => {
    const company = generatedCompany(random);
    return { probability: probabilityOf(oddsOf(company)), left: company.left };
  });
  expect(areaUnderCurve(scored)).toBeGreaterThanOrEqual(0.999);
  expect(accuracy(scored, churnModel.threshold)).toBeGreaterThanOrEqual(0.99);
  expect(brierScore(scored)).toBeLessThanOrEqual(0.01);
});

test('the artifact names what was measured on the held-out fifth, and why it cuts where it does', () => {
  const { heldOut, costRatio, threshold, training } = committed();
  expect(heldOut.rows / (heldOut.rows + training.rows)).toBe(0.2);
  expect(heldOut.auc).toBeGreaterThanOrEqual(0.999);
  expect(heldOut.accuracy).toBeGreaterThanOrEqual(0.99);
  expect(heldOut.brier).toBeLessThanOrEqual(0.01);
  expect(threshold).toBe(1 / (1 + costRatio));
});

test('more jobs never raise the risk, whatever the company', () => {
  fc.assert(
    fc.property(anyCompany, anyCount, anyCount, (company, more30, more90) => {
      const busier = { ...company, job30: company.job30 + more30, job90: company.job90 + more90 };
      expect(oddsOf(busier)).toBeLessThanOrEqual(oddsOf(company));
    }),
    { numRuns: 2000 },
  );
});

test('contributions are exact: with the score of the mean company they add up to the score', () => {
  const meanOdds = churnModel.features.reduce(
    (sum, { weights, means }) => sum + weights.reduce((inner, weight, bin) => inner + weight * (means[bin] ?? 0), 0),
    churnModel.intercept,
  );
  fc.assert(
    fc.property(anyCompany, (company) => {
      const contributions = Object.values(contributionsOf(churnModel, binsOf(churnModel, company)));
      const sum = contributions.reduce((one, other) => one + other, meanOdds);
      expect(sum).toBeCloseTo(oddsOf(company), 9);
    }),
  );
});

test('a linear model over the columns gives the same score, and the columns name the company again', () => {
  const weights = churnModel.features.flatMap((feature) => feature.weights);
  fc.assert(
    fc.property(anyCompany, (company) => {
      const bins = binsOf(churnModel, company);
      const columns = columnsOf(churnModel, bins);
      const linear = columns.reduce((sum, x, index) => sum + x * (weights[index] ?? 0), churnModel.intercept);
      expect(linear).toBeCloseTo(oddsOf(company), 9);
      expect(binsFromColumns(churnModel, columns)).toEqual(bins);
    }),
  );
});

test('an unknown industry lies between a safe one and a risky one', () => {
  const company = { ...generatedCompany(seededRandom(1)), job30: 7, job90: 70 };
  const [safe, unknown, risky] = ['gov', 'zeppelins', 'retail'].map((industry) =>
    probabilityOf(oddsOf({ ...company, industry })),
  );
  expect(safe).toBeLessThan(0.02);
  // A third of the industries are risky.
  expect(unknown).toBeCloseTo(0.33, 2);
  expect(risky).toBeGreaterThan(0.98);
});

test.each<
  [
    string,
    (model: { -readonly [K in keyof Scorecard]: unknown } & { features: Record<string, unknown>[] }) => unknown,
    RegExp,
  ]
>([
  ['of another format', (model) => ({ ...model, format: 2 }), /got another format/],
  ['that is no object', () => null, /got another format/],
  ['without a threshold', (model) => ({ ...model, threshold: undefined }), /no threshold/],
  ['with other features', (model) => ({ ...model, features: model.features.slice(1) }), /instead of industry, revenu/],
  ['with a weight too few', (model) => changed(model, 1, { weights: [0] }), /revenu: 1 weights for 5 bins/],
  [
    'with edges that do not rise',
    (model) => changed(model, 1, { edges: [2, 2, 3, 4] }),
    /revenu: edges that do not rise/,
  ],
  [
    'in which more jobs raise the risk',
    (model) => changed(model, 3, { weights: [0, 0, -1, -1, -1, -1, -0.9] }),
    /job30: a weight that rises/,
  ],
])('a model %s is refused, and told how to get a right one', (_what, change, expected) => {
  const reading = () => readScorecard(change(committed()), 'model.json');
  expect(reading).toThrow(expected);
  expect(reading).toThrow(/^model\.json: expected a churn scorecard.*Train it again/);
});

function changed(model: { features: Record<string, unknown>[] }, index: number, change: object) {
  return {
    ...model,
    features: model.features.map((feature, at) => (at === index ? { ...feature, ...change } : feature)),
  };
}
