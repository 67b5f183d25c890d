import { TenantAnalyticsError } from '../../base/errors.ts';
import { KinesisProcess } from './kinesis-process.ts';
import { haveStreams, type StreamToHave } from './streams.ts';

export interface LocalKinesisOptions {
  /** Its own, as an absolute path: everything in all streams is in here. Created when it is not there. */
  readonly folder: string;
  /** On 127.0.0.1; 0 takes a free one. */
  readonly port: number;
  readonly streams: readonly StreamToHave[];
  /** How long an accepted record may be in memory only, at least; a write takes a tenth of the time at most. */
  readonly persistMs?: number;
  /** Something that a person should know, though it went on: data could not be written. */
  readonly warn: (message: string) => void;
  /** Aborted: the start is given up. Without a meaning after the start. */
  readonly signal: AbortSignal;
}

export interface LocalKinesis {
  readonly endpoint: string;
  readonly pid: number;
  /** Resolves when it ended though nobody stopped it; what the streams took last may be lost then. */
  readonly failed: Promise<TenantAnalyticsError>;
  /**
   * Takes no more requests, writes everything it ever accepted to its folder, and ends. Not before all who use it have.
   * @throws TenantAnalyticsError STORAGE_FAILED when it could not be written
   */
  stop(): Promise<void>;
}

/**
 * Kinesis on this machine: the package kinesis-local as a child process, made to keep its streams over restarts
 * (docs/decisions/0008-a-local-kinesis-kept-over-restarts.md). It ends with this process, however that ends.
 * @throws TenantAnalyticsError PORT_TAKEN, LOCKED, INPUT_CORRUPT, SERVICE_FAILED, or STOPPED when the signal was aborted
 */
export async function startLocalKinesis(options: LocalKinesisOptions): Promise<LocalKinesis> {
  const { folder, port, streams, persistMs = 2000, warn, signal } = options;
  if (signal.aborted) throw stopped();
  const child = new KinesisProcess(folder, port, persistMs, warn);
  try {
    const listensAt = await child.listening(signal);
    if (listensAt === undefined) throw stopped();
    const endpoint = `http://127.0.0.1:${listensAt}`;
    const isOver = child.failed.then((error) => Promise.reject(error));
    await Promise.race([haveStreams(endpoint, streams, signal), isOver]);
    if (signal.aborted) throw stopped();
    return { endpoint, pid: child.pid, failed: child.failed, stop: () => child.stop() };
  } catch (error) {
    await child.abandon();
    throw error;
  }
}

function stopped(): TenantAnalyticsError {
  return new TenantAnalyticsError('STOPPED', 'stopped before local Kinesis was up.');
}
