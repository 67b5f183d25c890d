import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'esbuild';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';
import { seededRandom } from '../../src/base/random.ts';
import type { AssessChurn } from '../../src/services/churn-scoring/assess-churn.ts';
import { type ChurnScoring, startChurnScoring } from '../../src/services/churn-scoring/start.ts';
import { generatedCompany } from '../support/churn-companies.ts';

/**
 * The handler, bundled as it is deployed, and the route on this machine answer the same: to whatever is sent, over real
 * sockets, asking the same model server through SageMaker's SDK.
 */
const KEY = 'a key';
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

let folder = '';
let local: ChurnScoring;
let handler: AssessChurn;
const inside: string[] = [];
let loads = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'churn-handler-'));
  const { metafile } = await build({
    entryPoints: ['src/services/churn-scoring/lambda.ts'],
    outfile: join(folder, 'handler.mjs'),
    bundle: true,
    format: 'esm',
    platform: 'node',
    target: 'node20',
    metafile: true,
    banner: { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" },
  });
  inside.push(...Object.keys(metafile.inputs));
  local = await startChurnScoring({ port: 0, apiKey: KEY });
  handler = await deployed({});
});
afterEach(() => vi.unstubAllEnvs());
afterAll(async () => {
  await local.stop();
  await rm(folder, { recursive: true, force: true });
});

/** The handler as a fresh instance of it begins, with its environment. */
async function deployed(environment: Record<string, string | undefined>): Promise<AssessChurn> {
  const all = {
    CHURN_SCORING_API_KEY: KEY,
    MODEL_ENDPOINT_NAME: 'tenant-churn',
    MODEL_ENDPOINT_URL: local.modelUrl,
    AWS_REGION: 'us-west-2',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    ...environment,
  };
  for (const [name, value] of Object.entries(all)) vi.stubEnv(name, value);
  const { handler: loaded } = await import(
    /* @vite-ignore */ `${pathToFileURL(join(folder, 'handler.mjs')).href}?${++loads}`
  );
  return loaded as AssessChurn;
}

async function ofHandler(body: string, headers: Record<string, string>, asked = handler) {
  const { statusCode, headers: answered, body: text } = await asked({ body, headers, isBase64Encoded: false });
  return {
    status: statusCode,
    type: answered['content-type'],
    retryAfter: answered['retry-after'],
    body: JSON.parse(text),
  };
}

async function ofRoute(body: string, headers: Record<string, string>, url = local.url) {
  const response = await fetch(`${url}/prod/assessChurn`, { method: 'POST', body, headers });
  const type = response.headers.get('content-type')?.split(';')[0];
  const retryAfter = response.headers.get('retry-after') ?? undefined;
  return { status: response.status, type, retryAfter, body: (await response.json()) as Record<string, unknown> };
}

const withKey = { 'x-api-key': KEY, 'content-type': 'application/json' };

test.each([
  ['a company at risk', 200, company, withKey],
  ['a safe company', 200, { ...company, industry: 'gov', job30: 9, job90: 90 }, withKey],
  ['an unknown industry', 200, { ...company, industry: 'zeppelins', job30: 9, job90: 90 }, withKey],
  ['employee in place of employees', 200, { ...company, employees: undefined, employee: 9 }, withKey],
  ['a header in other letters', 200, company, { 'X-Api-Key': KEY, 'Content-Type': 'application/json' }],
  ['text without a type', 200, company, { 'x-api-key': KEY }],
  ['no key', 403, company, { 'content-type': 'application/json' }],
  ['a wrong key', 403, company, { ...withKey, 'x-api-key': 'another key' }],
  ['a wrong key and no JSON', 403, '{', { ...withKey, 'x-api-key': '' }],
  ['no JSON', 400, '{', withKey],
  ['nothing', 400, '', withKey],
  ['a list', 400, '[]', withKey],
  ['a bad field', 400, { ...company, job30: 'many' }, withKey],
  ['a missing field', 400, { ...company, totalFee: undefined }, withKey],
  ['too much', 413, { ...company, note: 'x'.repeat(20_000) }, withKey],
])('%s: both answer the same (%i)', async (_what, status, body, headers) => {
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  const answer = await ofHandler(text, headers);
  expect(answer.status).toBe(status);
  expect(await ofRoute(text, headers)).toEqual(answer);
});

test('what API Gateway sends as base64 is read', async () => {
  const body = Buffer.from(JSON.stringify(company)).toString('base64');
  const { statusCode } = await handler({ body, headers: withKey, isBase64Encoded: true });
  expect(statusCode).toBe(200);
});

