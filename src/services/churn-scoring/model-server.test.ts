import { afterEach, expect, test } from 'vitest';
import { generatedCompany } from '../../../test/support/churn-companies.ts';
import { seededRandom } from '../../base/random.ts';
import { serviceServer } from '../server.ts';
import { churnModel } from './churn-model.ts';
import type { Prediction } from './invocations.ts';
import { ModelHealth } from './model-health.ts';
import { modelServer } from './model-server.ts';
import { binsOf, columnsOf, contributionsOf, logOdds, probabilityOf } from './scorecard.ts';

const servers: ReturnType<typeof serviceServer>[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) await server.close();
});

function server() {
  const made = serviceServer();
  made.register(modelServer, { model: churnModel, health: new ModelHealth(churnModel), endpointName: 'tenant-churn' });
  servers.push(made);
  return made;
}

function invoke(payload: string, type = 'text/csv', url = '/invocations', headers: Record<string, string> = {}) {
  return server().inject({ method: 'POST', url, payload, headers: { 'content-type': type, ...headers } });
}

const random = seededRandom(3);
const all = Array.from({ length: 1000 }, () => binsOf(churnModel, generatedCompany(random)));
const rows = all.map((bins) => columnsOf(churnModel, bins));
const csv = rows.map((row) => row.join(',')).join('\n');
const json = JSON.stringify({ instances: rows.map((features) => ({ features })) });
const [firstRow = []] = rows;

test('is healthy', async () => {
  expect((await server().inject('/ping')).statusCode).toBe(200);
});

test.each([
  ['text/csv', csv, '/invocations'],
  ['text/csv; charset=utf-8', `${csv.replaceAll('\n', '\r\n')}\r\n`, '/invocations'],
  ['application/json', json, '/invocations'],
  ['text/csv', csv, '/endpoints/tenant-churn/invocations'],
  ['application/json', json, '/endpoints/tenant-churn/invocations'],
])('answers many rows of %s at once, in their order, with exact contributions (%#)', async (type, body, url) => {
  const response = await invoke(body, type, url);
  expect([response.statusCode, response.headers['content-type']]).toEqual([
    200,
    expect.stringContaining('application/json'),
  ]);
  const { predictions, modelVersion } = response.json() as { predictions: Prediction[]; modelVersion: string };
  expect(modelVersion).toBe(churnModel.version);
  expect(predictions).toEqual(
    all.map((bins) => {
      const score = probabilityOf(logOdds(churnModel, bins));
      const label = score >= churnModel.threshold ? 1 : 0;
      return { score, predicted_label: label, contributions: contributionsOf(churnModel, bins) };
    }),
  );
  expect(new Set(predictions.map((prediction) => prediction.predicted_label))).toEqual(new Set([0, 1]));
});

const columns = firstRow.length;
test.each([
  ['text/csv', '', 400, 'expected at least one row, got none'],
  ['text/csv', '1,0', 400, `row 1: expected ${columns} columns, one a bin, got 2`],
  ['text/csv', `${firstRow}\n${firstRow},1`, 400, `row 2: expected ${columns} columns, one a bin, got ${columns + 1}`],
  ['text/csv', firstRow.map(() => 0).join(','), 400, 'row 1: industry: expected one 1 and else 0 in columns 1 to 10'],
  ['text/csv', firstRow.map(() => 1).join(','), 400, 'row 1: industry: expected one 1 and else 0 in columns 1 to 10'],
  ['text/csv', firstRow.map(() => 'x').join(','), 400, 'row 1: industry: expected one 1'],
  ['application/json', '{', 400, 'expected {"instances":[{"features":[…]}]}, got no JSON'],
  ['application/json', 'null', 400, 'got no instances'],
  ['application/json', '{"instances":[]}', 400, 'expected at least one row, got none'],
  ['application/json', '{"instances":[3]}', 400, 'row 1: expected {"instances":[{"features":[…]}]}, got no features'],
  ['application/json', '{"instances":[{"features":["1"]}]}', 400, 'row 1: expected'],
  ['application/x-recordio-protobuf', 'x', 415, 'expected text/csv or application/json'],
])('refuses %s that is not right (%#), and says what it expected', async (type, body, status, message) => {
  const response = await invoke(body, type);
  expect(response.statusCode).toBe(status);
  expect(response.json().message).toContain(message);
});

test('a row that is refused is an error of the model to who asks the endpoint', async () => {
  const response = await invoke('1,0', 'text/csv', '/endpoints/tenant-churn/invocations');
  expect([response.statusCode, response.headers['x-amzn-errortype']]).toEqual([424, 'ModelError']);
  expect(response.json()).toMatchObject({
    OriginalStatusCode: 400,
    Message: expect.stringContaining('row 1: expected'),
  });
});

test('an endpoint of another name is not found, as on SageMaker', async () => {
  const response = await invoke(csv, 'text/csv', '/endpoints/other/invocations');
  expect([response.statusCode, response.headers['x-amzn-errortype']]).toEqual([400, 'ValidationError']);
  expect(response.json().Message).toContain('other not found');
});

test('who accepts no JSON is told that there is nothing else', async () => {
  expect((await invoke(csv, 'text/csv', '/invocations', { accept: 'text/csv' })).statusCode).toBe(406);
  expect((await invoke('x', 'text/csv', '/invocations', { accept: '*/*' })).statusCode).toBe(400);
});

test('a body beyond the limit is refused', async () => {
  const response = await invoke('0'.repeat(7 * 1024 * 1024));
  expect([response.statusCode, Object.keys(response.json())]).toEqual([413, ['message']]);
});
