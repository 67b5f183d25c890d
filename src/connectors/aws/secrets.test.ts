// Real sockets, on this machine only: what is promised is about the wire.
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { answer, refuse, type WireHandler, wireServer } from '../../../test/support/kinesis-wire.ts';
import { TenantAnalyticsError } from '../../base/errors.ts';
import { resolveSecret } from './secrets.ts';

const REGION = 'eu-central-1';
const ARN = 'arn:aws:secretsmanager:eu-central-1:123456789012:secret:churn/api-key-AbCdEf';

const toClose: (() => void)[] = [];
beforeEach(() => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'key');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
});
afterEach(() => {
  vi.unstubAllEnvs();
  for (const close of toClose.splice(0)) close();
});

async function serve(handle: WireHandler) {
  const server = await wireServer('http', handle);
  toClose.push(server.close);
  return server;
}

const holding = (SecretString: string) => serve((_request, response) => answer(response, { SecretString }));

async function failureOf(call: Promise<unknown>): Promise<TenantAnalyticsError> {
  const failure = await call.then(
    () => undefined,
    (error: unknown) => error,
  );
  if (failure instanceof TenantAnalyticsError) return failure;
  throw new Error(`expected a TenantAnalyticsError, got ${String(failure)}`);
}

describe('a value', () => {
  it.each(['', 'plain', 'arn:aws:s3:::bucket', 'not arn:aws:secretsmanager:x'])('%j is itself', async (value) => {
    const { endpoint, requests } = await holding('secret');
    expect(await resolveSecret(value, REGION, endpoint)).toBe(value);
    expect(requests).toEqual([]);
  });

  it('that is an ARN is the secret, asked for once, in the region of the ARN', async () => {
    const { endpoint, requests } = await holding('s3cret text');
    expect(await resolveSecret(ARN, 'us-west-2', endpoint)).toBe('s3cret text');
    expect(requests).toMatchObject([
      { operation: 'GetSecretValue', input: { SecretId: ARN }, signedFor: 'eu-central-1/secretsmanager' },
    ]);
  });

  it.each(['aws-cn', 'aws-us-gov'])('may be in the partition %s', async (partition) => {
    const { endpoint } = await holding('text');
    expect(await resolveSecret(ARN.replace('aws', partition), REGION, endpoint)).toBe('text');
  });

  it.each([
    ['a JSON object with one key is the value of that', '{"apiKey":"k"}', '', 'k'],
    ['a JSON object with several, and #key, is the value of that key', '{"apiKey":"k","other":"o"}', '#apiKey', 'k'],
    ['a key may have any name', '{"a#b c":"k","other":"o"}', '#a#b c', 'k'],
    ['text that only looks like JSON is text', '{"apiKey"', '', '{"apiKey"'],
    ['a JSON array is text', '["a"]', '', '["a"]'],
    ['a number is text', '12345', '', '12345'],
    ['an empty object is text', '{}', '', '{}'],
  ])('of a secret: %s', async (_name, secret, suffix, expected) => {
    const { endpoint, requests } = await holding(secret);
    expect(await resolveSecret(ARN + suffix, REGION, endpoint)).toBe(expected);
    expect(requests[0]?.input).toEqual({ SecretId: ARN });
  });
});

describe('a secret that cannot be read', () => {
  it.each([
    ['several keys, none named', '{"one":"s3cret","other":"s3cret"}', '', ['one, other', `${ARN}#one`]],
    ['a key that is not there', '{"one":"s3cret"}', '#two', ['under the key two', 'one']],
    ['a key of all objects', '{"one":"s3cret"}', '#toString', ['under the key toString']],
    ['a key in what is no object', 's3cret', '#one', ['no JSON object']],
    ['a value that is no text', '{"one":{"a":"s3cret"}}', '', ['expected text under the key one']],
  ])('%s: says what, why and what to do, and not the secret', async (_name, secret, suffix, told) => {
    const { endpoint } = await holding(secret);
    const failure = await failureOf(resolveSecret(ARN + suffix, REGION, endpoint));
    expect(failure.code).toBe('SECRET_UNREADABLE');
    for (const each of [ARN + suffix, ...told]) expect(failure.message).toContain(each);
    expect(inspect(failure, { depth: 10, showHidden: true })).not.toContain('s3cret');
  });

  it.each([
    ['ResourceNotFoundException', 'Check its name'],
    ['AccessDeniedException', 'secretsmanager:GetSecretValue'],
    ['UnrecognizedClientException', 'AWS_ACCESS_KEY_ID'],
    ['NeverHeardOfException', 'Check that eu-central-1 can be reached'],
  ])('%s says what to do: %s', async (code, advice) => {
    const { endpoint } = await serve((_request, response) => refuse(response, code));
    const failure = await failureOf(resolveSecret(ARN, REGION, endpoint));
    expect(failure.code).toBe('SECRET_UNREADABLE');
    for (const each of [ARN, code, 'as told', advice]) expect(failure.message).toContain(each);
    expect(inspect(failure, { depth: 10, showHidden: true })).not.toContain('Signature=');
  });

  it('elsewhere: says where it was asked for', async () => {
    const { endpoint } = await serve((_request, response) => refuse(response, 'ResourceNotFoundException'));
    const { message } = await failureOf(resolveSecret(ARN, 'us-west-2', endpoint));
    expect(message).toContain('Its ARN says eu-central-1; aws.region is us-west-2');
  });

  it('binary', async () => {
    const { endpoint } = await serve((_request, response) => answer(response, { SecretBinary: 'AAAA' }));
    expect((await failureOf(resolveSecret(ARN, REGION, endpoint))).message).toContain('Store it as text');
  });

  it('nobody there', async () => {
    expect((await failureOf(resolveSecret(ARN, REGION, 'http://127.0.0.1:1'))).message).toContain('127.0.0.1:1');
  });

  it.each(['arn:aws:secretsmanager:eu-central-1', `${ARN}#`, ARN.replace('123456789012', '')])(
    'half an ARN is no value to send: %s',
    async (value) => {
      expect((await failureOf(resolveSecret(value, REGION))).message).toContain('no whole ARN');
    },
  );
});
