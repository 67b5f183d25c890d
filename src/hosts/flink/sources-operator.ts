import { type ByteReader, ByteWriter } from '../../base/bytes.ts';
import type { Graph } from '../../runtime/contract.ts';
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
  readonly #records: RecordReader;
  readonly #letters = new LineCollector();
  readonly #counters = new Counters();
  readonly #operators: readonly SourceOperator[];
  /** Where an event that was decoded is told. */
  #to = new ByteWriter(0);

  constructor(graph: Graph, inputs: readonly SourceInput[]) {
    this.#records = new RecordReader(inputs);
    const deadLetters = new DeadLetterOperator(this.#letters.operatorOf(graph.deadLetters), this.#counters);
    this.#operators = graph.sources.map((source) => {
      const keyOf = keyOfFirstStage(graph, source.id);
      const tell = (event: unknown) => {
        this.#to.byte(DECODED);
        this.#to.text(keyOf(event));
        this.#to.varint(source.eventTime(event));
      };
      return new SourceOperator(source, [tell], deadLetters);
    });
  }

  /** Records until the end of `from`; an answer for each, in their order, then what is to be told besides. */
  exchange(from: ByteReader, to: ByteWriter): void {
    this.#to = to;
    const { meta } = this.#records;
    while (from.remaining > 0) {
      this.#records.read(from);
      const { source: index, bytes, cutFrom } = this.#records;
      const operator = this.#operators[index];
      if (operator === undefined) throw new RangeError(`no source ${index}`);
      this.#counters.add(`records.${operator.id}`);
      const told = to.length;
      if (cutFrom === undefined) operator.record(bytes, 0, bytes.length, meta, undefined);
      else operator.tooLong(bytes, cutFrom, meta);
      if (to.length === told) to.byte(REJECTED);
    }
    to.byte(END);
    writeLines(this.#letters, to);
    takeCounts(this.#counters, to);
  }
}

function keyOfFirstStage(graph: Graph, source: string): (event: unknown) => string {
  const stage = graph.stages.find(({ inputs }) => inputs.includes(source));
  if (stage === undefined) return () => '';
  return stage.kind === 'http' ? (event) => stage.orderKey(event) : (event) => stage.key(event);
}

/** How many blocks of lines, then each: partition and lines. */
function writeLines(lines: LineCollector, to: ByteWriter): void {
  const blocks: [string, Uint8Array][] = [];
  lines.take((partition, block) => blocks.push([partition, block.slice()]));
  to.varint(blocks.length);
  for (const [partition, block] of blocks) {
    to.text(partition);
    to.block(block);
  }
}
