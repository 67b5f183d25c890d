import { aggregateRecord } from '../../connectors/kinesis/aggregate.ts';
import type { EventWriter } from '../../services/simulator/simulate.ts';

/** As the KPL's AggregationMaxSize by default; a longer record leaves alone. */
const AGGREGATE_BYTES = 51_200;

interface Waiting {
  readonly data: Uint8Array;
  readonly resolve: () => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Puts records of one stream and partition key together, in the KPL's format: those of one turn, and those that come while
 * one before is under way, which is when it saves requests. A record without company leaves as it is, as the KPL does it.
 */
export function aggregatingWriter(writer: EventWriter): EventWriter {
  const queues = new Map<string, Waiting[]>();
  const drain = async (id: string, stream: string, partitionKey: string, queue: Waiting[]) => {
    while (queue.length > 0) {
      const together = queue.splice(0, countFor(queue));
      const data = together.map((each) => each.data);
      const [only] = data;
      try {
        const record = data.length === 1 && only !== undefined ? only : aggregateRecord(partitionKey, data);
        await writer.put(stream, partitionKey, record);
        for (const { resolve } of together) resolve();
      } catch (error) {
        for (const { reject } of together) reject(error);
      }
    }
    queues.delete(id);
  };
  return {
    put(stream, partitionKey, data) {
      return new Promise((resolve, reject) => {
        const id = `${stream} ${partitionKey}`;
        const queue = queues.get(id);
        const waiting = { data, resolve, reject };
        if (queue !== undefined) {
          queue.push(waiting);
          return;
        }
        const first = [waiting];
        queues.set(id, first);
        queueMicrotask(() => void drain(id, stream, partitionKey, first));
      });
    },
  };
}

/** How many from the head of the queue fit into one aggregate. */
function countFor(queue: readonly Waiting[]): number {
  let bytes = 0;
  let count = 0;
  for (const { data } of queue) {
    bytes += data.length;
    if (count > 0 && bytes > AGGREGATE_BYTES) break;
    count++;
  }
  return count;
}
