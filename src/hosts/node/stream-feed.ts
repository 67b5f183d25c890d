import type { KinesisApi } from '../../connectors/kinesis/kinesis-api.ts';
import { ReadBudget } from '../../connectors/kinesis/read-budget.ts';
import { ShardDiscovery } from '../../connectors/kinesis/shard-discovery.ts';
import type { LivePartition, World } from '../../runtime/ports.ts';

const MAX_RECORD_BYTES = 1024 * 1024;

/**
 * Follows a stream from now on, as any consumer of it would, and keeps no position. Returns when the signal is aborted.
 * Records of one shard come in order; what is not decoded is up to `take`.
 */
export async function followStream(
  api: KinesisApi,
  stream: string,
  world: World,
  take: (data: Uint8Array) => void,
  signal: AbortSignal,
): Promise<void> {
  const discovery = await ShardDiscovery.open({
    api,
    world,
    sourceID: 'feed',
    stream,
    consumer: 'POLLING',
    initial: { type: 'LATEST' },
    maxRecordBytes: MAX_RECORD_BYTES,
    budget: new ReadBudget(),
    newRunID: 'feed',
    known: { state: undefined, partitions: {} },
  });
  const ended = new Set<string>();
  const follow = async (partition: LivePartition): Promise<void> => {
    const visit = (bytes: Uint8Array, from: number, to: number) => {
      take(bytes.subarray(from, to));
      return true;
    };
    while (partition.deliver(visit, () => true) !== 'ended') await partition.fill();
    ended.add(partition.id);
    begin();
  };
  const begin = () => {
    for (const partition of discovery.next(ended)) {
      follow(partition).catch((error: unknown) => world.warn(`Following ${stream} failed: ${String(error)}`));
    }
  };
  begin();
  await discovery.watch(begin, signal);
  await discovery.close();
}
