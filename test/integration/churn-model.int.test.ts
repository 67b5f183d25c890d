import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { csvFormat, csvParse } from 'd3-dsv';
import { expect, test } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import { churnModel } from '../../src/services/churn-scoring/churn-model.ts';
import { binsOf, logOdds, probabilityOf } from '../../src/services/churn-scoring/scorecard.ts';
import { generatedCompany } from '../support/churn-companies.ts';
import { missingForTraining, pythonForTraining } from '../support/model-venv.ts';
import { runPython } from '../support/python-venv.ts';

const missing = missingForTraining();
const needs = missing === null ? '' : ` (needs ${missing})`;
const MINUTES = 60_000;

test.skipIf(missing !== null)(
  `training again gives the committed model, byte for byte${needs}`,
  async () => {
    const folder = await mkdtemp(join(tmpdir(), 'churn-model-'));
    try {
      const output = join(folder, 'model.json');
      await runPython(await pythonForTraining(), ['model/train.py', '--output', output]);
      expect(await readFile(output, 'utf8')).toBe(await readFile('model/model.json', 'utf8'));
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  },
  3 * MINUTES,
);

test.skipIf(missing !== null)(`thousands of companies score the same in Python, to 1e-9${needs}`, async () => {
  const random = seededRandom(11);
  const companies = Array.from({ length: 5000 }, (_, index) => {
    const { left, ...company } = generatedCompany(random);
    // Most as in training, some far outside.
    const factor = 10 ** (12 * random() - 3);
    const strange = {
      industry: 'zeppelins',
      revenu: company.revenu * factor,
      job90: Math.floor(company.job90 * factor),
    };
    return index % 5 === 0 ? { ...company, ...strange } : company;
  });
  const scored = csvParse(await runPython('python3', ['model/scorecard.py'], csvFormat(companies)));
  expect(scored.length).toBe(companies.length);
  for (const [index, company] of companies.entries()) {
    const odds = logOdds(churnModel, binsOf(churnModel, company));
    expect(Math.abs(odds - Number(scored[index]?.logOdds))).toBeLessThanOrEqual(1e-9);
    expect(Math.abs(probabilityOf(odds) - Number(scored[index]?.probability))).toBeLessThanOrEqual(1e-9);
  }
});

test.skipIf(missing !== null)(
  `the scores that every machine is held to are those of Python today${needs}`,
  async () => {
    const committed = await readFile('test/fixtures/churn-scores.csv', 'utf8');
    expect(await runPython('python3', ['model/scorecard.py'], committed)).toBe(committed);
  },
);
