// Real sockets, on this machine only: what is promised is about the wire.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import {
  answer,
  eventMessage,
  failureOf,
  refuse,
  send,
  startEvents,
  type WireHandler,
  type WireRequest,
  type WireResponse,
  wireServer,
} from '../../../test/support/kinesis-wire.ts';
import { awsKinesis } from './aws-kinesis.ts';
import type { KinesisApi, SubscriptionEvent } from './kinesis-api.ts';

/** Long enough that no test ever meets it, and short enough to be met at once. */
const LONG_MS = 60_000;
const SHORT_MS = 200;
const ARN = 'arn:aws:kinesis:us-west-2:000000000000:stream/jobs/consumer/app:1';

const toClose: (() => void)[] = [];
beforeEach(() => {
  vi.stubEnv('AWS_ACCESS_KEY_ID', 'key');
  vi.stubEnv('AWS_SECRET_ACCESS_KEY', 'secret');
  // The server's certificate is nobody's.
  vi.stubEnv('NODE_TLS_REJECT_UNAUTHORIZED', '0');
});
afterEach(() => {
  vi.unstubAllEnvs();
  vi.useRealTimers();
  for (const close of toClose.splice(0).reverse()) close();
});

const event = (body: unknown) =>
  eventMessage({ ':message-type': 'event', ':event-type': 'SubscribeToShardEvent' }, body);
const EVENT = event({ Records: [], ContinuationSequenceNumber: '7', MillisBehindLatest: 3 });

const never = () => new AbortController().signal;
const subscribe = (api: KinesisApi, signal = never()) =>
  api.subscribeToShard(ARN, 'shardId-0', { type: 'TRIM_HORIZON' }, signal);

async function all(events: AsyncIterable<SubscriptionEvent>): Promise<SubscriptionEvent[]> {
  const came: SubscriptionEvent[] = [];
  for await (const each of events) came.push(each);
  return came;
}

function deliver(response: WireResponse, ...messages: Uint8Array[]): void {
  startEvents(response);
  for (const message of messages) send(response, message);
}

