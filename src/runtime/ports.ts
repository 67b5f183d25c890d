import type { ByteWriter } from '../base/bytes.ts';
import type { EpochMs } from '../base/time.ts';
import type { HttpRequest, HttpResponse, RecordMeta } from './contract.ts';

/** What the engine asks of the world. Connectors implement these; tests and simulations put others in their place. */

export interface Clock {
  now(): EpochMs;
}

/**
 * Files, with the promises of POSIX and no more: what was written is durable after `sync` of the file, and a created,
 * renamed or removed name after `syncFolder` of its folder.
 */
export interface FileSystem {
  /** Creates the folder and its parents, durably. */
  makeFolder(path: string): Promise<void>;
  /** Names in the folder; empty when it is not there. */
  list(path: string): Promise<readonly FolderEntry[]>;
  read(path: string): Promise<Uint8Array>;
  /** Bytes in the file, or undefined when there is none. */
  size(path: string): Promise<number | undefined>;
  /** Opens for writing at the end of its first `length` bytes; what lies beyond is cut. Creates it when `length` is 0. */
  openAt(path: string, length: number): Promise<WritableFile>;
  /** Atomic: `to` is either what it was or all of `from`. */
  rename(from: string, to: string): Promise<void>;
  /** No error when it is not there. */
  remove(path: string): Promise<void>;
  syncFolder(path: string): Promise<void>;
}

export interface FolderEntry {
  readonly name: string;
  readonly isFolder: boolean;
}

export interface WritableFile {
  append(bytes: Uint8Array): Promise<void>;
  sync(): Promise<void>;
  close(): Promise<void>;
}

/** Where in a partition reading goes on: JSON, made and read by the same connector. */
export type Position = Readonly<Record<string, unknown>>;

/** Takes one record, bytes [from, to), lent for the call. False: deliver no more for now. */
export type RecordVisitor = (bytes: Uint8Array, from: number, to: number, meta: RecordMeta) => boolean;

/** One partition of a source: a file, a shard. */
export interface Partition {
  readonly id: string;
  /** The source of the graph it belongs to. */
  readonly sourceID: string;
  /**
   * Delivers what has been read, one record after the other. `paused`: the visitor said so; `empty`: call `fill`;
   * `ended`: there will be no more.
   */
  deliver(visit: RecordVisitor, tooLong: TooLongVisitor): 'paused' | 'empty' | 'ended';
  /** Waits until there is something to deliver. */
  fill(): Promise<void>;
  /** After the last record delivered. */
  position(): Position;
  /** How much there is to read, and how much of it was delivered, in bytes of the source; for showing progress. */
  progress(): { readonly read: number; readonly total: number };
  close(): Promise<void>;
}

/** Takes a record beyond the size limit: its first bytes, and its whole size. */
export type TooLongVisitor = (head: Uint8Array, size: number, meta: RecordMeta) => boolean;

/** Why a partition of a live source has nothing to deliver, and since when. */
export interface PartitionTip {
  /** Since when reads that succeeded have returned nothing at the stream's tip; undefined when that is not so. */
  readonly emptySince: EpochMs | undefined;
  /** There is, or may be, more to deliver now: it is not at the tip, and could be read lately. */
  readonly isBehind: boolean;
  /** How far the last read was behind the tip of the stream. */
  readonly millisBehindLatest: number;
}

/** A partition of a source that has no end: `fill` waits for records, in the background, while others are worked on. */
export interface LivePartition extends Partition {
  readonly tip: PartitionTip;
}

/**
 * The partitions of one live source, as they come and go: shards that split and merge.
 *
 * A partition may be read once `next` has handed it out; it does so once all those it came from have ended.
 */
export interface Discovery {
  readonly sourceID: string;
  /** Where each partition of the first start begins: JSON, committed before the first record counts, never changed after. */
  readonly state: Position;
  /** Partitions to read from now on, each once; `ended` tells those that the engine has worked off, also earlier. */
  next(ended: ReadonlySet<string>): readonly LivePartition[];
  /** Those of the ended ones that are not needed any more to know what may be read. */
  forgotten(ended: ReadonlySet<string>): readonly string[];
  /** Looks for new partitions until the signal is aborted; `changed` is called when `next` may have some. */
  watch(changed: () => void, signal: AbortSignal): Promise<void>;
  close(): Promise<void>;
}

