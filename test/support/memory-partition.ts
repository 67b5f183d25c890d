import type { Partition, Position, RecordVisitor } from '../../src/runtime/ports.ts';

/** Lines in memory as a partition, some read at a time (one, if not said). */
export class MemoryPartition implements Partition {
  readonly id: string;
  readonly sourceID: string;
  /** Lines delivered so far. */
  line = 0;
  onDelivered: (line: number, text: string) => void = () => undefined;
  readonly #lines: readonly string[];
  readonly #atOnce: number;
  #filled = 0;

  constructor(id: string, sourceID: string, lines: readonly string[], atOnce = 1) {
    this.id = id;
    this.sourceID = sourceID;
    this.#lines = lines;
    this.#atOnce = atOnce;
  }

  seek(line: number): void {
    this.line = line;
  }

  deliver(visit: RecordVisitor): 'paused' | 'empty' | 'ended' {
    for (let delivered = 0; ; delivered++) {
      const text = this.#lines[this.line];
      if (text === undefined) return delivered > 0 ? 'empty' : 'ended';
      if (this.#filled === 0) return 'empty';
      this.#filled--;
      this.line++;
      const bytes = new TextEncoder().encode(text);
      const meta = { source: this.id, shardId: null, sequenceNumber: this.line, subSequence: null };
      const goOn = visit(bytes, 0, bytes.length, { ...meta, arrivalTime: 0, live: false, columns: null });
      this.onDelivered(this.line, text);
      if (!goOn) return 'paused';
    }
  }

  async fill(): Promise<void> {
    this.#filled = this.#atOnce;
  }

  position(): Position {
    return { line: this.line };
  }

  progress(): { readonly read: number; readonly total: number } {
    return { read: this.line, total: this.#lines.length };
  }

  async close(): Promise<void> {}
}
