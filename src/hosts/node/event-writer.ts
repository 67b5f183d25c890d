import type { KinesisApi } from '../../connectors/kinesis/kinesis-api.ts';
import { KinesisRowStream } from '../../connectors/kinesis/record-writer.ts';
import type { World } from '../../runtime/ports.ts';
import { Pressure } from '../../runtime/pressure.ts';
import type { EventWriter } from '../../services/simulator/simulate.ts';

/**
 * Writes events to streams: batches, retries, in order per partition key. What a stream refuses for good rejects; the next
 * event for it begins anew. How much is under way at a time is up to the caller: each `put` resolves once it was accepted.
 * @param parameter what names the stream, for messages
 */
export function eventWriter(
  api: KinesisApi,
  world: World,
  parameter: string,
): EventWriter & { close(): Promise<void> } {
  const streams = new Map<string, KinesisRowStream>();
  const open = (stream: string) => {
    const onFailure = () => streams.delete(stream);
    const opened = new KinesisRowStream(api, world, new Pressure(), { stream, parameter, onFailure });
    streams.set(stream, opened);
    return opened;
  };
  return {
    put(name, partitionKey, data) {
      const stream = streams.get(name) ?? open(name);
      stream.send(partitionKey, data);
      return stream.accepted();
    },
    async close() {
      for (const stream of streams.values()) await stream.close();
    },
  };
}
