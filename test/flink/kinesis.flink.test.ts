import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import {
  GetRecordsCommand,
  GetShardIteratorCommand,
  type KinesisClient,
  ListShardsCommand,
  PutRecordsCommand,
} from '@aws-sdk/client-kinesis';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { kinesisClients } from '../../src/connectors/kinesis/aws-clients.ts';
import { startKinesisFaultProxy } from '../support/kinesis-fault-proxy.ts';
import { LOCAL_REGION, type LocalKinesis, startLocalKinesis } from '../support/local-kinesis.ts';
import { kplAggregate } from '../support/simulated-stream.ts';
import { Probe, probeClassPath } from './kinesis-probe.ts';

/** Hash keys of the first and of the second of two shards. */
const LOW = '1';
const HIGH = String(2n ** 128n - 2n);
const FIRST = 'shardId-000000000000';
const SECOND = 'shardId-000000000001';
const THIRD = 'shardId-000000000002';
const FOURTH = 'shardId-000000000003';
const FIFTH = 'shardId-000000000004';
/** A JVM and a Flink start in it, on a machine that is busy. */
const SOON = { timeout: 90_000, interval: 50 };

let classPath: string;
const onEnd: (() => Promise<unknown>)[] = [];

beforeAll(async () => {
  classPath = await probeClassPath();
}, 600_000);

afterEach(async () => {
  for (const end of onEnd.splice(0).reverse()) await end();
});

interface Setting {
  readonly kinesis: LocalKinesis;
  readonly client: KinesisClient;
}

async function streams(shards: number): Promise<Setting> {
  const kinesis = await startLocalKinesis();
  onEnd.push(() => kinesis.stop());
  await kinesis.createStream('jobs', shards);
  await kinesis.createStream('out', 1);
  return { kinesis, client: kinesisClients(LOCAL_REGION, kinesis.endpoint).calls };
}

function probe(
  endpoint: string,
  options: Readonly<Record<string, string | number>> = {},
  environment: Readonly<Record<string, string>> = {},
): Probe {
  const started = new Probe(classPath, { endpoint, stream: 'jobs', sink: 'out', ...options }, environment);
  onEnd.push(() => started.kill());
  return started;
}

async function put(client: KinesisClient, hashKey: string, ...records: (string | Uint8Array)[]): Promise<void> {
  const answer = await client.send(
    new PutRecordsCommand({
      StreamName: 'jobs',
      Records: records.map((data) => ({ Data: Buffer.from(data), PartitionKey: 'key', ExplicitHashKey: hashKey })),
    }),
  );
  expect(answer.FailedRecordCount).toBe(0);
}

async function textsOf(client: KinesisClient, stream: string): Promise<{ text: string; key: string }[]> {
  const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName: stream }));
  const found = [];
  for (const { ShardId } of Shards) {
    const at = await client.send(
      new GetShardIteratorCommand({ StreamName: stream, ShardId, ShardIteratorType: 'TRIM_HORIZON' }),
    );
    const { Records = [] } = await client.send(new GetRecordsCommand({ ShardIterator: at.ShardIterator }));
    for (const { Data, PartitionKey = '' } of Records) {
      found.push({ text: Buffer.from(Data ?? []).toString(), key: PartitionKey });
    }
  }
  return found;
}

const numbered = (name: string, from: number, to: number) =>
  Array.from({ length: to - from }, (_, at) => `${name}${from + at}`);

const aggregate = (texts: readonly string[]) =>
  kplAggregate(texts.map((text) => ({ partitionKey: `key of ${text}`, data: Buffer.from(text) })));

