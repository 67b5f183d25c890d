import { afterEach, expect, test } from 'vitest';
import { serviceServer } from '../server.ts';
import { type ChurnScoringOptions, churnScoring } from './app.ts';
import type { ModelAnswer } from './assess-churn.ts';
import { churnModel } from './churn-model.ts';
import { invocation } from './invocations.ts';
import { ModelHealth } from './model-health.ts';

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

function server(options: Partial<ChurnScoringOptions> = {}) {
  const made = serviceServer();
  made.register(churnScoring, { apiKey: '', ...options });
  servers.push(made);
  return made;
}

function request(payload: object | string, headers: Record<string, string> = {}) {
  const type = { 'content-type': 'application/json' };
  return { method: 'POST', url: '/prod/assessChurn', payload, headers: { ...type, ...headers } } as const;
}

function ask(payload: object | string, headers: Record<string, string> = {}, apiKey = '') {
  return server({ apiKey }).inject(request(payload, headers));
}

test.each([
  ['a safe company', {}, false, []],
  ['few jobs in 30 days', { job30: 4 }, true, ['job30']],
  ['no jobs in 30 days', { job30: 0 }, true, ['job30']],
  ['just enough jobs in 30 days', { job30: 5 }, false, []],
  ['few jobs in 90 days', { job90: 19 }, true, ['job90']],
  ['just enough jobs in 90 days', { job90: 20 }, false, []],
  ['a risky industry', { industry: 'Retail' }, true, ['industry']],
  ['a risky industry in other letters', { industry: ' it ' }, true, ['industry']],
  ['an industry nobody has heard of', { industry: 'zeppelins' }, false, ['industry']],
  ['no industry', { industry: '' }, false, ['industry']],
  ['all at once', { industry: 'it', job30: 0, job90: 1 }, true, ['job30', 'job90', 'industry']],
  ['far more of all than any company trained on', { revenu: 1e15, employees: 1e12, job30: 1e9, job90: 1e9 }, false, []],
])('%s', async (_what, change, churn, features) => {
  const response = await ask({ ...company, ...change });
  expect(response.statusCode).toBe(200);
  const score = response.json();
  expect(score).toMatchObject({ churn, threshold: 0.5, modelVersion: churnModel.version });
  expect(score.probability >= score.threshold).toBe(churn);
  const names = score.reasons.map(({ feature }: { feature: string }) => feature);
  expect(names.sort()).toEqual([...features].sort());
});

test('the score says why in words, the strongest reason first, and how it is typically', async () => {
  const score = (await ask({ ...company, industry: 'retail', job30: 1, job90: 12 })).json();
  expect(score.reasons.map(({ text }: { text: string }) => text)).toEqual([
    '12 jobs in 90 days, typical 55',
    '1 job in 30 days, typical 6',
    'retail: 100 % of such companies left, typical 58 %',
  ]);
  const contributions = score.reasons.map(({ contribution }: { contribution: number }) => contribution);
  expect(contributions).toEqual([...contributions].sort((one, other) => other - one));
  const [unknown] = (await ask({ ...company, industry: 'zeppelins' })).json().reasons;
  expect(unknown.text).toBe('zeppelins: not among the industries the model knows');
});

test('takes employee for employees', async () => {
  const { employees, ...rest } = company;
  const response = await ask({ ...rest, employee: employees });
  expect(response.statusCode).toBe(200);
  expect(response.json()).toEqual((await ask(company)).json());
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
  expect((await server({ apiKey: 'secret' }).inject('/health')).json()).toEqual({ status: 'ok' });
});

test('beyond the usage limit a call is told when to come again, and is answered then', async () => {
  const clock = { now: 0 };
  const limited = server({ apiKey: 'secret', usage: { perSecond: 0.5, burst: 2 }, now: () => clock.now });
  const call = (key = 'secret') => limited.inject(request(company, { 'x-api-key': key }));
  const statuses = [(await call()).statusCode, (await call()).statusCode];
  expect(statuses).toEqual([200, 200]);
  const refused = await call();
  expect([refused.statusCode, refused.headers['retry-after'], refused.json()]).toEqual([
    429,
    '2',
    { message: 'Too Many Requests' },
  ]);
  clock.now = 2000;
  // Who has no key takes nothing from who has one.
  expect((await call('wrong')).statusCode).toBe(403);
  expect((await call()).statusCode).toBe(200);
  expect((await call()).statusCode).toBe(429);
});

