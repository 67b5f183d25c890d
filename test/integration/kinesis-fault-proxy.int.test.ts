import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { awsKinesis } from '../../src/connectors/kinesis/aws-kinesis.ts';
import type { KinesisApi, PutResult } from '../../src/connectors/kinesis/kinesis-api.ts';
import { type KinesisFaultProxy, type ProxyFaults, startKinesisFaultProxy } from '../support/kinesis-fault-proxy.ts';
import { LOCAL_REGION, type LocalKinesis, startLocalKinesis } from '../support/local-kinesis.ts';

const NONE: ProxyFaults = { throttledReads: 0, rejectedEntries: 0, hanging: 0, cut: 0, lostAnswers: 0, failing: 0 };
const SEED = 7;
const SHORT_MS = 300;

let kinesis: LocalKinesis;
let direct: KinesisApi;
let proxy: KinesisFaultProxy;
let proxied: KinesisApi;
beforeAll(async () => {
  kinesis = await startLocalKinesis();
  direct = awsKinesis({ region: LOCAL_REGION, endpoint: kinesis.endpoint });
});
afterAll(async () => {
  direct?.close();
  await kinesis?.stop();
});
beforeEach(async () => {
  proxy = await startKinesisFaultProxy(kinesis.endpoint, SEED);
  proxied = awsKinesis({ region: LOCAL_REGION, endpoint: proxy.endpoint });
});
afterEach(async () => {
  proxied.close();
  await proxy.stop();
});

let streams = 0;
async function stream(): Promise<string> {
  const name = `faults-${streams++}`;
  await kinesis.createStream(name);
  return name;
}

const SHARD = 'shardId-000000000000';
const texts = (count: number) => Array.from({ length: count }, (_, index) => `record ${index}`);
const entries = (count: number) => texts(count).map((each) => ({ partitionKey: each, data: Buffer.from(each) }));

async function stored(name: string): Promise<string[]> {
  const iterator = await direct.getShardIterator(name, SHARD, { type: 'TRIM_HORIZON' });
  return (await direct.getRecords(iterator, 10_000)).records.map(({ data }) => Buffer.from(data).toString());
}

const acceptedOf = (results: readonly PutResult[]) =>
  texts(results.length).filter((_, index) => results[index]?.errorCode === null);

describe('the fault proxy', () => {
  it('without faults passes everything on, bytes included', async () => {
    const name = await stream();
    expect(await proxied.describeStream(name)).toEqual(await direct.describeStream(name));
    const results = await proxied.putRecords(name, entries(50));
    expect(acceptedOf(results)).toHaveLength(50);
    expect(await stored(name)).toEqual(texts(50));
    expect(proxy.counts).toEqual({ ...NONE, forwarded: 2 });
    await expect(proxied.describeStream('nowhere')).rejects.toMatchObject({ kind: 'not-found' });
  });

  it('rejects a share of the entries of a put: those it says are stored, and no others', async () => {
    const name = await stream();
    proxy.faults.rejectedEntries = 0.3;
    const results = await proxied.putRecords(name, entries(200));
    const rejected = results.filter(({ errorCode }) => errorCode !== null);
    expect(rejected.length).toBeGreaterThan(40);
    expect(rejected.length).toBeLessThan(80);
    expect(new Set(rejected.map(({ errorCode }) => errorCode))).toEqual(
      new Set(['ProvisionedThroughputExceededException']),
    );
    expect(await stored(name)).toEqual(acceptedOf(results));
    expect(proxy.counts.rejectedEntries).toBe(rejected.length);
  });

  it('rejects all of them', async () => {
    const name = await stream();
    proxy.faults.rejectedEntries = 1;
    expect(acceptedOf(await proxied.putRecords(name, entries(3)))).toEqual([]);
    expect(await stored(name)).toEqual([]);
  });

  it('does the same for the same seed', async () => {
    const outcome = async () => {
      const again = await startKinesisFaultProxy(kinesis.endpoint, SEED, { rejectedEntries: 0.3 });
      const api = awsKinesis({ region: LOCAL_REGION, endpoint: again.endpoint });
      const name = await stream();
      const accepted = [
        acceptedOf(await api.putRecords(name, entries(40))),
        acceptedOf(await api.putRecords(name, entries(40))),
      ];
      api.close();
      await again.stop();
      return accepted;
    };
    expect(await outcome()).toEqual(await outcome());
  });

  it('throttles a share of the reads, and nothing else', async () => {
    const name = await stream();
    proxy.faults.throttledReads = 0.5;
    const iterator = await proxied.getShardIterator(name, SHARD, { type: 'TRIM_HORIZON' });
    let throttled = 0;
    for (let read = 0; read < 20; read++) {
      await proxied.getRecords(iterator, 10).catch((failure) => {
        expect(failure).toMatchObject({ kind: 'throttled', code: 'ProvisionedThroughputExceededException' });
        throttled++;
      });
    }
    expect(throttled).toBeGreaterThan(3);
    expect(throttled).toBeLessThan(17);
    expect(proxy.counts).toMatchObject({ throttledReads: throttled, forwarded: 21 - throttled });
  });

  it('fails and cuts until it is told to stop', async () => {
    const name = await stream();
    proxy.faults.failing = 1;
    await expect(proxied.listShards(name)).rejects.toMatchObject({
      kind: 'unavailable',
      code: 'InternalFailureException',
    });
    proxy.faults = { ...NONE, cut: 1 };
    await expect(proxied.listShards(name)).rejects.toMatchObject({ kind: 'unavailable', code: 'ECONNRESET' });
    proxy.faults = NONE;
    expect(await proxied.listShards(name)).toHaveLength(1);
    expect(proxy.counts).toEqual({ ...NONE, failing: 1, cut: 1, forwarded: 1 });
  });

  it('hangs', async () => {
    const name = await stream();
    const api = awsKinesis({ region: LOCAL_REGION, endpoint: proxy.endpoint, timeouts: { callMs: SHORT_MS } });
    proxy.faults.hanging = 1;
    await expect(api.listShards(name)).rejects.toMatchObject({ kind: 'unavailable', code: 'TimeoutError' });
    api.close();
  });

  it('loses the answer to a put that was done', async () => {
    const name = await stream();
    proxy.faults.lostAnswers = 1;
    await expect(proxied.putRecords(name, entries(3))).rejects.toMatchObject({ kind: 'unavailable' });
    expect(await stored(name)).toEqual(texts(3));
  });

  it('passes a subscription on as it comes, and cuts it', async () => {
    const name = await stream();
    await direct.putRecords(name, entries(2));
    const { arn } = await direct.describeStream(name);
    let consumer = await direct.registerConsumer(arn, 'reader');
    while (!consumer.isActive) consumer = await direct.registerConsumer(arn, 'reader');
    const came: string[] = [];
    const reading = (async () => {
      const start = { type: 'TRIM_HORIZON' } as const;
      for await (const event of proxied.subscribeToShard(consumer.arn, SHARD, start, new AbortController().signal)) {
        came.push(...event.records.map(({ data }) => Buffer.from(data).toString()));
        if (came.length === 2) proxy.cutAll();
      }
    })();
    await expect(reading).rejects.toMatchObject({ kind: 'unavailable' });
    expect(came).toEqual(texts(2));
  });
});
