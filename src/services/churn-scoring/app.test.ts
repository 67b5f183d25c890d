import { afterEach, expect, test } from 'vitest';
import { serviceServer } from '../server.ts';
import { churnScoring } from './app.ts';
import { scoreByRules } from './rules.ts';

const company = {
  companyID: 'comp_1',
  industry: 'finance',
  revenu: 99420,
  employees: 49710,
  job30: 7,
  job90: 97,
  monthlyFee: 424,
  totalFee: 3039,
};

const servers: ReturnType<typeof serviceServer>[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

function server(apiKey = '') {
  const made = serviceServer();
  made.register(churnScoring, { apiKey });
  servers.push(made);
  return made;
}

function ask(payload: object | string, headers: Record<string, string> = {}, apiKey = '') {
  const type = { 'content-type': 'application/json' };
  return server(apiKey).inject({ method: 'POST', url: '/prod/assessChurn', payload, headers: { ...type, ...headers } });
}

test.each([
  ['a safe company', {}, false, []],
  ['few jobs in 30 days', { job30: 4 }, true, ['job30']],
  ['just enough jobs in 30 days', { job30: 5 }, false, []],
  ['few jobs in 90 days', { job90: 19 }, true, ['job90']],
  ['just enough jobs in 90 days', { job90: 20 }, false, []],
  ['a risky industry with little revenue', { industry: 'Retail' }, true, ['industry']],
  ['IT', { industry: 'IT' }, true, ['industry']],
  ['it', { industry: 'it' }, true, ['industry']],
  ['consulting', { industry: 'CONSULTING' }, true, ['industry']],
  ['a risky industry with enough revenue', { industry: 'retail', revenu: 100_000 }, false, []],
  ['an industry nobody has heard of', { industry: 'zeppelins' }, false, []],
  ['no industry', { industry: '' }, false, []],
  ['all at once', { industry: 'it', job30: 0, job90: 1 }, true, ['job30', 'job90', 'industry']],
])('%s', async (_what, change, churn, features) => {
  const response = await ask({ ...company, ...change });
  expect(response.statusCode).toBe(200);
  const score = response.json();
  expect(score).toEqual(scoreByRules({ ...company, ...change }));
  expect(score).toMatchObject({ churn, threshold: 0.5, modelVersion: 'rules-1' });
  expect(score.probability >= score.threshold).toBe(churn);
  expect(score.reasons.map(({ feature }: { feature: string }) => feature)).toEqual(features);
});

test('the score says why, and its parts add up', () => {
  expect(scoreByRules({ ...company, industry: 'retail', job30: 1 })).toEqual({
    churn: true,
    probability: 0.982,
    threshold: 0.5,
    reasons: [
      { feature: 'job30', contribution: 3, text: '1 job in 30 days, fewer than 5' },
      { feature: 'industry', contribution: 3, text: 'retail with a revenue of 99420, less than 100000' },
    ],
    modelVersion: 'rules-1',
  });
});

test('takes employee for employees', async () => {
  const { employees, ...rest } = company;
  expect((await ask({ ...rest, employee: employees })).statusCode).toBe(200);
});

test.each([
  ['industry', 3, 'a text', '3'],
  ['revenu', '10', 'a number', '"10"'],
  ['employees', undefined, 'a number', 'nothing'],
  ['job30', -1, 'an integer of at least 0', '-1'],
  ['job30', 1.5, 'an integer of at least 0', '1.5'],
  ['job90', null, 'an integer of at least 0', 'null'],
  ['monthlyFee', [], 'a number', 'an array'],
  ['totalFee', {}, 'a number', 'an object'],
])('a bad %s (%j) is 400 and named', async (name, value, expected, came) => {
  const response = await ask({ ...company, [name]: value });
  expect(response.statusCode).toBe(400);
  expect(response.json()).toEqual({ message: `${name}: expected ${expected}, got ${came}` });
});

test.each(['[]', 'null', '"text"', '{"job30":', ''])('a body that is no record (%j) is 400, in JSON', async (body) => {
  const response = await ask(body);
  expect([response.statusCode, Object.keys(response.json())]).toEqual([400, ['message']]);
});

test('a body beyond the limit is refused', async () => {
  const response = await ask({ ...company, note: 'x'.repeat(20_000) });
  expect([response.statusCode, Object.keys(response.json())]).toEqual([413, ['message']]);
});

test('with a key, a call without it is forbidden, whatever its body', async () => {
  for (const headers of [{}, { 'x-api-key': '' }, { 'x-api-key': 'wrong' }] as Record<string, string>[]) {
    for (const body of [company, 'no JSON']) {
      const response = await ask(body, headers, 'secret');
      expect([response.statusCode, response.json()]).toEqual([403, { message: 'Forbidden' }]);
    }
  }
  expect((await ask(company, { 'x-api-key': 'secret' }, 'secret')).statusCode).toBe(200);
  expect((await server('secret').inject('/health')).json()).toEqual({ status: 'ok' });
});