test.each<[string, ModelAnswer, number, string | undefined, string, string]>([
  [
    'is away',
    { kind: 'failure', isTemporary: true, why: 'ECONNREFUSED' },
    503,
    '1',
    'the model does not answer now; try again',
    'ECONNREFUSED',
  ],
  [
    'is not there',
    { kind: 'failure', isTemporary: false, why: 'no endpoint x' },
    502,
    undefined,
    'the model gave no score; see the log of the service',
    'no endpoint x',
  ],
  [
    'answers nonsense',
    { kind: 'answer', body: '<html>' },
    502,
    undefined,
    'the model gave no score; see the log of the service',
    '<html>',
  ],
  [
    'has no score',
    { kind: 'answer', body: '{"predictions":[{"score":2}]}' },
    502,
    undefined,
    'the model gave no score; see the log of the service',
    '"score":2',
  ],
  [
    'is of another version',
    { kind: 'answer', body: '{"modelVersion":"scorecard-0","predictions":[{"score":0.2}]}' },
    502,
    undefined,
    'the model gave no score; see the log of the service',
    'got scorecard-0. Deploy handler and model together.',
  ],
])(
  'a model that %s is a failure of the service, and told in its log',
  async (_what, answer, status, retryAfter, message, told) => {
    const log: string[] = [];
    const failing = server({ invoke: async () => answer, warn: (line) => log.push(line) });
    const response = await failing.inject(request(company));
    expect([response.statusCode, response.headers['retry-after']]).toEqual([status, retryAfter]);
    expect(response.json()).toEqual({ message });
    expect(log).toEqual([expect.stringContaining(told)]);
  },
);

test("the first version's hosting, a linear learner, can give the score: the reasons are the same", async () => {
  const right = (await ask({ ...company, job30: 3 })).json();
  const body = JSON.stringify({ predictions: [{ score: right.probability, predicted_label: 1 }] });
  const response = await server({ invoke: async () => ({ kind: 'answer', body }) }).inject(
    request({ ...company, job30: 3 }),
  );
  expect(response.json()).toEqual(right);
});

test('metrics tell answers by status, the scores given, and what became of them', async () => {
  const watched = server({ apiKey: 'secret' });
  const key = { 'x-api-key': 'secret' };
  await watched.inject(request(company, key));
  await watched.inject(request({ ...company, industry: 'zeppelins' }, key));
  await watched.inject(request({}, key));
  const outcomes = [
    { probability: 0.93, left: true },
    { probability: 0.97, left: false },
  ];
  const tell = (payload: object, headers: Record<string, string>) =>
    watched.inject({ method: 'POST', url: '/prod/outcomes', payload, headers });
  expect((await tell({ outcomes }, key)).json()).toEqual({ taken: 2 });
  expect((await tell({ outcomes }, {})).statusCode).toBe(403);
  const wrong = await tell({ outcomes: [{ probability: 2, left: true }] }, key);
  expect([wrong.statusCode, wrong.json().message]).toEqual([400, 'body/outcomes/0/probability must be <= 1']);
  const metrics = (await watched.inject('/metrics')).body;
  expect(metrics).toContain('churn_scoring_answers_total{status="200"} 2');
  expect(metrics).toContain('churn_scoring_answers_total{status="400"} 1');
  expect(metrics).toContain('churn_model_rows_total 2');
  expect(metrics).toContain('churn_model_unknown_industry_ratio 0.5');
  expect(metrics).toContain(`churn_model_info{version="${churnModel.version}"} 1`);
  expect(metrics).toContain('churn_model_observed_ratio{band="0.9-1"} 0.5');
  expect(metrics).toMatch(/churn_model_predicted_ratio\{band="0.9-1"\} 0\.95/);
});

test('metrics tell what became of calls, and which the usage limit refused', async () => {
  const away: ModelAnswer = { kind: 'failure', isTemporary: true, why: 'ECONNREFUSED' };
  const isAway = { now: false };
  const watched = server({
    usage: { perSecond: 1, burst: 4 },
    now: () => 0,
    invoke: async (csv) =>
      isAway.now
        ? away
        : { kind: 'answer', body: invocation(churnModel, new ModelHealth(churnModel), 'text/csv', csv).body },
  });
  await watched.inject(request(company));
  await watched.inject(request({ ...company, job30: 0 }));
  isAway.now = true;
  for (let nth = 0; nth < 4; nth++) await watched.inject(request(company));
  const metrics = (await watched.inject('/metrics')).body.split('\n');
  expect(metrics).toContain('churn_scoring_scores_total{outcome="stays"} 1');
  expect(metrics).toContain('churn_scoring_scores_total{outcome="at-risk"} 1');
  expect(metrics).toContain('churn_scoring_scores_total{outcome="no-score"} 2');
  expect(metrics).toContain('churn_scoring_usage_refusals_total 2');
  expect(metrics).toContain('churn_scoring_answers_total{status="429"} 2');
});

test('the id of a call goes on to the model, is in what is told of a failure, and comes back', async () => {
  const came: unknown[] = [];
  const told: unknown[] = [];
  const failing = server({
    invoke: async (_csv, about) => {
      came.push(about?.correlationID);
      return { kind: 'failure', isTemporary: true, why: 'ECONNREFUSED' };
    },
    warn: (message, fields) => told.push([message, fields]),
  });
  const response = await failing.inject(request(company, { 'x-correlation-id': 'shardId-0:17' }));
  expect(came).toEqual(['shardId-0:17']);
  expect(told).toEqual([['churn scoring: no score: ECONNREFUSED', { correlationID: 'shardId-0:17' }]]);
  expect(response.headers['x-correlation-id']).toBe('shardId-0:17');
});
