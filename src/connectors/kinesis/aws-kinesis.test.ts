// Real sockets, on this machine only: what is promised is about the wire.
import { inspect } from 'node:util';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { answer, failureOf, refuse, send, type WireHandler, wireServer } from '../../../test/support/kinesis-wire.ts';
import { awsKinesis } from './aws-kinesis.ts';
import type { KinesisApi, KinesisFailureKind } from './kinesis-api.ts';

/** Long enough that no test ever meets it, and short enough to be met at once. */
const LONG_MS = 60_000;
const SHORT_MS = 50;
const ARN = 'arn:aws:kinesis:us-west-2:000000000000:stream/jobs';

const toClose: (() => void)[] = [];
beforeEach(() => {
  // Whatever the machine has configured: nothing.
  for (const name of ['AWS_ACCESS_KEY_ID', 'AWS_SECRET_ACCESS_KEY', 'AWS_PROFILE']) vi.stubEnv(name, undefined);
  for (const name of ['AWS_SHARED_CREDENTIALS_FILE', 'AWS_CONFIG_FILE']) vi.stubEnv(name, '/nowhere/at-all');
  vi.stubEnv('AWS_EC2_METADATA_DISABLED', 'true');
});
afterEach(() => {
  vi.unstubAllEnvs();
  for (const close of toClose.splice(0).reverse()) close();
});

function connect(endpoint: string, timeouts = {}): KinesisApi {
  const silent = { callMs: LONG_MS, silenceMs: LONG_MS };
  const api = awsKinesis({ region: 'us-west-2', endpoint, timeouts: { ...silent, ...timeouts } });
  toClose.push(() => api.close());
  return api;
}

async function connected(handle: WireHandler, timeouts = {}) {
  const server = await wireServer('http', handle);
  toClose.push(server.close);
  return { api: connect(server.endpoint, timeouts), requests: server.requests };
}

const KINDS: [string, KinesisFailureKind][] = [
  ...['ProvisionedThroughputExceededException', 'LimitExceededException', 'KMSThrottlingException'].map(
    as('throttled'),
  ),
  ...['ThrottlingException', 'ResourceInUseException'].map(as('throttled')),
  ...['ExpiredIteratorException'].map(as('iterator-expired')),
  ...['ResourceNotFoundException'].map(as('not-found')),
  ...['AccessDeniedException', 'UnrecognizedClientException', 'InvalidSignatureException'].map(as('refused')),
  ...['ExpiredTokenException', 'InvalidArgumentException', 'ValidationException'].map(as('refused')),
  ...['KMSAccessDeniedException', 'KMSDisabledException', 'KMSInvalidStateException'].map(as('refused')),
  ...['KMSNotFoundException', 'KMSOptInRequired'].map(as('refused')),
  ...['InternalFailureException', 'ServiceUnavailable', 'NeverHeardOfException'].map(as('unavailable')),
];

function as(kind: KinesisFailureKind) {
  return (code: string): [string, KinesisFailureKind] => [code, kind];
}

