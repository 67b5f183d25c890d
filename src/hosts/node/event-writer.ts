import type { KinesisApi } from '../../connectors/kinesis/kinesis-api.ts';
import { KinesisRowStream } from '../../connectors/kinesis/record-writer.ts';
import type { World } from '../../runtime/ports.ts';
import { Pressure } from '../../runtime/pressure.ts';
import type { EventWriter } from '../../services/simulator/simulate.ts';

/** Writes events to streams: batches, retries, in order per partition key. */
export function eventWriter(api: KinesisApi, world: World): EventWriter & { close(): Promise<void> } {
  const streams = new Map<string, KinesisRowStream>();
  const pressure = new Pressure();
  const failure: { error?: unknown } = {};
  const open = (name: string) => {
    const options = {
      stream: name,
      parameter: 'the stream of the simulator',
      onFailure: (error: unknown) => {
        failure.error ??= error;
      },
    };
    const stream = new KinesisRowStream(api, world, pressure, options);
    streams.set(name, stream);
    return stream;
  };
  return {
    async put(name, partitionKey, data) {
      if (pressure.full) await pressure.relieved();
      const stream = streams.get(name) ?? open(name);
      stream.send(partitionKey, data);
      await stream.accepted();
      if (failure.error !== undefined) throw failure.error;
    },
    async close() {
      for (const stream of streams.values()) await stream.close();
    },
  };
}
