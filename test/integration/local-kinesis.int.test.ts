import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { type AddressInfo, connect, createServer } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import {
  DescribeStreamSummaryCommand,
  GetRecordsCommand,
  GetShardIteratorCommand,
  type GetShardIteratorCommandInput,
  KinesisClient,
  ListShardsCommand,
  PutRecordsCommand,
} from '@aws-sdk/client-kinesis';
import { NodeHttpHandler } from '@smithy/node-http-handler';
import { afterEach, expect, test } from 'vitest';
import {
  type LocalKinesis,
  type LocalKinesisOptions,
  startLocalKinesis,
} from '../../src/services/local-kinesis/local-kinesis.ts';
import { temporaryFolder } from './folders.ts';

process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED = 'true';

const running: LocalKinesis[] = [];
const clients: KinesisClient[] = [];
const programs: ChildProcess[] = [];
afterEach(async () => {
  for (const program of programs.splice(0)) program.kill('SIGKILL');
  for (const client of clients.splice(0)) client.destroy();
  for (const kinesis of running.splice(0)) await kinesis.stop().catch(() => undefined);
});

async function started(options: Partial<LocalKinesisOptions> & { folder: string }): Promise<LocalKinesis> {
  const kinesis = await startLocalKinesis({
    port: 0,
    streams: [{ name: 'jobs', shards: 2 }],
    persistMs: 600_000,
    warn: () => undefined,
    signal: new AbortController().signal,
    ...options,
  });
  running.push(kinesis);
  return kinesis;
}

function clientOf({ endpoint }: { endpoint: string }): KinesisClient {
  const client = new KinesisClient({
    endpoint,
    region: 'us-west-2',
    requestHandler: new NodeHttpHandler(), // HTTP/2, its own default, needs TLS
    maxAttempts: 1,
    credentials: { accessKeyId: 'local', secretAccessKey: 'local' },
  });
  clients.push(client);
  return client;
}

async function put(client: KinesisClient, from: number, to: number): Promise<void> {
  const Records = Array.from({ length: to - from }, (_, index) => ({
    PartitionKey: `comp_${index % 7}`,
    Data: Buffer.from(`record ${from + index}`),
  }));
  const { FailedRecordCount } = await client.send(new PutRecordsCommand({ StreamName: 'jobs', Records }));
  expect(FailedRecordCount).toBe(0);
}

async function read(client: KinesisClient, position: Omit<GetShardIteratorCommandInput, 'StreamName'>) {
  const at = await client.send(new GetShardIteratorCommand({ StreamName: 'jobs', ...position }));
  const { Records = [] } = await client.send(new GetRecordsCommand({ ShardIterator: at.ShardIterator, Limit: 10_000 }));
  return Records.map(({ Data, SequenceNumber = '', PartitionKey, ApproximateArrivalTimestamp }) => ({
    text: Buffer.from(Data ?? []).toString(),
    SequenceNumber,
    PartitionKey,
    ApproximateArrivalTimestamp,
  }));
}

async function everything(client: KinesisClient) {
  const { StreamDescriptionSummary } = await client.send(new DescribeStreamSummaryCommand({ StreamName: 'jobs' }));
  const { Shards = [] } = await client.send(new ListShardsCommand({ StreamName: 'jobs' }));
  const records = [];
  for (const { ShardId } of Shards) {
    records.push(...(await read(client, { ShardId, ShardIteratorType: 'TRIM_HORIZON' })));
  }
  return { created: StreamDescriptionSummary?.StreamCreationTimestamp, Shards, records };
}

const texts = (records: readonly { text: string }[]) => records.map(({ text }) => text).sort();

async function freePort(): Promise<{ port: number; release(): Promise<void> }> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const release = async () => {
    server.close();
    await once(server, 'close');
  };
  return { port: (server.address() as AddressInfo).port, release };
}