describe('a failed call', () => {
  it.each(KINDS)('%s is %s, keeps its name, and is not tried again', async (code, kind) => {
    const { api, requests } = await connected((_request, response) => refuse(response, code));
    const failure = await failureOf(api.describeStream('jobs'));
    expect(failure).toMatchObject({ kind, code });
    expect(failure.message).toContain(`DescribeStreamSummary of jobs: ${code}: as told`);
    expect(requests).toHaveLength(1);
    expect(inspect(failure, { depth: 10, showHidden: true })).not.toContain('Signature=');
  });

  it.each([
    ['an answer of a gateway', 502, '<html>Bad Gateway</html>'],
    ['an empty answer', 503, ''],
    ['an answer that is no JSON', 200, '<html>Welcome to this hotel</html>'],
    ['an answer without what it should have', 200, '{}'],
  ])('%s is unavailable', async (_name, status, body) => {
    const { api } = await connected((_request, response) => Object.assign(response, { statusCode: status }).end(body));
    expect(await failureOf(api.describeStream('jobs'))).toMatchObject({ kind: 'unavailable' });
  });

  it('a server that says nothing is noticed', async () => {
    const { api } = await connected(() => {}, { callMs: SHORT_MS });
    expect(await failureOf(api.listShards('jobs'))).toMatchObject({ kind: 'unavailable', code: 'TimeoutError' });
  });

  it('a server that stops within its answer is noticed', async () => {
    const { api } = await connected((_request, response) => send(response, '{"Records":['), {
      callMs: SHORT_MS,
    });
    expect(await failureOf(api.getRecords('i', 1))).toMatchObject({ kind: 'unavailable', code: 'TimeoutError' });
  });

  it('a connection that is cut is unavailable', async () => {
    const { api } = await connected(({ cut }) => cut());
    expect(await failureOf(api.listShards('jobs'))).toMatchObject({ kind: 'unavailable', code: 'ECONNRESET' });
  });

  it('a connection that is cut within an answer is unavailable', async () => {
    const { api } = await connected(({ cut }, response) => {
      response.setHeader('content-length', '1000');
      send(response, '{', cut);
    });
    expect(await failureOf(api.getRecords('i', 1))).toMatchObject({ kind: 'unavailable' });
  });

  it('no server at all is unavailable, and the message names the address', async () => {
    const failure = await failureOf(connect('http://127.0.0.1:1').listShards('jobs'));
    expect(failure).toMatchObject({ kind: 'unavailable', code: 'ECONNREFUSED' });
    expect(failure.message).toContain('127.0.0.1:1');
  });

  it('a clock that is wrong is no refusal: the next call is signed with the right time', async () => {
    const hourAhead = () => new Date(Date.now() + 3_600_000);
    const { api, requests } = await connected(({ signedAt }, response) => {
      response.setHeader('date', hourAhead().toUTCString());
      if (signedAt > hourAhead().getTime() - 600_000) refuse(response, 'InvalidSignatureException', 'Wrong secret');
      else refuse(response, 'InvalidSignatureException', 'Signature expired: it is now earlier than something');
    });
    expect(await failureOf(api.listShards('jobs'))).toMatchObject({ kind: 'unavailable' });
    expect(await failureOf(api.listShards('jobs'))).toMatchObject({ kind: 'refused' });
    expect(requests).toHaveLength(2);
  });

  it('ends when the connections are closed; later calls fail, too', async () => {
    let arrived = () => {};
    const waiting = new Promise<void>((resolve) => {
      arrived = resolve;
    });
    const { api } = await connected(() => arrived());
    const failure = failureOf(api.listShards('jobs'));
    await waiting;
    api.close();
    expect(await failure).toMatchObject({ kind: 'unavailable', code: 'Closed' });
    expect(await failureOf(api.listShards('jobs'))).toMatchObject({ kind: 'unavailable', code: 'Closed' });
  });
});

describe('credentials', () => {
  const accessKey = async () => {
    const { api, requests } = await connected((_request, response) => answer(response, { Shards: [] }));
    await api.listShards('jobs');
    return requests[0]?.accessKey;
  };

  it('a local Kinesis needs none', async () => {
    expect(await accessKey()).toBe('local');
  });

  it('those that are configured are used with a local Kinesis, too', async () => {
    vi.stubEnv('AWS_ACCESS_KEY_ID', '123456789012');
    vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
    expect(await accessKey()).toBe('123456789012');
  });

  it('a profile that does not exist does not keep anyone from a local Kinesis', async () => {
    vi.stubEnv('AWS_PROFILE', 'nobody');
    expect(await accessKey()).toBe('local');
  });

  it('AWS refuses without them, before anything is sent, and the message says what to set', async () => {
    const failure = await failureOf(connect('').listShards('jobs'));
    expect(failure).toMatchObject({ kind: 'refused', code: 'CredentialsProviderError' });
    expect(failure.message).toContain('AWS_ACCESS_KEY_ID');
  });
});

it('an endpoint that is no address is refused at once', () => {
  expect(() => awsKinesis({ region: 'us-west-2', endpoint: 'localhost:4568' })).toThrow(
    expect.objectContaining({ code: 'PARAMETER_INVALID' }),
  );
});

