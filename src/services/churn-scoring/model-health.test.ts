import { expect, test } from 'vitest';
import { generatedCompany } from '../../../test/support/churn-companies.ts';
import { seededRandom } from '../../base/random.ts';
import { churnModel } from './churn-model.ts';
import type { CompanyFeatures } from './company-features.ts';
import { ModelHealth } from './model-health.ts';
import { binsOf } from './scorecard.ts';

function serve(health: ModelHealth, rows: number, change: Partial<CompanyFeatures> = {}, seed = 5) {
  const random = seededRandom(seed);
  for (let row = 0; row < rows; row++) {
    health.served(binsOf(churnModel, { ...generatedCompany(random), ...change }), 0.25);
  }
}

async function told(health: ModelHealth, metric: string): Promise<number> {
  const line = (await health.metrics()).split('\n').find((one) => one.startsWith(`${metric} `));
  return line === undefined ? Number.NaN : Number(line.slice(metric.length + 1));
}

const psi = (feature: string) => `churn_model_psi{feature="${feature}"}`;
const NAMES = churnModel.features.map(({ name }) => name);

test('companies as in training show no drift', async () => {
  const health = new ModelHealth(churnModel);
  serve(health, 5000);
  for (const name of NAMES) expect(await told(health, psi(name))).toBeLessThan(0.02);
});

test('a feature that moves away shows drift, and no other one does', async () => {
  const health = new ModelHealth(churnModel);
  serve(health, 5000, { job90: 5 });
  for (const name of NAMES) {
    const index = await told(health, psi(name));
    if (name === 'job90') expect(index).toBeGreaterThan(0.25);
    else expect(index).toBeLessThan(0.02);
  }
});

test('drift is told of the last rows, so that it shows soon and passes', async () => {
  const health = new ModelHealth(churnModel);
  serve(health, 12_000, { industry: 'zeppelins' });
  expect(await told(health, 'churn_model_unknown_industry_ratio')).toBe(1);
  expect(await told(health, psi('industry'))).toBeGreaterThan(0.25);
  serve(health, 5000);
  expect(await told(health, 'churn_model_unknown_industry_ratio')).toBe(0.5);
  serve(health, 5000, {}, 6);
  expect(await told(health, 'churn_model_unknown_industry_ratio')).toBe(0);
  expect(await told(health, psi('industry'))).toBeLessThan(0.02);
  expect(await told(health, 'churn_model_window_rows')).toBe(10_000);
  expect(await told(health, 'churn_model_rows_total')).toBe(22_000);
});

test('of a handful of rows no drift is told: it would be chance', async () => {
  const health = new ModelHealth(churnModel);
  serve(health, 99);
  expect(await told(health, psi('job30'))).toBeNaN();
  serve(health, 1);
  expect(await told(health, psi('job30'))).not.toBeNaN();
});

test('the distribution of scores is told', async () => {
  const health = new ModelHealth(churnModel);
  serve(health, 10);
  expect(await told(health, 'churn_model_score_bucket{le="0.2"}')).toBe(0);
  expect(await told(health, 'churn_model_score_bucket{le="0.3"}')).toBe(10);
});

test('with outcomes given, probabilities that come true are told from those that do not', async () => {
  const [right, wrong] = [new ModelHealth(churnModel), new ModelHealth(churnModel)];
  expect(await told(right, 'churn_model_calibration_error')).toBeNaN();
  for (let index = 0; index < 100; index++) {
    right.outcome({ probability: 0.85, left: index < 85 });
    wrong.outcome({ probability: 0.85, left: index < 15 });
  }
  right.outcome({ probability: 1, left: true });
  expect(await told(right, 'churn_model_calibration_error')).toBeCloseTo(0, 9);
  expect(await told(wrong, 'churn_model_calibration_error')).toBeCloseTo(0.7, 9);
  expect(await told(wrong, 'churn_model_observed_ratio{band="0.8-0.9"}')).toBe(0.15);
  expect(await told(wrong, 'churn_model_predicted_ratio{band="0.8-0.9"}')).toBeCloseTo(0.85, 9);
  expect(await told(right, 'churn_model_outcomes{band="0.9-1"}')).toBe(1);
  expect(await told(wrong, 'churn_model_brier_score')).toBeGreaterThan(await told(right, 'churn_model_brier_score'));
});
