import { ByteWriter } from '../base/bytes.ts';
import { messageOf } from '../base/errors.ts';
import {
  type Collector,
  type DeadLetter,
  type ObjectSink,
  type RecordMeta,
  Rejection,
  type RejectionReason,
  type Source,
  type StreamSink,
} from './contract.ts';
import type { PartStore, RowStream } from './ports.ts';
import type { PartitionClock } from './watermark.ts';

const LINE_FEED = 0x0a;

/** Takes what an operator before it hands on. */
export type Push = (value: unknown) => void;

/** Named counts, kept in the checkpoint: right over all runs of a pipeline. */
export class Counters {
  readonly #counts = new Map<string, number>();

  add(name: string, count = 1): void {
    this.#counts.set(name, this.get(name) + count);
  }

  get(name: string): number {
    return this.#counts.get(name) ?? 0;
  }

  all(): Record<string, number> {
    return Object.fromEntries([...this.#counts].sort(([a], [b]) => (a < b ? -1 : 1)));
  }

  restore(counts: Readonly<Record<string, number>>): void {
    for (const [name, count] of Object.entries(counts)) this.#counts.set(name, count);
  }
}

/** Encodes rows into the parts of a sink. */
export class ObjectSinkOperator {
  readonly id: string;
  readonly #sink: ObjectSink<unknown>;
  readonly #store: Pick<PartStore, 'part'>;
  /** Rows since the start of this run. */
  rows = 0;

  constructor(sink: ObjectSink<unknown>, store: Pick<PartStore, 'part'>) {
    this.id = sink.id;
    this.#sink = sink;
    this.#store = store;
  }

  push(row: unknown): void {
    const part = this.#store.part(this.#sink.partition(row));
    this.#sink.encode(row, part.buffer);
    this.rows++;
    part.wrote();
  }
}

/** Encodes rows as records of a stream, without the line feed that ends them in files. */
export class StreamSinkOperator {
  readonly id: string;
  readonly #sink: StreamSink<unknown>;
  readonly #stream: RowStream;
  readonly #buffer = new ByteWriter(1024);
  /** Rows since the start of this run. */
  rows = 0;

  constructor(sink: StreamSink<unknown>, stream: RowStream) {
    this.id = sink.id;
    this.#sink = sink;
    this.#stream = stream;
  }

  push(row: unknown): void {
    this.#buffer.clear();
    this.#sink.encode(row, this.#buffer);
    const line = this.#buffer.view();
    this.rows++;
    this.#stream.send(this.#sink.partitionKey(row), line.slice(0, line.at(-1) === LINE_FEED ? -1 : undefined));
  }
}

/** A record that waits: where it came from, and its bytes. */
export interface Origin {
  readonly meta: RecordMeta;
  readonly payload: Uint8Array;
}

/** Completes rejections with the origin of the record that is being worked on, and sends them to their sink. */
export class DeadLetterOperator {
  readonly #sink: { push(letter: DeadLetter): void };
  readonly #counters: Counters;
  #bytes: Uint8Array = new Uint8Array(0);
  #from = 0;
  #to = 0;
  #meta: RecordMeta | undefined;

  constructor(sink: { push(letter: DeadLetter): void }, counters: Counters) {
    this.#sink = sink;
    this.#counters = counters;
  }

  /** The record that is being worked on from now on. */
  begin(bytes: Uint8Array, from: number, to: number, meta: RecordMeta): void {
    this.#bytes = bytes;
    this.#from = from;
    this.#to = to;
    this.#meta = meta;
  }

  /** Where the record that is being worked on came from. */
  get origin(): RecordMeta | undefined {
    return this.#meta;
  }

  /** What must be kept of the record that is being worked on, for when it goes on later; null in a timer. */
  originCopy(): Origin | null {
    if (this.#meta === undefined) return null;
    return { meta: { ...this.#meta, columns: null }, payload: this.#bytes.slice(this.#from, this.#to) };
  }

  /** A record that waited is being worked on again. */
  resume(origin: Origin | null): void {
    if (origin === null) this.end();
    else this.begin(origin.payload, 0, origin.payload.length, origin.meta);
  }

  /** No record is being worked on: what is rejected now would have no origin. */
  end(): void {
    this.#meta = undefined;
  }

  reject(rejection: Rejection): void {
    const meta = this.#meta;
    if (meta === undefined) throw new Error(`a stage rejected without a record: ${rejection.message}`);
    this.#counters.add(deadLetterCounter(rejection.reason));
    this.#sink.push({
      source: meta.source,
      shardId: meta.shardId,
      // As in a default eventID: the user records of one aggregate are told apart.
      sequenceNumber:
        meta.subSequence === null ? `${meta.sequenceNumber}` : `${meta.sequenceNumber}:${meta.subSequence}`,
      arrivalTime: meta.arrivalTime,
      reason: rejection.reason,
      message: rejection.message,
      payload: this.#bytes.slice(this.#from, this.#to),
    });
  }
}

export function deadLetterCounter(reason: RejectionReason): string {
  return `dead-letters.${reason}`;
}

/** What a stage sees of the operators after it. */
export class StageOutput implements Collector<unknown> {
  readonly #targets: readonly Push[];
  readonly #deadLetters: DeadLetterOperator;
  readonly #counters: Counters;

  constructor(targets: readonly Push[], deadLetters: DeadLetterOperator, counters: Counters) {
    this.#targets = targets;
    this.#deadLetters = deadLetters;
    this.#counters = counters;
  }

  emit(output: unknown): void {
    for (const push of this.#targets) push(output);
  }

  reject(rejection: Rejection): void {
    this.#deadLetters.reject(rejection);
  }

  count(counter: string): void {
    this.#counters.add(counter);
  }
}

/**
 * Decodes the records of one source and hands them on; then shows their event time to the watermark. A record that does
 * not decode never moves the watermark.
 */
export class SourceOperator {
  readonly id: string;
  readonly #source: Source<unknown>;
  readonly #targets: readonly Push[];
  readonly #deadLetters: DeadLetterOperator;
  /** Records since the start of this run. */
  records = 0;

  constructor(source: Source<unknown>, targets: readonly Push[], deadLetters: DeadLetterOperator) {
    this.id = source.id;
    this.#source = source;
    this.#targets = targets;
    this.#deadLetters = deadLetters;
  }

  get readFirst(): boolean {
    return this.#source.readFirst;
  }

  get drivesWatermark(): boolean {
    return this.#source.drivesWatermark;
  }

  /** `clock` is that of the partition, when its source drives the watermark. */
  record(bytes: Uint8Array, from: number, to: number, meta: RecordMeta, clock: PartitionClock | undefined): void {
    this.records++;
    this.#deadLetters.begin(bytes, from, to, meta);
    const event = this.#decode(bytes, from, to, meta);
    if (event instanceof Rejection) {
      this.#deadLetters.reject(event);
    } else {
      for (const push of this.#targets) push(event);
      if (clock !== undefined) clock.show(this.#source.eventTime(event));
    }
    this.#deadLetters.end();
  }

  /** A decoder that fails on one record must not stop all others, at every start again. */
  #decode(bytes: Uint8Array, from: number, to: number, meta: RecordMeta): unknown {
    try {
      return this.#source.decode(bytes, from, to, meta);
    } catch (error) {
      return new Rejection('malformed', `the decoder failed on this record: ${messageOf(error)}`);
    }
  }

  tooLong(head: Uint8Array, size: number, meta: RecordMeta): void {
    this.records++;
    this.#deadLetters.begin(head, 0, head.length, meta);
    const limit = this.#source.maxRecordBytes;
    this.#deadLetters.reject(
      new Rejection(
        'oversized',
        `expected at most ${limit} bytes (record.maxBytes), got ${size}; the payload holds the first ${head.length}`,
      ),
    );
    this.#deadLetters.end();
  }
}