describe.each(['POLLING', 'EFO'])('a stream that is read by %s', (consumer) => {
  it('gives each record once, user records with their place in their aggregate, through split and merge; and takes rows', async () => {
    const { kinesis, client } = await streams(2);
    await put(client, LOW, ...numbered('low', 0, 5), 'x'.repeat(1001), aggregate(numbered('user', 0, 40)));
    await put(client, HIGH, ...numbered('high', 0, 5));
    const job = probe(kinesis.endpoint, { consumer, parallelism: 2 });
    await expect.poll(() => job.records.length, SOON).toBe(51);
    await kinesis.split('jobs', FIRST);
    await put(client, LOW, 'after the split');
    await expect.poll(() => job.texts, SOON).toContain('after the split');
    await kinesis.merge('jobs', THIRD, FOURTH);
    await put(client, LOW, 'after the merge', aggregate(['user40', 'user41']));
    await expect.poll(() => job.texts, SOON).toContain('user41');

    const cut = 'x'.repeat(1000);
    const expected = [
      ...numbered('low', 0, 5),
      ...numbered('high', 0, 5),
      ...numbered('user', 0, 42),
      ...[cut, 'after the split', 'after the merge'],
    ].sort();
    expect([...job.texts].sort()).toEqual(expected);
    for (const { text, index, size, source, shard } of job.records) {
      expect(source).toBe(1);
      if (text === cut) expect(size).toBe(1001);
      else expect(size).toBe(text.length);
      const user = /^user(\d+)$/.exec(text)?.[1];
      expect(index, text).toBe(user === undefined ? -1 : Number(user) % 40);
      if (text.startsWith('high')) expect(shard).toBe(SECOND);
      if (text === 'after the merge') expect(shard).toBe(FIFTH);
    }
    const ids = job.records.map(({ shard, sequenceNumber, index }) => `${shard}:${sequenceNumber}:${index}`);
    expect(new Set(ids).size).toBe(ids.length);
    expect(new Set(job.records.filter(({ index }) => index >= 0).map((user) => user.sequenceNumber)).size).toBe(2);

    await expect.poll(() => job.shards, SOON).toEqual([SECOND, FIFTH]);
    await expect.poll(() => textsOf(client, 'out'), SOON).toHaveLength(expected.length);
    const rows = await textsOf(client, 'out');
    expect(rows.map(({ text }) => text).sort()).toEqual(expected);
    expect(rows.every(({ text, key }) => key === `key-${text.length}`)).toBe(true);
    expect(job.failure).toBeUndefined();
  });

  it('tells of a silent shard beside a busy one since when it is silent, and of the busy one that it is not', async () => {
    const { kinesis, client } = await streams(2);
    await put(client, HIGH, 'first');
    const job = probe(kinesis.endpoint, { consumer });
    await expect.poll(() => job.texts, SOON).toContain('first');
    for (let count = 0; (job.tip(SECOND)?.emptyMs ?? -1) < 6000; count++) {
      expect(count, 'the silent shard was expected to be silent for 6 s').toBeLessThan(1000);
      await put(client, LOW, `busy${count}`);
      await sleep(100);
    }
    const last = job.allTips.at(-1)?.shards;
    expect(last?.[FIRST]?.emptyMs).toBeLessThan(last?.[SECOND]?.emptyMs ?? 0);
    expect(last?.[SECOND]?.behindMs).toBe(0);
    await put(client, HIGH, 'the end of silence');
    await expect.poll(() => job.texts, SOON).toContain('the end of silence');
    await expect.poll(() => job.tip(SECOND)?.emptyMs, SOON).toBeLessThan(6000);
  });

  it('goes on in the middle of an aggregate after a failure, with the same places', async () => {
    const { kinesis, client } = await streams(1);
    const job = probe(kinesis.endpoint, { consumer, slowMs: 25, checkpointMs: 100, failAt: 'user150' });
    await put(client, LOW, aggregate(numbered('user', 0, 200)));
    await expect.poll(() => job.texts, SOON).toContain('user199');
    const [first, again] = job.starts;
    expect([first?.restored, again?.restored, job.starts.length]).toEqual([false, true, 2]);
    const resumed = job.records[again?.after ?? 0];
    expect(resumed?.index).toBeGreaterThan(0);
    for (const { text, index } of job.records) expect(text).toBe(`user${index}`);
    expect(new Set(job.texts).size).toBe(200);
    // What came before the failure and what came after it meet at the checkpoint between two user records.
    const after = job.texts.slice(again?.after ?? 0);
    expect(after).toEqual(numbered('user', resumed?.index ?? 0, 200));
  });

  it('is read in the order of its records where a shard and those born from it are read by one', async () => {
    const { kinesis, client } = await streams(1);
    await put(client, LOW, ...numbered('', 0, 300));
    await kinesis.split('jobs', FIRST);
    await put(client, LOW, ...numbered('', 300, 600));
    await kinesis.split('jobs', SECOND);
    await put(client, LOW, ...numbered('', 600, 900));
    const job = probe(kinesis.endpoint, { consumer });
    await expect.poll(() => job.records.length, SOON).toBe(900);
    expect(job.texts).toEqual(numbered('', 0, 900));
    // While a shard was read those after it were not waited for, and there was always one.
    expect(job.allTips.every(({ shards }) => Object.keys(shards).length > 0)).toBe(true);
  });

  it('is read from LATEST as of the first submission, also a shard without a record by a job submitted anew', async () => {
    const { kinesis, client } = await streams(2);
    await put(client, LOW, 'before, low');
    await put(client, HIGH, 'before, high');
    const folder = await mkdtemp(join(tmpdir(), 'savepoints-'));
    onEnd.push(() => rm(folder, { recursive: true, force: true }));
    const first = probe(kinesis.endpoint, { consumer, position: 'LATEST' });
    await expect.poll(() => first.shards, SOON).toEqual([FIRST, SECOND]);
    await put(client, LOW, 'in the first run');
    await expect.poll(() => first.texts, SOON).toEqual(['in the first run']);
    const savepoint = await first.stop(folder);

    await put(client, LOW, 'in between, low');
    await put(client, HIGH, 'in between, high');
    const second = probe(kinesis.endpoint, { consumer, position: 'LATEST', from: savepoint, parallelism: 2 });
    await expect.poll(() => second.records.length, SOON).toBe(2);
    expect([...second.texts].sort()).toEqual(['in between, high', 'in between, low']);
    expect(second.starts.every(({ restored }) => restored)).toBe(true);
  });
});

describe('a stream that is throttled or away', () => {
  it('is not silent, is tried until it can be read, and does not end the job', async () => {
    const { kinesis, client } = await streams(1);
    const proxy = await startKinesisFaultProxy(kinesis.endpoint, 1);
    onEnd.push(() => proxy.stop());
    // The proxy reads JSON only.
    const job = probe(proxy.endpoint, {}, { AWS_CBOR_DISABLE: 'true', CBOR_ENABLED: 'false' });
    await expect.poll(() => job.tip(FIRST)?.emptyMs ?? -1, SOON).toBeGreaterThan(1000);
    for (const fault of ['throttledReads', 'failing'] as const) {
      proxy.faults = { ...proxy.faults, [fault]: 1 };
      const met = proxy.counts[fault];
      await expect.poll(() => proxy.counts[fault] - met, SOON).toBeGreaterThan(20);
      await expect.poll(() => job.tip(FIRST)?.emptyMs, SOON).toBe(-1);
      await put(client, LOW, `during ${fault}`);
      proxy.faults = { ...proxy.faults, [fault]: 0 };
      await expect.poll(() => job.texts, SOON).toContain(`during ${fault}`);
      await expect.poll(() => job.tip(FIRST)?.emptyMs ?? -1, SOON).toBeGreaterThan(0);
    }
    expect(job.starts).toHaveLength(1);
    expect(job.failure).toBeUndefined();
  });
});