describe.each([
  ['http', '1.1'],
  ['https', '2.0'],
] as const)('a subscription over %s, which is HTTP/%s,', (protocol, httpVersion) => {
  async function connected(handle: WireHandler, timeouts = {}) {
    const server = await wireServer(protocol, handle);
    toClose.push(server.close);
    const silent = { callMs: LONG_MS, silenceMs: LONG_MS };
    const { endpoint, requests } = server;
    const api = awsKinesis({ region: 'us-west-2', endpoint, timeouts: { ...silent, ...timeouts } });
    toClose.push(() => api.close());
    return { api, requests };
  }

  it('brings events until the server ends it', async () => {
    const { api, requests } = await connected((_request, response) => {
      deliver(response, EVENT, EVENT);
      response.end();
    });
    const expected = { records: [], continuation: '7', millisBehindLatest: 3, children: [] };
    expect(await all(subscribe(api))).toEqual([expected, expected]);
    expect(requests).toMatchObject([
      { httpVersion, input: { ConsumerARN: ARN, ShardId: 'shardId-0', StartingPosition: { Type: 'TRIM_HORIZON' } } },
    ]);
  });

  it.each([
    [
      { type: 'AT_TIMESTAMP', timestamp: 1_700_000_000_123 },
      { Type: 'AT_TIMESTAMP', Timestamp: 1_700_000_000.123 },
    ],
    [
      { type: 'AFTER_SEQUENCE_NUMBER', sequenceNumber: '49' },
      { Type: 'AFTER_SEQUENCE_NUMBER', SequenceNumber: '49' },
    ],
  ] as const)('starts at %o', async (start, told) => {
    const { api, requests } = await connected((_request, response) => {
      deliver(response, EVENT);
      response.end();
    });
    await all(api.subscribeToShard(ARN, 'shardId-0', start, never()));
    expect(requests[0]?.input.StartingPosition).toEqual(told);
  });

  it('tells the end of a shard', async () => {
    const ChildShards = [{ ShardId: '1', ParentShards: ['0'], HashKeyRange: {} }];
    const { api } = await connected((_request, response) => {
      deliver(response, event({ Records: [], MillisBehindLatest: 0, ChildShards }));
      response.end();
    });
    const children = [{ shardId: '1', parents: ['0'] }];
    expect(await all(subscribe(api))).toMatchObject([{ continuation: null, children }]);
  });

  it.each([
    ['KMSThrottlingException', 'throttled'],
    ['ResourceInUseException', 'throttled'],
    ['ResourceNotFoundException', 'not-found'],
    ['KMSDisabledException', 'refused'],
    ['InternalFailureException', 'unavailable'],
    ['NeverHeardOfException', 'unavailable'],
  ])('fails with an error among its events: %s is %s', async (code, kind) => {
    const failed = eventMessage({ ':message-type': 'exception', ':exception-type': code }, { message: 'as told' });
    const { api } = await connected((_request, response) => deliver(response, EVENT, failed));
    expect(await failureOf(all(subscribe(api)))).toMatchObject({ kind, code });
  });

  it('fails with an error that is no exception of the service', async () => {
    const headers = { ':message-type': 'error', ':error-code': 'InternalServerError', ':error-message': 'oh' };
    const { api } = await connected((_request, response) => deliver(response, eventMessage(headers)));
    expect(await failureOf(all(subscribe(api)))).toMatchObject({ kind: 'unavailable', code: 'InternalServerError' });
  });

  it.each([
    ['ResourceInUseException', 'throttled'],
    ['LimitExceededException', 'throttled'],
    ['ResourceNotFoundException', 'not-found'],
    ['AccessDeniedException', 'refused'],
  ])('that is not let in with %s is %s, and not tried again', async (code, kind) => {
    const { api, requests } = await connected((_request, response) => refuse(response, code));
    expect(await failureOf(all(subscribe(api)))).toMatchObject({ kind, code });
    expect(requests).toHaveLength(1);
  });

  it.each([
    ['before its first event', () => {}],
    ['after an event', (response: WireResponse) => deliver(response, EVENT)],
  ])('notices silence %s, and closes its socket', async (_name, act) => {
    const { api, requests } = await connected((_request, response) => act(response), { silenceMs: SHORT_MS });
    expect(await failureOf(all(subscribe(api)))).toMatchObject({ kind: 'unavailable', code: 'TimeoutError' });
    await requests[0]?.closed;
  });

  it('is not silent while its reader is busy', async () => {
    const { api } = await connected((_request, response) => {
      deliver(response, EVENT, EVENT);
      response.end();
    });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    let came = 0;
    for await (const _ of subscribe(api)) {
      came++;
      vi.advanceTimersByTime(2 * LONG_MS);
    }
    expect(came).toBe(2);
  });

  it('fails when its connection is cut within an event', async () => {
    const { api } = await connected(({ cut }, response) => {
      startEvents(response);
      send(response, EVENT.subarray(0, 20), cut);
    });
    expect(await failureOf(all(subscribe(api)))).toMatchObject({ kind: 'unavailable' });
  });

  // Over HTTP/2 the SDK tells no difference from an end by the server.
  it('fails or ends when its connection is cut between two events; that is no end of the shard', async () => {
    const { api } = await connected(({ cut }, response) => {
      startEvents(response);
      send(response, EVENT, cut);
    });
    const came: SubscriptionEvent[] = [];
    const reading = (async () => {
      for await (const each of subscribe(api)) came.push(each);
    })();
    if (protocol === 'http') expect(await failureOf(reading)).toMatchObject({ kind: 'unavailable' });
    else await reading.catch((failure) => expect(failure).toMatchObject({ kind: 'unavailable' }));
    expect(came.map(({ continuation }) => continuation)).not.toContain(null);
  });

  it('ends without an error when aborted before its first event, and closes its socket', async () => {
    const abort = new AbortController();
    const { api, requests } = await connected(() => abort.abort());
    expect(await all(subscribe(api, abort.signal))).toEqual([]);
    await requests[0]?.closed;
  });

  it('ends without an error when aborted between two events, and closes its socket', async () => {
    const abort = new AbortController();
    const { api, requests } = await connected((_request, response) => deliver(response, EVENT));
    let came = 0;
    for await (const _ of subscribe(api, abort.signal)) {
      came++;
      setImmediate(() => abort.abort());
    }
    expect(came).toBe(1);
    await requests[0]?.closed;
  });

  it('is not even begun with a signal that is aborted', async () => {
    const { api, requests } = await connected(() => {});
    expect(await all(subscribe(api, AbortSignal.abort()))).toEqual([]);
    expect(requests).toEqual([]);
  });

  it('closes its socket when nobody reads on', async () => {
    const { api, requests } = await connected((_request, response) => deliver(response, EVENT));
    for await (const _ of subscribe(api)) break;
    await requests[0]?.closed;
  });

  it('fails when the connections are closed', async () => {
    const { api, requests } = await connected((_request, response) => deliver(response, EVENT));
    const reading = (async () => {
      for await (const _ of subscribe(api)) setImmediate(() => api.close());
    })();
    expect(await failureOf(reading)).toMatchObject({ kind: 'unavailable', code: 'Closed' });
    await requests[0]?.closed;
    expect(await failureOf(all(subscribe(api)))).toMatchObject({ code: 'Closed' });
  });

  it('takes no socket from calls, however many there are', async () => {
    const open: WireRequest[] = [];
    const { api } = await connected((request, response) => {
      if (request.operation === 'ListShards') return answer(response, { Shards: [] });
      open.push(request);
      deliver(response, EVENT);
    });
    const many = Array.from({ length: 100 }, () => subscribe(api)[Symbol.asyncIterator]());
    await Promise.all(many.map((each) => each.next()));
    expect(open).toHaveLength(100);
    expect(await api.listShards('jobs')).toEqual([]);
  });
});