test('beyond the usage limit both say 429, and when to come again', async () => {
  const usage = { perSecond: 0.001, burst: 1 };
  const limitedRoute = await startChurnScoring({ port: 0, apiKey: KEY, usage });
  const limited = await deployed({ USAGE_PER_SECOND: '1', USAGE_BURST: '1' });
  const text = JSON.stringify(company);
  const answers = [];
  for (let call = 0; call < 2; call++) answers.push(await ofRoute(text, withKey, limitedRoute.url));
  await limitedRoute.stop();
  expect(answers.map(({ status }) => status)).toEqual([200, 429]);
  expect(Number(answers[1]?.retryAfter)).toBeGreaterThan(900);
  const all = await Promise.all(Array.from({ length: 3 }, () => ofHandler(text, withKey, limited)));
  const refused = all.find(({ status }) => status === 429);
  expect({ ...refused, retryAfter: '' }).toEqual({ ...answers[1], retryAfter: '' });
});

test('100 calls at once are all answered, each with its own score', async () => {
  const random = seededRandom(9);
  const companies = Array.from({ length: 500 }, () => generatedCompany(random));
  for (let from = 0; from < companies.length; from += 100) {
    const some = companies.slice(from, from + 100);
    const answers = await Promise.all(some.map((one) => ofRoute(JSON.stringify(one), withKey)));
    expect(answers.map(({ status }) => status)).toEqual(some.map(() => 200));
    expect(answers.map(({ body }) => body.churn)).toEqual(some.map(({ left }) => left));
  }
});

test('a model that is away or hangs is 503 and told to come again; an endpoint that is not there is 502', async () => {
  const silent = createServer(() => undefined).listen(0, '127.0.0.1');
  await new Promise((resolve) => silent.once('listening', resolve));
  const hanging = await deployed({ MODEL_ENDPOINT_URL: `http://127.0.0.1:${(silent.address() as AddressInfo).port}` });
  const away = await deployed({ MODEL_ENDPOINT_URL: 'http://127.0.0.1:1' });
  const other = await deployed({ MODEL_ENDPOINT_NAME: 'another' });
  const lines = standardOutput();
  const text = JSON.stringify(company);
  try {
    for (const asked of [away, hanging]) {
      const { status, retryAfter, body } = await ofHandler(text, withKey, asked);
      expect([status, retryAfter, body]).toEqual([503, '1', { message: 'the model does not answer now; try again' }]);
    }
    expect((await ofHandler(text, withKey, other)).status).toBe(502);
    expect(lines().map(({ level, msg }) => `${level} ${msg}`)).toEqual([
      expect.stringMatching(/^warn .*ECONNREFUSED/),
      expect.stringContaining('TimeoutError'),
      expect.stringContaining('Endpoint another not found'),
    ]);
  } finally {
    vi.mocked(process.stdout.write).mockRestore();
    silent.close();
    silent.closeAllConnections();
  }
});

test('at debug the handler tells each call with the id that it came with, never the key, and sends the id back', async () => {
  const talking = await deployed({ LOG_LEVEL: 'debug' });
  const lines = standardOutput();
  try {
    const headers = { ...withKey, 'X-Correlation-Id': 'shardId-0:17' };
    const answer = await talking({ body: JSON.stringify(company), headers, isBase64Encoded: false });
    expect(answer.headers).toMatchObject({ 'x-correlation-id': 'shardId-0:17' });
    expect(lines()).toEqual([
      expect.objectContaining({ level: 'debug', part: 'churn-scoring', correlationID: 'shardId-0:17', status: 200 }),
    ]);
    expect(JSON.stringify(lines())).not.toContain(KEY);
  } finally {
    vi.mocked(process.stdout.write).mockRestore();
  }
});

/** What the handler writes from now on, until it is restored. */
function standardOutput(): () => Record<string, unknown>[] {
  const write = vi.spyOn(process.stdout, 'write').mockImplementation(() => true);
  return () =>
    write.mock.calls
      .map(([line]) => String(line))
      .filter((line) => line.startsWith('{"level"'))
      .map((line) => JSON.parse(line) as Record<string, unknown>);
}

test('what is deployed has no web server inside', () => {
  expect(inside.filter((path) => /node_modules\/(fastify|@fastify|prom-client|@opentelemetry)\//.test(path))).toEqual(
    [],
  );
  expect(inside).toContain('model/model.json');
});

test.each([
  ['the key', { CHURN_SCORING_API_KEY: undefined }, /CHURN_SCORING_API_KEY: expected the key/],
  ['the name of its endpoint', { MODEL_ENDPOINT_NAME: '' }, /MODEL_ENDPOINT_NAME: expected/],
  [
    'a usage limit that is a number',
    { USAGE_PER_SECOND: 'many' },
    /USAGE_PER_SECOND: expected a number of at least 1, got many/,
  ],
  ['a log level there is', { LOG_LEVEL: 'loud' }, /LOG_LEVEL: expected one of debug, info, warn, error, got loud/],
])('a deployment without %s does not begin, and names it', async (_what, environment, message) => {
  await expect(deployed(environment)).rejects.toThrow(message);
});

test('with an empty key, set on purpose, API Gateway in front asks for one', async () => {
  const open = await deployed({ CHURN_SCORING_API_KEY: '' });
  expect((await ofHandler(JSON.stringify(company), {}, open)).status).toBe(200);
});
