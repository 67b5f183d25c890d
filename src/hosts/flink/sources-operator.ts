import type { ByteReader, ByteWriter } from '../../base/bytes.ts';
import { messageOf } from '../../base/errors.ts';
import { type Graph, Rejection, type Source } from '../../runtime/contract.ts';
import { Counters, DeadLetterOperator, SourceOperator } from '../../runtime/operators.ts';
import { takeCounts } from './counts.ts';
import { RecordReader, type SourceInput } from './record-format.ts';
import { LineCollector } from './row-output.ts';

const REJECTED = 0;
const DECODED = 1;
/** Behind the last record: dead letters, then counts. */
const END = 2;

/**
 * The decode operator: for each record the key it is sent by and its event time, or a dead letter. The record itself goes
 * on as it came: decoding is pure, and doing it again costs less than a second encoding of events.
 */
export class SourcesOperator {
  readonly #sources: readonly Source<unknown>[];
  readonly #keyOf: readonly ((event: unknown) => string)[];
  readonly #records: RecordReader;
  readonly #deadLetters: DeadLetterOperator;
  readonly #letters = new LineCollector();
  readonly #counters = new Counters();
  readonly #operators: readonly SourceOperator[];

  constructor(graph: Graph, inputs: readonly SourceInput[]) {
    this.#sources = graph.sources;
    this.#keyOf = graph.sources.map((source) => keyOfFirstStage(graph, source.id));
    this.#records = new RecordReader(inputs);
    this.#deadLetters = new DeadLetterOperator(this.#letters.operatorOf(graph.deadLetters), this.#counters);
    this.#operators = graph.sources.map((source) => new SourceOperator(source, [], this.#deadLetters));
  }

  /** Records until the end of `from`; an answer for each, in their order, then what is to be told besides. */
  exchange(from: ByteReader, to: ByteWriter): void {
    const { meta } = this.#records;
    while (from.remaining > 0) {
      this.#records.read(from);
      const { source: index, bytes, cutFrom } = this.#records;
      const source = this.#sources[index];
      const operator = this.#operators[index];
      const keyOf = this.#keyOf[index];
      if (source === undefined || operator === undefined || keyOf === undefined)
        throw new RangeError(`no source ${index}`);
      this.#counters.add(`records.${source.id}`);
      if (cutFrom !== undefined) {
        operator.tooLong(bytes, cutFrom, meta);
        to.byte(REJECTED);
        continue;
      }
      this.#deadLetters.begin(bytes, 0, bytes.length, meta);
      const event = decode(source, bytes, meta);
      if (event instanceof Rejection) {
        this.#deadLetters.reject(event);
        to.byte(REJECTED);
      } else {
        to.byte(DECODED);
        to.text(keyOf(event));
        to.varint(source.eventTime(event));
      }
      this.#deadLetters.end();
    }
    to.byte(END);
    writeLines(this.#letters, to);
    takeCounts(this.#counters, to);
  }
}

function decode(source: Source<unknown>, bytes: Uint8Array, meta: RecordReader['meta']): unknown {
  try {
    return source.decode(bytes, 0, bytes.length, meta);
  } catch (error) {
    return new Rejection('malformed', `the decoder failed on this record: ${messageOf(error)}`);
  }
}

function keyOfFirstStage(graph: Graph, source: string): (event: unknown) => string {
  const stage = graph.stages.find(({ inputs }) => inputs.includes(source));
  if (stage === undefined) return () => '';
  return stage.kind === 'http' ? (event) => stage.orderKey(event) : (event) => stage.key(event);
}

/** How many blocks of lines, then each: partition and lines. */
export function writeLines(lines: LineCollector, to: ByteWriter): void {
  const blocks: [string, Uint8Array][] = [];
  lines.take((partition, block) => blocks.push([partition, block.slice()]));
  to.varint(blocks.length);
  for (const [partition, block] of blocks) {
    to.text(partition);
    to.block(block);
  }
}
