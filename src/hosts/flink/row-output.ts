import { ByteWriter } from '../../base/bytes.ts';
import type { ObjectSink } from '../../runtime/contract.ts';
import { ObjectSinkOperator } from '../../runtime/operators.ts';
import type { Part } from '../../runtime/ports.ts';

/** Rows of one part that wait for the end of the exchange. */
class Lines implements Part {
  readonly buffer = new ByteWriter(4096);
  wrote(): void {
    // They leave together, at the end of the exchange.
  }
}

/** Writes rows of one sink, as one block of lines for each partition, when an exchange ends. */
export class LineCollector {
  readonly #parts = new Map<string, Lines>();

  /** An object sink operator that writes here. */
  operatorOf(sink: ObjectSink<unknown>): ObjectSinkOperator {
    return new ObjectSinkOperator(sink, { part: (partition) => this.#part(partition) });
  }

  /** Hands over what was written, once for each partition. */
  take(write: (partition: string, lines: Uint8Array) => void): void {
    for (const [partition, { buffer }] of this.#parts) {
      if (buffer.length === 0) continue;
      write(partition, buffer.view());
      buffer.clear();
    }
    // Dates go by: those of long ago need no buffer any more.
    if (this.#parts.size > MOST_PARTS) this.#parts.clear();
  }

  #part(partition: string): Lines {
    const known = this.#parts.get(partition);
    if (known !== undefined) return known;
    const made = new Lines();
    this.#parts.set(partition, made);
    return made;
  }
}

const MOST_PARTS = 256;
