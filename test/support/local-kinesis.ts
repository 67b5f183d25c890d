import { type ChildProcess, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import {
  CreateStreamCommand,
  DeleteStreamCommand,
  DescribeStreamSummaryCommand,
  type KinesisClient,
  ListShardsCommand,
  ListStreamsCommand,
  MergeShardsCommand,
  SplitShardCommand,
} from '@aws-sdk/client-kinesis';
import { kinesisClients } from '../../src/connectors/kinesis/aws-clients.ts';

/** A real server of the Kinesis protocol (kinesis-local) in a process of its own, on this machine only. */
export interface LocalKinesis {
  /** Plain HTTP. */
  readonly endpoint: string;
  createStream(name: string, shards?: number): Promise<void>;
  /** Resolves once it is gone. */
  deleteStream(name: string): Promise<void>;
  /** Splits an open shard in the middle; resolves once its children take records. */
  split(stream: string, shardId: string): Promise<void>;
  /** Merges two adjacent open shards; resolves once their child takes records. */
  merge(stream: string, shardId: string, otherID: string): Promise<void>;
  /** SIGKILL, and gone when it resolves. */
  stop(): Promise<void>;
}

export const LOCAL_REGION = 'us-west-2';
/** What it is told to listen on, and does not: see below. */
const PLAIN_PORT = 4568;
const FOLDER = dirname(createRequire(import.meta.url).resolve('kinesis-local/package.json'));

/**
 * It would listen on all interfaces, and on ports that had to be guessed. Instead each of its servers takes a free port of the
 * loopback, and tells which. It ends when its parent is gone, however that went.
 */
const PRELOAD = `
  import net from 'node:net';
  const listen = net.Server.prototype.listen;
  net.Server.prototype.listen = function (port, ...rest) {
    this.once('listening', () => port === ${PLAIN_PORT} && process.send({ port: this.address().port }));
    return listen.call(this, { host: '127.0.0.1', port: 0 }, ...rest.filter((each) => typeof each === 'function'));
  };
  process.on('disconnect', () => process.exit(1));
`;

/** What takes time there takes next to none. */
const AT_ONCE = Object.fromEntries(
  [
    'CREATE_STREAM_DURATION',
    'DELETE_STREAM_DURATION',
    'REGISTER_STREAM_CONSUMER_DURATION',
    'DEREGISTER_STREAM_CONSUMER_DURATION',
    'MERGE_SHARDS_DURATION',
    'SPLIT_SHARD_DURATION',
  ].map((name) => [name, '10ms']),
);

export async function startLocalKinesis(): Promise<LocalKinesis> {
  const child = spawn(
    process.execPath,
    ['--import', `data:text/javascript,${encodeURIComponent(PRELOAD)}`, join(FOLDER, 'main.js')],
    {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: {
        PATH: process.env.PATH,
        KINESIS_MOCK_CERT_PATH: join(FOLDER, 'server.json'),
        KINESIS_MOCK_PLAIN_PORT: String(PLAIN_PORT),
        KINESIS_MOCK_TLS_PORT: String(PLAIN_PORT + 1),
        AWS_REGION: LOCAL_REGION,
        LOG_LEVEL: 'ERROR',
        ...AT_ONCE,
      },
    },
  );
  const gone = new Promise<void>((resolve) => child.once('close', () => resolve()));
  const stop = () => {
    child.kill('SIGKILL');
    return gone;
  };
  try {
    const endpoint = `http://127.0.0.1:${await plainPort(child)}`;
    const { calls } = kinesisClients(LOCAL_REGION, endpoint);
    return { endpoint, ...operations(calls), stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

function plainPort(child: ChildProcess): Promise<number> {
  let said = '';
  child.stderr?.setEncoding('utf8').on('data', (text: string) => {
    said = (said + text).slice(-2000);
  });
  return new Promise((resolve, reject) => {
    child.once('message', (message: { port: number }) => resolve(message.port));
    child.once('error', reject);
    child.once('close', (code, signal) =>
      reject(new Error(`kinesis-local was expected to listen, but ended with ${code ?? signal}: ${said}`)),
    );
  });
}

function operations(client: KinesisClient): Omit<LocalKinesis, 'endpoint' | 'stop'> {
  /** Streams change in the background, and take no other change meanwhile. */
  const settled = async (stream: string) => {
    for (;;) {
      const answer = await client.send(new DescribeStreamSummaryCommand({ StreamName: stream }));
      if (answer.StreamDescriptionSummary?.StreamStatus === 'ACTIVE') return;
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  };
  const middle = async (stream: string, shardId: string) => {
    const { Shards } = await client.send(new ListShardsCommand({ StreamName: stream }));
    const range = Shards?.find(({ ShardId }) => ShardId === shardId)?.HashKeyRange;
    if (range?.StartingHashKey === undefined || range.EndingHashKey === undefined) {
      throw new Error(`${stream} was expected to have ${shardId}`);
    }
    return String((BigInt(range.StartingHashKey) + BigInt(range.EndingHashKey)) / 2n);
  };
  return {
    async createStream(name, shards = 1) {
      await client.send(new CreateStreamCommand({ StreamName: name, ShardCount: shards }));
      await settled(name);
    },
    async deleteStream(name) {
      await client.send(new DeleteStreamCommand({ StreamName: name }));
      for (;;) {
        const { StreamNames: names } = await client.send(new ListStreamsCommand({}));
        if (names?.includes(name) !== true) return;
        await new Promise((resolve) => setTimeout(resolve, 10));
      }
    },
    async split(stream, shardId) {
      const at = await middle(stream, shardId);
      await client.send(new SplitShardCommand({ StreamName: stream, ShardToSplit: shardId, NewStartingHashKey: at }));
      await settled(stream);
    },
    async merge(stream, shardId, otherID) {
      await client.send(
        new MergeShardsCommand({ StreamName: stream, ShardToMerge: shardId, AdjacentShardToMerge: otherID }),
      );
      await settled(stream);
    },
  };
}
