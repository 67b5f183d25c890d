import { TenantAnalyticsError } from '../../base/errors.ts';
import type { KinesisApi } from '../../connectors/kinesis/kinesis-api.ts';
import { KinesisRowStream, RECORD_BYTES, type WriterWords } from '../../connectors/kinesis/record-writer.ts';
import type { World } from '../../runtime/ports.ts';
import { Pressure } from '../../runtime/pressure.ts';
import type { EventWriter } from '../../services/simulator/simulate.ts';

/** What a command says that sends records, and keeps no state of its own. */
export const OF_A_COMMAND: WriterWords = {
  records: 'records',
  whileTheyWait: 'nothing else is sent meanwhile, and Ctrl-C gives up',
  whenMended: 'Then run the same command again.',
  region: '--region',
};

/**
 * Writes events to streams: batches, retries, in order per partition key. What a stream refuses for good rejects; the next
 * event for it begins anew. How much is under way at a time is up to the caller: each `put` resolves once it was accepted.
 * @param parameter what names a stream, for messages
 */
export function eventWriter(
  api: Pick<KinesisApi, 'putRecords'>,
  world: Pick<World, 'clock' | 'sleep' | 'random' | 'warn'>,
  parameter: string | ((stream: string) => string),
  words?: WriterWords,
): EventWriter & { close(): Promise<void> } {
  const streams = new Map<string, KinesisRowStream>();
  const open = (stream: string) => {
    const onFailure = () => streams.delete(stream);
    const named = typeof parameter === 'string' ? parameter : parameter(stream);
    const options = { stream, parameter: named, onFailure, ...(words === undefined ? {} : { words }) };
    const opened = new KinesisRowStream(api, world, new Pressure(), options);
    streams.set(stream, opened);
    return opened;
  };
  return {
    put(name, partitionKey, data) {
      const bytes = data.length + Buffer.byteLength(partitionKey);
      if (bytes > RECORD_BYTES) return Promise.reject(beyondLimit(name, partitionKey, bytes));
      const stream = streams.get(name) ?? open(name);
      stream.send(partitionKey, data);
      return stream.accepted();
    },
    async close() {
      for (const stream of streams.values()) await stream.close();
    },
  };
}

function beyondLimit(stream: string, partitionKey: string, bytes: number): TenantAnalyticsError {
  return new TenantAnalyticsError(
    'INPUT_CORRUPT',
    `A record for stream ${stream} (partition key ${partitionKey}) was expected to have at most ${RECORD_BYTES} bytes with its key, and has ${bytes}: it was not sent. Split it, or leave it out.`,
  );
}