test('streams, records and positions are the same after a stop and a start', async () => {
  const folder = await temporaryFolder();
  const first = await started({ folder });
  const before = clientOf(first);
  await put(before, 0, 300);
  const was = await everything(before);
  await first.stop();

  const again = await started({ folder });
  const after = clientOf(again);
  expect(await everything(after)).toEqual(was);
  expect(was.records).toHaveLength(300);
  expect(was.Shards.map(({ ShardId }) => ShardId)).toEqual(['shardId-000000000000', 'shardId-000000000001']);

  const shard = { ShardId: 'shardId-000000000000' };
  const old = await read(before, { ...shard, ShardIteratorType: 'TRIM_HORIZON' }).catch(() => 'closed');
  expect(old, 'the stopped one answers nothing').toBe('closed');
  const mine = await read(after, { ...shard, ShardIteratorType: 'TRIM_HORIZON' });
  const position = mine[10]?.SequenceNumber;
  await put(after, 300, 310);
  const rest = await read(after, {
    ...shard,
    ShardIteratorType: 'AFTER_SEQUENCE_NUMBER',
    StartingSequenceNumber: position,
  });
  expect(rest.slice(0, mine.length - 11)).toEqual(mine.slice(11));
  expect(rest.length).toBeGreaterThan(mine.length - 11);
  for (const [index, record] of rest.entries()) {
    const next = rest[index + 1];
    if (next !== undefined) expect(BigInt(next.SequenceNumber) > BigInt(record.SequenceNumber)).toBe(true);
  }
});

test('a program that is killed loses nothing: its local Kinesis writes all it accepted, and ends', async () => {
  const folder = await temporaryFolder();
  const program = spawn(
    process.execPath,
    ['--import', 'tsx', fileURLToPath(new URL('local-kinesis-child.ts', import.meta.url)), folder],
    { stdio: ['ignore', 'pipe', 'ignore'] },
  );
  programs.push(program);
  const [line] = (await once(program.stdout.setEncoding('utf8'), 'data')) as [string];
  await put(clientOf(JSON.parse(line) as { endpoint: string }), 0, 100);
  program.kill('SIGKILL');
  await once(program, 'exit');

  // At once. The folder's lock says that the one before has ended: it is one of the kernel.
  const again = await started({ folder });
  expect((await everything(clientOf(again))).records).toHaveLength(100);
});

test('killed itself at any moment, it leaves a file that holds all but what came last', async () => {
  const folder = await temporaryFolder();
  const stored = () => readFile(`${folder}/kinesis-data.json`, 'utf8').catch(() => '');
  let [atLeast, atMost] = [0, 0];
  for (let round = 0; round < 5; round++) {
    const kinesis = await started({ folder, persistMs: 1 });
    const client = clientOf(kinesis);
    const found = texts((await everything(client)).records);
    expect(found).toEqual(texts(Array.from({ length: found.length }, (_, n) => ({ text: `record ${n}` }))));
    expect(found.length).toBeGreaterThanOrEqual(atLeast);
    expect(found.length).toBeLessThanOrEqual(atMost);
    await put(client, found.length, found.length + 100);
    // The last of them: a write that began after it was accepted.
    const last = `"${Buffer.from(`record ${found.length + 99}`).toString('base64')}"`;
    while (!(await stored()).includes(last)) await sleep(5);
    atLeast = found.length + 100;
    await put(client, atLeast, atLeast + 300);
    atMost = atLeast + 300;
    await sleep(round * 7);
    process.kill(kinesis.pid, 'SIGKILL');
    expect(await kinesis.failed).toMatchObject({ code: 'SERVICE_FAILED', message: expect.stringMatching(/SIGKILL/) });
    await kinesis.stop();
  }
});

test('signals that a terminal sends to all do not end it: its parent does', async () => {
  const kinesis = await started({ folder: await temporaryFolder() });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.kill(kinesis.pid, signal);
  await put(clientOf(kinesis), 0, 10);
  await kinesis.stop();
  expect(() => process.kill(kinesis.pid, 0)).toThrow('ESRCH');
});