describe('answers', () => {
  it('shards are those of all pages', async () => {
    const { api, requests } = await connected(({ input }, response) =>
      answer(
        response,
        input.NextToken === undefined
          ? { Shards: [shard('0', { SequenceNumberRange: { EndingSequenceNumber: '9' } })], NextToken: 'more' }
          : {
              Shards: [
                shard('1', { ParentShardId: '0' }),
                shard('2', { ParentShardId: '0', AdjacentParentShardId: '1' }),
              ],
            },
      ),
    );
    expect(await api.listShards('jobs')).toEqual([
      { shardId: '0', parents: [], isClosed: true },
      { shardId: '1', parents: ['0'], isClosed: false },
      { shardId: '2', parents: ['0', '1'], isClosed: false },
    ]);
    expect(requests.map(({ input }) => input)).toEqual([{ StreamName: 'jobs' }, { NextToken: 'more' }]);
  });
  const shard = (ShardId: string, more = {}) => ({
    ShardId,
    SequenceNumberRange: { StartingSequenceNumber: '0' },
    ...more,
  });

  it('records come with all their bytes; the end of a shard with its children', async () => {
    const bytes = Uint8Array.from({ length: 256 }, (_, index) => index);
    const Data = Buffer.from(bytes).toString('base64');
    const { api } = await connected((_request, response) =>
      answer(response, {
        Records: [{ SequenceNumber: '5', ApproximateArrivalTimestamp: 1_700_000_000.123, PartitionKey: 'k', Data }],
        MillisBehindLatest: 0,
        ChildShards: [{ ShardId: '1', ParentShards: ['0'], HashKeyRange: {} }],
      }),
    );
    expect(await api.getRecords('i', 10)).toEqual({
      records: [{ sequenceNumber: '5', arrivalTime: 1_700_000_000_123, partitionKey: 'k', data: bytes }],
      nextIterator: null,
      millisBehindLatest: 0,
      children: [{ shardId: '1', parents: ['0'] }],
    });
  });

  it('results of a put are those of its entries; another number of them is a failure', async () => {
    const rejected = { ErrorCode: 'ProvisionedThroughputExceededException', ErrorMessage: 'Rate exceeded' };
    const Records = [{ SequenceNumber: '1', ShardId: '0' }, rejected];
    const { api } = await connected((_request, response) => answer(response, { FailedRecordCount: 1, Records }));
    const entry = { partitionKey: 'k', data: new Uint8Array(1) };
    expect(await api.putRecords('rows', [entry, entry])).toEqual([
      { errorCode: null, errorMessage: '' },
      { errorCode: rejected.ErrorCode, errorMessage: rejected.ErrorMessage },
    ]);
    expect(await failureOf(api.putRecords('rows', [entry]))).toMatchObject({ kind: 'unavailable' });
  });

  it('a consumer that is there already is described', async () => {
    const described = { ConsumerDescription: { ConsumerARN: 'c', ConsumerStatus: 'ACTIVE' } };
    const { api } = await connected(({ operation }, response) =>
      operation === 'DescribeStreamConsumer' ? answer(response, described) : refuse(response, 'ResourceInUseException'),
    );
    expect(await api.registerConsumer(ARN, 'app')).toEqual({ arn: 'c', isActive: true });
  });

  it('a stream that takes no consumer yet is throttled, although the consumer is not found', async () => {
    const { api } = await connected(({ operation }, response) =>
      refuse(response, operation === 'DescribeStreamConsumer' ? 'ResourceNotFoundException' : 'ResourceInUseException'),
    );
    expect(await failureOf(api.registerConsumer(ARN, 'app'))).toMatchObject({ kind: 'throttled' });
    await api.deregisterConsumer(ARN, 'app').catch((failure) => expect(failure).toMatchObject({ kind: 'throttled' }));
  });

  it('a consumer that is not there can be deregistered', async () => {
    const { api } = await connected((_request, response) => refuse(response, 'ResourceNotFoundException'));
    await api.deregisterConsumer(ARN, 'app');
  });
});
