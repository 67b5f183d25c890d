import type { ByteReader, ByteWriter } from '../base/bytes.ts';
import type { EpochMs } from '../base/time.ts';

/**
 * What an application is: a graph, as data, of pure functions. A host (Node, Flink) owns everything else: sources and
 * their positions, keyed state and its checkpoints, timers and watermarks, HTTP transport, sinks.
 *
 * What a host may rely on:
 * - No function here does I/O, reads a clock, or keeps anything that can be seen from outside. Equal calls give equal
 *   answers, so a host may call again after a crash.
 * - Functions are called one at a time. They never wait: what takes time is an {@link HttpStage}, and the host waits.
 *
 * What an application may rely on:
 * - Records of one partition arrive in order. Inputs of one key reach a {@link KeyedStage} one after another, each with
 *   the state that the one before it left.
 * - A thrown error stops the program with that error; bad input is a {@link Rejection}, never a throw.
 */
export interface Graph {
  readonly name: string;
  readonly sources: readonly Source<unknown>[];
  /** In topological order: a stage stands after all its inputs. */
  readonly stages: readonly (KeyedStage<unknown, unknown, unknown> | HttpStage<unknown, unknown, unknown>)[];
  readonly sinks: readonly (ObjectSink<unknown> | StreamSink<unknown>)[];
  /** W = least over partitions of (max event time - outOfOrdernessMs); a partition is idle after idleMs of nothing. */
  readonly watermark: { readonly outOfOrdernessMs: number; readonly idleMs: number };
  /** Where rejections go; the host adds the origin of the record. Same checkpoint as the other sinks. */
  readonly deadLetters: ObjectSink<DeadLetter>;
}

/** Where a record came from. The host reuses the object from record to record: copy what must outlive the call. */
export interface RecordMeta {
  /** The stream's name, or the file's base name. */
  readonly source: string;
  /** Null for a file. */
  readonly shardId: string | null;
  /** The shard's sequence number, or the file's physical line, from 1. */
  readonly sequenceNumber: string | number;
  /** Position inside a KPL aggregate; null for a record of its own. */
  readonly subSequence: number | null;
  /** When the stream took the record in; for a file, its modification time as of the first checkpoint. */
  readonly arrivalTime: EpochMs;
  /** False for a file: its records may lie in any year. */
  readonly live: boolean;
  /** What {@link Source.header} found at the head of this file; null without a header and on streams. */
  readonly columns: Columns | null;
}

/** For each field that a header line names: the index of its column, from 0. */
export type Columns = Readonly<Record<string, number>>;

export type RejectionReason = 'malformed' | 'invalid' | 'oversized' | 'late' | 'unknown-company';

/** Input that cannot be used, and why, for the person who will read it. It becomes a dead letter. */
export class Rejection {
  readonly reason: RejectionReason;
  readonly message: string;

  constructor(reason: RejectionReason, message: string) {
    this.reason = reason;
    this.message = message;
  }
}

/** A rejection with the origin of its record, as the host completes it. */
export interface DeadLetter {
  readonly source: string;
  readonly shardId: string | null;
  readonly sequenceNumber: string;
  readonly arrivalTime: EpochMs;
  readonly reason: RejectionReason;
  readonly message: string;
  /** The original bytes; a record beyond the size limit is cut at the limit. */
  readonly payload: Uint8Array;
}

export interface Source<E> {
  readonly kind: 'source';
  readonly id: string;
  /** The stream it reads on a live system. */
  readonly stream: string;
  /** Only sources that drive the watermark hold back, and fire, event-time timers. */
  readonly drivesWatermark: boolean;
  /** In a bounded run it is read to its end before the sources that are not. */
  readonly readFirst: boolean;
  /** Records of more bytes are rejected as `oversized` by the host and never decoded. */
  readonly maxRecordBytes: number;
  /** One record: bytes [from, to), which are only lent. */
  decode(bytes: Uint8Array, from: number, to: number, meta: RecordMeta): E | Rejection;
  eventTime(event: E): EpochMs;
  /** The columns that the first line of a file names; undefined when that line is a record; a Rejection when it is a
   *  header that lacks a required column. */
  header(line: string): Columns | undefined | Rejection;
}

/** What a stage hands on. Valid during the call only. */
export interface Collector<O> {
  emit(output: O): void;
  /** Sends the record that is being worked on to the dead letters. Not to be called from a timer. */
  reject(rejection: Rejection): void;
  /** Adds one to a named counter: something worth telling that is neither an output nor a rejection. */
  count(counter: string): void;
}

/** State as bytes: compact, and readable by every later version of the stage. */
export interface StateCodec<S> {
  /** Raised with each change of the layout; `decode` takes all versions from 1 on. */
  readonly version: number;
  encode(state: S, to: ByteWriter): void;
  decode(from: ByteReader, version: number): S;
}

/** Time of the next timer when there is none. */
export const NO_TIMER: EpochMs = Number.POSITIVE_INFINITY;

