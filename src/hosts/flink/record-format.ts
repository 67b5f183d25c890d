import type { ByteReader } from '../../base/bytes.ts';
import type { Columns, RecordMeta } from '../../runtime/contract.ts';

/** What is known of a source before its first record. */
export interface SourceInput {
  /** The stream's name, or the file's base name. */
  readonly name: string;
  readonly live: boolean;
  /** What the header line of a file names. */
  readonly columns: Columns | null;
}

const HAS_PARTITION = 1;
const HAS_SUB_SEQUENCE = 2;
const IS_CUT = 4;

/**
 * One record, as Java hands it over and sends it from operator to operator: source, flags, [partition], sequence number,
 * [sub sequence], arrival time, [whole size], bytes. The reader is left behind it.
 */
export class RecordReader {
  readonly meta: { -readonly [K in keyof RecordMeta]: RecordMeta[K] };
  readonly #inputs: readonly SourceInput[];
  source = 0;
  /** Of the record, as far as it is there. */
  bytes: Uint8Array = new Uint8Array(0);
  /** The whole record's, when it is beyond the limit and `bytes` is its head only; else undefined. */
  cutFrom: number | undefined;

  constructor(inputs: readonly SourceInput[]) {
    this.#inputs = inputs;
    this.meta = {
      source: '',
      shardId: null,
      sequenceNumber: '',
      subSequence: null,
      arrivalTime: 0,
      live: false,
      columns: null,
    };
  }

  read(from: ByteReader): void {
    this.source = from.byte();
    const flags = from.byte();
    const input = this.#inputs[this.source];
    if (input === undefined) throw new RangeError(`the graph has no source ${this.source}`);
    const { meta } = this;
    meta.source = input.name;
    meta.live = input.live;
    meta.columns = input.columns;
    meta.shardId = (flags & HAS_PARTITION) === 0 ? null : from.text();
    meta.sequenceNumber = from.text();
    meta.subSequence = (flags & HAS_SUB_SEQUENCE) === 0 ? null : from.varint();
    meta.arrivalTime = from.varint();
    this.cutFrom = (flags & IS_CUT) === 0 ? undefined : from.varint();
    this.bytes = from.block();
  }
}