/** The named moments of checkpoint, commit and recovery at which a crash must lose and double nothing. */
export type CrashPoint =
  | 'checkpoint:barrier-taken'
  | 'checkpoint:parts-synced'
  | 'checkpoint:file-written'
  | 'checkpoint:file-synced'
  | 'checkpoint:file-renamed'
  | 'checkpoint:committed'
  | 'compaction:base-renamed'
  | 'compaction:old-removed'
  | 'sink:part-opened'
  | 'sink:part-written'
  | 'sink:part-renamed'
  | 'sink:commit-synced'
  | 'recovery:leftovers-removed'
  | 'recovery:parts-restored';

/** Called at each crash point. Does nothing in production; tests end the world there. */
export type Probe = (point: CrashPoint) => void;

export interface World {
  readonly files: FileSystem;
  readonly clock: Clock;
  readonly probe: Probe;
  /** Waits; ends early, without an error, when the signal is aborted. */
  sleep(ms: number, signal: AbortSignal): Promise<void>;
  /** In [0, 1). */
  random(): number;
  /** Something that went on well, but that a person should know: a fallback to an older checkpoint. */
  warn(message: string): void;
}

/** What one object sink has under way, as checkpoints hold it. */
export interface PartsState {
  /** In the names of the parts, so that two runs never write one object. */
  readonly runID: string;
  /** Of the next part; parts of one run are numbered through. */
  readonly nextSequence: number;
  /** Parts that are written to; `bytes` of each belong to the checkpoint. */
  readonly open: readonly {
    readonly partition: string;
    readonly sequence: number;
    readonly bytes: number;
    readonly openedAt: EpochMs;
  }[];
  /** Parts that are complete and become visible once the checkpoint is durable. */
  readonly finished: readonly { readonly partition: string; readonly sequence: number }[];
}

/** One barrier of an object sink: three steps, each after the one before it. */
export interface PartsBarrier {
  readonly state: PartsState;
  /** All bytes of `state` are durable. */
  persist(): Promise<void>;
  /** To be called once the checkpoint that holds `state` is durable: the finished parts become visible. */
  commit(): Promise<void>;
}

/** Where the parts of an object sink lie: files, S3. */
export interface PartStore {
  /** Makes what is there agree with the state; with undefined, a new start. Bytes beyond the state are removed. */
  restore(state: PartsState | undefined): Promise<void>;
  /** The part to which the next line of this partition goes. Encode the line into `buffer`, then call `wrote`. */
  part(partition: string): Part;
  barrier(): PartsBarrier;
  /** No more lines: all parts are complete as of the next barrier. */
  finish(): void;
  /** Lets go of open files, without making anything durable or visible. */
  close(): Promise<void>;
}

export interface Part {
  readonly buffer: ByteWriter;
  wrote(): void;
}

/** Where the rows of a stream sink go. */
export interface RowStream {
  /** Takes one row, with bytes of its own. It counts as back-pressure until the stream has accepted it. */
  send(partitionKey: string, row: Uint8Array): void;
  /** Resolves once all rows taken so far were accepted; a checkpoint counts only then. Rejects when one never will. */
  accepted(): Promise<void>;
  /** Sends nothing more. */
  close(): Promise<void>;
}

/** Sends one request; no retries, no cache. */
export interface HttpTransport {
  /**
   * The whole response, whatever its status.
   * @throws TransportFailure when there is none within `timeoutMs`, or the connection was lost
   */
  send(request: HttpRequest, timeoutMs: number, signal: AbortSignal): Promise<HttpResponse>;
  close(): Promise<void>;
}

export class TransportFailure extends Error {
  readonly kind: 'timeout' | 'connection';

  constructor(kind: 'timeout' | 'connection', message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.kind = kind;
  }
}
