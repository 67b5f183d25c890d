import { messageOf } from '../../base/errors.ts';
import type { KinesisApi } from '../../connectors/kinesis/kinesis-api.ts';
import { ReadBudget } from '../../connectors/kinesis/read-budget.ts';
import { type InitialPosition, ShardDiscovery } from '../../connectors/kinesis/shard-discovery.ts';
import type { LivePartition, World } from '../../runtime/ports.ts';

const MAX_RECORD_BYTES = 1024 * 1024;

export interface FollowOptions {
  /** LATEST unless given. */
  readonly initial?: InitialPosition;
  /** Waited for before more is read: so that what was taken does not pile up. */
  readonly room?: () => Promise<void>;
  /** Told at the start how to ask whether all that the stream had was delivered. */
  readonly began?: (isAtTip: () => boolean) => void;
}

/**
 * Follows a stream from now on, or from where it is told, as any consumer of it would, and keeps no position. Returns when
 * the signal is aborted. Records of one shard come in order; what is not decoded is up to `take`.
 */
export async function followStream(
  api: KinesisApi,
  stream: string,
  world: World,
  take: (data: Uint8Array) => void,
  signal: AbortSignal,
  { initial = { type: 'LATEST' }, room, began }: FollowOptions = {},
): Promise<void> {
  const discovery = await ShardDiscovery.open({
    api,
    world,
    sourceID: 'feed',
    stream,
    consumer: 'POLLING',
    initial,
    maxRecordBytes: MAX_RECORD_BYTES,
    budget: new ReadBudget(),
    newRunID: 'feed',
    known: { state: undefined, partitions: {} },
  });
  const ended = new Set<string>();
  const followed = new Map<string, LivePartition>();
  const gave = new Set<string>();
  let isTold = false;
  const follow = async (partition: LivePartition): Promise<void> => {
    const visit = (bytes: Uint8Array, from: number, to: number) => {
      try {
        take(bytes.subarray(from, to));
      } catch (error) {
        // One odd record must not end the following of all others.
        if (!isTold) world.warn(`A record of ${stream} could not be taken: ${messageOf(error)}`);
        isTold = true;
      }
      return true;
    };
    while (partition.deliver(visit, () => true) !== 'ended') {
      await room?.();
      await partition.fill();
      gave.add(partition.id);
    }
    ended.add(partition.id);
    followed.delete(partition.id);
    begin();
  };
  const begin = () => {
    for (const partition of discovery.next(ended)) {
      followed.set(partition.id, partition);
      follow(partition).catch((error: unknown) => world.warn(`Following ${stream} failed: ${String(error)}`));
    }
  };
  begin();
  const isAtTip = ({ id, tip }: LivePartition) =>
    tip.emptySince !== undefined || (gave.has(id) && !tip.isBehind && tip.millisBehindLatest === 0);
  began?.(() => followed.size > 0 && [...followed.values()].every(isAtTip));
  await discovery.watch(begin, signal);
  await discovery.close();
}