/**
 * A stage with state by key. It owns the state it is given: it may change it in place and return it, and nobody else
 * holds it. Returning undefined removes it.
 */
export interface KeyedStage<S, I, O> {
  readonly kind: 'keyed';
  readonly id: string;
  readonly inputs: readonly string[];
  readonly state: StateCodec<S>;
  key(input: I): string;
  onEvent(state: S | undefined, input: I, out: Collector<O>): S | undefined;
  /** False: `nextTimer` is always NO_TIMER. The watermark of a stage with timers waits for what HTTP stages before it hold. */
  readonly usesTimers: boolean;
  /** Called once the watermark has reached `at`, the time that `nextTimer` gave. */
  onTimer(state: S, at: EpochMs, out: Collector<O>): S | undefined;
  /** The one timer of this key, a function of its state alone; NO_TIMER for none. */
  nextTimer(state: S): EpochMs;
}

export interface HttpRequest {
  readonly method: 'GET' | 'POST';
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string | null;
}

export interface HttpResponse {
  readonly status: number;
  /** Names in lower case. */
  readonly headers: Readonly<Record<string, string>>;
  readonly body: string;
  readonly receivedAt: EpochMs;
}

/** Why there is no answer after all retries, or without one: the breaker is open, or what came is no answer. */
export interface CallFailure {
  readonly kind: 'timeout' | 'connection' | 'status' | 'breaker-open' | 'not-an-answer';
  /** The last status, when there was one. */
  readonly status: number | null;
  readonly message: string;
}

/**
 * - `emit`: goes on.
 * - `emit-and-ask-again`: goes on as it is, and also waits in the stage's bounded store until an answer comes; the
 *   completed output then follows. A full store is back-pressure.
 * - `hold`: nothing goes on; the input waits, under back-pressure, and is asked again.
 */
export type FailureOutcome<O> =
  | { readonly kind: 'emit'; readonly output: O }
  | { readonly kind: 'emit-and-ask-again'; readonly output: O }
  | { readonly kind: 'hold' };

export interface HttpLimits {
  readonly concurrency: number;
  readonly timeoutMs: number;
  readonly retries: number;
  readonly breakerFailures: number;
  readonly breakerResetMs: number;
  readonly cacheEntries: number;
  readonly cacheTtlMs: number;
  readonly negativeTtlMs: number;
  /** How many outputs may wait to be asked again. */
  readonly askAgainCapacity: number;
}

/**
 * A stage that asks a service. `A` is the answer, as it is cached. Inputs with one `orderKey` leave in the order they
 * came, also after a restore: the host keeps a queue for each key, and what is in flight is in the checkpoint.
 */
export interface HttpStage<I, A, O> {
  readonly kind: 'http';
  readonly id: string;
  readonly inputs: readonly string[];
  readonly service: string;
  readonly limits: HttpLimits;
  /** Inputs in flight, as checkpoints hold them. */
  readonly input: StateCodec<I>;
  /** Whether an answer beyond its TTL serves while the service cannot be asked. */
  readonly servesStale: boolean;
  orderKey(input: I): string;
  /** Equal keys have equal answers: asked once within the TTL, and once at a time. Null: nothing to ask. */
  cacheKey(input: I): string | null;
  request(input: I): HttpRequest;
  /** A 2xx or other 4xx as an answer, or a failure; 429, 5xx and lost connections never come here: the host retries. */
  respond(input: I, response: HttpResponse): Answer<A> | CallFailure;
  /** `stale`: the service could not be asked, the answer is the last one held. A null answer: nothing to ask. */
  complete(input: I, answer: A | null, stale: boolean): O;
  fail(input: I, failure: CallFailure): FailureOutcome<O>;
}

/** `negative`: the service says that there is no such thing (404); remembered for `negativeTtlMs`. */
export interface Answer<A> {
  readonly kind: 'answer';
  readonly value: A;
  readonly negative: boolean;
}

/** Rows as lines in objects (files, S3), each in exactly one committed object. */
export interface ObjectSink<R> {
  readonly kind: 'objects';
  readonly id: string;
  readonly inputs: readonly string[];
  /** `file:///…` or `s3://…`, without a slash at its end. */
  readonly path: string;
  /** Without a dot: `jsonl`, `csv`. */
  readonly extension: string;
  /** Objects are closed at this size or age, whichever comes first. */
  readonly rollBytes: number;
  readonly rollAgeMs: number;
  /** The folder under `path`: `dt=YYYY-MM-DD`. */
  partition(row: R): string;
  /** One line, with its line feed. */
  encode(row: R, to: ByteWriter): void;
}

/** Rows as records on a stream: at least once, in order per partition key. Not written in a bounded run. */
export interface StreamSink<R> {
  readonly kind: 'stream';
  readonly id: string;
  readonly inputs: readonly string[];
  readonly stream: string;
  partitionKey(row: R): string;
  encode(row: R, to: ByteWriter): void;
}
