// The function as it is deployed: the very file of the asset, with the environment of the template, asked as API Gateway asks.
import { existsSync } from 'node:fs';
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import type { APIGatewayProxyEvent } from 'aws-lambda';
import { afterAll, beforeAll, expect, test, vi } from 'vitest';
import type { AssessChurn } from '../src/services/churn-scoring/assess-churn.ts';
import { type ChurnScoring, startChurnScoring } from '../src/services/churn-scoring/start.ts';
import { type Synthesized, synthesize } from './testing.ts';

let synthesized: Synthesized;
let local: ChurnScoring;
let handler: AssessChurn;
let files: readonly string[] = [];

beforeAll(async () => {
  // Its model server answers as SageMaker does for an endpoint of this name.
  local = await startChurnScoring({ port: 0, apiKey: '' });
  synthesized = synthesize({ enrichment: 'join', modelEndpoint: 'tenant-churn' }, 'bundled');
  const [lambda] = Object.values(synthesized.of('ChurnScoring').findResources('AWS::Lambda::Function'));
  const asset = join(synthesized.folder, `asset.${String(lambda?.Properties.Code.S3Key).replace(/\.zip$/, '')}`);
  files = existsSync(asset) ? await readdir(asset) : [];
  const [file, name = ''] = String(lambda?.Properties.Handler).split('.');
  const environment = {
    ...(lambda?.Properties.Environment.Variables as Record<string, string>),
    // What Lambda itself sets, but for where SageMaker is.
    AWS_REGION: 'us-west-2',
    AWS_ACCESS_KEY_ID: 'test',
    AWS_SECRET_ACCESS_KEY: 'test',
    MODEL_ENDPOINT_URL: local.modelUrl,
  };
  for (const [variable, value] of Object.entries(environment)) vi.stubEnv(variable, value);
  const loaded = await import(/* @vite-ignore */ pathToFileURL(join(asset, `${file}.mjs`)).href);
  handler = loaded[name] as AssessChurn;
});
afterAll(async () => {
  vi.unstubAllEnvs();
  synthesized?.remove();
  await local?.stop();
});

const company = {
  companyID: 'comp_4',
  industry: 'finance',
  revenu: 29080,
  employees: 14540,
  job30: 3,
  job90: 43,
  monthlyFee: 461,
  totalFee: 1172,
};

/** As API Gateway makes it of a call that it let in. */
function eventOf(body: string): APIGatewayProxyEvent {
  const headers = {
    'Content-Type': 'application/json',
    'X-Correlation-Id': 'shardId-0:17',
    'x-api-key': 'of the plan',
  };
  return {
    resource: '/assessChurn',
    path: '/assessChurn',
    httpMethod: 'POST',
    headers,
    multiValueHeaders: Object.fromEntries(Object.entries(headers).map(([name, value]) => [name, [value]])),
    queryStringParameters: null,
    multiValueQueryStringParameters: null,
    pathParameters: null,
    stageVariables: null,
    requestContext: {} as APIGatewayProxyEvent['requestContext'],
    body,
    isBase64Encoded: false,
  };
}

test('the file that is deployed stands alone, and answers an event of API Gateway with a score from its endpoint', async () => {
  expect(files).toEqual(['index.mjs']);
  const answer = await handler(eventOf(JSON.stringify(company)));
  expect(answer).toMatchObject({
    statusCode: 200,
    headers: { 'content-type': 'application/json', 'x-correlation-id': 'shardId-0:17' },
  });
  expect(JSON.parse(answer.body)).toMatchObject({
    churn: true,
    reasons: [{ feature: 'job30', text: '3 jobs in 30 days, typical 6' }],
  });
});

test('what reaches it in spite of the validation before it is refused with what is wrong', async () => {
  const { statusCode, body } = await handler(eventOf(JSON.stringify({ ...company, job30: '3' })));
  expect([statusCode, body]).toEqual([400, '{"message":"job30: expected an integer of at least 0, got \\"3\\""}']);
});
