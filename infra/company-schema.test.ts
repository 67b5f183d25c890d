import fc from 'fast-check';
import Fastify from 'fastify';
import { afterAll, expect, test } from 'vitest';
import { readCompany } from '../src/services/churn-scoring/company-features.ts';
import { COMPANY_SCHEMA } from './company-schema.ts';

// Fastify's validator, kept from changing what it is shown, in API Gateway's place; the template's names without the prefix.
const server = Fastify({ ajv: { customOptions: { coerceTypes: false, removeAdditional: false, useDefaults: false } } });
const { schema: _draft, ...rules } = COMPANY_SCHEMA;
server.post('/', { schema: { body: rules } }, async () => 'ok');
afterAll(() => server.close());

async function gatewayTakes(body: unknown): Promise<boolean> {
  const payload = JSON.stringify(body);
  const { statusCode } = await server.inject({
    method: 'POST',
    url: '/',
    headers: { 'content-type': 'application/json' },
    payload,
  });
  return statusCode === 200;
}

const handlerTakes = (body: unknown): boolean => typeof readCompany(JSON.parse(JSON.stringify(body))) !== 'string';

const company = {
  companyID: 'comp_4',
  industry: 'retail',
  revenu: 29080,
  employees: 14540,
  job30: 4,
  job90: 13,
  monthlyFee: 461,
  totalFee: 1172,
};

test.each([
  ['a company', company, true],
  ['one with employee', { ...company, employees: undefined, employee: 5 }, true],
  ['one with employee, and employees as null', { ...company, employees: null, employee: 5 }, true],
  ['one whose employees are a text, though employee is a number', { ...company, employees: '5', employee: 5 }, false],
  ['one without either', { ...company, employees: undefined }, false],
  ['one with fields that nobody knows', { ...company, tier: 'gold', riskOfChurn: null }, true],
  ['one without a fee', { ...company, totalFee: undefined }, false],
  ['one with half a job', { ...company, job30: 0.5 }, false],
  ['one with fewer than no jobs', { ...company, job90: -1 }, false],
  ['one with a count that no number holds exactly', { ...company, job90: 2 ** 53 }, false],
  ['a list', [company], false],
  ['a text', 'company', false],
])('API Gateway lets through what the handler takes, and no more: %s', async (_what, body, taken) => {
  expect([await gatewayTakes(body), handlerTakes(body)]).toEqual([taken, taken]);
});

test('the same of whatever is sent', async () => {
  const value = fc.oneof(
    fc.constantFrom(null, '', 'x', 0, -1, 1.5, 3, 1e300, 2 ** 53, Number.MAX_SAFE_INTEGER, true, [], {}),
    fc.double({ noNaN: true, noDefaultInfinity: true }),
  );
  const changes = fc.dictionary(fc.constantFrom(...Object.keys(company), 'employee', 'other'), value, { maxKeys: 3 });
  const left = fc.subarray(Object.keys(company), { maxLength: 2 });
  await fc.assert(
    fc.asyncProperty(changes, left, async (changed, missing) => {
      const body = Object.fromEntries(
        Object.entries({ ...company, ...changed }).filter(([name]) => !missing.includes(name)),
      );
      expect(await gatewayTakes(body)).toBe(handlerTakes(body));
    }),
    { numRuns: 500 },
  );
});