test('a taken port is named, with the flag that chooses another', async () => {
  const { port, release } = await freePort();
  await expect(started({ folder: await temporaryFolder(), port })).rejects.toMatchObject({
    code: 'PORT_TAKEN',
    message: expect.stringMatching(new RegExp(`port ${port} on 127\\.0\\.0\\.1 is taken.*--kinesis-port`)),
  });
  await release();
});

test('listens at the port asked for, on this machine only', async () => {
  const { port, release } = await freePort();
  await release();
  const kinesis = await started({ folder: await temporaryFolder(), port });
  expect(kinesis.endpoint).toBe(`http://127.0.0.1:${port}`);
  if (process.platform !== 'linux') return;
  const [error] = await once(connect(port, '127.0.0.2'), 'connect').then(
    () => ['connected'],
    (refused: unknown) => [refused],
  );
  expect(error).toMatchObject({ code: 'ECONNREFUSED' });
});

test('a folder is used by one at a time: another is refused while it runs, and waits while it ends', async () => {
  const folder = await temporaryFolder();
  const first = await started({ folder });
  await expect(started({ folder })).rejects.toMatchObject({ code: 'LOCKED' });
  await put(clientOf(first), 0, 50);
  const [next] = await Promise.all([started({ folder }), first.stop()]);
  expect((await everything(clientOf(next))).records).toHaveLength(50);
});

test('a file that is not whole is refused, and left as it is', async () => {
  const folder = await temporaryFolder();
  await writeFile(`${folder}/kinesis-data.json`, '{"streams":{"arn');
  await expect(started({ folder })).rejects.toMatchObject({
    code: 'INPUT_CORRUPT',
    message: expect.stringMatching(/kinesis-data\.json: expected the streams as JSON/),
  });
  expect(await readFile(`${folder}/kinesis-data.json`, 'utf8')).toBe('{"streams":{"arn');
});

test('a folder that cannot be written to is told at once, and when it stops', async () => {
  const folder = await temporaryFolder();
  await mkdir(`${folder}/kinesis-data.json.tmp`);
  const warnings: string[] = [];
  const kinesis = await started({ folder, persistMs: 1, warn: (message) => warnings.push(message) });
  await put(clientOf(kinesis), 0, 10);
  await expect(kinesis.stop()).rejects.toMatchObject({
    code: 'STORAGE_FAILED',
    message: expect.stringMatching(/EISDIR.*lost/),
  });
  expect(warnings).toEqual([expect.stringMatching(/^local Kinesis could not write to .*EISDIR/)]);
});

test('at a start, records older than a day before the newest are gone, but for the last of each shard', async () => {
  const folder = await temporaryFolder();
  const first = await started({ folder });
  await put(clientOf(first), 0, 100);
  await first.stop();
  const file = `${folder}/kinesis-data.json`;
  type Kept = { streams: Record<string, { shards: Record<string, { ApproximateArrivalTimestamp: number }[]> }> };
  const data = JSON.parse(await readFile(file, 'utf8')) as Kept;
  const [one = [], two = []] = Object.values(data.streams).flatMap(({ shards }) => Object.values(shards));
  for (const record of one) record.ApproximateArrivalTimestamp -= 25 * 3600;
  for (const record of two.slice(0, 5)) record.ApproximateArrivalTimestamp -= 25 * 3600;
  await writeFile(file, JSON.stringify(data));
  const again = await started({ folder });
  expect((await everything(clientOf(again))).records).toHaveLength(1 + two.length - 5);
});

test('a start that is given up leaves no process behind', async () => {
  const stop = new AbortController();
  const start = started({ folder: await temporaryFolder(), signal: stop.signal });
  await sleep(50);
  stop.abort();
  await expect(start).rejects.toMatchObject({ code: 'STOPPED' });
});
