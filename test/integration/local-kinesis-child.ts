// A program with a local Kinesis of its own, to be killed: it tells the endpoint.
import { startLocalKinesis } from '../../src/services/local-kinesis/local-kinesis.ts';

const [folder = ''] = process.argv.slice(2);
const { endpoint } = await startLocalKinesis({
  folder,
  port: 0,
  streams: [{ name: 'jobs', shards: 1 }],
  persistMs: 600_000,
  warn: () => undefined,
  signal: new AbortController().signal,
});
process.stdout.write(`${JSON.stringify({ endpoint })}\n`);
